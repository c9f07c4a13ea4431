package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
)

func TestRotationIsPickedUpByTheFirstToken(t *testing.T) {
	f := newForge(t)
	home := newServer(t, f.jwks(f.rsaKey()))
	verifier, now := newVerifier(home.provider())
	mustVerify(t, verifier, f.token("RS256", head("RS256", "rsa"), goodClaims(home.URL)))

	now.Advance(5 * time.Minute)
	home.answers(document(f.jwks(f.rsaKey(), f.ecKey())))
	mustVerify(t, verifier, f.token("ES256", head("ES256", "ec"), goodClaims(home.URL)))
	mustVerify(t, verifier, f.token("RS256", head("RS256", "rsa"), goodClaims(home.URL)))
	if n := home.asked.Load(); n != 2 {
		t.Errorf("it took %d fetches, want 2", n)
	}
}

// TestRotationUnderLoad lets 50 requests meet a new key at once: all wait for one fetch, and none is refused.
func TestRotationUnderLoad(t *testing.T) {
	f := newForge(t)
	home := newServer(t, f.jwks(f.rsaKey()))
	provider := home.provider()
	verifier, _ := newVerifier(provider)
	if err := provider.Keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	started, release := make(chan struct{}, 1), make(chan struct{})
	home.answers(func(w http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-release
		document(f.publicKeys())(w, r)
	})
	token := f.token("ES256", head("ES256", "ec"), goodClaims(home.URL))
	var waiting sync.WaitGroup
	for range 50 {
		waiting.Go(func() {
			if _, err := verifier.Verify(t.Context(), token); err != nil {
				t.Errorf("refused: %v", err)
			}
		})
	}
	<-started
	close(release)
	waiting.Wait()
	if n := home.asked.Load(); n != 2 {
		t.Errorf("it took %d fetches, want 2", n)
	}
}

func TestProviderDownAtColdStart(t *testing.T) {
	f := newForge(t)
	home := newServer(t, f.publicKeys())
	verifier, now := newVerifier(home.provider())
	token := f.token("RS256", head("RS256", "rsa"), goodClaims(home.URL))
	home.answers(status(http.StatusInternalServerError))
	for range 10 {
		mustBeUnavailable(t, verifier, token)
	}
	if n := home.asked.Load(); n != askBurst {
		t.Errorf("it asked %d times, want %d", n, askBurst)
	}
	home.answers(document(f.publicKeys()))
	now.Advance(askEvery)
	mustVerify(t, verifier, token)
}

func TestStaleKeysServeWhileTheProviderIsDown(t *testing.T) {
	f := newForge(t)
	home := newServer(t, f.jwks(f.rsaKey()))
	provider := home.provider()
	verifier, now := newVerifier(provider)
	claims := with(goodClaims(home.URL), object{"exp": start.Add(10 * 365 * 24 * time.Hour).Unix()})
	mustVerify(t, verifier, f.token("RS256", head("RS256", "rsa"), claims))

	home.answers(status(http.StatusBadGateway))
	now.Advance(365 * 24 * time.Hour)
	if err := provider.Keys.Refresh(t.Context()); err == nil || provider.Keys.Err() == nil {
		t.Fatal("a failed refresh isn't an error")
	}
	if !provider.Keys.Ready() {
		t.Error("it isn't ready, though it has keys")
	}
	mustVerify(t, verifier, f.token("RS256", head("RS256", "rsa"), with(claims, object{"sub": "user-2"})))
	for range askBurst + 1 { // it may be the new key: nobody can tell
		mustBeUnavailable(t, verifier, f.token("ES256", head("ES256", "ec"), claims))
	}

	home.answers(document(f.jwks(f.rsaKey())))
	if err := errors.Join(provider.Keys.Refresh(t.Context()), provider.Keys.Err()); err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, verifier, f.token("ES256", head("ES256", "ec"), claims), UnknownKey)
}

