package ratelimit

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/omnistack/omnistack/platform/recent"
)

const (
	// patience is how long a call waits. A Redis that is frozen or gone is noticed by its client sooner, after 50 ms; what takes
	// longer is this process, when thousands of calls come at once, and then the whole limit is worth the wait.
	patience = 500 * time.Millisecond

	// failuresToOpen is how many failures in a row, of calls that began one after the other, make Redis be left alone, and openFor
	// for how long, until one call tries it again.
	failuresToOpen = 3
	openFor        = time.Second

	// maxRefusals bounds the memory of refusals, to less than 4 MiB.
	maxRefusals = 20_000
)

var errGivenUp = errors.New("Redis doesn't answer, and is left alone for now")

// Shared is a Limiter of all processes for as long as Redis answers, and of each process by itself while it doesn't: then
// with half of every quota, because there is more than one process where there is a Redis. So meanwhile two processes let pass
// what the quota says, ten of them five times that, and a client that always reaches the same one gets half. The limits never
// end with Redis, and no call fails or waits long for it. It never fails.
type Shared struct {
	// Switched, when set before the first call, is told when Redis is given up, with the reason, and with nil when it is back.
	Switched func(err error)

	remote Limiter
	local  Limiter

	refusals *recent.Map[digest, refusal]

	mu       sync.Mutex
	failures int       // in a row, of calls that began one after the other
	failed   time.Time // when the last of them was noted
	retry    time.Time // when Redis may be tried again; zero while all is well
}

// refusal is a Decision that holds for a while: nobody gives back sooner what was taken.
type refusal struct {
	at       time.Time
	decision Decision
	cost     int
}

// NewShared returns a limiter that asks remote, and turns to local.
func NewShared(remote, local Limiter) *Shared {
	return &Shared{remote: remote, local: local, refusals: recent.NewMap[digest, refusal](maxRefusals)}
}

// Take takes as every Limiter does. It asks Redis once at most, and not at all about what it knows to be refused still: a
// client that goes on regardless costs this process alone.
func (s *Shared) Take(ctx context.Context, key string, quota Quota, cost int) (Decision, error) {
	sum := quota.digest(key)
	if decision, known := s.refused(sum, cost); known {
		return decision, nil
	}
	if decision, err := s.ask(ctx, sum, key, quota, cost); err == nil {
		return decision, nil
	}
	quota.Rate.Requests = max(1, quota.Rate.Requests/2)
	return s.local.Take(ctx, key, quota, cost)
}

// ask asks Redis, if it isn't given up.
func (s *Shared) ask(ctx context.Context, sum digest, key string, quota Quota, cost int) (Decision, error) {
	if !s.mayAsk() {
		return Decision{}, errGivenUp
	}
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	asked := time.Now()
	decision, err := s.remote.Take(bounded, key, quota, cost)
	if err != nil && ctx.Err() != nil {
		return Decision{}, err // the client is gone, which says nothing about Redis
	}
	s.note(asked, err)
	if err == nil && !decision.Allowed {
		s.refusals.Put(sum, refusal{at: asked, decision: decision, cost: cost})
	}
	return decision, err
}

// refused returns the decision on a call that is known to be refused still.
func (s *Shared) refused(sum digest, cost int) (Decision, bool) {
	last, found := s.refusals.Get(sum)
	if !found || cost < last.cost {
		return Decision{}, false
	}
	passed := time.Since(last.at)
	decision := last.decision
	decision.RetryAfter -= passed
	decision.Reset -= passed
	return decision, decision.RetryAfter > 0
}

// mayAsk tells whether Redis is to be asked: always while it answers, else once in a while.
func (s *Shared) mayAsk() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retry.IsZero() {
		return true
	}
	now := time.Now()
	if now.Before(s.retry) {
		return false
	}
	s.retry = now.Add(openFor)
	return true
}

// note notes how asking Redis at a time ended.
func (s *Shared) note(asked time.Time, err error) {
	if s.switches(asked, err) && s.Switched != nil {
		s.Switched(err)
	}
}

// switches tells whether it is given up now, or back. What was asked before a failure that is counted already says nothing new:
// hundreds of calls may have gone out together, and one hiccup ends them all.
func (s *Shared) switches(asked time.Time, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.retry.IsZero()
	if err == nil {
		s.failures, s.retry = 0, time.Time{}
		return !was
	}
	if asked.Before(s.failed) {
		return false
	}
	s.failures++
	s.failed = time.Now()
	if s.failures < failuresToOpen {
		return false
	}
	s.retry = time.Now().Add(openFor)
	return was
}
