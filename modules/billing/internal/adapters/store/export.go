package store

import (
	"context"

	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

var _ app.ExportStore = (*Store)(nil)

// ExportAccount returns the account as it is read for everything else.
func (s *Store) ExportAccount(ctx context.Context, user id.Scope) (*app.ExportedAccount, error) {
	account, err := s.FindAccount(ctx, user)
	if errs.Is(err, errs.NotFound) {
		return nil, nil //nolint:nilnil // most have none
	}
	if err != nil {
		return nil, err
	}
	exported := &app.ExportedAccount{
		CustomerID: orNull(account.CustomerID), Plan: account.Plan, Interval: orNull(string(account.Interval)),
		DueSince: timeOrNull(account.DueSince), HadTrial: account.HadTrial, CreatedAt: account.CreatedAt, UpdatedAt: account.UpdatedAt,
	}
	if bought := account.Subscription; bought != nil {
		exported.SubscriptionID, exported.Status = orNull(bought.ID), orNull(string(bought.Status))
		exported.Amount, exported.Currency = &bought.Amount, orNull(bought.Currency)
		exported.CurrentPeriodStart, exported.CurrentPeriodEnd = timeOrNull(bought.PeriodStart), timeOrNull(bought.PeriodEnd)
		exported.CancelAtPeriodEnd, exported.TrialEnd = bought.CancelAtPeriodEnd, timeOrNull(bought.TrialEnd)
		exported.SubscriptionCreatedAt, exported.SubscriptionEndedAt = timeOrNull(bought.CreatedAt), timeOrNull(bought.EndedAt)
	}
	return exported, nil
}

// ExportInvoices reads all invoices of the user, in the order of an index.
func (s *Store) ExportInvoices(ctx context.Context, user id.Scope, after *app.ExportedInvoice, limit int) ([]app.ExportedInvoice, error) {
	matching, args := " WHERE user_id = ?", []any{user.User}
	if after != nil {
		matching += " AND (created_at, id) > (?, ?)"
		args = append(args, after.CreatedAt, after.ID)
	}
	return database.All(s.db.Read(ctx).Raw(`SELECT id, subscription_id, number, status, due, paid, refunded, currency, attempts,
		next_attempt_at, url, created_at FROM billing_invoices`+matching+" ORDER BY created_at, id LIMIT ?", append(args, limit)...),
		func(found database.Row) (app.ExportedInvoice, error) {
			var invoice app.ExportedInvoice
			err := found.Scan(&invoice.ID, &invoice.SubscriptionID, &invoice.Number, &invoice.Status, &invoice.Due, &invoice.Paid,
				&invoice.Refunded, &invoice.Currency, &invoice.Attempts, &invoice.NextAttemptAt, &invoice.URL, &invoice.CreatedAt)
			invoice.NextAttemptAt, invoice.CreatedAt = database.InUTC(invoice.NextAttemptAt), invoice.CreatedAt.UTC()
			return invoice, err
		})
}
