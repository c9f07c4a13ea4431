package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit/idp"
)

const devURL = "http://127.0.0.1:8000"

func openDevIssuer(t testing.TB, dir string, now clock.Clock) *DevIssuer {
	t.Helper()
	issuer, err := OpenDevIssuer(dir, devURL, now)
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}

func mint(t testing.TB, issuer *DevIssuer, claims DevClaims) string {
	t.Helper()
	token, _, err := issuer.Mint(claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestDevTokensPassTheVerifier(t *testing.T) {
	now := clock.NewManual(start.Add(500 * time.Millisecond))
	issuer := openDevIssuer(t, t.TempDir(), now)
	provider := issuer.Provider()
	if err := provider.Validate(); err != nil {
		t.Fatal(err)
	}
	verifier := NewVerifier([]*Provider{provider}, now)

	token, expires, err := issuer.Mint(DevClaims{Subject: "ann", Email: "ann@b.test", Name: `Ann "A" <b>`, Role: "admin", TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	want := Identity{
		Issuer: devURL, Subject: "ann", Email: "ann@b.test", EmailVerified: true, Name: `Ann "A" <b>`,
		Role: RoleAdmin, IssuedAt: start, ExpiresAt: start.Add(time.Minute),
	}
	if who := mustVerify(t, verifier, token); who != want || !expires.Equal(want.ExpiresAt) {
		t.Errorf("got %+v until %s, want %+v", who, expires, want)
	}

	bare := mustVerify(t, verifier, mint(t, issuer, DevClaims{Subject: "bob"}))
	if want := (Identity{Issuer: devURL, Subject: "bob", IssuedAt: start, ExpiresAt: start.Add(time.Hour)}); bare != want {
		t.Errorf("got %+v, want %+v", bare, want)
	}

	now.Advance(2 * time.Hour)
	mustRefuse(t, verifier, token, Expired)

	other := openDevIssuer(t, t.TempDir(), now)
	mustRefuse(t, verifier, mint(t, other, DevClaims{Subject: "ann"}), UnknownKey)
}

func TestDevClaimsAreChecked(t *testing.T) {
	issuer := openDevIssuer(t, t.TempDir(), clock.NewManual(start))
	for name, claims := range map[string]DevClaims{
		"no subject":       {},
		"a long subject":   {Subject: strings.Repeat("a", 256)},
		"a line break":     {Subject: "a\nb"},
		"an unknown role":  {Subject: "a", Role: "root"},
		"a NUL in a name":  {Subject: "a", Name: "a\x00"},
		"a long address":   {Subject: "a", Email: strings.Repeat("a", 321)},
		"a negative TTL":   {Subject: "a", TTL: -1},
		"a TTL of a year":  {Subject: "a", TTL: 365 * 24 * time.Hour},
		"invalid UTF-8":    {Subject: "a\xff"},
		"not ASCII":        {Subject: "é"},
		"only a role":      {Role: "admin"},
		"everything wrong": {Subject: "", Email: "\x00", Name: "\x00", Role: "x", TTL: -1},
	} {
		if token, _, err := issuer.Mint(claims); token != "" || !errs.Is(err, errs.Invalid) {
			t.Errorf("%s gave %q, %v", name, token, err)
		}
	}
}

func TestDevKeyIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on demand")
	now := clock.NewManual(start)
	first := openDevIssuer(t, dir, now)
	second := openDevIssuer(t, dir, now)
	if !bytes.Equal(first.JWKS(), second.JWKS()) {
		t.Error("the key changed")
	}
	mustVerify(t, NewVerifier([]*Provider{second.Provider()}, now), mint(t, first, DevClaims{Subject: "ann"}))

	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != devKeyFile {
		t.Errorf("it left %v", entries)
	}
	info, err := os.Stat(filepath.Join(dir, devKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode(); mode != 0o600 {
		t.Errorf("the key's mode is %s", mode)
	}
}

func TestDevIssuersThatStartAtOnceAgree(t *testing.T) {
	dir := t.TempDir()
	sets := make([][]byte, 8)
	gate := make(chan struct{})
	var starting sync.WaitGroup
	for i := range sets {
		starting.Go(func() {
			<-gate
			issuer, err := OpenDevIssuer(dir, devURL, clock.System{})
			if err != nil {
				t.Error(err)
				return
			}
			sets[i] = issuer.JWKS()
		})
	}
	close(gate)
	starting.Wait()
	for _, set := range sets[1:] {
		if !bytes.Equal(set, sets[0]) {
			t.Fatal("they have different keys")
		}
	}
}

func TestDevJWKSHoldsNoSecret(t *testing.T) {
	issuer := openDevIssuer(t, t.TempDir(), clock.NewManual(start))
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(issuer.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 1 {
		t.Fatalf("it has %d keys", len(set.Keys))
	}
	key := set.Keys[0]
	if key["d"] != "" || key["kid"] == "" || key["alg"] != "ES256" || key["use"] != "sig" {
		t.Errorf("the key is %v", key)
	}
}

// TestDevTokenHasOnlyOurClaims tries to smuggle claims in through values (GHSA-4cf7-xm37-g63h is about names).
func TestDevTokenHasOnlyOurClaims(t *testing.T) {
	issuer := openDevIssuer(t, t.TempDir(), clock.NewManual(start))
	token := mint(t, issuer, DevClaims{Subject: `a","role":"superadmin","x":"`, Name: `\u0022,"role":"superadmin"`})
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	if len(claims) != 6 || claims["role"] != nil {
		t.Errorf("the claims are %v", claims)
	}
}

func TestDevKeyFileThatHoldsNoKey(t *testing.T) {
	f := idp.NewKeys(t)
	secret, err := f.EC.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"empty":         "",
		"text":          "canary",
		"a public key":  string(idp.Text(t, f.JWK("ES256"))),
		"an RSA key":    string(idp.Text(t, f.JWK("RS256"))),
		"a symmetric":   `{"kty":"oct","k":"Y2FuYXJ5","kid":"a"}`,
		"no kid":        string(idp.Text(t, idp.With(f.JWK("ES256"), object{"kid": nil, "d": idp.Encode(secret)}))),
		"another curve": string(idp.Text(t, idp.With(idp.ECJWK(t, "a", "P-384", &f.P384.PublicKey), object{"d": idp.Encode([]byte("canary"))}))),
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, devKeyFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := OpenDevIssuer(dir, devURL, clock.System{})
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s gave %v", name, err)
		}
	}
}
