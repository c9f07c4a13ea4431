package auth

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
)

// keeper is a Keys in memory that counts what it is asked. It is safe for concurrent use.
type keeper struct {
	mu      sync.Mutex
	keys    map[[32]byte]Key
	failing error                                         // what FindKey answers; nil for the truth
	during  func()                                        // what happens while an answer is on its way; may be nil
	noting  func(ctx context.Context, keyID string) error // nil for success
	asked   atomic.Int64
	noted   atomic.Int64
}

func (k *keeper) FindKey(_ context.Context, hash [32]byte) (Key, error) {
	k.asked.Add(1)
	k.mu.Lock()
	key, known := k.keys[hash]
	k.mu.Unlock()
	if k.during != nil {
		k.during()
	}
	switch {
	case k.failing != nil:
		return Key{}, k.failing
	case !known:
		return Key{}, errs.New(errs.NotFound, "API key not found")
	}
	return key, nil
}

func (k *keeper) NoteUse(ctx context.Context, keyID string) error {
	k.noted.Add(1)
	if k.noting != nil {
		return k.noting(ctx, keyID)
	}
	return nil
}

func (k *keeper) revoke(key APIKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keys, key.Hash())
}

// stall is a gate over API keys alone, with one good key.
type stall struct {
	*Gate
	now   *clock.Manual
	keys  *keeper
	cache *PrincipalCache
	good  APIKey
}

func newStall(good Key) stall {
	now, key := clock.NewManual(start), NewAPIKey()
	cache, keys := NewPrincipalCache(now), &keeper{keys: map[[32]byte]Key{key.Hash(): good}}
	return stall{NewGate(NewVerifier(nil, now), &accounts{}, keys, cache), now, keys, cache, key}
}

func (s stall) call(ctx context.Context, key APIKey) (Principal, error) {
	return s.Authenticate(ctx, []string{"Bearer " + string(key)})
}

func (s stall) admits(t *testing.T, when string) {
	t.Helper()
	who, err := s.call(t.Context(), s.good)
	if want := (Principal{UserID: "ann", Role: RoleUser, KeyID: "k1", Scopes: ScopeRead}); err != nil || who != want {
		t.Errorf("%s: got %+v, %v, want %+v", when, who, err, want)
	}
}

func (s stall) refuses(t *testing.T, when string, key APIKey, want Reason) {
	t.Helper()
	who, err := s.call(t.Context(), key)
	var got Reason
	if who != (Principal{}) || !errs.Is(err, errs.Unauthenticated) || !errors.As(err, &got) || got != want {
		t.Errorf("%s: got %+v, %v, want %s", when, who, err, want)
	}
	if text := errs.From(err).Message; text != "The access token is not valid" {
		t.Errorf("%s: the client is told %q", when, text)
	}
}

func (s stall) asked(t *testing.T, when string, want int64) {
	t.Helper()
	if got := s.keys.asked.Swap(0); got != want {
		t.Errorf("%s: asked %d times, want %d", when, got, want)
	}
}

func ofAnn() Key { return Key{ID: "k1", UserID: "ann", Scopes: ScopeRead} }

func TestAKeyIsRememberedForTwoSeconds(t *testing.T) {
	s := newStall(ofAnn())
	s.admits(t, "at first")
	s.admits(t, "again")
	s.now.Advance(principalTTL - time.Microsecond)
	s.admits(t, "until the time is up")
	s.asked(t, "within the time", 1)
	s.now.Advance(time.Microsecond)
	s.admits(t, "when the time is up")
	s.asked(t, "after it", 1)

	s.keys.revoke(s.good) // by another process
	s.admits(t, "within two seconds of that")
	s.now.Advance(principalTTL)
	s.refuses(t, "after them", s.good, UnknownAPIKey)
}

func TestARevokedKeyIsForgottenAtOnce(t *testing.T) {
	s := newStall(ofAnn())
	s.admits(t, "at first")
	s.cache.Forget("bob")
	s.admits(t, "after a change to somebody else")
	s.asked(t, "so far", 1)
	s.keys.revoke(s.good)
	s.cache.Forget("ann")
	s.refuses(t, "revoked", s.good, UnknownAPIKey)
}

func TestAKeyIsNotRememberedBeyondItsEnd(t *testing.T) {
	key := ofAnn()
	key.ExpiresAt = start.Add(time.Second)
	s := newStall(key)
	s.admits(t, "at first")
	s.now.Advance(time.Second - time.Microsecond)
	s.admits(t, "until its end")
	s.keys.revoke(s.good) // whoever keeps the key knows that its time is up
	s.now.Advance(time.Microsecond)
	s.refuses(t, "at its end", s.good, UnknownAPIKey)
}