func TestUnknownKidsDontFloodTheProvider(t *testing.T) {
	f := newForge(t)
	home := newServer(t, f.publicKeys())
	verifier, now := newVerifier(home.provider())
	if err := home.keys(verifier).Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	home.asked.Store(0)

	good := f.token("EdDSA", head("EdDSA", "ed"), goodClaims(home.URL))
	tokens := make(chan string)
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for token := range tokens {
				_, err := verifier.Verify(t.Context(), token)
				if token == good && err != nil {
					t.Errorf("a good token was refused: %v", err)
				}
				if token != good && !errs.Is(err, errs.Unauthenticated) {
					t.Errorf("the error is %v, want 401", err)
				}
			}
		})
	}
	for i := range 3000 {
		token := good
		if i%2 == 0 {
			token = f.token("EdDSA", head("EdDSA", fmt.Sprint("unknown-", i%600)), with(goodClaims(home.URL), object{"jti": i}))
		}
		tokens <- token
	}
	close(tokens)
	workers.Wait()
	if n := home.asked.Load(); n > askBurst {
		t.Errorf("300 unknown kids in 3,000 tokens made %d fetches, want %d at most", n, askBurst)
	}

	stray := f.token("EdDSA", head("EdDSA", "unknown"), goodClaims(home.URL))
	for range 10 {
		now.Advance(askEvery / 10)
		mustRefuse(t, verifier, stray, UnknownKey)
	}
	if n := home.asked.Load(); n > askBurst+1 {
		t.Errorf("%d fetches after 30 seconds more, want %d at most", n, askBurst+1)
	}
}

// TestBadAnswersChangeNothing gives a source with good keys every bad answer: the keys stay.
func TestBadAnswersChangeNothing(t *testing.T) {
	f := newForge(t)
	elsewhere := newServer(t, f.jwks(f.ecKey()))
	home := newServer(t, "")
	provider := home.provider()
	verifier, _ := newVerifier(provider)
	good := f.token("RS256", head("RS256", "rsa"), goodClaims(home.URL))

	for name, answer := range map[string]http.HandlerFunc{
		"HTML":               document("<html>Bad gateway</html>"),
		"empty":              document(""),
		"null":               document("null"),
		"an array":           document("[]"),
		"no keys":            document("{}"),
		"keys are null":      document(`{"keys":null}`),
		"no key any more":    document(`{"keys":[]}`),
		"no usable key":      document(`{"keys":[{"kty":"oct","kid":"rsa","k":"AAAA"}]}`),
		"keys are an object": document(`{"keys":{}}`),
		"truncated":          document(f.publicKeys()[:100]),
		"two documents":      document(f.publicKeys() + f.publicKeys()),
		"keys twice":         document(`{"keys":[],"keys":[]}`),
		"too large":          document(f.jwks(f.ecKey()) + strings.Repeat(" ", maxDocument)),
		"500":                func(w http.ResponseWriter, r *http.Request) { status(500)(w, r); document(f.publicKeys())(w, r) },
		"404":                status(404),
		"204":                status(204),
		"redirect elsewhere": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"redirects for ever": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) },
		"broken off":         func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"broken off in a body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			status(200)(w, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			home.answers(document(f.publicKeys()))
			if err := provider.Keys.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			before := provider.Keys.current.Load()
			home.answers(answer)
			home.asked.Store(0)
			if err := provider.Keys.Refresh(t.Context()); err == nil {
				t.Error("it was taken for keys")
			}
			if n := home.asked.Load(); n > 4 {
				t.Errorf("it asked %d times", n)
			}
			if provider.Keys.current.Load() != before {
				t.Error("the keys changed")
			}
			mustVerify(t, verifier, good)
		})
	}
	if elsewhere.asked.Load() != 0 {
		t.Error("it followed a redirect to another host")
	}
}

