package app

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
)

// How long a key isn't used that was refused, or that had too many calls, where the provider doesn't say it.
const (
	refusedFor = 10 * time.Minute
	limitedFor = 5 * time.Second
)

// pool is a provider for which there are several keys, that take turns. It is safe for concurrent use.
type pool struct {
	clock clock.Clock

	mu      sync.Mutex
	members []*member
	turn    int
}

type member struct {
	Provider
	restsUntil time.Time
}

// NewPool returns a provider of the same provider with several keys, which take turns. One that is refused, or had too many
// calls, isn't used for a while, and the call goes on with the next one.
func NewPool(clock clock.Clock, keys ...Provider) Provider {
	if len(keys) == 1 {
		return keys[0]
	}
	p := &pool{clock: clock}
	for _, key := range keys {
		p.members = append(p.members, &member{Provider: key})
	}
	return p
}

// Generate has the call's model answer by the first key that may; see Provider.
func (p *pool) Generate(ctx context.Context, call *domain.Call, sink Sink) (result domain.Result, err error) {
	for _, key := range p.order() {
		result, err = key.Generate(ctx, call, sink)
		failure, failed := errors.AsType[*domain.Failure](err)
		if !failed || failure.Status == 0 { // without a status it isn't a refusal: something may have come
			return result, err
		}
		switch failure.Reason {
		case domain.KeyRefused:
			p.rest(key, refusedFor)
		case domain.RateLimited:
			p.rest(key, cmp.Or(failure.RetryAfter, limitedFor))
		default:
			return result, err
		}
	}
	return result, err
}

// order returns the keys, the one whose turn it is first. Those that rest come last, the one that may be used again soonest first.
func (p *pool) order() []*member {
	p.mu.Lock()
	defer p.mu.Unlock()
	turn := p.turn
	p.turn = (turn + 1) % len(p.members)
	order := slices.Concat(p.members[turn:], p.members[:turn])
	now := p.clock.Now()
	slices.SortStableFunc(order, func(a, b *member) int {
		return cmp.Compare(max(0, a.restsUntil.Sub(now)), max(0, b.restsUntil.Sub(now)))
	})
	return order
}

func (p *pool) rest(key *member, long time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key.restsUntil = p.clock.Now().Add(long)
}
