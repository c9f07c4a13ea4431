package ratelimit

import (
	"context"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
)

// A million attackers cost memory for a hundred thousand. All that a process remembers of them is measured together: its
// own count, the one for when Redis is gone, and the refusals.
func TestAMillionAddressesStayInBounds(t *testing.T) {
	before := heap()
	ceiling, fallback := NewLocal(clock.System{}), NewLocal(clock.System{})
	shared := NewShared(refusing{}, fallback)
	q, ctx := quota(60, time.Minute), t.Context()
	most := uint64(0)
	for i := range 1_000_000 {
		address := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String()
		limiters := []Limiter{ceiling, fallback, shared}
		if i > 10*maxRefusals {
			limiters = limiters[:2] // its memory has been full ten times, and it is slow
		}
		for _, limiter := range limiters {
			if _, err := limiter.Take(ctx, address, q, 1); err != nil {
				t.Fatal(err)
			}
		}
		if i%200_000 == 199_999 {
			most = max(most, heap()-before)
		}
	}
	if most > 16<<20 {
		t.Errorf("they take %d KiB", most>>10)
	}
	t.Logf("they take %d KiB", most>>10)
	for _, limiter := range []*Local{ceiling, fallback} {
		if held := limiter.arrivals.Len(); held > maxKeys {
			t.Errorf("%d keys are held", held)
		}
	}
	runtime.KeepAlive(shared)
}

// heap returns how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// refusing is a limiter that refuses everything for a minute.
type refusing struct{}

func (refusing) Take(_ context.Context, _ string, q Quota, _ int) (Decision, error) {
	return Decision{Limit: q.Rate.Requests, Reset: time.Minute, RetryAfter: time.Minute}, nil
}

// A clock that was set back locks nobody out for longer than the quota can.
func TestAClockThatGoesBack(t *testing.T) {
	now := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	limiter, q := NewLocal(now), quota(60, time.Minute)
	take(t, limiter, "ann", q, 60)
	now.Advance(-time.Hour)
	if got := take(t, limiter, "ann", q, 1); got.Allowed || got.RetryAfter > time.Second || got.Reset > time.Minute {
		t.Errorf("an hour back: %+v", got)
	}
	now.Advance(time.Minute)
	if got := take(t, limiter, "ann", q, 60); got.Allowed && got.Remaining > 0 {
		t.Errorf("a minute later: %+v", got)
	}
}

// A decision makes no garbage.
func TestADecisionAllocatesNothing(t *testing.T) {
	limiter, q, ctx := NewLocal(clock.System{}), quota(60, time.Minute), t.Context()
	if got := testing.AllocsPerRun(1000, func() { _, _ = limiter.Take(ctx, "user:01a214e3-d424-7aee-8d82-a112b91ec602", q, 1) }); got > 0 {
		t.Errorf("%v allocations", got)
	}
}
