package simulator

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// How long things take, as with Stripe's usual settings.
const (
	sessionLife = 24 * time.Hour
	trialNotice = 3 * 24 * time.Hour
)

// dunning is when a payment is tried again, after the invoice was made. After the last try the subscription ends.
var dunning = []time.Duration{3 * 24 * time.Hour, 5 * 24 * time.Hour, 7 * 24 * time.Hour}

// The states of a subscription that happen here.
const (
	active   = "active"
	trialing = "trialing"
	pastDue  = "past_due"
	canceled = "canceled"
)

// pass does what was due by now, in the order of time.
func (s *Simulator) pass() {
	now := s.now()
	for {
		next, at := s.nextDue()
		if next == nil || at.After(now) {
			return
		}
		s.step(next, at)
	}
}

// nextDue returns the subscription to which something happens first, and when.
func (s *Simulator) nextDue() (next *subscription, at time.Time) {
	for _, id := range slices.Sorted(maps.Keys(s.state.Subscriptions)) {
		x := s.state.Subscriptions[id]
		if due := s.due(x); !due.IsZero() && (next == nil || due.Before(at)) {
			next, at = x, due
		}
	}
	return next, at
}

// due returns when something happens to the subscription by itself, zero for never.
func (s *Simulator) due(x *subscription) time.Time {
	switch x.Status {
	case trialing:
		if !x.TrialTold {
			return x.TrialEnd.Add(-trialNotice)
		}
		return x.TrialEnd
	case active:
		return x.PeriodEnd
	case pastDue:
		if open := s.openInvoice(x); open != nil {
			return open.NextAttempt
		}
	}
	return time.Time{}
}

// step does what is due.
func (s *Simulator) step(x *subscription, at time.Time) {
	switch {
	case x.Status == trialing && !x.TrialTold:
		x.TrialTold = true
		s.emit(at, "customer.subscription.trial_will_end", s.wireSubscription(x))
	case x.Status == pastDue:
		s.collect(s.openInvoice(x), at)
	case x.CancelAtEnd:
		s.end(x, at)
	default:
		if x.Status == trialing {
			x.Anchor = x.TrialEnd
		}
		x.Status, x.PeriodStart = active, x.PeriodEnd
		x.PeriodEnd = s.periodEnd(x)
		s.emit(at, "customer.subscription.updated", s.wireSubscription(x))
		s.bill(x, s.prices[x.Price].Amount, "subscription_cycle", at)
	}
}

// periodEnd returns where the period ends that begins now. Months are counted from the anchor, so that a subscription of the
// 31st comes back to the 31st.
func (s *Simulator) periodEnd(x *subscription) time.Time {
	months := 1
	if s.prices[x.Price].Yearly {
		months = 12
	}
	for n := months; ; n += months {
		end := x.Anchor.AddDate(0, n, 0)
		if end.Day() != x.Anchor.Day() { // there is no such day: the last one of the month before
			end = end.AddDate(0, 0, -end.Day())
		}
		if end.After(x.PeriodStart) {
			return end
		}
	}
}

// subscribe makes the subscription of a checkout that was completed.
func (s *Simulator) subscribe(from *session) {
	at := s.now()
	x := &subscription{
		ID: s.newID("sub"), Item: s.newID("si"), Customer: from.Customer, Price: from.Price, Status: active,
		PeriodStart: at, Anchor: at, Metadata: from.About, Created: at,
	}
	amount := s.prices[x.Price].Amount
	if from.TrialDays > 0 {
		x.Status, x.TrialEnd, amount = trialing, at.AddDate(0, 0, from.TrialDays), 0
		x.TrialTold = x.TrialEnd.Sub(at) <= trialNotice
		x.PeriodEnd = x.TrialEnd
	} else {
		x.PeriodEnd = s.periodEnd(x)
	}
	s.state.Subscriptions[x.ID], from.Subscription = x, x.ID
	s.emit(at, "customer.subscription.created", s.wireSubscription(x))
	s.bill(x, amount, "subscription_create", at)
	s.emit(at, "checkout.session.completed", s.wireSession(from))
}

// bill makes an invoice and collects it, less what the customer has as credit.
func (s *Simulator) bill(x *subscription, amount int64, reason string, at time.Time) {
	payer := s.state.Customers[x.Customer]
	credit := min(amount, max(0, -payer.Balance))
	payer.Balance += credit
	made := &invoice{
		ID: s.newID("in"), Customer: x.Customer, Subscription: x.ID, Status: "open", Reason: reason, Due: amount - credit,
		Currency: s.prices[x.Price].Currency, Created: at,
	}
	made.Number = fmt.Sprintf("SIM-%04d", len(s.state.Invoices)+1)
	s.state.Invoices[made.ID] = made
	s.emit(at, "invoice.created", s.wireInvoice(made, false))
	s.emit(at, "invoice.finalized", s.wireInvoice(made, false))
	s.collect(made, at)
}

