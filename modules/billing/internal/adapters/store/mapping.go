package store

import (
	"time"

	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/id"
)

func toRow(account domain.Account) accountRow {
	row := accountRow{
		UserID:     database.Key(account.User.User),
		CustomerID: orNull(database.Key(account.CustomerID)),
		Customers:  account.Customers,
		Plan:       account.Plan,
		Interval:   string(account.Interval),
		Extra:      account.Extra,
		DueSince:   orNull(account.DueSince),
		HadTrial:   account.HadTrial,
		TrialTold:  orNull(account.TrialTold),
		Asked:      account.Asked,
		Applied:    account.Applied,
		Version:    account.Version,
		CreatedAt:  account.CreatedAt,
		UpdatedAt:  account.UpdatedAt,
	}
	if bought := account.Subscription; bought != nil {
		row.SubscriptionID = &bought.ID
		row.Status = new(string(bought.Status))
		row.PriceID = &bought.PriceID
		row.Amount = &bought.Amount
		row.Currency = &bought.Currency
		row.PeriodStart = orNull(bought.PeriodStart)
		row.PeriodEnd = orNull(bought.PeriodEnd)
		row.CancelAtPeriodEnd = &bought.CancelAtPeriodEnd
		row.TrialEnd = orNull(bought.TrialEnd)
		row.SubscribedAt = orNull(bought.CreatedAt)
	}
	return row
}

// scan believes the row: a rule that came later must not make an old row unreadable.
func scan(found database.Row) (domain.Account, error) {
	var row accountRow
	err := found.Scan(&row.UserID, &row.CustomerID, &row.Customers, &row.SubscriptionID, &row.Status, &row.PriceID, &row.Amount,
		&row.Currency, &row.PeriodStart, &row.PeriodEnd, &row.CancelAtPeriodEnd, &row.TrialEnd, &row.SubscribedAt, &row.Plan,
		&row.Interval, &row.Extra, &row.DueSince, &row.HadTrial, &row.TrialTold, &row.Asked, &row.Applied, &row.Version,
		&row.CreatedAt, &row.UpdatedAt)
	if err != nil {
		return domain.Account{}, err
	}
	account := domain.Account{
		User:       id.Of(string(row.UserID)),
		CustomerID: string(orZero(row.CustomerID)),
		Customers:  row.Customers,
		Plan:       row.Plan,
		Interval:   domain.Interval(row.Interval),
		Extra:      row.Extra,
		DueSince:   inUTC(row.DueSince),
		HadTrial:   row.HadTrial,
		TrialTold:  inUTC(row.TrialTold),
		Asked:      row.Asked,
		Applied:    row.Applied,
		Version:    row.Version,
		CreatedAt:  row.CreatedAt.UTC(),
		UpdatedAt:  row.UpdatedAt.UTC(),
	}
	if row.SubscriptionID != nil {
		account.Subscription = &domain.Subscription{
			ID:                *row.SubscriptionID,
			Status:            domain.Status(orZero(row.Status)),
			PriceID:           orZero(row.PriceID),
			Amount:            orZero(row.Amount),
			Currency:          orZero(row.Currency),
			PeriodStart:       inUTC(row.PeriodStart),
			PeriodEnd:         inUTC(row.PeriodEnd),
			CancelAtPeriodEnd: orZero(row.CancelAtPeriodEnd),
			TrialEnd:          inUTC(row.TrialEnd),
			CreatedAt:         inUTC(row.SubscribedAt),
		}
	}
	return account, nil
}

func toInvoiceRow(user id.Scope, invoice domain.Invoice) invoiceRow {
	return invoiceRow{
		ID:             database.Key(invoice.ID),
		UserID:         database.Key(user.User),
		SubscriptionID: invoice.SubscriptionID,
		Number:         invoice.Number,
		Status:         string(invoice.Status),
		Due:            invoice.Due,
		Paid:           invoice.Paid,
		Refunded:       invoice.Refunded,
		Currency:       invoice.Currency,
		Attempts:       invoice.Attempts,
		NextAttemptAt:  orNull(invoice.NextAttemptAt),
		URL:            invoice.URL,
		Told:           invoice.Told,
		CreatedAt:      invoice.CreatedAt,
	}
}

func scanInvoice(found database.Row) (domain.Invoice, error) {
	var invoice domain.Invoice
	var next *time.Time
	err := found.Scan(&invoice.ID, &invoice.SubscriptionID, &invoice.Number, &invoice.Status, &invoice.Due, &invoice.Paid,
		&invoice.Refunded, &invoice.Currency, &invoice.Attempts, &next, &invoice.URL, &invoice.Told, &invoice.CreatedAt)
	invoice.NextAttemptAt, invoice.CreatedAt = inUTC(next), invoice.CreatedAt.UTC()
	return invoice, err
}

func scanWebhook(found database.Row) (app.Webhook, error) {
	var webhook app.Webhook
	var customer *string
	var processed *time.Time
	err := found.Scan(&webhook.ID, &webhook.Type, &customer, &webhook.Seen, &webhook.ReceivedAt, &processed)
	webhook.CustomerID, webhook.ReceivedAt, webhook.ProcessedAt = orZero(customer), webhook.ReceivedAt.UTC(), inUTC(processed)
	return webhook, err
}

// orNull returns nil for a zero value.
func orNull[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}

// orZero returns the zero value for nil.
func orZero[T any](value *T) T {
	if value == nil {
		var zero T
		return zero
	}
	return *value
}

// inUTC returns a time of the database, zero for null.
func inUTC(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return at.UTC()
}
