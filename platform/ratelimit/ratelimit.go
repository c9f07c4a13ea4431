// Package ratelimit says how often somebody may do something.
//
// It counts by GCRA, the generic cell rate algorithm (ITU-T I.371, annex A): of a key only one time is kept, the
// "theoretical arrival time" at which all that was taken will have been given back. So a quota of 60 a minute lets 60
// pass at once and then one a second. A steady client just under the rate is never refused, one just over it loses
// only the excess, what is refused costs nothing, and the wait until the next is known exactly. Within one minute a
// client can have up to twice the quota, the burst and what came back: a log of each call would be exact there, and
// takes 2,096 bytes a key in Redis instead of 48 (measured).
//
// Local counts in this process, Redis for all of them, and Shared in Redis for as long as that answers.
package ratelimit

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/omnistack/omnistack/platform/config"
)

// Limiter counts what is taken. It is safe for concurrent use.
type Limiter interface {
	// Take takes cost, at least 1, of what the key may take by the quota, or nothing when that is too much now. A cost over
	// the whole quota takes the whole quota. The error says that nobody knows: whoever counts couldn't be asked.
	Take(ctx context.Context, key string, quota Quota, cost int) (Decision, error)
}

// Quota is how much one key may take.
type Quota struct {
	Name string // what for, such as "default": under another name a key has another count
	Rate config.Rate
}

// Decision is what became of a Take, and what is left after it.
type Decision struct {
	Allowed    bool
	Limit      int           // the whole quota
	Remaining  int           // how much could be taken now
	Reset      time.Duration // until the whole quota could be taken
	RetryAfter time.Duration // until what was refused could be taken; 0 when it was allowed
}

// pace is a quota in microseconds: Redis tells the time in them, and its scripts count in floating-point numbers, which
// hold a time in nanoseconds no more. The interval is cut to the microsecond, so a rate over 10,000 a second may be up to
// a hundredth faster than it says, and one of a million a second at most twice as fast.
type pace struct {
	interval int64 // for one to be given back
	burst    int64 // for all of them
}

func (q Quota) pace() pace {
	requests := int64(q.Rate.Requests)
	interval := max(1, q.Rate.Per.Microseconds()/requests)
	return pace{interval: interval, burst: interval * requests}
}

// bounded returns the cost as it counts.
func (q Quota) bounded(cost int) int { return min(max(cost, 1), q.Rate.Requests) }

// take returns the arrival time after an attempt at now to take cost, and how long that must wait to succeed: 0 when it
// did. An arrival time that the pace can't have led to comes from another pace or another clock, and is brought in bounds.
// The script of Redis does the same.
func (p pace) take(arrival, now int64, cost int) (after, wait int64) {
	arrival = min(max(arrival, now), now+p.burst)
	after = arrival + p.interval*int64(cost)
	if wait = after - p.burst - now; wait > 0 {
		return arrival, wait
	}
	return after, 0
}

// decision says what it means that the arrival time is ahead of now by that many microseconds, after a wait.
func (q Quota) decision(ahead, wait int64) Decision {
	p := q.pace()
	return Decision{
		Allowed:    wait == 0,
		Limit:      q.Rate.Requests,
		Remaining:  int((p.burst - ahead) / p.interval),
		Reset:      time.Duration(ahead) * time.Microsecond,
		RetryAfter: time.Duration(wait) * time.Microsecond,
	}
}

// digest stands for a key under a quota's name. It is short, however long the key is, and doesn't show whose it is.
type digest [16]byte

func (q Quota) digest(key string) digest {
	var stack [256]byte
	text := append(append(append(stack[:0], q.Name...), 0), key...)
	sum := sha256.Sum256(text)
	return digest(sum[:])
}
