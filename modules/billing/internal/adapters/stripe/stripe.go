// Package stripe takes money through Stripe (https://docs.stripe.com/api), and hears from it.
//
// Every call pins the version of the API that the library was made for, 2024-06-20, so that an account with a newer default
// answers in the same shapes. The library's global state, its logger, its retries and its telemetry are left alone.
package stripe

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	stripego "github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/billing/meterevent"
	portal "github.com/stripe/stripe-go/v79/billingportal/session"
	checkout "github.com/stripe/stripe-go/v79/checkout/session"
	"github.com/stripe/stripe-go/v79/customer"
	"github.com/stripe/stripe-go/v79/event"
	"github.com/stripe/stripe-go/v79/invoice"
	"github.com/stripe/stripe-go/v79/subscription"

	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/upstream"
)

// Options say which account at Stripe, and how its pages behave.
type Options struct {
	Key            config.Secret // the secret or restricted key
	APIBase        string        // another server that speaks Stripe's API; empty for Stripe
	Timeout        time.Duration // of a call, all attempts and waits included; 20 s when 0
	Retries        int           // how often a request is repeated that may succeed then; 0 for never
	SuccessURL     string        // where people come to who paid
	CancelURL      string        // where people come to who left the checkout
	ReturnURL      string        // where people come to from the portal
	PromotionCodes bool          // the checkout takes them
	AutomaticTax   bool          // Stripe Tax computes taxes
	Meter          string        // the event name of the meter that usage is reported to
}

// usualTimeout leaves time to answer within the thirty seconds of a request.
const usualTimeout = 20 * time.Second

// The bounds of lists. A page of events is smaller, because each holds the object it is about, whole.
const (
	maxSubscriptions = 100
	maxInvoices      = 100
	eventsPage       = 50
)

// Stripe is the way to an account at Stripe. It is safe for concurrent use.
type Stripe struct {
	options       Options
	customers     customer.Client
	checkouts     checkout.Client
	portals       portal.Client
	subscriptions subscription.Client
	invoices      invoice.Client
	events        event.Client
	meters        meterevent.Client
}

var _ app.Stripe = (*Stripe)(nil)

// New returns the way to an account. It calls nobody.
func New(options Options) *Stripe {
	options.Timeout = cmp.Or(options.Timeout, usualTimeout)
	calls := upstream.HTTP(options.Timeout)
	calls.Transport = patient{calls.Transport, options.Retries}
	settings := &stripego.BackendConfig{
		HTTPClient:        calls,
		MaxNetworkRetries: new(int64(0)), // see patient
		EnableTelemetry:   new(false),
		LeveledLogger:     &stripego.LeveledLogger{Level: stripego.LevelNull}, // others show what was sent and said
	}
	if options.APIBase != "" {
		settings.URL = &options.APIBase
	}
	backend, key := stripego.GetBackendWithConfig(stripego.APIBackend, settings), options.Key.Reveal()
	return &Stripe{
		options:       options,
		customers:     customer.Client{B: backend, Key: key},
		checkouts:     checkout.Client{B: backend, Key: key},
		portals:       portal.Client{B: backend, Key: key},
		subscriptions: subscription.Client{B: backend, Key: key},
		invoices:      invoice.Client{B: backend, Key: key},
		events:        event.Client{B: backend, Key: key},
		meters:        meterevent.Client{B: backend, Key: key},
	}
}

// aboutUser is the name under which objects at Stripe say whose they are.
const aboutUser = "user_id"

// CreateCustomer makes a customer, who has no address of mail yet: Stripe asks for one.
func (s *Stripe) CreateCustomer(ctx context.Context, key string, user id.Scope) (customerID string, err error) {
	if err := usable(key); err != nil {
		return "", err
	}
	params := &stripego.CustomerParams{Params: stripego.Params{Context: ctx, IdempotencyKey: &key}}
	params.AddMetadata(aboutUser, user.User)
	made, err := s.customers.New(params)
	if err != nil {
		return "", failed(err)
	}
	if made.ID == "" {
		return "", incomplete("a customer")
	}
	return made.ID, nil
}

