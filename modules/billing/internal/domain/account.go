package domain

import (
	"cmp"
	"slices"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// Status is the state of a subscription, by Stripe's name: https://docs.stripe.com/api/subscriptions/object#subscription_object-status
type Status string

// The states that mean something here. Every other one carries no plan.
const (
	Active            Status = "active"
	Trialing          Status = "trialing"
	PastDue           Status = "past_due"
	Incomplete        Status = "incomplete" // the first payment isn't done; Stripe ends it within a day
	Canceled          Status = "canceled"
	IncompleteExpired Status = "incomplete_expired"
)

// Over tells whether nothing comes after the state.
func (s Status) Over() bool { return s == Canceled || s == IncompleteExpired }

// paid tells whether what was bought is delivered.
func (s Status) paid() bool { return s == Active || s == Trialing }

// rank orders states by how much they are worth to the user.
func (s Status) rank() int {
	switch {
	case s.paid():
		return 3
	case s == PastDue:
		return 2
	case s.Over():
		return 0
	}
	return 1
}

// Subscription is one as Stripe has it.
type Subscription struct {
	ID                string
	Status            Status
	PriceID           string
	Amount            int64  // for an interval, in the currency's smallest unit
	Currency          string // ISO 4217, in small letters
	PeriodStart       time.Time
	PeriodEnd         time.Time
	CancelAtPeriodEnd bool
	TrialEnd          time.Time // zero without a trial
	CreatedAt         time.Time
	EndedAt           time.Time // zero while it goes on
}

// Snapshot is what Stripe said of a customer at one time.
type Snapshot struct {
	Gone          bool // the customer was deleted there
	TrialEnds     bool // Stripe has said that the trial ends soon, by its own clock
	Subscriptions []Subscription
	Invoices      []Invoice // the newest first; the oldest may be missing
}

// Account is how a user stands with us.
type Account struct {
	User         id.Scope
	CustomerID   string        // at Stripe; empty as long as there is none
	Customers    int64         // how many customers there were before this one, which were deleted at Stripe
	Subscription *Subscription // nil without one
	Plan         string        // the one that counts
	Interval     Interval      // what is subscribed; empty without a subscription, or with one of no plan
	Extra        int64         // how many subscriptions are paid for beside Subscription, by mistake
	DueSince     time.Time     // since when a payment is late; zero when none is
	HadTrial     bool
	TrialTold    time.Time // the end of the trial that was announced last
	Asked        int64     // how many fetches from Stripe have begun
	Applied      int64     // the number of the fetch that counts
	Version      int64     // 1 at birth, one more with every change that others may see
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// NewAccount returns the account of a user who never paid.
func NewAccount(user id.Scope, now time.Time) Account {
	return Account{User: user, Plan: Free, Version: 1, CreatedAt: now, UpdatedAt: now}
}

// Ask returns the number of a fetch that begins now. Fetches may end in any order; the number says which one is newer.
func (a *Account) Ask() int64 {
	a.Asked++
	return a.Asked
}

// Adopt makes a customer the account's, unless it has one.
func (a *Account) Adopt(customerID string, now time.Time) {
	if a.CustomerID == "" {
		a.CustomerID = customerID
		a.change(now)
	}
}

// MayBuy returns nil for an account without a subscription that goes on or can be taken up again, else errs.Conflict.
func (a *Account) MayBuy() error {
	if a.Subscription != nil && !a.Subscription.Status.Over() && a.Subscription.Status != Incomplete {
		return errs.New(errs.Conflict, "There is a subscription already: change it in the portal")
	}
	return nil
}

// Rules are by what an account follows from a snapshot.
type Rules struct {
	Catalog Catalog
	Grace   time.Duration // how long a plan counts while a payment is late
	Notice  time.Duration // how long before its end a trial is announced
}

// Outcome is what an account became by a snapshot.
type Outcome struct {
	Stale       bool      // a newer fetch counts already: nothing of the state changed
	Changed     bool      // others may see that it changed
	Notable     bool      // status or plan changed
	TrialEnding time.Time // the end of the trial to announce now; zero for none
	Check       time.Time // when time alone changes something, so that it must be looked at again; zero for never
}

// Apply makes the account what the snapshot says that the fetch of that number brought.
func (a *Account) Apply(fetch int64, said Snapshot, rules Rules, now time.Time) Outcome {
	if fetch <= a.Applied {
		done := Outcome{Stale: true}
		if said.TrialEnds { // which no newer fetch says
			a.announce(&done, now)
		}
		return done
	}
	a.Applied = fetch
	before, status := a.visible(), a.status()

	if said.Gone {
		a.CustomerID, a.Customers = "", a.Customers+1
	}
	a.Subscription, a.Extra = choose(said.Subscriptions)
	a.DueSince = time.Time{}
	if a.status() == PastDue {
		a.DueSince = dueSince(*a.Subscription, said.Invoices)
	}
	for _, subscription := range said.Subscriptions {
		a.HadTrial = a.HadTrial || !subscription.TrialEnd.IsZero()
	}

	var done Outcome
	plan := a.Plan
	a.Plan, a.Interval = a.entitled(rules, now)
	if a.status() == PastDue && a.Plan != Free {
		done.Check = a.DueSince.Add(rules.Grace)
	}
	done.Notable = a.Plan != plan || a.status() != status
	if done.Changed = a.visible() != before; done.Changed {
		a.change(now)
	}
	if a.status() == Trialing && !a.TrialTold.Equal(a.Subscription.TrialEnd) {
		done.Check = a.Subscription.TrialEnd.Add(-rules.Notice)
		if said.TrialEnds || !now.Before(done.Check) {
			done.Check = time.Time{}
			a.announce(&done, now)
		}
	}
	return done
}

// announce has the end of a trial told, unless it was.
func (a *Account) announce(done *Outcome, now time.Time) {
	if a.status() == Trialing && !a.TrialTold.Equal(a.Subscription.TrialEnd) {
		a.TrialTold, done.TrialEnding = a.Subscription.TrialEnd, a.Subscription.TrialEnd
		a.change(now)
	}
}

func (a *Account) change(now time.Time) {
	a.Version++
	a.UpdatedAt = now
}

func (a *Account) status() Status {
	if a.Subscription == nil {
		return ""
	}
	return a.Subscription.Status
}

// visible is what others see of an account.
type visible struct {
	customer  string
	status    Status
	plan      string
	interval  Interval
	periodEnd int64
	cancels   bool
}

func (a *Account) visible() visible {
	seen := visible{customer: a.CustomerID, status: a.status(), plan: a.Plan, interval: a.Interval}
	if a.Subscription != nil {
		seen.periodEnd, seen.cancels = a.Subscription.PeriodEnd.UnixMicro(), a.Subscription.CancelAtPeriodEnd
	}
	return seen
}

// entitled returns the plan that counts and what is subscribed to. A price that is in no plan carries none.
func (a *Account) entitled(rules Rules, now time.Time) (plan string, interval Interval) {
	if a.Subscription == nil {
		return Free, ""
	}
	bought, interval, known := rules.Catalog.Sold(a.Subscription.PriceID)
	late := a.Subscription.Status == PastDue && now.Before(a.DueSince.Add(rules.Grace))
	if known && (a.Subscription.Status.paid() || late) {
		return bought, interval
	}
	return Free, interval
}

// choose returns the subscription that counts, and how many others are paid for. It is the one worth most, of those the
// youngest.
func choose(all []Subscription) (chosen *Subscription, extra int64) {
	if len(all) == 0 {
		return nil, 0
	}
	best := slices.MaxFunc(all, func(a, b Subscription) int {
		return cmp.Or(cmp.Compare(a.Status.rank(), b.Status.rank()), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	for _, subscription := range all {
		if subscription.Status.rank() > 1 && subscription.ID != best.ID {
			extra++
		}
	}
	return &best, extra
}

// dueSince returns since when a payment of the subscription is late: that is the birth of its oldest open invoice. The period
// begins with the one that wasn't paid, if the invoice isn't there.
func dueSince(subscription Subscription, invoices []Invoice) time.Time {
	var since time.Time
	for _, invoice := range invoices {
		if invoice.SubscriptionID == subscription.ID && invoice.Status == Open && (since.IsZero() || invoice.CreatedAt.Before(since)) {
			since = invoice.CreatedAt
		}
	}
	if since.IsZero() {
		return subscription.PeriodStart
	}
	return since
}
