package idp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
)

// Issuer is an identity provider. It is safe for concurrent use.
type Issuer struct {
	*Keys
	Shape Shape
	URL   string // where it is, such as http://127.0.0.1:4711; nowhere for Dev

	mu     sync.Mutex
	jwks   string
	answer http.HandlerFunc // nil for the truth
	asked  int
}

// New starts a provider of one shape with keys of its own.
func New(t testing.TB, shape Shape) *Issuer {
	t.Helper()
	return NewKeys(t).Serve(shape)
}

// Serve starts a provider of one shape, which publishes all keys that it signs with, until the test ends.
func (k *Keys) Serve(shape Shape) *Issuer {
	k.Helper()
	i := &Issuer{Keys: k, Shape: shape, jwks: k.JWKS()}
	server := httptest.NewUnstartedServer(i)
	i.URL = "http://" + server.Listener.Addr().String() // before anybody can ask
	server.Start()
	k.Cleanup(server.Close)
	return i
}

// OpenDev returns the provider whose key is in a file of the development issuer's. It is nowhere: the product has the
// key itself.
func OpenDev(t testing.TB, file string) *Issuer {
	t.Helper()
	var key struct{ Kid, D string }
	document, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(document, &key); err != nil {
		t.Fatal(err)
	}
	secret, err := base64.RawURLEncoding.DecodeString(key.D)
	if err != nil {
		t.Fatal(err)
	}
	keys := NewKeys(t)
	keys.ecID = key.Kid
	if keys.EC, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), secret); err != nil {
		t.Fatal(err)
	}
	return &Issuer{Keys: keys, Shape: Dev}
}

// ServeHTTP publishes the keys where a provider of the shape does, and how to find them.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.asked++
	jwks, answer := i.jwks, i.answer
	i.mu.Unlock()
	switch {
	case answer != nil:
		answer(w, r)
	case r.URL.Path == i.Shape.keysPath():
		Document(jwks)(w, r)
	case i.Shape == Custom && r.URL.Path == "/.well-known/openid-configuration":
		Document(fmt.Sprintf(`{"issuer": %q, "jwks_uri": %q}`, i.Name(), i.KeysURL()))(w, r)
	default:
		http.NotFound(w, r)
	}
}

// KeysURL is where the keys are published.
func (i *Issuer) KeysURL() string { return i.URL + i.Shape.keysPath() }

// Publish makes the keys for algorithms, such as RS256, the ones that are published; the others are withdrawn.
func (i *Issuer) Publish(algorithms ...string) { i.PublishSet(i.JWKS(algorithms...)) }

// PublishSet publishes a document in place of the keys.
func (i *Issuer) PublishSet(jwks string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.jwks = jwks
}

// Answer makes everything be answered in one way, such as Status(500), until it is called with nil.
func (i *Issuer) Answer(answer http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
}

// Asked returns how many requests came.
func (i *Issuer) Asked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// Document answers with a text.
func Document(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

// Status answers with a status and nothing else.
func Status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// HangUp ends the connection without an answer.
func HangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
