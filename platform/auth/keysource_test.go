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
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit/idp"
)

func TestRotationIsPickedUpByTheFirstToken(t *testing.T) {
	f := idp.NewKeys(t)
	home := serve(f, f.JWKS("RS256"))
	verifier, now := newVerifier(trusting(home))
	mustVerify(t, verifier, f.Token("RS256", idp.Head("RS256", "rsa"), goodClaims(home.URL)))

	now.Advance(5 * time.Minute)
	home.Answer(idp.Document(f.JWKS("RS256", "ES256")))
	mustVerify(t, verifier, f.Token("ES256", idp.Head("ES256", "ec"), goodClaims(home.URL)))
	mustVerify(t, verifier, f.Token("RS256", idp.Head("RS256", "rsa"), goodClaims(home.URL)))
	if n := home.Asked(); n != 2 {
		t.Errorf("it took %d fetches, want 2", n)
	}
}

// TestRotationUnderLoad lets 50 requests meet a new key at once: all wait for one fetch, and none is refused.
func TestRotationUnderLoad(t *testing.T) {
	f := idp.NewKeys(t)
	home := serve(f, f.JWKS("RS256"))
	provider := trusting(home)
	verifier, _ := newVerifier(provider)
	if err := provider.Keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	started, release := make(chan struct{}, 1), make(chan struct{})
	home.Answer(func(w http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-release
		idp.Document(f.JWKS())(w, r)
	})
	token := f.Token("ES256", idp.Head("ES256", "ec"), goodClaims(home.URL))
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
	if n := home.Asked(); n != 2 {
		t.Errorf("it took %d fetches, want 2", n)
	}
}

func TestProviderDownAtColdStart(t *testing.T) {
	f := idp.NewKeys(t)
	home := f.Serve(idp.Custom)
	verifier, now := newVerifier(trusting(home))
	token := f.Token("RS256", idp.Head("RS256", "rsa"), goodClaims(home.URL))
	home.Answer(idp.Status(http.StatusInternalServerError))
	for range 10 {
		mustBeUnavailable(t, verifier, token)
	}
	if n := home.Asked(); n != askBurst {
		t.Errorf("it asked %d times, want %d", n, askBurst)
	}
	home.Answer(idp.Document(f.JWKS()))
	now.Advance(askEvery)
	mustVerify(t, verifier, token)
}

func TestStaleKeysServeWhileTheProviderIsDown(t *testing.T) {
	f := idp.NewKeys(t)
	home := serve(f, f.JWKS("RS256"))
	provider := trusting(home)
	verifier, now := newVerifier(provider)
	claims := idp.With(goodClaims(home.URL), object{"exp": start.Add(10 * 365 * 24 * time.Hour).Unix()})
	mustVerify(t, verifier, f.Token("RS256", idp.Head("RS256", "rsa"), claims))

	home.Answer(idp.Status(http.StatusBadGateway))
	now.Advance(365 * 24 * time.Hour)
	if err := provider.Keys.Refresh(t.Context()); err == nil || provider.Keys.Err() == nil {
		t.Fatal("a failed refresh isn't an error")
	}
	if !provider.Keys.Ready() {
		t.Error("it isn't ready, though it has keys")
	}
	mustVerify(t, verifier, f.Token("RS256", idp.Head("RS256", "rsa"), idp.With(claims, object{"sub": "user-2"})))
	for range askBurst + 1 { // it may be the new key: nobody can tell
		mustBeUnavailable(t, verifier, f.Token("ES256", idp.Head("ES256", "ec"), claims))
	}

	home.Answer(idp.Document(f.JWKS("RS256")))
	if err := errors.Join(provider.Keys.Refresh(t.Context()), provider.Keys.Err()); err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, verifier, f.Token("ES256", idp.Head("ES256", "ec"), claims), UnknownKey)
}

