package app

import (
	"context"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// Erase removes all that is kept of the user, and has the customer at Stripe deleted, which ends the subscription. Stripe
// keeps the invoices, as the law wants.
func (a *App) Erase(ctx context.Context, user id.Scope) (erased map[string]int64, err error) {
	err = a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		account, err := a.Store.LockAccount(ctx, user)
		if errs.Is(err, errs.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if erased, err = a.Store.Erase(ctx, user); err != nil || account.CustomerID == "" {
			return err
		}
		return a.Queue.Forget(ctx, account.CustomerID)
	})
	return erased, err
}

// Forget deletes a customer at Stripe. It calls what is outside.
func (a *App) Forget(ctx context.Context, customerID string) error {
	if err := a.open(); err != nil {
		return err
	}
	return a.Stripe.Forget(ctx, customerID)
}
