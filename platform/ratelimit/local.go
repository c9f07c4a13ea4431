package ratelimit

import (
	"context"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/recent"
)

// maxKeys bounds the memory of a Local, to less than 6 MiB. When more keys than that are in use, those that were used
// longest ago may begin anew.
const maxKeys = 100_000

// Local is a Limiter of this process. It never fails.
type Local struct {
	clock    clock.Clock
	arrivals *recent.Map[digest, int64] // theoretical arrival times, in microseconds since 1970
}

// NewLocal returns a limiter of which nothing was taken, that reads the time from clock.
func NewLocal(clock clock.Clock) *Local {
	return &Local{clock: clock, arrivals: recent.NewMap[digest, int64](maxKeys)}
}

// Take takes as every Limiter does.
func (l *Local) Take(_ context.Context, key string, quota Quota, cost int) (Decision, error) {
	pace, now := quota.pace(), l.clock.Now().UnixMicro()
	var ahead, wait int64
	l.arrivals.Update(quota.digest(key), func(arrival int64) int64 {
		arrival, wait = pace.take(arrival, now, quota.bounded(cost))
		ahead = arrival - now
		return arrival
	})
	return quota.decision(ahead, wait), nil
}
