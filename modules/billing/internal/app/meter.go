package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// Usage is what a user took that is paid by how much it is.
type Usage struct {
	ID           string // of what was taken, such as a call of a model: it is reported once
	User         id.Scope
	Microdollars int64 // what it cost, 1 or more
	At           time.Time
}

// NoteUsage has usage reported to Stripe, if it is anybody's and costs anything.
func (a *App) NoteUsage(ctx context.Context, usage Usage) error {
	if usage.Microdollars <= 0 || usage.User.User == "" {
		return nil
	}
	return a.Tx.WithinTx(ctx, func(ctx context.Context) error { return a.Queue.ReportUsage(ctx, usage) })
}

// ReportUsage reports usage to Stripe, where it counts for the customer of the user. Whoever isn't one pays for nothing. It calls
// what is outside.
func (a *App) ReportUsage(ctx context.Context, usage Usage) error {
	if err := a.open(); err != nil {
		return err
	}
	account, err := a.Store.FindAccount(ctx, usage.User)
	if errs.Is(err, errs.NotFound) || err == nil && account.CustomerID == "" {
		return nil
	}
	if err != nil {
		return err
	}
	return a.Stripe.ReportUsage(ctx, account.CustomerID, usage)
}
