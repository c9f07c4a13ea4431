package store

import (
	"context"

	"gorm.io/gorm/clause"

	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

const invoiceFields = `SELECT id, subscription_id, number, status, due, paid, refunded, currency, attempts, next_attempt_at, url, told,
	created_at FROM billing_invoices`

// FindInvoices returns those of the user's invoices that are kept.
func (s *Store) FindInvoices(ctx context.Context, user id.Scope, invoiceIDs []string) (map[string]domain.Invoice, error) {
	found, err := database.All(s.db.Read(ctx).Raw(invoiceFields+" WHERE user_id = ? AND id IN ?", user.User, invoiceIDs), scanInvoice)
	known := make(map[string]domain.Invoice, len(found))
	for _, invoice := range found {
		known[invoice.ID] = invoice
	}
	return known, err
}

// SaveInvoices inserts the invoices, or writes over those of the user that are there. Stripe's ids are one's alone: an invoice
// of somebody else under one of them is errs.Conflict.
func (s *Store) SaveInvoices(ctx context.Context, user id.Scope, invoices []domain.Invoice) error {
	rows := make([]invoiceRow, len(invoices))
	for i, invoice := range invoices {
		rows[i] = toInvoiceRow(user, invoice)
	}
	done := s.db.Tx(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "id"}},
		DoUpdates: clause.AssignmentColumns([]string{
			"subscription_id", "number", "status", "due", "paid", "refunded", "currency", "attempts", "next_attempt_at", "url", "told",
		}),
		Where: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "billing_invoices.user_id = excluded.user_id"}}},
	}).Create(&rows)
	if done.Error != nil {
		return database.Classify(done.Error)
	}
	if int(done.RowsAffected) != len(rows) {
		return errs.New(errs.Conflict, "An invoice is somebody else's")
	}
	return nil
}

// ListInvoices returns one page of the user's invoices, and the number of all.
func (s *Store) ListInvoices(ctx context.Context, user id.Scope, window page.Window) ([]domain.Invoice, int64, error) {
	matching, args := " WHERE user_id = ? AND status <> 'draft'", []any{user.User}
	total, err := database.One(s.db.Read(ctx).Raw("SELECT count(*) FROM billing_invoices"+matching, args...), database.Scalar[int64])
	if err != nil {
		return nil, 0, err
	}
	if window.After != nil {
		at, err := window.After.Time()
		if err != nil {
			return nil, 0, err
		}
		matching += " AND (created_at, id) < (?, ?)"
		args = append(args, at, window.After.ID)
	}
	args = append(args, window.Limit, window.Skip)
	items, err := database.All(s.db.Read(ctx).Raw(invoiceFields+matching+" ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?", args...), scanInvoice)
	return items, total, err
}
