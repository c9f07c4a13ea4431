package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// Sync makes the account of a user what Stripe says of it now. It calls what is outside. A user without a customer has nothing
// to bring up to date.
func (a *App) Sync(ctx context.Context, user id.Scope) error {
	return a.sync(ctx, user, false, func(context.Context) error { return nil })
}

// sync is Sync with something that happens in the same transaction. Stripe may have said that the trial ends.
func (a *App) sync(ctx context.Context, user id.Scope, trialEnds bool, with func(ctx context.Context) error) error {
	if err := a.open(); err != nil {
		return err
	}
	fetch, customerID, err := a.ask(ctx, user)
	if err != nil {
		return err
	}
	if customerID == "" {
		return a.Tx.WithinTx(ctx, with)
	}
	said, err := a.Stripe.Fetch(ctx, customerID)
	if err != nil {
		return known(err)
	}
	said.TrialEnds = trialEnds
	return a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		if err := a.apply(ctx, user, customerID, fetch, said); err != nil {
			return err
		}
		return with(ctx)
	})
}

// ask takes the number of a fetch before it begins: so a fetch with a higher number began later, and knows more. The customer is
// empty when there is nobody to ask about.
func (a *App) ask(ctx context.Context, user id.Scope) (fetch int64, customerID string, err error) {
	err = a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		account, err := a.Store.LockAccount(ctx, user)
		if err != nil || account.CustomerID == "" {
			return err
		}
		fetch, customerID = account.Ask(), account.CustomerID
		return a.Store.SaveAccount(ctx, account)
	})
	if errs.Is(err, errs.NotFound) { // erased meanwhile
		return 0, "", nil
	}
	return fetch, customerID, err
}

// apply writes what a fetch brought, and says what changed by it. An account that is gone, or has another customer by now, stays
// as it is.
func (a *App) apply(ctx context.Context, user id.Scope, customerID string, fetch int64, said domain.Snapshot) error {
	account, err := a.Store.LockAccount(ctx, user)
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil || account.CustomerID != customerID {
		return err
	}
	done := account.Apply(fetch, said, a.rules, a.Clock.Now())
	var failed []domain.Invoice
	if !done.Stale {
		if failed, err = a.settle(ctx, user, said.Invoices); err != nil {
			return err
		}
	}
	if len(failed) > 0 && !done.Changed && done.TrialEnding.IsZero() {
		account.Version++
	}
	if err := a.Store.SaveAccount(ctx, account); err != nil {
		return err
	}
	if done.Changed {
		if err := a.Events.Publish(ctx, changed(account, done.Notable)); err != nil {
			return err
		}
	}
	if !done.TrialEnding.IsZero() {
		ending := billing.TrialEnding{UserID: user.User, Plan: account.Plan, TrialEnd: done.TrialEnding, Version: account.Version}
		if err := a.Events.Publish(ctx, ending); err != nil {
			return err
		}
	}
	for _, invoice := range failed {
		event := billing.PaymentFailed{
			UserID: user.User, InvoiceID: invoice.ID, Amount: invoice.Due, Currency: invoice.Currency, Attempt: invoice.Attempts,
			NextAttemptAt: orNil(invoice.NextAttemptAt), Version: account.Version,
		}
		if err := a.Events.Publish(ctx, event); err != nil {
			return err
		}
	}
	if done.Check.After(a.Clock.Now()) {
		return a.Queue.SyncAt(ctx, user, done.Check)
	}
	return nil
}

// settle writes the invoices that a fetch brought and returns those of which a failed payment is to be told.
func (a *App) settle(ctx context.Context, user id.Scope, said []domain.Invoice) (failed []domain.Invoice, err error) {
	if len(said) == 0 {
		return nil, nil
	}
	ids := make([]string, len(said))
	for i, invoice := range said {
		ids[i] = invoice.ID
	}
	known, err := a.Store.FindInvoices(ctx, user, ids)
	if err != nil {
		return nil, err
	}
	var news []domain.Invoice
	for _, fresh := range said {
		invoice := known[fresh.ID]
		before := invoice
		if invoice.Settle(fresh) {
			failed = append(failed, invoice)
		}
		if invoice != before {
			news = append(news, invoice)
		}
	}
	if len(news) == 0 {
		return nil, nil
	}
	return failed, a.Store.SaveInvoices(ctx, user, news)
}

// changed returns the event of an account that changed.
func changed(account domain.Account, notable bool) billing.SubscriptionChanged {
	event := billing.SubscriptionChanged{
		UserID: account.User.User, CustomerID: account.CustomerID, Plan: account.Plan, Interval: string(account.Interval),
		Notable: notable, Version: account.Version,
	}
	if subscription := account.Subscription; subscription != nil {
		event.Status, event.CancelAtPeriodEnd = string(subscription.Status), subscription.CancelAtPeriodEnd
		event.PeriodEnd = orNil(subscription.PeriodEnd)
	}
	return event
}

func orNil(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
