package auth

import (
	"context"
	"errors"
	"testing"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
)

// accounts knows one account, and suspends everyone else.
type accounts struct{ asked int }

func (a *accounts) Resolve(_ context.Context, who Identity) (Principal, error) {
	a.asked++
	if who.Subject != "ann" {
		return Principal{}, errs.New(errs.Forbidden, "The account is suspended")
	}
	return Principal{UserID: who.Subject, Role: who.Role}, nil
}

// noKeys knows no API key.
type noKeys struct{}

func (noKeys) FindKey(context.Context, [32]byte) (Key, error) {
	return Key{}, errs.New(errs.NotFound, "API key not found")
}
func (noKeys) NoteUse(context.Context, string) error { return errors.New("no key was used") }

func TestGate(t *testing.T) {
	now := clock.NewManual(start)
	issuer := openDevIssuer(t, t.TempDir(), now)
	known := &accounts{}
	gate := NewGate(NewVerifier([]*Provider{issuer.Provider()}, now), known, noKeys{}, NewPrincipalCache(now))
	ann := "Bearer " + mint(t, issuer, DevClaims{Subject: "ann", Role: "admin"})
	bob := "Bearer " + mint(t, issuer, DevClaims{Subject: "bob"})

	who, err := gate.Authenticate(t.Context(), []string{ann})
	if err != nil || who != (Principal{UserID: "ann", Role: RoleAdmin}) {
		t.Errorf("got %+v, %v", who, err)
	}
	if _, err := gate.Authenticate(t.Context(), []string{bob}); !errs.Is(err, errs.Forbidden) {
		t.Errorf("a suspended account gave %v", err)
	}

	known.asked = 0
	for name, test := range map[string]struct {
		headers []string
		want    Reason
	}{
		"no header":     {nil, MissingToken},
		"another":       {[]string{"Basic YTpi"}, MissingToken},
		"two headers":   {[]string{ann, ann}, MalformedHeader},
		"two tokens":    {[]string{ann + " " + ann}, MalformedHeader},
		"a broken one":  {[]string{ann + "x"}, MalformedToken},
		"a forged one":  {[]string{tampered(ann)}, InvalidSignature},
		"not URL-safe":  {[]string{ann + "=="}, MalformedToken},
		"only a scheme": {[]string{"Bearer"}, MalformedHeader},
		"a key":         {[]string{"Bearer " + string(NewAPIKey())}, UnknownAPIKey},
		"a key and one": {[]string{"Bearer " + string(NewAPIKey()), ann}, MalformedHeader},
		"no key":        {[]string{"Bearer omni_"}, MalformedAPIKey},
	} {
		_, err := gate.Authenticate(t.Context(), test.headers)
		var got Reason
		if !errs.Is(err, errs.Unauthenticated) || !errors.As(err, &got) || got != test.want {
			t.Errorf("%s gave %v, want %s", name, err, test.want)
		}
	}
	if known.asked != 0 {
		t.Error("an account was asked for without a valid token")
	}
}

// tampered changes one character of a token's signature.
func tampered(token string) string {
	middle := len(token) - 20
	other := byte('A')
	if token[middle] == other {
		other = 'B'
	}
	return token[:middle] + string(other) + token[middle+1:]
}

// BenchmarkGate is what a request with a token costs that was seen a moment ago: no query, and nothing allocated.
func BenchmarkGate(b *testing.B) {
	gate, header := hot(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := gate.Authenticate(b.Context(), header); err != nil {
			b.Fatal(err)
		}
	}
}

func TestWhoWasSeenAMomentAgoCostsNothing(t *testing.T) {
	gate, header := hot(t)
	if allocations := testing.AllocsPerRun(100, func() {
		if _, err := gate.Authenticate(t.Context(), header); err != nil {
			t.Error(err)
		}
	}); allocations != 0 {
		t.Errorf("it allocates %v times", allocations)
	}
	if asked := gate.accounts.(*accounts).asked; asked != 1 {
		t.Errorf("the account was asked for %d times", asked)
	}
}

// hot returns a gate that has just let the header in.
func hot(t testing.TB) (*Gate, []string) {
	t.Helper()
	now := clock.NewManual(start)
	issuer := openDevIssuer(t, t.TempDir(), now)
	gate := NewGate(NewVerifier([]*Provider{issuer.Provider()}, now), &accounts{}, noKeys{}, NewPrincipalCache(now))
	header := []string{"Bearer " + mint(t, issuer, DevClaims{Subject: "ann"})}
	if _, err := gate.Authenticate(t.Context(), header); err != nil {
		t.Fatal(err)
	}
	return gate, header
}