// collect tries to have an invoice paid.
func (s *Simulator) collect(open *invoice, at time.Time) {
	x := s.state.Subscriptions[open.Subscription]
	if open.Due == 0 {
		s.settle(open, x, at)
		return
	}
	open.Attempts++
	tried := &charge{
		ID: s.newID("ch"), Customer: open.Customer, Invoice: open.ID, Amount: open.Due, Currency: open.Currency, Created: at,
		Failed: s.state.Knobs.Decline || s.state.Customers[open.Customer].BadCard,
	}
	s.state.Charges[tried.ID], open.Charge = tried, tried.ID
	if !tried.Failed {
		s.emit(at, "charge.succeeded", tried.wire())
		s.settle(open, x, at)
		return
	}
	open.NextAttempt = time.Time{}
	if tries := int(open.Attempts); tries <= len(dunning) {
		open.NextAttempt = open.Created.Add(dunning[tries-1])
	}
	s.emit(at, "charge.failed", tried.wire())
	s.emit(at, "invoice.payment_failed", s.wireInvoice(open, false))
	switch {
	case open.NextAttempt.IsZero() && x.Status != canceled:
		s.end(x, at)
	case x.Status == active:
		x.Status = pastDue
		s.emit(at, "customer.subscription.updated", s.wireSubscription(x))
	}
}

// settle notes that an invoice is paid.
func (s *Simulator) settle(open *invoice, x *subscription, at time.Time) {
	open.Status, open.Paid, open.NextAttempt = "paid", open.Due, time.Time{}
	s.emit(at, "invoice.paid", s.wireInvoice(open, false))
	s.emit(at, "invoice.payment_succeeded", s.wireInvoice(open, false))
	if x.Status == pastDue && s.openInvoice(x) == nil {
		x.Status = active
		s.emit(at, "customer.subscription.updated", s.wireSubscription(x))
	}
}

// openInvoice returns the oldest invoice of the subscription that isn't paid, nil for none.
func (s *Simulator) openInvoice(x *subscription) *invoice {
	for _, id := range slices.Sorted(maps.Keys(s.state.Invoices)) {
		if found := s.state.Invoices[id]; found.Subscription == x.ID && found.Status == "open" {
			return found
		}
	}
	return nil
}

// end ends a subscription.
func (s *Simulator) end(x *subscription, at time.Time) {
	x.Status, x.EndedAt, x.CancelAtEnd = canceled, at, false
	s.emit(at, "customer.subscription.deleted", s.wireSubscription(x))
}

// switchTo changes what is subscribed. What is left of the period is paid, or given as credit; another interval begins a new
// period.
func (s *Simulator) switchTo(x *subscription, priceID string) {
	before, after, at := s.prices[x.Price], s.prices[priceID], s.now()
	if before.ID == after.ID {
		return
	}
	whole, left := x.PeriodEnd.Sub(x.PeriodStart), x.PeriodEnd.Sub(at)
	unused, used := share(before.Amount, left, whole), share(after.Amount, left, whole)
	x.Price = priceID
	if before.Yearly != after.Yearly && x.Status != trialing {
		x.PeriodStart, x.Anchor = at, at
		x.PeriodEnd, used = s.periodEnd(x), after.Amount
	}
	s.emit(at, "customer.subscription.updated", s.wireSubscription(x))
	switch due := used - unused; {
	case x.Status == trialing:
	case due > 0:
		s.bill(x, due, "subscription_update", at)
	default:
		s.state.Customers[x.Customer].Balance += due
	}
}

// share returns the part of an amount that belongs to a part of a time.
func share(amount int64, part, whole time.Duration) int64 {
	return int64(float64(amount) * float64(part) / float64(whole))
}

// subscriptionsOf returns the subscriptions of a customer, the newest first.
func (s *Simulator) subscriptionsOf(customerID string) []*subscription {
	return newest(s.state.Subscriptions, func(x *subscription) bool { return x.Customer == customerID })
}

// invoicesOf returns the invoices of a customer, the newest first.
func (s *Simulator) invoicesOf(customerID string) []*invoice {
	return newest(s.state.Invoices, func(x *invoice) bool { return x.Customer == customerID })
}

// newest returns those of the objects that are wanted, the newest first: ids grow.
func newest[T any](all map[string]*T, wanted func(*T) bool) []*T {
	var found []*T
	for _, id := range slices.SortedFunc(maps.Keys(all), func(a, b string) int { return cmp.Compare(b, a) }) {
		if wanted(all[id]) {
			found = append(found, all[id])
		}
	}
	return found
}