// Checkout begins a checkout of one subscription. Whose it is stands in the metadata of both, for who looks at the dashboard.
func (s *Stripe) Checkout(ctx context.Context, key string, wanted app.Checkout) (url string, err error) {
	if err := usable(key); err != nil {
		return "", err
	}
	params := &stripego.CheckoutSessionParams{
		Params:            stripego.Params{Context: ctx, IdempotencyKey: &key},
		Mode:              new(string(stripego.CheckoutSessionModeSubscription)),
		Customer:          &wanted.CustomerID,
		ClientReferenceID: &wanted.User.User,
		LineItems:         []*stripego.CheckoutSessionLineItemParams{{Price: &wanted.PriceID, Quantity: new(int64(1))}},
		SubscriptionData:  &stripego.CheckoutSessionSubscriptionDataParams{Metadata: map[string]string{aboutUser: wanted.User.User}},
		SuccessURL:        &s.options.SuccessURL,
		CancelURL:         &s.options.CancelURL,
	}
	params.AddMetadata(aboutUser, wanted.User.User)
	if wanted.TrialDays > 0 {
		params.SubscriptionData.TrialPeriodDays = new(int64(wanted.TrialDays))
	}
	if s.options.PromotionCodes {
		params.AllowPromotionCodes = new(true)
	}
	if s.options.AutomaticTax {
		params.AutomaticTax = &stripego.CheckoutSessionAutomaticTaxParams{Enabled: new(true)}
		// Taxes follow from the address. Without this the one that was typed in isn't the customer's.
		params.CustomerUpdate = &stripego.CheckoutSessionCustomerUpdateParams{Address: new("auto")}
	}
	begun, err := s.checkouts.New(params)
	if err != nil {
		return "", failed(err)
	}
	if begun.URL == "" {
		return "", incomplete("a checkout")
	}
	return begun.URL, nil
}

// Portal opens the customer portal, as it is set up in Stripe's dashboard.
func (s *Stripe) Portal(ctx context.Context, customerID string) (url string, err error) {
	opened, err := s.portals.New(&stripego.BillingPortalSessionParams{
		Params: stripego.Params{Context: ctx}, Customer: &customerID, ReturnURL: &s.options.ReturnURL,
	})
	if err != nil {
		return "", failed(err)
	}
	if opened.URL == "" {
		return "", incomplete("a portal")
	}
	return opened.URL, nil
}

// ReportUsage sends an event to the meter, whose value is in microdollars. Stripe adds up the values of a customer, and bills them
// by a price that is in the subscription.
// Source: https://docs.stripe.com/billing/subscriptions/usage-based/recording-usage
func (s *Stripe) ReportUsage(ctx context.Context, customerID string, usage app.Usage) error {
	_, err := s.meters.New(&stripego.BillingMeterEventParams{
		Params: stripego.Params{Context: ctx, IdempotencyKey: &usage.ID}, EventName: &s.options.Meter, Identifier: &usage.ID, Timestamp: new(usage.At.Unix()),
		Payload: map[string]string{"stripe_customer_id": customerID, "value": strconv.FormatInt(usage.Microdollars, 10)},
	})
	if err != nil {
		return failed(err)
	}
	return nil
}

// Fetch returns the customer's newest 100 subscriptions, whatever their state, and the newest 100 invoices. Stripe knows deleted
// customers as such. One that it doesn't know at all is errs.NotFound and not gone: with the key of another account nobody would
// be there, and all would lose their plans. All requests together keep to the timeout.
func (s *Stripe) Fetch(ctx context.Context, customerID string) (domain.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	var said domain.Snapshot
	found, err := s.customers.Get(customerID, &stripego.CustomerParams{Params: stripego.Params{Context: ctx}})
	if err != nil {
		return domain.Snapshot{}, failed(err)
	}
	if found.ID != customerID {
		return domain.Snapshot{}, incomplete("the customer")
	}
	said.Gone = found.Deleted
	// Of a customer who is gone Stripe may list what there was, or say again that it knows nobody.
	said.Subscriptions, err = s.subscriptionsOf(ctx, customerID)
	if said.Gone && errs.Is(err, errs.NotFound) {
		return said, nil
	}
	if err != nil {
		return domain.Snapshot{}, err
	}
	said.Invoices, err = s.invoicesOf(ctx, customerID)
	if said.Gone && errs.Is(err, errs.NotFound) {
		return said, nil
	}
	if err != nil {
		return domain.Snapshot{}, err
	}
	return said, nil
}

func (s *Stripe) subscriptionsOf(ctx context.Context, customerID string) ([]domain.Subscription, error) {
	list := s.subscriptions.List(&stripego.SubscriptionListParams{
		ListParams: stripego.ListParams{Context: ctx, Limit: new(int64(maxSubscriptions))}, Customer: &customerID, Status: new("all"),
	})
	var found []domain.Subscription
	for len(found) < maxSubscriptions && list.Next() {
		one := list.Subscription()
		if one.CurrentPeriodEnd == 0 {
			one.CurrentPeriodStart, one.CurrentPeriodEnd = period(list.SubscriptionList().LastResponse.RawJSON, one.ID)
		}
		found = append(found, subscriptionFrom(one))
	}
	if err := list.Err(); err != nil {
		return nil, failed(err)
	}
	if list.SubscriptionList().Data == nil { // what isn't there must not pass for none
		return nil, incomplete("subscriptions")
	}
	return found, nil
}

