package billing

import (
	"time"

	"github.com/omnistack/omnistack/platform/events"
)

// SubscriptionChanged says how a user's subscription stands now. The first one of a user may say that there is a customer and
// no subscription yet: then Status is empty.
type SubscriptionChanged struct {
	UserID            string     `json:"user_id"`
	CustomerID        string     `json:"customer_id"`          // at Stripe
	Status            string     `json:"status"`               // one of Stripe's, such as "active"; empty without a subscription
	Plan              string     `json:"plan"`                 // the one that counts now, such as "pro"; "free" when the status carries none
	Interval          string     `json:"interval"`             // "monthly" or "yearly"; empty without a subscription
	PeriodEnd         *time.Time `json:"period_end,omitempty"` // when what is paid ends
	CancelAtPeriodEnd bool       `json:"cancel_at_period_end"`
	Notable           bool       `json:"notable"` // status or plan differ from before: worth telling the user
	Version           int64      `json:"version"`
}

// PaymentFailed says that an invoice couldn't be collected. It is said once for each attempt, of the last one when several
// failed unnoticed.
type PaymentFailed struct {
	UserID        string     `json:"user_id"`
	InvoiceID     string     `json:"invoice_id"`
	Amount        int64      `json:"amount"`                    // what is due, in the currency's smallest unit
	Currency      string     `json:"currency"`                  // ISO 4217, in small letters
	Attempt       int64      `json:"attempt"`                   // 1 for the first
	NextAttemptAt *time.Time `json:"next_attempt_at,omitempty"` // null when there is none
	Version       int64      `json:"version"`
}

// TrialEnding says that a trial ends within three days. It is said once for each trial.
type TrialEnding struct {
	UserID   string    `json:"user_id"`
	Plan     string    `json:"plan"`
	TrialEnd time.Time `json:"trial_end"`
	Version  int64     `json:"version"`
}

// Published returns the events of the context.
func Published() []events.Event {
	return []events.Event{SubscriptionChanged{}, PaymentFailed{}, TrialEnding{}}
}

// EventName returns the golden name.
func (SubscriptionChanged) EventName() string { return "billing.subscription_changed.v1" }

// EventName returns the golden name.
func (PaymentFailed) EventName() string { return "billing.payment_failed.v1" }

// EventName returns the golden name.
func (TrialEnding) EventName() string { return "billing.trial_ending.v1" }

// Aggregate returns the user's account.
func (e SubscriptionChanged) Aggregate() (id string, version int64) { return e.UserID, e.Version }

// Aggregate returns the user's account.
func (e PaymentFailed) Aggregate() (id string, version int64) { return e.UserID, e.Version }

// Aggregate returns the user's account.
func (e TrialEnding) Aggregate() (id string, version int64) { return e.UserID, e.Version }