// TestUnfitKeysArePassedOver puts every kind of key that can't be used around one that can.
func TestUnfitKeysArePassedOver(t *testing.T) {
	f := newForge(t)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	named := func(key object, kid string, changes object) object {
		return with(with(key, object{"kid": kid}), changes)
	}
	private := named(f.ecKey(), "private", object{"d": encode(bytes.Repeat([]byte{1}, 32))})
	unfit := []any{
		object{"kty": "AKP", "kid": "future", "alg": "ML-DSA-65", "pub": "AAAA"},
		object{"kty": "oct", "kid": "secret", "k": encode([]byte(testSecret))},
		object{"kid": "no type"},
		"text", nil, 1, []any{},
		rsaJWK("small", &small.PublicKey),
		named(f.rsaKey(), "encrypts", object{"use": "enc"}),
		named(f.rsaKey(), "signs", object{"key_ops": []string{"sign"}}),
		named(f.rsaKey(), "long hash", object{"alg": "RS512"}),
		named(f.rsaKey(), "hmac", object{"alg": "HS256"}),
		named(f.rsaKey(), "no modulus", object{"n": nil}),
		named(f.rsaKey(), "huge", object{"n": encode(bytes.Repeat([]byte{255}, 1025))}),
		ecJWK(t, "curve", "P-384", &f.p384.PublicKey),
		named(f.ecKey(), "off the curve", object{"y": encode(make([]byte, 32))}),
		private,
		named(edJWK("", make([]byte, 31)), "short point", nil),
		object{"kty": "OKP", "crv": "X25519", "kid": "agrees", "x": encode(make([]byte, 32))},
	}
	fit := named(f.rsaKey(), "rsa", object{"use": "sig", "alg": "RS256", "key_ops": []string{"verify"}, "x5c": []string{"MIIB"}, "x5t": "AAAA"})
	document := text(t, object{"keys": append(unfit, fit), "more": true})
	keys, err := parseJWKS(document)
	if err != nil {
		t.Fatal(err)
	}
	var kids []string
	for _, key := range keys {
		kids = append(kids, key.id)
	}
	if len(kids) != 1 || kids[0] != "rsa" {
		t.Errorf("the keys are %q, want only rsa", kids)
	}
}

func TestOneKidForTwoTypes(t *testing.T) {
	f := newForge(t)
	home := newServer(t, f.jwks(rsaJWK("same", &f.rsa.PublicKey), ecJWK(t, "same", "P-256", &f.ec.PublicKey)))
	verifier, _ := newVerifier(home.provider())
	mustVerify(t, verifier, f.token("RS256", head("RS256", "same"), goodClaims(home.URL)))
	mustVerify(t, verifier, f.token("ES256", head("ES256", "same"), goodClaims(home.URL)))
}

func TestDiscovery(t *testing.T) {
	f := newForge(t)
	home := newServer(t, "")
	configured := func(issuer string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/.well-known/openid-configuration" {
				document(`{"issuer":"`+issuer+`","jwks_uri":"`+home.URL+`/keys"}`)(w, r)
				return
			}
			document(f.publicKeys())(w, r)
		}
	}
	issuer := home.URL + "/" // as Auth0 writes its own
	verifier, now := newVerifier(Custom(issuer, "", ours, "", ""))
	token := f.token("RS256", head("RS256", "rsa"), goodClaims(issuer))

	home.answers(configured("https://evil.test"))
	mustBeUnavailable(t, verifier, token)
	now.Advance(askEvery)
	home.answers(configured(issuer))
	mustVerify(t, verifier, token)
}

// TestDiscoveryKeepsHTTPS refuses keys over http from an issuer on https.
func TestDiscoveryKeepsHTTPS(t *testing.T) {
	source := DiscoverKeySource("https://issuer.test")
	var asked []string
	source.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.URL.String())
		body := `{"issuer":"https://issuer.test","jwks_uri":"http://issuer.test/keys"}`
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(body))}, nil
	})
	if err := source.Refresh(t.Context()); err == nil || len(asked) != 1 {
		t.Errorf("it asked %q, and the error is %v", asked, err)
	}
}

func TestSameAnswerKeepsTheVerdicts(t *testing.T) {
	f := newForge(t)
	source := newServer(t, f.publicKeys()).provider().Keys
	var sets [2]*keySet
	for i := range sets {
		if err := source.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		sets[i] = source.current.Load()
	}
	if sets[0] != sets[1] {
		t.Error("a refresh that changed nothing makes every token be verified again")
	}
}

