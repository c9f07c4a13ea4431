package simulator

import "time"

// The objects of the API. What they are on the wire is in wire.go.

type customer struct {
	ID       string            `json:"id"`
	Metadata map[string]string `json:"metadata"`
	BadCard  bool              `json:"bad_card"` // what it pays with is declined
	Balance  int64             `json:"balance"`  // below zero is credit
	Usage    map[string]int64  `json:"usage"`    // by meter
	Deleted  bool              `json:"deleted"`
	Created  time.Time         `json:"created"`
}

// session is a checkout.
type session struct {
	ID           string            `json:"id"`
	Customer     string            `json:"customer"`
	Price        string            `json:"price"`
	TrialDays    int               `json:"trial_days"`
	SuccessURL   string            `json:"success_url"`
	CancelURL    string            `json:"cancel_url"`
	Reference    string            `json:"reference"`
	Metadata     map[string]string `json:"metadata"`
	About        map[string]string `json:"about"` // the metadata of the subscription
	Subscription string            `json:"subscription"`
	Created      time.Time         `json:"created"`
}

type subscription struct {
	ID          string            `json:"id"`
	Item        string            `json:"item"`
	Customer    string            `json:"customer"`
	Price       string            `json:"price"`
	Status      string            `json:"status"`
	PeriodStart time.Time         `json:"period_start"`
	PeriodEnd   time.Time         `json:"period_end"`
	Anchor      time.Time         `json:"anchor"` // where the periods are counted from
	CancelAtEnd bool              `json:"cancel_at_end"`
	TrialEnd    time.Time         `json:"trial_end"`
	TrialTold   bool              `json:"trial_told"`
	EndedAt     time.Time         `json:"ended_at"`
	Metadata    map[string]string `json:"metadata"`
	Created     time.Time         `json:"created"`
}

type invoice struct {
	ID           string    `json:"id"`
	Number       string    `json:"number"`
	Customer     string    `json:"customer"`
	Subscription string    `json:"subscription"`
	Status       string    `json:"status"`
	Reason       string    `json:"reason"`
	Due          int64     `json:"due"`
	Paid         int64     `json:"paid"`
	Currency     string    `json:"currency"`
	Attempts     int64     `json:"attempts"`
	NextAttempt  time.Time `json:"next_attempt"`
	Charge       string    `json:"charge"`
	Created      time.Time `json:"created"`
}

type charge struct {
	ID       string    `json:"id"`
	Customer string    `json:"customer"`
	Invoice  string    `json:"invoice"`
	Amount   int64     `json:"amount"`
	Refunded int64     `json:"refunded"`
	Currency string    `json:"currency"`
	Failed   bool      `json:"failed"`
	Created  time.Time `json:"created"`
}

// object is one on the wire.
type object = map[string]any

// seconds returns a time as Stripe writes it, nil for none.
func seconds(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return at.Unix()
}

// orNil returns nil for an empty text.
func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func (c *customer) wire() object {
	if c.Deleted {
		return object{"id": c.ID, "object": "customer", "deleted": true}
	}
	return object{
		"id": c.ID, "object": "customer", "balance": c.Balance, "metadata": c.Metadata, "created": c.Created.Unix(), "livemode": false,
	}
}

func (s *Simulator) wireSession(x *session) object {
	status, paid := "open", "unpaid"
	if x.Subscription != "" {
		status, paid = "complete", "paid"
	}
	return object{
		"id": x.ID, "object": "checkout.session", "mode": "subscription", "status": status, "payment_status": paid, "customer": x.Customer,
		"subscription": orNil(x.Subscription), "client_reference_id": orNil(x.Reference), "metadata": x.Metadata,
		"success_url": x.SuccessURL, "cancel_url": x.CancelURL, "url": s.options.URL + "/checkout/" + x.ID,
		"created": x.Created.Unix(), "expires_at": x.Created.Add(sessionLife).Unix(), "livemode": false,
	}
}

func (s *Simulator) wirePrice(priceID string) object {
	price, interval := s.prices[priceID], "month"
	if price.Yearly {
		interval = "year"
	}
	return object{
		"id": price.ID, "object": "price", "active": true, "currency": price.Currency, "unit_amount": price.Amount, "type": "recurring",
		"product": "prod_" + price.Product, "recurring": object{"interval": interval, "interval_count": 1}, "livemode": false,
	}
}

func (s *Simulator) wireSubscription(x *subscription) object {
	item := object{
		"id": x.Item, "object": "subscription_item", "quantity": 1, "price": s.wirePrice(x.Price), "subscription": x.ID,
		"created": x.Created.Unix(), "metadata": object{},
	}
	wire := object{
		"id": x.ID, "object": "subscription", "customer": x.Customer, "status": x.Status, "currency": s.prices[x.Price].Currency,
		"current_period_start": x.PeriodStart.Unix(), "current_period_end": x.PeriodEnd.Unix(), "cancel_at_period_end": x.CancelAtEnd,
		"trial_end": seconds(x.TrialEnd), "trial_start": nil, "ended_at": seconds(x.EndedAt), "canceled_at": seconds(x.EndedAt),
		"metadata": x.Metadata, "created": x.Created.Unix(), "livemode": false,
		"items": list("/v1/subscription_items", []object{item}, false),
	}
	if !x.TrialEnd.IsZero() {
		wire["trial_start"] = x.Created.Unix()
	}
	return wire
}

func (s *Simulator) wireInvoice(x *invoice, expand bool) object {
	wire := object{
		"id": x.ID, "object": "invoice", "number": orNil(x.Number), "customer": x.Customer, "subscription": orNil(x.Subscription),
		"status": x.Status, "billing_reason": x.Reason, "amount_due": x.Due, "amount_paid": x.Paid, "amount_remaining": x.Due - x.Paid,
		"total": x.Due, "currency": x.Currency, "attempt_count": x.Attempts, "attempted": x.Attempts > 0, "paid": x.Status == "paid",
		"next_payment_attempt": seconds(x.NextAttempt), "charge": orNil(x.Charge), "created": x.Created.Unix(), "livemode": false,
		"hosted_invoice_url": s.options.URL + "/portal/" + x.Customer,
	}
	if paid, found := s.state.Charges[x.Charge]; found && expand {
		wire["charge"] = paid.wire()
	}
	return wire
}

func (c *charge) wire() object {
	status := "succeeded"
	if c.Failed {
		status = "failed"
	}
	return object{
		"id": c.ID, "object": "charge", "customer": c.Customer, "invoice": orNil(c.Invoice), "amount": c.Amount, "amount_refunded": c.Refunded,
		"refunded": c.Refunded == c.Amount && !c.Failed, "currency": c.Currency, "paid": !c.Failed, "status": status,
		"created": c.Created.Unix(), "livemode": false,
	}
}

func list(url string, data []object, more bool) object {
	if data == nil {
		data = []object{}
	}
	return object{"object": "list", "url": url, "data": data, "has_more": more}
}