func TestUnknownKidsDontFloodTheProvider(t *testing.T) {
	f := idp.NewKeys(t)
	home := f.Serve(idp.Custom)
	verifier, now := newVerifier(trusting(home))
	if err := verifier.providers[home.URL].Keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := home.Asked()

	good := f.Token("EdDSA", idp.Head("EdDSA", "ed"), goodClaims(home.URL))
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
			token = f.Token("EdDSA", idp.Head("EdDSA", fmt.Sprint("unknown-", i%600)), idp.With(goodClaims(home.URL), object{"jti": i}))
		}
		tokens <- token
	}
	close(tokens)
	workers.Wait()
	if n := home.Asked() - before; n > askBurst {
		t.Errorf("300 unknown kids in 3,000 tokens made %d fetches, want %d at most", n, askBurst)
	}

	stray := f.Token("EdDSA", idp.Head("EdDSA", "unknown"), goodClaims(home.URL))
	for range 10 {
		now.Advance(askEvery / 10)
		mustRefuse(t, verifier, stray, UnknownKey)
	}
	if n := home.Asked() - before; n > askBurst+1 {
		t.Errorf("%d fetches after 30 seconds more, want %d at most", n, askBurst+1)
	}
}

// TestBadAnswersChangeNothing gives a source with good keys every bad answer: the keys stay.
func TestBadAnswersChangeNothing(t *testing.T) {
	f := idp.NewKeys(t)
	elsewhere := serve(f, f.JWKS("ES256"))
	home := f.Serve(idp.Custom)
	provider := trusting(home)
	verifier, _ := newVerifier(provider)
	good := f.Token("RS256", idp.Head("RS256", "rsa"), goodClaims(home.URL))

	for name, answer := range map[string]http.HandlerFunc{
		"HTML":               idp.Document("<html>Bad gateway</html>"),
		"empty":              idp.Document(""),
		"null":               idp.Document("null"),
		"an array":           idp.Document("[]"),
		"no keys":            idp.Document("{}"),
		"keys are null":      idp.Document(`{"keys":null}`),
		"no key any more":    idp.Document(`{"keys":[]}`),
		"no usable key":      idp.Document(`{"keys":[{"kty":"oct","kid":"rsa","k":"AAAA"}]}`),
		"keys are an object": idp.Document(`{"keys":{}}`),
		"truncated":          idp.Document(f.JWKS()[:100]),
		"two documents":      idp.Document(f.JWKS() + f.JWKS()),
		"keys twice":         idp.Document(`{"keys":[],"keys":[]}`),
		"too large":          idp.Document(f.JWKS("ES256") + strings.Repeat(" ", maxDocument)),
		"500":                func(w http.ResponseWriter, r *http.Request) { idp.Status(500)(w, r); idp.Document(f.JWKS())(w, r) },
		"404":                idp.Status(404),
		"204":                idp.Status(204),
		"redirect elsewhere": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"redirects for ever": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) },
		"broken off":         idp.HangUp,
		"broken off in a body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			idp.Status(200)(w, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			home.Answer(idp.Document(f.JWKS()))
			if err := provider.Keys.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			before := provider.Keys.current.Load()
			home.Answer(answer)
			asked := home.Asked()
			if err := provider.Keys.Refresh(t.Context()); err == nil {
				t.Error("it was taken for keys")
			}
			if n := home.Asked() - asked; n > 4 {
				t.Errorf("it asked %d times", n)
			}
			if provider.Keys.current.Load() != before {
				t.Error("the keys changed")
			}
			mustVerify(t, verifier, good)
		})
	}
	if elsewhere.Asked() != 0 {
		t.Error("it followed a redirect to another host")
	}
}

