package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
)

// The tests sign with the standard library only, so that they don't share a fault with the code they test.

var start = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

const (
	testSecret = "a-legacy-secret-of-more-than-32-bytes"
	ours       = "api"
	origin     = "https://app.test"
)

type object = map[string]any

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func text(t testing.TB, value any) []byte {
	t.Helper()
	if s, ok := value.(string); ok {
		return []byte(s)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// forge makes tokens: good ones, and any other.
type forge struct {
	testing.TB
	rsa  *rsa.PrivateKey
	ec   *ecdsa.PrivateKey
	ed   ed25519.PrivateKey
	p384 *ecdsa.PrivateKey
}

func newForge(t testing.TB) *forge {
	t.Helper()
	f := &forge{TB: t}
	var errRSA, errEC, errP384, errEd error
	f.rsa, errRSA = rsa.GenerateKey(rand.Reader, 2048)
	f.ec, errEC = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	f.p384, errP384 = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, f.ed, errEd = ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(errRSA, errEC, errP384, errEd); err != nil {
		t.Fatal(err)
	}
	return f
}

// token signs header and claims, objects or JSON texts, with what algorithm says.
func (f *forge) token(algorithm string, header, claims any) string {
	f.Helper()
	input := encode(text(f, header)) + "." + encode(text(f, claims))
	return input + "." + encode(f.signature(algorithm, input))
}

func (f *forge) signature(algorithm, input string) []byte {
	f.Helper()
	sum := sha256.Sum256([]byte(input))
	var signature []byte
	var err error
	switch algorithm {
	case "RS256":
		signature, err = rsa.SignPKCS1v15(rand.Reader, f.rsa, crypto.SHA256, sum[:])
	case "RS512":
		long := sha512.Sum512([]byte(input))
		signature, err = rsa.SignPKCS1v15(rand.Reader, f.rsa, crypto.SHA512, long[:])
	case "PS256":
		signature, err = rsa.SignPSS(rand.Reader, f.rsa, crypto.SHA256, sum[:], nil)
	case "ES256":
		signature = signEC(f, f.ec, sum[:])
	case "ES384":
		long := sha512.Sum384([]byte(input))
		signature = signEC(f, f.p384, long[:])
	case "DER":
		signature, err = ecdsa.SignASN1(rand.Reader, f.ec, sum[:])
	case "EdDSA":
		signature = ed25519.Sign(f.ed, []byte(input))
	default:
		f.Fatalf("nobody signs with %q", algorithm)
	}
	if err != nil {
		f.Fatal(err)
	}
	return signature
}

func signEC(t testing.TB, key *ecdsa.PrivateKey, sum []byte) []byte {
	t.Helper()
	r, s, err := ecdsa.Sign(rand.Reader, key, sum)
	if err != nil {
		t.Fatal(err)
	}
	half := (key.Curve.Params().BitSize + 7) / 8
	return append(r.FillBytes(make([]byte, half)), s.FillBytes(make([]byte, half))...)
}

// hmacToken signs with the secret, whatever the header says.
func (f *forge) hmacToken(secret []byte, header, claims any) string {
	f.Helper()
	input := encode(text(f, header)) + "." + encode(text(f, claims))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + encode(mac.Sum(nil))
}

func rsaJWK(kid string, key *rsa.PublicKey) object {
	return object{"kty": "RSA", "kid": kid, "n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes())}
}

func ecJWK(t testing.TB, kid, curve string, key *ecdsa.PublicKey) object {
	t.Helper()
	point, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	half := (len(point) - 1) / 2
	return object{"kty": "EC", "crv": curve, "kid": kid, "x": encode(point[1 : 1+half]), "y": encode(point[1+half:])}
}

func edJWK(kid string, key ed25519.PublicKey) object {
	return object{"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": encode(key)}
}

func (f *forge) jwks(keys ...object) string {
	f.Helper()
	return string(text(f, object{"keys": keys}))
}

// publicKeys is the set of the forge's keys, by the kids that the headers below use.
func (f *forge) publicKeys() string {
	f.Helper()
	return f.jwks(f.rsaKey(), f.ecKey(), edJWK("ed", f.ed.Public().(ed25519.PublicKey)))
}

func (f *forge) rsaKey() object { return rsaJWK("rsa", &f.rsa.PublicKey) }
func (f *forge) ecKey() object  { return ecJWK(f, "ec", "P-256", &f.ec.PublicKey) }

// with returns base changed by changes; nil removes a name.
func with(base object, changes object) object {
	changed := object{}
	maps.Copy(changed, base)
	for name, value := range changes {
		if value == nil {
			delete(changed, name)
			continue
		}
		changed[name] = value
	}
	return changed
}

func head(algorithm, kid string) object { return object{"alg": algorithm, "kid": kid, "typ": "JWT"} }

// goodClaims are right for an issuer at the start time.
func goodClaims(issuer string) object {
	return object{
		"iss": issuer, "sub": "user-1", "aud": ours, "azp": origin,
		"iat": start.Unix(), "exp": start.Add(time.Hour).Unix(),
	}
}

// server is an issuer's JWKS endpoint that counts what it is asked.
type server struct {
	*httptest.Server
	asked  atomic.Int64
	mu     sync.Mutex
	answer http.HandlerFunc
}

func newServer(t testing.TB, jwks string) *server {
	t.Helper()
	s := &server{answer: document(jwks)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.mu.Lock()
		answer := s.answer
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) answers(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func document(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// provider trusts the server for everything the forge signs.
func (s *server) provider() *Provider {
	return &Provider{
		Name:              "test",
		Issuer:            s.URL,
		Audiences:         []string{ours},
		AuthorizedParties: []string{origin},
		Keys:              NewKeySource(s.URL),
		Claims:            ClaimPaths{Email: "email", EmailVerified: "email_verified", Name: "name", Avatar: "picture", Role: "app.role"},
	}
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
