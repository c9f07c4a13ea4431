package app

import (
	"context"
	"errors"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
)

// sweepAtOnce is how many holds one look returns.
const sweepAtOnce = 500

// Sweep accounts for calls that nobody told the end of, as their process was killed.
func (a *App) Sweep(ctx context.Context) error {
	for {
		expired, err := a.Store.Expired(ctx, a.Clock.Now(), sweepAtOnce)
		if err != nil {
			return err
		}
		if err := a.lose(ctx, expired); err != nil || len(expired) < sweepAtOnce {
			return err // what failed is tried again by the next sweep
		}
	}
}

// lose accounts for calls, each in its own transaction: another process may sweep, too, and in another order. One that can't be
// accounted for doesn't keep the others from it.
func (a *App) lose(ctx context.Context, holds []string) error {
	var failed []error
	for _, holdID := range holds {
		err := a.Tx.WithinTx(ctx, func(ctx context.Context) error {
			return a.account(ctx, holdID, func(hold domain.Hold) domain.Entry { return hold.Lost(a.Clock.Now()) })
		})
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// Erase removes the user: the budgets, and the name from the ledger, whose rows stay, as they say what was paid. Calls that go
// on are accounted for first.
func (a *App) Erase(ctx context.Context, user id.Scope) error {
	holds, err := a.Store.HoldsOf(ctx, user)
	if err != nil {
		return err
	}
	if err := a.lose(ctx, holds); err != nil {
		return err
	}
	return a.Tx.WithinTx(ctx, func(ctx context.Context) error { return a.Store.Erase(ctx, user) })
}
