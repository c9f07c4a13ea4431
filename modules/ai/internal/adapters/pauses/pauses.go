// Package pauses waits by the machine's clock.
package pauses

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
)

// Timer is an app.Pauses of timers.
type Timer struct{}

var _ app.Pauses = Timer{}

// For waits that long.
func (Timer) For(ctx context.Context, long time.Duration) error {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// UpTo waits for any part of it, so that not all come back at once.
func (t Timer) UpTo(ctx context.Context, longest time.Duration) error {
	return t.For(ctx, rand.N(longest+1)) //nolint:gosec // it spreads, it keeps no secret
}
