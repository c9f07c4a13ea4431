package auth

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit/idp"
)

var start = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

type object = idp.Object

// goodClaims are right for an issuer at the start time.
func goodClaims(issuer string) object {
	return object{
		"iss": issuer, "sub": "user-1", "aud": idp.Audience, "azp": idp.Origin,
		"iat": start.Unix(), "exp": start.Add(time.Hour).Unix(),
	}
}

// serve starts an issuer that publishes a document for its keys.
func serve(keys *idp.Keys, jwks string) *idp.Issuer {
	keys.Helper()
	issuer := keys.Serve(idp.Custom)
	issuer.PublishSet(jwks)
	return issuer
}

// trusting returns a provider that trusts the issuer for everything its keys sign, and checks aud and azp.
func trusting(issuer *idp.Issuer) *Provider {
	return &Provider{
		Name:              "test",
		Issuer:            issuer.URL,
		Audiences:         []string{idp.Audience},
		AuthorizedParties: []string{idp.Origin},
		Keys:              NewKeySource(issuer.KeysURL()),
		Claims:            ClaimPaths{Email: "email", EmailVerified: "email_verified", Name: "name", Avatar: "picture", Role: "app.role"},
	}
}

// preset starts an issuer of one shape, and returns it with the provider that the product makes for it.
func preset(t testing.TB, shape idp.Shape) (*idp.Issuer, *Provider) {
	t.Helper()
	if shape == idp.Dev {
		dir := t.TempDir()
		dev, err := OpenDevIssuer(dir, (&idp.Issuer{Shape: shape}).Name(), clock.System{})
		if err != nil {
			t.Fatal(err)
		}
		return idp.OpenDev(t, filepath.Join(dir, devKeyFile)), dev.Provider()
	}
	issuer := idp.New(t, shape)
	switch shape {
	case idp.Supabase:
		return issuer, Supabase(issuer.URL, idp.Secret)
	case idp.Clerk:
		return issuer, Clerk(issuer.URL, []string{idp.Origin})
	}
	return issuer, Custom(issuer.URL, "", idp.Audience, "realm_access.roles", "")
}

func newVerifier(providers ...*Provider) (*Verifier, *clock.Manual) {
	now := clock.NewManual(start)
	return NewVerifier(providers, now), now
}

func mustVerify(t testing.TB, v *Verifier, token string) Identity {
	t.Helper()
	who, err := v.Verify(t.Context(), token)
	if err != nil {
		t.Fatalf("a good token was refused: %v", err)
	}
	return who
}

// mustRefuse checks that the token is refused with 401 for the reason.
func mustRefuse(t testing.TB, v *Verifier, token string, want Reason) {
	t.Helper()
	who, err := v.Verify(t.Context(), token)
	if err == nil {
		t.Fatalf("accepted as %+v", who)
	}
	if who != (Identity{}) {
		t.Errorf("refused, yet returned %+v", who)
	}
	if !errs.Is(err, errs.Unauthenticated) {
		t.Fatalf("the error is %v, want 401", err)
	}
	var got Reason
	if !errors.As(err, &got) || got != want {
		t.Errorf("refused for %q, want %q", got, want)
	}
	if message := errs.From(err).Message; want != MissingToken && message != "The access token is not valid" {
		t.Errorf("the client is told %q", message)
	}
}

func mustBeUnavailable(t testing.TB, v *Verifier, token string) {
	t.Helper()
	if _, err := v.Verify(t.Context(), token); !errs.Is(err, errs.Unavailable) {
		t.Fatalf("the error is %v, want 503", err)
	}
}