// TestUnfitKeysArePassedOver puts every kind of key that can't be used around one that can.
func TestUnfitKeysArePassedOver(t *testing.T) {
	f := idp.NewKeys(t)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	named := func(key object, kid string, changes object) object {
		return idp.With(idp.With(key, object{"kid": kid}), changes)
	}
	private := named(f.JWK("ES256"), "private", object{"d": idp.Encode(bytes.Repeat([]byte{1}, 32))})
	unfit := []any{
		object{"kty": "AKP", "kid": "future", "alg": "ML-DSA-65", "pub": "AAAA"},
		object{"kty": "oct", "kid": "secret", "k": idp.Encode([]byte(idp.Secret))},
		object{"kid": "no type"},
		"text", nil, 1, []any{},
		idp.RSAJWK("small", &small.PublicKey),
		named(f.JWK("RS256"), "encrypts", object{"use": "enc"}),
		named(f.JWK("RS256"), "signs", object{"key_ops": []string{"sign"}}),
		named(f.JWK("RS256"), "long hash", object{"alg": "RS512"}),
		named(f.JWK("RS256"), "hmac", object{"alg": "HS256"}),
		named(f.JWK("RS256"), "no modulus", object{"n": nil}),
		named(f.JWK("RS256"), "huge", object{"n": idp.Encode(bytes.Repeat([]byte{255}, 1025))}),
		idp.ECJWK(t, "curve", "P-384", &f.P384.PublicKey),
		named(f.JWK("ES256"), "off the curve", object{"y": idp.Encode(make([]byte, 32))}),
		private,
		named(idp.EdJWK("", make([]byte, 31)), "short point", nil),
		object{"kty": "OKP", "crv": "X25519", "kid": "agrees", "x": idp.Encode(make([]byte, 32))},
	}
	fit := named(f.JWK("RS256"), "rsa", object{"use": "sig", "alg": "RS256", "key_ops": []string{"verify"}, "x5c": []string{"MIIB"}, "x5t": "AAAA"})
	document := idp.Text(t, object{"keys": append(unfit, fit), "more": true})
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
	f := idp.NewKeys(t)
	home := serve(f, idp.KeySet(t, idp.RSAJWK("same", &f.RSA.PublicKey), idp.ECJWK(t, "same", "P-256", &f.EC.PublicKey)))
	verifier, _ := newVerifier(trusting(home))
	mustVerify(t, verifier, f.Token("RS256", idp.Head("RS256", "same"), goodClaims(home.URL)))
	mustVerify(t, verifier, f.Token("ES256", idp.Head("ES256", "same"), goodClaims(home.URL)))
}

func TestDiscovery(t *testing.T) {
	home := idp.New(t, idp.Custom)
	configured := func(issuer string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/.well-known/openid-configuration" {
				idp.Document(`{"issuer":"`+issuer+`","jwks_uri":"`+home.URL+`/keys"}`)(w, r)
				return
			}
			idp.Document(home.JWKS())(w, r)
		}
	}
	issuer := home.URL + "/" // as Auth0 writes its own
	verifier, now := newVerifier(Custom(issuer, "", idp.Audience, "", ""))
	token := home.Token("RS256", idp.Head("RS256", "rsa"), goodClaims(issuer))

	home.Answer(configured("https://evil.test"))
	mustBeUnavailable(t, verifier, token)
	now.Advance(askEvery)
	home.Answer(configured(issuer))
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
	f := idp.NewKeys(t)
	source := trusting(f.Serve(idp.Custom)).Keys
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
	f := idp.NewKeys(t)
	keys, err := StaticKeySource([]byte(f.JWKS()))
	if err != nil {
		t.Fatal(err)
	}
	provider := &Provider{Issuer: "https://issuer.test", Keys: keys}
	verifier, _ := newVerifier(provider)
	verifier.Run(t.Context()) // returns, as there is nothing to do
	mustVerify(t, verifier, f.Token("RS256", idp.Head("RS256", "rsa"), goodClaims(provider.Issuer)))
	mustRefuse(t, verifier, f.Token("RS256", idp.Head("RS256", "new"), goodClaims(provider.Issuer)), UnknownKey)
	if _, err := StaticKeySource([]byte("{}")); err == nil {
		t.Error("a document without keys is a source")
	}
}

