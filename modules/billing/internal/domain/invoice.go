package domain

import "time"

// InvoiceStatus is the state of an invoice, by Stripe's name: https://docs.stripe.com/api/invoices/object#invoice_object-status
type InvoiceStatus string

// The states of an invoice that people see. Stripe has drafts, too, which nobody does.
const (
	Draft InvoiceStatus = "draft"
	Open  InvoiceStatus = "open"
	Paid  InvoiceStatus = "paid"
)

// Invoice is one as Stripe has it. Amounts are in the currency's smallest unit.
type Invoice struct {
	ID             string
	SubscriptionID string // empty for one that is about something else
	Number         string // empty for a draft
	Status         InvoiceStatus
	Due            int64
	Paid           int64
	Refunded       int64
	Currency       string    // ISO 4217, in small letters
	Attempts       int64     // how often the payment was tried
	NextAttemptAt  time.Time // zero for never
	URL            string    // Stripe's page of it, where it can be paid; empty for a draft
	CreatedAt      time.Time

	Told int64 // how many failed attempts the user was told of
}

// Settle makes the invoice what a snapshot says of it, and tells whether a failed attempt is to be told: one after the last
// that was.
func (i *Invoice) Settle(said Invoice) (failed bool) {
	said.Told = i.Told
	if failed = said.Status == Open && said.Attempts > said.Told; failed {
		said.Told = said.Attempts
	}
	*i = said
	return failed
}
