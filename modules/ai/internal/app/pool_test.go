package app_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
)

// keyring is a pool of keys that do as they are told, and the order in which they were used.
type keyring struct {
	app.Provider
	clock *clock.Manual
	fails map[string]error
	mu    sync.Mutex
	used  string
}

func newKeyring(names string) *keyring {
	k := &keyring{clock: clock.NewManual(noon), fails: map[string]error{}}
	var keys []app.Provider
	for name := range strings.SplitSeq(names, "") {
		keys = append(keys, speaks(func(context.Context, *domain.Call, app.Sink) (domain.Result, error) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.used += name
			return domain.Result{Model: name}, k.fails[name]
		}))
	}
	k.Provider = app.NewPool(k.clock, keys...)
	return k
}

// uses makes calls, and returns which keys were used for them.
func (k *keyring) uses(t *testing.T, calls int) (used string, last error) {
	t.Helper()
	k.used = ""
	for range calls {
		_, last = k.Generate(t.Context(), &domain.Call{}, nil)
	}
	return k.used, last
}

func TestKeysTakeTurns(t *testing.T) {
	k := newKeyring("abc")
	if used, err := k.uses(t, 6); used != "abcabc" || err != nil {
		t.Errorf("used were %s, %v", used, err)
	}
	if used, _ := newKeyring("a").uses(t, 2); used != "aa" {
		t.Errorf("of one key used were %s", used)
	}
}

func TestAKeyThatIsRefusedRests(t *testing.T) {
	for name, test := range map[string]struct {
		failure domain.Failure
		rests   time.Duration
	}{
		"refused":               {domain.Failure{Reason: domain.KeyRefused, Status: 401}, 10 * time.Minute},
		"used too much":         {domain.Failure{Reason: domain.RateLimited, Status: 429}, 5 * time.Second},
		"used too much, for so": {domain.Failure{Reason: domain.RateLimited, Status: 429, RetryAfter: time.Minute}, time.Minute},
	} {
		k := newKeyring("abc")
		k.fails["b"] = &test.failure
		if used, err := k.uses(t, 5); used != "abccac" && used != "abcaca" || err != nil {
			t.Errorf("%s: used were %s, %v", name, used, err)
		}
		k.clock.Advance(test.rests - time.Microsecond)
		if used, _ := k.uses(t, 6); strings.Contains(used, "b") {
			t.Errorf("%s: before its time used were %s", name, used)
		}
		k.clock.Advance(time.Microsecond)
		delete(k.fails, "b")
		if used, _ := k.uses(t, 3); !strings.Contains(used, "b") {
			t.Errorf("%s: after its time used were %s", name, used)
		}
	}
}

func TestWhenAllKeysRestTheyAreTriedAllTheSame(t *testing.T) {
	k := newKeyring("ab")
	k.fails["a"] = &domain.Failure{Reason: domain.RateLimited, Status: 429, RetryAfter: time.Hour}
	k.fails["b"] = &domain.Failure{Reason: domain.RateLimited, Status: 429, RetryAfter: time.Minute}
	if used, err := k.uses(t, 1); used != "ab" || reasonOf(err) != domain.RateLimited {
		t.Errorf("used were %s, %v", used, err)
	}
	if used, _ := k.uses(t, 1); used != "ba" {
		t.Errorf("the one that rests shortest isn't tried first: %s", used)
	}
}

// TestOnlyAKeysOwnTroubleIsAnothers proves that what isn't about a key is tried with no other, and neither is what may have begun.
func TestOnlyAKeysOwnTroubleIsAnothers(t *testing.T) {
	for _, failure := range []*domain.Failure{
		{Reason: domain.Broken, Status: 500}, {Reason: domain.Refused, Status: 400}, {Reason: domain.RateLimited}, {Reason: domain.Cancelled},
	} {
		k := newKeyring("ab")
		k.fails["a"] = failure
		if used, err := k.uses(t, 1); used != "a" || err == nil {
			t.Errorf("%v: used were %s, %v", failure, used, err)
		}
	}
	k := newKeyring("ab")
	k.fails["a"] = fmt.Errorf("the listener's")
	if used, _ := k.uses(t, 1); used != "a" {
		t.Errorf("the listener's error: used were %s", used)
	}
}