func TestStaticKeysAskNobody(t *testing.T) {
	f := newForge(t)
	keys, err := StaticKeySource([]byte(f.publicKeys()))
	if err != nil {
		t.Fatal(err)
	}
	provider := &Provider{Issuer: "https://issuer.test", Keys: keys}
	verifier, _ := newVerifier(provider)
	verifier.Run(t.Context()) // returns, as there is nothing to do
	mustVerify(t, verifier, f.token("RS256", head("RS256", "rsa"), goodClaims(provider.Issuer)))
	mustRefuse(t, verifier, f.token("RS256", head("RS256", "new"), goodClaims(provider.Issuer)), UnknownKey)
	if _, err := StaticKeySource([]byte("{}")); err == nil {
		t.Error("a document without keys is a source")
	}
}

// roundTrip is a network that answers from memory, so that time can be the test's.
type roundTrip func(*http.Request) (*http.Response, error)

func (r roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

func TestRunRefreshesInTheBackground(t *testing.T) {
	f := newForge(t)
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		var asked, failed atomic.Int64
		provider := &Provider{Name: "test", Issuer: "https://issuer.test", Keys: NewKeySource("https://issuer.test/keys")}
		provider.Keys.client.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
			asked.Add(1)
			if down.Load() {
				return nil, errors.New("no route to host")
			}
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(f.publicKeys()))}, nil
		})
		verifier, _ := newVerifier(provider)
		verifier.KeyTrouble = func(name string, err error) {
			failed.Add(1)
			if name != "test" || err == nil {
				t.Errorf("told %q of %v", name, err)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		stopped := make(chan struct{})
		go func() {
			verifier.Run(ctx)
			close(stopped)
		}()

		for _, step := range []struct {
			down          bool
			pass          time.Duration
			asked, failed int64
		}{
			{false, 0, 1, 0},
			{false, refreshEvery - 1, 1, 0},
			{true, 1, 2, 1},
			{true, askEvery, 3, 2},
			{false, askEvery, 4, 2},
			{false, 2 * refreshEvery, 6, 2},
		} {
			down.Store(step.down)
			time.Sleep(step.pass) // of the bubble's clock
			synctest.Wait()
			if asked.Load() != step.asked || failed.Load() != step.failed {
				t.Errorf("asked %d and failed %d, want %d and %d", asked.Load(), failed.Load(), step.asked, step.failed)
			}
		}
		stop()
		<-stopped
	})
}

// TestSlowProvider ends a fetch after five seconds, and a caller's wait with its own context.
func TestSlowProvider(t *testing.T) {
	f := newForge(t)
	synctest.Test(t, func(t *testing.T) {
		provider := &Provider{Issuer: "https://issuer.test", Keys: NewKeySource("https://issuer.test/keys")}
		provider.Keys.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		verifier, _ := newVerifier(provider)
		token := f.token("RS256", head("RS256", "rsa"), goodClaims(provider.Issuer))

		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := verifier.Verify(hurried, token); !errs.Is(err, errs.Unavailable) || time.Since(began) != time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		mustBeUnavailable(t, verifier, token)
		if waited := time.Since(began); waited != fetchTimeout {
			t.Errorf("the fetch took %s, want %s", waited, fetchTimeout)
		}
	})
}

func TestEndlessAnswer(t *testing.T) {
	source := NewKeySource("https://issuer.test/keys")
	sent := 0
	source.client.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
		body := readerFunc(func(p []byte) (int, error) { sent += len(p); return len(p), nil })
		return &http.Response{StatusCode: 200, Body: io.NopCloser(body), ContentLength: -1}, nil
	})
	if err := source.Refresh(t.Context()); err == nil || sent > 2*maxDocument {
		t.Errorf("read %d bytes, and the error is %v", sent, err)
	}
}

type readerFunc func([]byte) (int, error)

func (r readerFunc) Read(p []byte) (int, error) { return r(p) }
