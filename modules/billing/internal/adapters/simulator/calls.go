package simulator

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// maxCustomers bounds what is remembered.
const maxCustomers = 10_000

func (s *Simulator) createCustomer(r *http.Request) (object, *failure) {
	if len(s.state.Customers) >= maxCustomers {
		return nil, &failure{http.StatusTooManyRequests, "invalid_request_error", "rate_limit", "", "There are too many customers here: remove the file of the simulator."}
	}
	made := &customer{ID: s.newID("cus"), Metadata: nested(r, "metadata"), Created: s.now()}
	s.state.Customers[made.ID] = made
	s.emit(made.Created, "customer.created", made.wire())
	return made.wire(), nil
}

func (s *Simulator) getCustomer(r *http.Request) (object, *failure) {
	found, known := s.state.Customers[r.PathValue("id")]
	if !known {
		return nil, missing("customer", r.PathValue("id"))
	}
	return found.wire(), nil
}

// customerOf returns the living customer of a call.
func (s *Simulator) customerOf(customerID string) (*customer, *failure) {
	found, known := s.state.Customers[customerID]
	if !known || found.Deleted {
		return nil, &failure{http.StatusBadRequest, "invalid_request_error", "resource_missing", "customer", "No such customer."}
	}
	return found, nil
}

func (s *Simulator) deleteCustomer(r *http.Request) (object, *failure) {
	found, known := s.state.Customers[r.PathValue("id")]
	if !known || found.Deleted {
		return nil, missing("customer", r.PathValue("id"))
	}
	for _, x := range s.subscriptionsOf(found.ID) {
		if x.Status != canceled {
			s.end(x, s.now())
		}
	}
	found.Deleted = true
	s.emit(s.now(), "customer.deleted", object{"id": found.ID, "object": "customer"})
	return found.wire(), nil
}

func (s *Simulator) createSession(r *http.Request) (object, *failure) {
	payer, failed := s.customerOf(r.Form.Get("customer"))
	if failed != nil {
		return nil, failed
	}
	made := &session{
		ID: s.newID("cs_test"), Customer: payer.ID, Price: r.Form.Get("line_items[0][price]"), Reference: r.Form.Get("client_reference_id"),
		SuccessURL: r.Form.Get("success_url"), CancelURL: r.Form.Get("cancel_url"),
		Metadata: nested(r, "metadata"), About: nested(r, "subscription_data[metadata]"), Created: s.now(),
	}
	if days := r.Form.Get("subscription_data[trial_period_days]"); days != "" {
		var err error
		if made.TrialDays, err = strconv.Atoi(days); err != nil || made.TrialDays < 1 || made.TrialDays > 730 {
			return nil, invalid("subscription_data[trial_period_days]", "It must be from 1 to 730.")
		}
	}
	_, sold := s.prices[made.Price]
	switch {
	case r.Form.Get("mode") != "subscription":
		return nil, invalid("mode", "This simulator sells subscriptions only.")
	case !sold:
		return nil, &failure{http.StatusBadRequest, "invalid_request_error", "resource_missing", "line_items[0][price]", "No such price."}
	case r.Form.Get("line_items[0][quantity]") != "1":
		return nil, invalid("line_items[0][quantity]", "This simulator sells one at a time.")
	case made.SuccessURL == "":
		return nil, invalid("success_url", "It is missing.")
	}
	s.state.Sessions[made.ID] = made
	return s.wireSession(made), nil
}

func (s *Simulator) createPortal(r *http.Request) (object, *failure) {
	payer, failed := s.customerOf(r.Form.Get("customer"))
	if failed != nil {
		return nil, failed
	}
	return object{
		"id": s.newID("bps"), "object": "billing_portal.session", "customer": payer.ID, "return_url": orNil(r.Form.Get("return_url")),
		"url": s.options.URL + "/portal/" + payer.ID + "?return_url=" + escape(r.Form.Get("return_url")), "created": s.now().Unix(), "livemode": false,
	}, nil
}

// createMeterEvent adds up what customers took. Every meter is taken for one that was made.
func (s *Simulator) createMeterEvent(r *http.Request) (object, *failure) {
	payer, failed := s.customerOf(r.Form.Get("payload[stripe_customer_id]"))
	if failed != nil {
		return nil, failed
	}
	name := r.Form.Get("event_name")
	value, err := strconv.ParseInt(r.Form.Get("payload[value]"), 10, 64)
	switch {
	case name == "":
		return nil, invalid("event_name", "It is missing.")
	case err != nil || value < 0:
		return nil, invalid("payload[value]", "It must be a whole number.")
	}
	if payer.Usage == nil {
		payer.Usage = map[string]int64{}
	}
	payer.Usage[name] += value
	return object{
		"object": "billing.meter_event", "event_name": name, "identifier": r.Form.Get("identifier"), "created": s.now().Unix(), "livemode": false,
		"timestamp": s.now().Unix(), "payload": object{"stripe_customer_id": payer.ID, "value": r.Form.Get("payload[value]")},
	}, nil
}

