package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/platform/id"
)

// undelivered is how far Reconcile looks back: for so long Stripe tries to deliver an event.
const undelivered = 3 * 24 * time.Hour

// reconcileBatch is how many accounts are enqueued in one transaction.
const reconcileBatch = 500

// Reconcile takes in the events that no webhook delivered, and has every account looked at whose subscription isn't over. So
// what was missed while nothing worked is right a day later, whatever it was. It calls what is outside.
func (a *App) Reconcile(ctx context.Context) error {
	if a.Stripe == nil {
		return nil
	}
	if err := a.Stripe.Undelivered(ctx, a.Clock.Now().Add(-undelivered), func(post Post) error {
		return a.Receive(ctx, post)
	}); err != nil {
		return err
	}
	for last := ""; ; {
		var live []id.Scope
		err := a.Tx.WithinTx(ctx, func(ctx context.Context) (err error) {
			if live, err = a.Store.LiveAccounts(ctx, last, reconcileBatch); err != nil || len(live) == 0 {
				return err
			}
			return a.Queue.Sync(ctx, live...)
		})
		if err != nil || len(live) < reconcileBatch {
			return err
		}
		last = live[len(live)-1].User
	}
}
