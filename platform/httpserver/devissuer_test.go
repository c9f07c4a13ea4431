package httpserver

import (
	"net/http/httptest"
	"strings"
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

// Tokens are for who sits at this machine: not for a client that reaches it over the network, and not for a page of a
// stranger whose name leads here.
func TestTheDevIssuerAnswersThisMachineOnly(t *testing.T) {
	issuer, err := auth.OpenDevIssuer(t.TempDir(), "test", clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, nil)
	f.server.AddDevIssuer(issuer)
	for _, test := range []struct {
		client, host string
		want         int
	}{
		{"127.0.0.1:1", "localhost:8000", 200},
		{"127.0.0.1:1", "127.0.0.1", 200},
		{"[::1]:1", "[::1]:8000", 200},
		{"[::ffff:127.0.0.1]:1", "localhost", 200},
		{"192.0.2.1:1", "192.0.2.7:8000", 404},
		{"192.0.2.1:1", "localhost:8000", 404},
		{"127.0.0.1:1", "evil.example:8000", 404},
		{"127.0.0.1:1", "localhost.evil.example", 404},
		{"127.0.0.1:1", "", 404},
	} {
		request := httptest.NewRequest("POST", "/api/v1/public/auth/dev-token", strings.NewReader(`{"sub":"alice","role":"superadmin"}`))
		request.RemoteAddr, request.Host = test.client, test.host
		answer := httptest.NewRecorder()
		f.server.Handler().ServeHTTP(answer, request)
		if answer.Code != test.want {
			t.Errorf("from %s to %q: got %d, want %d", test.client, test.host, answer.Code, test.want)
		}
	}
}
