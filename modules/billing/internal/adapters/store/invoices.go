package store

import (
	"context"
	"database/sql"
	"time"

	"gorm.io/gorm/clause"

	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

// invoiceRow is the table billing_invoices. Its index serves a user's list; it holds drafts too, for erasing the user.
type invoiceRow struct {
	ID             database.Key `gorm:"primaryKey;index:billing_invoices_by_user,priority:3"`
	UserID         database.Key `gorm:"not null;index:billing_invoices_by_user,priority:1"`
	SubscriptionID *database.Key
	Number         *string `gorm:"type:text"`
	Status         string  `gorm:"type:text;not null"`
	Due            int64   `gorm:"not null"`
	Paid           int64   `gorm:"not null"`
	Refunded       int64   `gorm:"not null"`
	Currency       string  `gorm:"type:text;not null"`
	Attempts       int64   `gorm:"not null"`
	NextAttemptAt  *time.Time
	URL            *string   `gorm:"type:text"`
	CreatedAt      time.Time `gorm:"not null;index:billing_invoices_by_user,priority:2"`
	Told           int64     `gorm:"not null"`
}

// TableName returns the name of the table.
func (invoiceRow) TableName() string { return "billing_invoices" }

// invoiceFields are what an invoice is read from, in the order in which scanInvoice takes them.
const invoiceFields = `SELECT id, subscription_id, number, status, due, paid, refunded, currency, attempts, next_attempt_at, url,
	created_at, told`

// FindInvoices returns those of the user's invoices that are there.
func (s *Store) FindInvoices(ctx context.Context, user id.Scope, invoiceIDs []string) (map[string]domain.Invoice, error) {
	found, err := database.All(s.db.Read(ctx).Raw(
		invoiceFields+" FROM billing_invoices WHERE user_id = ? AND id IN ?", user.User, invoiceIDs), scanInvoice)
	if err != nil {
		return nil, err
	}
	invoices := make(map[string]domain.Invoice, len(found))
	for _, invoice := range found {
		invoices[invoice.ID] = invoice
	}
	return invoices, nil
}

// SaveInvoices writes each by a statement of its own: seldom is more than one new, and PostgreSQL refuses a statement that
// writes one twice. An invoice of another user stays as it is, and is errs.Conflict.
func (s *Store) SaveInvoices(ctx context.Context, user id.Scope, invoices []domain.Invoice) error {
	known := clause.OnConflict{
		Columns: []clause.Column{{Name: "id"}},
		DoUpdates: clause.AssignmentColumns([]string{
			"subscription_id", "number", "status", "due", "paid", "refunded", "currency", "attempts", "next_attempt_at", "url",
			"created_at", "told",
		}),
		Where: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "billing_invoices.user_id = excluded.user_id"}}},
	}
	for _, invoice := range invoices {
		saved := toInvoiceRow(user, invoice)
		done := s.db.Tx(ctx).Clauses(known).Create(&saved)
		if done.Error != nil {
			return database.Classify(done.Error)
		}
		if done.RowsAffected == 0 {
			return errs.New(errs.Conflict, "This invoice belongs to another user").With("id", invoice.ID)
		}
	}
	return nil
}

// ListInvoices returns one page of the user's invoices and the number of all. Drafts are left out.
func (s *Store) ListInvoices(ctx context.Context, user id.Scope, window page.Window) ([]domain.Invoice, int64, error) {
	return listing[domain.Invoice]{
		fields:   invoiceFields,
		matching: " FROM billing_invoices WHERE user_id = ? AND status <> ?",
		args:     []any{user.User, string(domain.Draft)},
		by:       "created_at",
		scan:     scanInvoice,
	}.read(ctx, s.db, window)
}

func toInvoiceRow(user id.Scope, invoice domain.Invoice) invoiceRow {
	return invoiceRow{
		ID:             database.Key(invoice.ID),
		UserID:         database.Key(user.User),
		SubscriptionID: orNull(database.Key(invoice.SubscriptionID)),
		Number:         orNull(invoice.Number),
		Status:         string(invoice.Status),
		Due:            invoice.Due,
		Paid:           invoice.Paid,
		Refunded:       invoice.Refunded,
		Currency:       invoice.Currency,
		Attempts:       invoice.Attempts,
		NextAttemptAt:  timeOrNull(invoice.NextAttemptAt),
		URL:            orNull(invoice.URL),
		CreatedAt:      invoice.CreatedAt,
		Told:           invoice.Told,
	}
}

// scanInvoice believes the row, like scanAccount.
func scanInvoice(found database.Row) (domain.Invoice, error) {
	var invoice domain.Invoice
	var subscriptionID, number, url sql.Null[string]
	var nextAttemptAt sql.Null[time.Time]
	err := found.Scan(&invoice.ID, &subscriptionID, &number, &invoice.Status, &invoice.Due, &invoice.Paid, &invoice.Refunded,
		&invoice.Currency, &invoice.Attempts, &nextAttemptAt, &url, &invoice.CreatedAt, &invoice.Told)
	invoice.SubscriptionID, invoice.Number, invoice.URL = subscriptionID.V, number.V, url.V
	invoice.NextAttemptAt, invoice.CreatedAt = nextAttemptAt.V.UTC(), invoice.CreatedAt.UTC()
	return invoice, err
}
