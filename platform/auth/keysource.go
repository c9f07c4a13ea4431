package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/sync/singleflight"

	"github.com/omnistack/omnistack/platform/errs"
)

const (
	refreshEvery = 10 * time.Minute // Supabase lets its set be cached for this long
	askEvery     = 30 * time.Second // between fetches after a failure, or for kids that aren't known
	askBurst     = 2
	fetchTimeout = 5 * time.Second
	maxDocument  = 256 << 10 // bytes
)

// KeySource holds the public keys of one issuer. It keeps the last good set for ever: keys that are old serve while the
// issuer is down. It is safe for concurrent use.
type KeySource struct {
	jwksURL string // "" for keys that are fixed or discovered
	issuer  string // "" unless its discovery document names the JWKS
	client  *http.Client
	current atomic.Pointer[keySet] // nil before the first good answer
	flights singleflight.Group

	mu       sync.Mutex
	newest   error     // the outcome of the newest fetch
	askAgain time.Time // the theoretical arrival time of GCRA over askEvery and askBurst
}

// NewKeySource returns a source that fetches the JWK set (RFC 7517, section 5) at jwksURL.
func NewKeySource(jwksURL string) *KeySource {
	return &KeySource{jwksURL: jwksURL, client: newClient()}
}

// DiscoverKeySource returns a source that finds the JWK set through the issuer's OpenID Connect configuration.
func DiscoverKeySource(issuer string) *KeySource {
	return &KeySource{issuer: issuer, client: newClient()}
}

// StaticKeySource returns a source of the keys in a JWK set, which never change.
func StaticKeySource(jwks []byte) (*KeySource, error) {
	keys, err := parseKeySet(jwks)
	if err != nil {
		return nil, err
	}
	source := &KeySource{}
	source.current.Store(keys)
	return source, nil
}

// newClient returns a client that leaves the host it was sent to for no redirect.
func newClient() *http.Client {
	return &http.Client{CheckRedirect: func(next *http.Request, via []*http.Request) error {
		first := via[0].URL
		if len(via) > 3 || next.URL.Scheme != first.Scheme || next.URL.Host != first.Host {
			return errors.New("the redirect is refused")
		}
		return nil
	}}
}

// Run fetches the keys at once and every ten minutes, every 30 seconds while that fails, until ctx ends. Each failure is
// handed to failed, which may be nil.
func (s *KeySource) Run(ctx context.Context, failed func(error)) {
	if s.client == nil {
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		err := s.Refresh(ctx)
		if err == nil {
			timer.Reset(refreshEvery)
			continue
		}
		timer.Reset(askEvery)
		if failed != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}

// Refresh fetches the keys now. Calls at the same time share one fetch. On an error the keys stay as they were.
func (s *KeySource) Refresh(ctx context.Context) error {
	if s.client == nil {
		return nil
	}
	_, err, _ := s.flights.Do("fetch", func() (any, error) {
		ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
		defer cancel()
		keys, err := s.fetch(ctx)
		if held := s.current.Load(); err == nil && len(keys.all) == 0 && held != nil && len(held.all) > 0 {
			err = errors.New("key set: it holds no usable key any more") // more likely a mistake than the end of all keys
		}
		if err == nil && !keys.same(s.current.Load()) {
			s.current.Store(keys)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.newest = err
		return nil, err
	})
	return err
}

// Err returns why the newest fetch failed, nil when it didn't. Keys fetched before still serve.
func (s *KeySource) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest
}

// Ready tells whether there is a set of keys to verify with.
func (s *KeySource) Ready() bool { return s.current.Load() != nil }

// find returns the keys that a token's kid names, and the set they are of. When there are none the issuer is asked
// again, within the budget. The error is UnknownKey, or errs.Unavailable when the issuer couldn't be asked.
func (s *KeySource) find(ctx context.Context, kid string, now time.Time) ([]publicKey, *keySet, error) {
	set := s.current.Load()
	if found := set.find(kid); found != nil {
		return found, set, nil
	}
	if set != nil && kid == "" {
		return nil, nil, UnknownKey
	}
	err := s.ask(ctx, now)
	set = s.current.Load()
	if found := set.find(kid); found != nil {
		return found, set, nil
	}
	if err == nil && set == nil {
		err = errors.New("the keys were not fetched yet")
	}
	if err != nil {
		return nil, nil, errs.New(errs.Unavailable, "Tokens can't be verified right now: try again").Because(err)
	}
	return nil, nil, UnknownKey
}

// ask fetches the keys if the budget allows, else returns the outcome of the newest fetch. Callers at the same time wait
// for one fetch together: it isn't bound to the request that happened to be first.
func (s *KeySource) ask(ctx context.Context, now time.Time) error {
	if s.client == nil {
		return nil
	}
	done := s.flights.DoChan("ask", func() (any, error) {
		if !s.spend(now) {
			return nil, s.Err()
		}
		return nil, s.Refresh(context.WithoutCancel(ctx))
	})
	select {
	case result := <-done:
		return result.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// spend takes one fetch from the budget, and tells whether there was one.
func (s *KeySource) spend(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.askAgain
	if next.Before(now) {
		next = now
	}
	next = next.Add(askEvery)
	if next.Sub(now) > askBurst*askEvery {
		return false
	}
	s.askAgain = next
	return true
}

func (s *KeySource) fetch(ctx context.Context) (*keySet, error) {
	jwksURL := s.jwksURL
	if jwksURL == "" {
		found, err := s.discover(ctx)
		if err != nil {
			return nil, err
		}
		jwksURL = found
	}
	document, err := s.get(ctx, jwksURL)
	if err != nil {
		return nil, err
	}
	return parseKeySet(document)
}

// discover returns the jwks_uri of the issuer's configuration, which must be about this issuer (OpenID Connect Discovery
// 1.0, section 4.3).
func (s *KeySource) discover(ctx context.Context) (string, error) {
	document, err := s.get(ctx, strings.TrimRight(s.issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return "", err
	}
	var configuration struct {
		Issuer  string `json:"issuer"`
		JWKSURL string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(document, &configuration); err != nil {
		return "", fmt.Errorf("openid configuration: %w", err)
	}
	if configuration.Issuer != s.issuer {
		return "", errors.New("openid configuration: it is of another issuer")
	}
	if strings.HasPrefix(s.issuer, "https:") && !strings.HasPrefix(configuration.JWKSURL, "https:") {
		return "", errors.New("openid configuration: jwks_uri isn't https")
	}
	return configuration.JWKSURL, nil
}

func (s *KeySource) get(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %d", address, response.StatusCode)
	}
	document, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(document) > maxDocument {
		return nil, fmt.Errorf("%s answered more than %d bytes", address, maxDocument)
	}
	return document, nil
}

// keySet is one answer of the issuer. It never changes.
type keySet struct {
	document digest
	byID     map[string][]publicKey // more than one only for a kid that stands for keys of several types
	all      []publicKey
}

func parseKeySet(document []byte) (*keySet, error) {
	keys, err := parseJWKS(document)
	if err != nil {
		return nil, err
	}
	set := &keySet{document: sha256.Sum256(document), byID: make(map[string][]publicKey), all: keys}
	for _, key := range keys {
		set.byID[key.id] = append(set.byID[key.id], key)
	}
	return set, nil
}

// find returns the keys called kid. Without a kid it is the only key of the set, if there is only one.
func (s *keySet) find(kid string) []publicKey {
	switch {
	case s == nil:
		return nil
	case kid != "":
		return s.byID[kid]
	case len(s.all) == 1:
		return s.all
	}
	return nil
}

func (s *keySet) same(other *keySet) bool { return other != nil && s.document == other.document }