// period returns the period of a subscription in a page of them. Since version 2025-03-31 of the API its items have periods,
// which the library doesn't read; the one that ends first counts. Both are 0 when there is none.
func period(page []byte, subscriptionID string) (start, end int64) {
	var list struct {
		Data []struct {
			ID    string `json:"id"`
			Items struct {
				Data []struct {
					Start int64 `json:"current_period_start"`
					End   int64 `json:"current_period_end"`
				} `json:"data"`
			} `json:"items"`
		} `json:"data"`
	}
	if err := json.Unmarshal(page, &list); err != nil {
		return 0, 0 // it has other shapes there
	}
	for _, found := range list.Data {
		if found.ID != subscriptionID {
			continue
		}
		for _, item := range found.Items.Data {
			if item.End != 0 && (end == 0 || item.End < end) {
				start, end = item.Start, item.End
			}
		}
	}
	return start, end
}

func (s *Stripe) invoicesOf(ctx context.Context, customerID string) ([]domain.Invoice, error) {
	params := &stripego.InvoiceListParams{
		ListParams: stripego.ListParams{Context: ctx, Limit: new(int64(maxInvoices))}, Customer: &customerID,
	}
	params.AddExpand("data.charge") // which knows what was refunded
	list := s.invoices.List(params)
	var found []domain.Invoice
	for len(found) < maxInvoices && list.Next() {
		found = append(found, invoiceFrom(list.Invoice()))
	}
	if err := list.Err(); err != nil {
		return nil, failed(err)
	}
	if list.InvoiceList().Data == nil {
		return nil, incomplete("invoices")
	}
	return found, nil
}

// subscriptionFrom returns what Stripe says of a subscription. Checkouts make subscriptions of one item; should somebody add
// more in the dashboard, the first still decides.
func subscriptionFrom(said *stripego.Subscription) domain.Subscription {
	found := domain.Subscription{
		ID: said.ID, Status: domain.Status(said.Status), Currency: string(said.Currency),
		PeriodStart: at(said.CurrentPeriodStart), PeriodEnd: at(said.CurrentPeriodEnd), CancelAtPeriodEnd: said.CancelAtPeriodEnd,
		TrialEnd: at(said.TrialEnd), CreatedAt: at(said.Created), EndedAt: at(said.EndedAt),
	}
	if said.Items != nil && len(said.Items.Data) > 0 && said.Items.Data[0].Price != nil {
		item := said.Items.Data[0]
		found.PriceID, found.Amount = item.Price.ID, item.Price.UnitAmount*item.Quantity
		found.Currency = cmp.Or(string(item.Price.Currency), found.Currency)
	}
	return found
}

func invoiceFrom(said *stripego.Invoice) domain.Invoice {
	found := domain.Invoice{
		ID: said.ID, Number: said.Number, Status: domain.InvoiceStatus(said.Status), Due: said.AmountDue, Paid: said.AmountPaid,
		Currency: string(said.Currency), Attempts: said.AttemptCount, NextAttemptAt: at(said.NextPaymentAttempt),
		URL: said.HostedInvoiceURL, CreatedAt: at(said.Created),
	}
	if said.Subscription != nil {
		found.SubscriptionID = said.Subscription.ID
	}
	if said.Charge != nil {
		found.Refunded = said.Charge.AmountRefunded
	}
	return found
}

// at returns a time of Stripe's, which counts seconds since 1970 and has 0 for none.
func at(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// Forget deletes a customer.
func (s *Stripe) Forget(ctx context.Context, customerID string) error {
	_, err := s.customers.Del(customerID, &stripego.CustomerParams{Params: stripego.Params{Context: ctx}})
	if err := failed(err); !errs.Is(err, errs.NotFound) {
		return err
	}
	return nil
}

// Undelivered calls each with the newest event first, and returns its error as it is. Every page of the list has the timeout
// for itself.
func (s *Stripe) Undelivered(ctx context.Context, since time.Time, each func(app.Post) error) error {
	list := s.events.List(&stripego.EventListParams{
		ListParams:      stripego.ListParams{Context: ctx, Limit: new(int64(eventsPage))},
		DeliverySuccess: new(false),
		CreatedRange:    &stripego.RangeQueryParams{GreaterThanOrEqual: since.Unix()},
	})
	for list.Next() {
		said := list.Event()
		var object json.RawMessage
		if said.Data != nil {
			object = said.Data.Raw
		}
		post, ok := postOf(said.ID, string(said.Type), object)
		if !ok {
			return incomplete("events")
		}
		if err := each(post); err != nil {
			return err
		}
	}
	if err := list.Err(); err != nil {
		return failed(err)
	}
	if list.EventList().Data == nil {
		return incomplete("events")
	}
	return nil
}

// usable returns nil for a key that Stripe takes as an idempotency key, else errs.Invalid.
func usable(key string) error {
	if key == "" || len(key) > maxName || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errs.New(errs.Invalid, "The key must be 1 to 255 printable characters of ASCII")
	}
	return nil
}