func (s *Simulator) listSubscriptions(r *http.Request) (object, *failure) {
	customerID, status := r.Form.Get("customer"), r.Form.Get("status")
	all := newest(s.state.Subscriptions, func(x *subscription) bool {
		return (customerID == "" || x.Customer == customerID) &&
			(status == "all" || status == x.Status || status == "" && x.Status != canceled)
	})
	return cut(r, "/v1/subscriptions", all, func(x *subscription) string { return x.ID }, s.wireSubscription)
}

// subscriptionOf returns the subscription that a call names and that goes on.
func (s *Simulator) subscriptionOf(r *http.Request) (*subscription, *failure) {
	found, known := s.state.Subscriptions[r.PathValue("id")]
	if !known || found.Status == canceled {
		return nil, missing("subscription", r.PathValue("id"))
	}
	return found, nil
}

func (s *Simulator) updateSubscription(r *http.Request) (object, *failure) {
	found, failed := s.subscriptionOf(r)
	if failed != nil {
		return nil, failed
	}
	if priceID := r.Form.Get("items[0][price]"); priceID != "" {
		if _, sold := s.prices[priceID]; !sold {
			return nil, invalid("items[0][price]", "No such price.")
		}
		s.switchTo(found, priceID)
	}
	if given := r.Form.Get("cancel_at_period_end"); given != "" {
		s.cancelAtEnd(found, given == "true")
	}
	return s.wireSubscription(found), nil
}

func (s *Simulator) cancelAtEnd(x *subscription, cancel bool) {
	if x.CancelAtEnd != cancel {
		x.CancelAtEnd = cancel
		s.emit(s.now(), "customer.subscription.updated", s.wireSubscription(x))
	}
}

func (s *Simulator) cancelSubscription(r *http.Request) (object, *failure) {
	found, failed := s.subscriptionOf(r)
	if failed != nil {
		return nil, failed
	}
	s.end(found, s.now())
	return s.wireSubscription(found), nil
}

func (s *Simulator) listInvoices(r *http.Request) (object, *failure) {
	customerID := r.Form.Get("customer")
	var expand bool
	for key, values := range r.Form {
		expand = expand || key == "expand[]" && slices.Contains(values, "data.charge") || key == "expand[0]" && values[0] == "data.charge"
	}
	return cut(r, "/v1/invoices", newest(s.state.Invoices, func(x *invoice) bool { return customerID == "" || x.Customer == customerID }),
		func(x *invoice) string { return x.ID }, func(x *invoice) object { return s.wireInvoice(x, expand) })
}

func (s *Simulator) payInvoice(r *http.Request) (object, *failure) {
	found, known := s.state.Invoices[r.PathValue("id")]
	if !known {
		return nil, missing("invoice", r.PathValue("id"))
	}
	if found.Status != "open" {
		return nil, invalid("invoice", "Invoice is already paid.")
	}
	if s.collect(found, s.now()); found.Status != "paid" {
		return nil, &failure{http.StatusPaymentRequired, "card_error", "card_declined", "", "Your card was declined."}
	}
	return s.wireInvoice(found, false), nil
}

func (s *Simulator) createRefund(r *http.Request) (object, *failure) {
	var amount int64
	if given := r.Form.Get("amount"); given != "" {
		var err error
		if amount, err = strconv.ParseInt(given, 10, 64); err != nil || amount < 1 {
			return nil, invalid("amount", "Invalid integer.")
		}
	}
	paid := s.state.Charges[r.Form.Get("charge")]
	amount, done := s.refund(paid, amount)
	if !done {
		return nil, invalid("charge", "No such charge, one that failed, or less than that isn't refunded yet.")
	}
	return object{
		"id": s.newID("re"), "object": "refund", "amount": amount, "charge": paid.ID, "currency": paid.Currency, "status": "succeeded",
		"created": s.now().Unix(),
	}, nil
}

// refund gives a part of a charge back, all of it for 0, and tells how much and whether it could.
func (s *Simulator) refund(paid *charge, amount int64) (given int64, done bool) {
	if paid == nil || paid.Failed {
		return 0, false
	}
	amount = cmp.Or(amount, paid.Amount-paid.Refunded)
	if amount < 1 || amount > paid.Amount-paid.Refunded {
		return 0, false
	}
	paid.Refunded += amount
	s.emit(s.now(), "charge.refunded", paid.wire())
	return amount, true
}

func (s *Simulator) listEvents(r *http.Request) (object, *failure) {
	var since time.Time
	if given := r.Form.Get("created[gte]"); given != "" {
		unix, err := strconv.ParseInt(given, 10, 64)
		if err != nil {
			return nil, invalid("created[gte]", "Invalid integer.")
		}
		since = time.Unix(unix, 0)
	}
	var all []*event
	for _, happened := range slices.Backward(s.state.Events) {
		if (r.Form.Get("delivery_success") != "false" || !happened.Delivered) && !happened.Created.Before(since) {
			all = append(all, happened)
		}
	}
	return cut(r, "/v1/events", all, func(x *event) string { return x.ID }, func(x *event) object {
		var wire object
		_ = json.Unmarshal(x.Body, &wire) // it is ours
		return wire
	})
}
