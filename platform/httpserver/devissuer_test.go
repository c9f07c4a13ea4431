package httpserver

import (
	"testing"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/testkit"
)

func TestTheDevIssuerHandsOutTokens(t *testing.T) {
	issuer, err := auth.OpenDevIssuer(t.TempDir(), "test", clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, nil)
	f.server.AddDevIssuer(issuer)
	f.listen(t)
	const path = "/api/v1/public/auth/dev-token"

	answer := f.anyone.Do(t, "POST", path, testkit.Body(`{"sub":"alice","email":"a@example.com","name":"Alice","role":"admin"}`))
	answer.Want(200).WantJSON("token_type", "Bearer")
	if seconds := answer.JSON("expires_in").(float64); seconds < 3590 || seconds > 3600 {
		t.Errorf("the token expires in %v s, want an hour", seconds)
	}
	who, err := auth.NewVerifier([]*auth.Provider{issuer.Provider()}, clock.System{}).Verify(t.Context(), answer.Text("access_token"))
	if err != nil || who.Subject != "alice" || who.Email != "a@example.com" || who.Name != "Alice" || who.Role != auth.RoleAdmin {
		t.Errorf("the token is of %+v, %v", who, err)
	}

	for _, body := range []string{`{}`, `{"sub":""}`, `{"sub":"a","role":"god"}`, `{"sub":"a","ttl":1}`} {
		f.anyone.Do(t, "POST", path, testkit.Body(body)).WantError(422, "VALIDATION_ERROR")
	}
	if keys := f.anyone.Do(t, "GET", "/.well-known/jwks.json").Want(200).JSON("keys").([]any); len(keys) != 1 {
		t.Errorf("there are %d keys, want 1", len(keys))
	}
}

func TestThereIsNoDevIssuerUnlessAdded(t *testing.T) {
	f := start(t, nil)
	f.anyone.Do(t, "POST", "/api/v1/public/auth/dev-token", testkit.Body(`{"sub":"alice"}`)).WantError(404, "NOT_FOUND")
	f.anyone.Do(t, "GET", "/.well-known/jwks.json").WantError(404, "NOT_FOUND")
}