// roundTrip is a network that answers from memory, so that time can be the test's.
type roundTrip func(*http.Request) (*http.Response, error)

func (r roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

func TestRunRefreshesInTheBackground(t *testing.T) {
	f := idp.NewKeys(t)
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		var asked, failed atomic.Int64
		provider := &Provider{Name: "test", Issuer: "https://issuer.test", Keys: NewKeySource("https://issuer.test/keys")}
		provider.Keys.client.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
			asked.Add(1)
			if down.Load() {
				return nil, errors.New("no route to host")
			}
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(f.JWKS()))}, nil
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

// TestAnOutageOfAnHour takes the provider away for an hour, in which it answers in every wrong way there is. Whoever has
// a good token is let in all the while, people who come with a new one too, and nobody else is.
func TestAnOutageOfAnHour(t *testing.T) {
	keys, strangers := idp.NewKeys(t), idp.NewKeys(t)
	synctest.Test(t, func(t *testing.T) {
		issuer := &idp.Issuer{Keys: keys, Shape: idp.Clerk, URL: "https://issuer.test"}
		issuer.Publish("RS256")
		provider := Clerk(issuer.URL, []string{idp.Origin})
		provider.Keys.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			answer := httptest.NewRecorder()
			issuer.ServeHTTP(answer, r)
			if answer.Code == http.StatusTeapot {
				return nil, errors.New("connection refused")
			}
			return answer.Result(), nil
		})
		verifier := NewVerifier([]*Provider{provider}, clock.System{})
		var failed atomic.Int64
		verifier.KeyTrouble = func(string, error) { failed.Add(1) }
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go verifier.Run(ctx)
		synctest.Wait()

		answers := []http.HandlerFunc{
			idp.Status(http.StatusTeapot), idp.Status(500), idp.Document("<html>"), idp.Document(`{"keys":[]}`),
			idp.Document(strangers.JWKS()[:99]), idp.Document(strings.Repeat(" ", maxDocument) + strangers.JWKS()),
		}
		before := issuer.Issue("RS256", idp.Person{Subject: "ann"}, time.Now().Add(20*time.Minute-time.Hour))
		for minute := range 60 {
			issuer.Answer(answers[minute%len(answers)])
			time.Sleep(time.Minute) // of the bubble's clock
			if minute < 19 {
				mustVerify(t, verifier, before)
			}
			mustVerify(t, verifier, issuer.Issue("RS256", idp.Person{Subject: fmt.Sprint("user-", minute)}, time.Now()))
			mustRefuse(t, verifier, strangers.Token("RS256", strangers.Head("RS256"), issuer.Claims(idp.Person{Subject: "ann"}, time.Now())), InvalidSignature)
			mustBeUnavailable(t, verifier, issuer.Issue("ES256", idp.Person{Subject: "ann"}, time.Now())) // it may be by a new key
		}
		mustRefuse(t, verifier, before, Expired)
		if failed.Load() < 60 {
			t.Errorf("%d failures were told", failed.Load())
		}

		issuer.Publish("ES256")
		issuer.Answer(nil)
		time.Sleep(askEvery)
		synctest.Wait()
		mustVerify(t, verifier, issuer.Issue("ES256", idp.Person{Subject: "ann"}, time.Now()))
		mustRefuse(t, verifier, issuer.Issue("RS256", idp.Person{Subject: "ann"}, time.Now()), UnknownKey)
	})
}

// TestSlowProvider ends a fetch after five seconds, and a caller's wait with its own context.
func TestSlowProvider(t *testing.T) {
	f := idp.NewKeys(t)
	synctest.Test(t, func(t *testing.T) {
		provider := &Provider{Issuer: "https://issuer.test", Keys: NewKeySource("https://issuer.test/keys")}
		provider.Keys.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		verifier, _ := newVerifier(provider)
		token := f.Token("RS256", idp.Head("RS256", "rsa"), goodClaims(provider.Issuer))

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
