package app

import (
	"errors"
	"sync"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
)

// When a breaker opens, and for how long: after so many failures in a row, or when within the window half of so many calls
// failed. Each time that its one trial fails, it stays open for twice as long.
const (
	failuresInARow = 5
	windowCalls    = 20
	window         = 30 * time.Second
	openFirst      = 15 * time.Second
	openLongest    = 2 * time.Minute
)

var errOpen = errors.New("it failed too often, and isn't asked for now")

// state is how a breaker is: closed lets calls pass, open none, half-open one, whose end decides.
type state uint8

const (
	closed state = iota
	open
	halfOpen
)

// target is what a breaker is for.
type target struct{ provider, model string }

// breakers keep calls from models that fail, each by itself. They are safe for concurrent use.
type breakers struct {
	clock clock.Clock

	mu  sync.Mutex
	all map[target]*breaker
}

type breaker struct {
	state     state
	inARow    int
	since     time.Time // the beginning of the window
	calls     int       // in the window
	failures  int       // of those
	openUntil time.Time
	openFor   time.Duration
	openings  int64 // since the process began
}

func newBreakers(clock clock.Clock) *breakers {
	return &breakers{clock: clock, all: map[target]*breaker{}}
}

// most is how many models have a breaker. Names of unknown models come from outside: more aren't watched.
const most = 1000

// enter lets a call pass, or fails. Whoever passed says how the call ended.
func (b *breakers) enter(to target) (left func(err error), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one, known := b.all[to]
	if !known {
		if len(b.all) >= most {
			return func(error) {}, nil
		}
		one = &breaker{openFor: openFirst}
		b.all[to] = one
	}
	now := b.clock.Now()
	switch {
	case one.state == open && !now.Before(one.openUntil):
		one.state = halfOpen
	case one.state != closed: // open, or another's trial goes on
		return nil, &domain.Failure{Provider: to.provider, Reason: domain.Overloaded, RetryAfter: max(0, one.openUntil.Sub(now)), Cause: errOpen}
	}
	trial := one.state == halfOpen
	return func(err error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		one.left(b.clock.Now(), trial, verdictOf(err))
	}, nil
}

// verdict is what the end of a call says of a model.
type verdict uint8

const (
	well    verdict = iota
	badly           // it failed
	useless         // it will fail until somebody does something
	nothing         // the call says nothing of it
)

func verdictOf(err error) verdict {
	if err == nil {
		return well
	}
	failure, ok := errors.AsType[*domain.Failure](err)
	if !ok {
		return nothing // the listener's
	}
	switch failure.Reason {
	case domain.KeyRefused:
		return useless
	case domain.Cancelled, domain.Refused, domain.TooLong, domain.NoModel:
		return nothing
	}
	return badly
}

func (b *breaker) left(now time.Time, trial bool, v verdict) {
	switch {
	case !trial && b.state != closed:
		return // it began before the breaker opened, and tells what is known
	case trial && v == nothing:
		b.state = open // and the next call is the trial
		return
	case trial && v == well:
		*b = breaker{openFor: openFirst, openings: b.openings}
		return
	case trial:
		b.openFor = min(2*b.openFor, openLongest)
		b.open(now)
		return
	case v == nothing:
		return
	}
	if now.Sub(b.since) > window {
		b.since, b.calls, b.failures = now, 0, 0
	}
	b.calls++
	if v == well {
		b.inARow = 0
		return
	}
	b.inARow++
	b.failures++
	if v == useless || b.inARow >= failuresInARow || b.calls >= windowCalls && 2*b.failures >= b.calls {
		b.open(now)
	}
}

func (b *breaker) open(now time.Time) {
	b.state, b.openUntil = open, now.Add(b.openFor)
	b.openings++
}

// opened returns how often each breaker opened.
func (b *breakers) opened() map[target]int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	opened := map[target]int64{}
	for to, one := range b.all {
		if one.openings > 0 {
			opened[to] = one.openings
		}
	}
	return opened
}
