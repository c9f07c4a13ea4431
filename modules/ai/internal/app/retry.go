package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
)

// How often a call is tried again, and when. Of all calls only a tenth is: a provider that is down mustn't be asked three
// times as often as one that works.
const (
	tries        = 2
	shortPause   = 500 * time.Millisecond // at most, where the provider asks for none
	longestPause = 5 * time.Second        // that a provider may ask for; for longer ones another is asked
	share        = 0.1
	saved        = 10 // how many further tries there are at most at once
)

// retries says whether there is another try left. It is safe for concurrent use.
type retries struct {
	pauses Pauses

	mu   sync.Mutex
	left float64
}

func newRetries(pauses Pauses) *retries { return &retries{pauses: pauses, left: saved} }

// spent takes one further try, if there is one.
func (r *retries) spent() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left < 1 {
		return false
	}
	r.left--
	return true
}

func (r *retries) called() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = min(saved, r.left+share)
}

// generate has the provider answer, and asks it again where that may help and nothing had come yet. It tells how often it
// asked.
func (r *retries) generate(ctx context.Context, provider Provider, call *domain.Call, stream Stream) (result domain.Result, come bool, asked int, err error) {
	r.called()
	for {
		result, come, err = generate(ctx, provider, call, stream)
		asked++
		failure, failed := errors.AsType[*domain.Failure](err)
		if !failed || come || asked == tries || !failure.Reason.Again() || failure.RetryAfter > longestPause {
			return result, come, asked, err
		}
		if !r.spent() || r.pause(ctx, failure.RetryAfter) != nil {
			return result, come, asked, err // whoever is gone sees why there was no answer
		}
	}
}

func (r *retries) pause(ctx context.Context, after time.Duration) error {
	if after > 0 {
		return r.pauses.For(ctx, after)
	}
	return r.pauses.UpTo(ctx, shortPause)
}