func TestUnknownKeysAreAskedForOnce(t *testing.T) {
	s := newStall(ofAnn())
	s.refuses(t, "mistyped", s.good[:len(s.good)-1]+"-", MalformedAPIKey)
	s.refuses(t, "cut off", s.good[:len(s.good)-1], MalformedAPIKey)
	s.refuses(t, "too long to look at", apiKeyPrefix+APIKey(strings.Repeat("a", 1<<20)), MalformedAPIKey)
	s.asked(t, "for what is no key", 0)

	unknown := NewAPIKey()
	for range 1000 {
		s.refuses(t, "unknown", unknown, UnknownAPIKey)
	}
	s.asked(t, "for one that is unknown", 1)
	s.now.Advance(unknownTTL)
	s.refuses(t, "a minute later", unknown, UnknownAPIKey)
	s.asked(t, "a minute later", 1)

	for range 3 * maxPrincipals { // guesses fill no memory
		_, _ = s.call(t.Context(), NewAPIKey())
	}
	if held := s.cache.unknown.Len(); held > maxPrincipals {
		t.Errorf("%d guesses are remembered", held)
	}
	s.keys.asked.Store(0)
	s.admits(t, "the good one, after all that")
	s.asked(t, "for the good one", 1)
	if s.keys.noted.Load() != 1 {
		t.Errorf("%d uses were noted, want that of the good one", s.keys.noted.Load())
	}
}

// Trouble is no refusal: it isn't remembered, and the client isn't told that its key is bad.
func TestTroubleWithKeysIsNotRemembered(t *testing.T) {
	for _, trouble := range []error{
		errs.New(errs.Unavailable, "Try again"), errs.New(errs.Forbidden, "This account is suspended"), context.Canceled,
	} {
		s := newStall(ofAnn())
		s.keys.failing = trouble
		for range 2 {
			if who, err := s.call(t.Context(), s.good); !errors.Is(err, trouble) || who != (Principal{}) {
				t.Errorf("got %+v, %v, want %v", who, err, trouble)
			}
		}
		s.keys.failing = nil
		s.admits(t, "when it is over")
		s.asked(t, "in all", 3)
	}
}

func TestAnAnswerFromBeforeARevocationIsNotRemembered(t *testing.T) {
	s := newStall(ofAnn())
	s.keys.during = func() { // the revocation is committed while the answer is on its way
		s.keys.revoke(s.good)
		s.cache.Forget("ann")
	}
	s.admits(t, "asked before the revocation")
	s.keys.during = nil
	s.refuses(t, "after it", s.good, UnknownAPIKey)
}

// However many use a key while it is revoked: whoever comes after the revocation is refused.
func TestARevocationRacesWithUse(t *testing.T) {
	for range 50 {
		s := newStall(ofAnn())
		begin, revoked := make(chan struct{}), atomic.Bool{}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				<-begin
				for range 200 {
					after := revoked.Load()
					_, err := s.call(t.Context(), s.good)
					if after && !errs.Is(err, errs.Unauthenticated) {
						t.Errorf("a revoked key was let in: %v", err)
					}
				}
			})
		}
		close(begin)
		s.keys.revoke(s.good)
		s.cache.Forget("ann")
		revoked.Store(true)
		all.Wait()
		s.refuses(t, "in the end", s.good, UnknownAPIKey)
	}
}

func TestAUseIsNotedOnceAMinute(t *testing.T) {
	s := newStall(ofAnn())
	for range 120 { // a call each second
		s.admits(t, "every second")
		s.now.Advance(time.Second)
	}
	if noted := s.keys.noted.Load(); noted != 2 {
		t.Errorf("%d uses were noted in two minutes", noted)
	}
}

// A call doesn't fail, and doesn't wait for long, because its use can't be noted; and it is noted for one who hung up.
func TestANoteStopsNoCall(t *testing.T) {
	s := newStall(ofAnn())
	var told error
	s.NoteTrouble = func(err error) { told = err }
	refused := errors.New("refused")
	s.keys.noting = func(ctx context.Context, keyID string) error {
		if deadline, bounded := ctx.Deadline(); !bounded || time.Until(deadline) > notePatience || ctx.Err() != nil || keyID != "k1" {
			t.Errorf("noting %q may take until %s: %v", keyID, deadline, ctx.Err())
		}
		return refused
	}
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	if _, err := s.call(gone, s.good); err != nil || !errors.Is(told, refused) {
		t.Errorf("got %v, and %v was told", err, told)
	}
	s.NoteTrouble = nil
	s.now.Advance(KeyUseNoted)
	s.admits(t, "with nobody to tell")
}

// BenchmarkCachedAPIKey is what a program's call costs before it does anything: no query.
func BenchmarkCachedAPIKey(b *testing.B) {
	s := newStall(ofAnn())
	header := []string{"Bearer " + string(s.good)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Authenticate(b.Context(), header); err != nil {
			b.Fatal(err)
		}
	}
	if asked := s.keys.asked.Load(); asked != 1 {
		b.Errorf("asked %d times", asked)
	}
}

// BenchmarkMistypedAPIKey is what a guess without a checksum costs.
func BenchmarkMistypedAPIKey(b *testing.B) {
	s := newStall(ofAnn())
	header := []string{"Bearer " + string(s.good[:len(s.good)-6]) + "000000"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Authenticate(b.Context(), header); err == nil {
			b.Fatal("it was let in")
		}
	}
}
