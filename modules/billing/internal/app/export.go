package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/platform/export"
	"github.com/omnistack/omnistack/platform/id"
)

// Exporter hands out what is kept of a person here. What Stripe keeps, such as the means of payment, it shows in its portal.
type Exporter struct{ store ExportStore }

// NewExporter returns an exporter over the store.
func NewExporter(store ExportStore) *Exporter { return &Exporter{store} }

// ExportStore reads what is handed out.
type ExportStore interface {
	// ExportAccount returns the user's account, nil for none.
	ExportAccount(ctx context.Context, user id.Scope) (*ExportedAccount, error)

	// ExportInvoices returns at most limit of the user's invoices, drafts too, the oldest first: those behind one of them, or from
	// the beginning for nil.
	ExportInvoices(ctx context.Context, user id.Scope, after *ExportedInvoice, limit int) ([]ExportedInvoice, error)
}

// ExportedAccount is an account as it is handed out. Without a subscription what is of it is null.
type ExportedAccount struct {
	CustomerID            *string    `json:"customer_id"`
	SubscriptionID        *string    `json:"subscription_id"`
	Status                *string    `json:"status"`
	Plan                  string     `json:"plan"`
	Interval              *string    `json:"interval"`
	Amount                *int64     `json:"amount"`
	Currency              *string    `json:"currency"`
	CurrentPeriodStart    *time.Time `json:"current_period_start"`
	CurrentPeriodEnd      *time.Time `json:"current_period_end"`
	CancelAtPeriodEnd     bool       `json:"cancel_at_period_end"`
	TrialEnd              *time.Time `json:"trial_end"`
	SubscriptionCreatedAt *time.Time `json:"subscription_created_at"`
	SubscriptionEndedAt   *time.Time `json:"subscription_ended_at"`
	DueSince              *time.Time `json:"due_since"`
	HadTrial              bool       `json:"had_trial"`
	CreatedAt             time.Time  `json:"created_at"`
	UpdatedAt             time.Time  `json:"updated_at"`
}

// ExportedInvoice is an invoice as it is handed out.
type ExportedInvoice struct {
	ID             string     `json:"id"`
	SubscriptionID *string    `json:"subscription_id"`
	Number         *string    `json:"number"`
	Status         string     `json:"status"`
	Due            int64      `json:"amount_due"`
	Paid           int64      `json:"amount_paid"`
	Refunded       int64      `json:"amount_refunded"`
	Currency       string     `json:"currency"`
	Attempts       int64      `json:"attempts"`
	NextAttemptAt  *time.Time `json:"next_attempt_at"`
	URL            *string    `json:"url"`
	CreatedAt      time.Time  `json:"created_at"`
}

// Export writes the user's account and invoices.
func (e *Exporter) Export(ctx context.Context, user id.Scope, archive export.Archive) error {
	account, err := e.store.ExportAccount(ctx, user)
	if err != nil {
		return err
	}
	if err := export.Value(archive, "account.json", account); err != nil {
		return err
	}
	return export.Array(archive, "invoices.json", func(after *ExportedInvoice, limit int) ([]ExportedInvoice, error) {
		return e.store.ExportInvoices(ctx, user, after, limit)
	})
}
