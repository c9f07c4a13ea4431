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
			hold, found, err := a.Store.Take(ctx, holdID)
			if err != nil || !found {
				return err
			}
			return a.write(ctx, hold.Lost(a.Clock.Now()), hold)
		})
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// write puts a call into the ledger, and says so. It runs in a transaction.
func (a *App) write(ctx context.Context, entry domain.Entry, hold domain.Hold) error {
	if err := a.Store.Append(ctx, entry, hold); err != nil {
		return err
	}
	return a.tell(ctx, entry)
}

// Erase removes the user: the budgets, and the name from the ledger, whose rows stay, as they say what was paid. Calls that go
// on are accounted for first.
func (a *App) Erase(ctx context.Context, user id.Scope) (erased map[string]int64, err error) {
	holds, err := a.Store.HoldsOf(ctx, user)
	if err != nil {
		return nil, err
	}
	if err := a.lose(ctx, holds); err != nil {
		return nil, err
	}
	err = a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		erased, err = a.Store.Erase(ctx, user)
		return err
	})
	return erased, err
}
