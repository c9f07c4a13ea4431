// Package stripe takes money through Stripe (https://docs.stripe.com/api). Every call pins the version of the API that the
// library was made for, 2024-06-20, so an account with a newer default answers as an old one does.
package stripe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	stripego "github.com/stripe/stripe-go/v79"
	portal "github.com/stripe/stripe-go/v79/billingportal/session"
	checkout "github.com/stripe/stripe-go/v79/checkout/session"
	"github.com/stripe/stripe-go/v79/customer"
	"github.com/stripe/stripe-go/v79/event"
	"github.com/stripe/stripe-go/v79/invoice"
	"github.com/stripe/stripe-go/v79/subscription"

	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/upstream"
)

// Options say which account, and how its pages behave.
type Options struct {
	Key            string        // the secret or restricted key
	APIBase        string        // another server that speaks Stripe's API; empty for Stripe
	Timeout        time.Duration // of one attempt; 10 s when 0
	SuccessURL     string        // where people come to who paid
	CancelURL      string        // where people come to who didn't
	ReturnURL      string        // where people come to from the portal
	PromotionCodes bool          // the checkout takes them
	AutomaticTax   bool          // Stripe Tax computes taxes
}

// The bounds of a call. The library waits for half a second to two between attempts, so that all of them are over before the
// thirty seconds of a request are.
const (
	usualTimeout = 10 * time.Second
	retries      = 1
)

// The bounds of a fetch. Nobody has more subscriptions; of the invoices the older ones were fetched before, and don't change.
const (
	maxSubscriptions = 100
	maxInvoices      = 100
)

// Stripe is an app.Stripe. It is safe for concurrent use.
type Stripe struct {
	options       Options
	customers     customer.Client
	checkouts     checkout.Client
	portals       portal.Client
	subscriptions subscription.Client
	invoices      invoice.Client
	events        event.Client
}

var _ app.Stripe = (*Stripe)(nil)

// New returns the way to the account. It calls nothing.
func New(options Options) *Stripe {
	config := &stripego.BackendConfig{
		HTTPClient:        upstream.HTTP(cmp.Or(options.Timeout, usualTimeout)),
		MaxNetworkRetries: stripego.Int64(retries),
		EnableTelemetry:   stripego.Bool(false),
		LeveledLogger:     &stripego.LeveledLogger{Level: stripego.LevelNull}, // it logs what was sent
	}
	if options.APIBase != "" {
		config.URL = &options.APIBase
	}
	backend, key := stripego.GetBackendWithConfig(stripego.APIBackend, config), options.Key
	return &Stripe{
		options:       options,
		customers:     customer.Client{B: backend, Key: key},
		checkouts:     checkout.Client{B: backend, Key: key},
		portals:       portal.Client{B: backend, Key: key},
		subscriptions: subscription.Client{B: backend, Key: key},
		invoices:      invoice.Client{B: backend, Key: key},
		events:        event.Client{B: backend, Key: key},
	}
}

// aboutUser is the name under which objects at Stripe say whose they are.
const aboutUser = "user_id"

// CreateCustomer makes a customer without a name or an address: Stripe asks for them where it needs them.
func (s *Stripe) CreateCustomer(ctx context.Context, key string, user id.Scope) (string, error) {
	params := &stripego.CustomerParams{Params: keyed(ctx, key)}
	params.AddMetadata(aboutUser, user.User)
	made, err := s.customers.New(params)
	if err != nil {
		return "", failed(err)
	}
	return made.ID, nil
}

// Checkout begins a checkout of one subscription.
func (s *Stripe) Checkout(ctx context.Context, key string, wanted app.Checkout) (string, error) {
	params := &stripego.CheckoutSessionParams{
		Params:            keyed(ctx, key),
		Mode:              stripego.String(string(stripego.CheckoutSessionModeSubscription)),
		Customer:          &wanted.CustomerID,
		ClientReferenceID: &wanted.User.User,
		LineItems:         []*stripego.CheckoutSessionLineItemParams{{Price: &wanted.PriceID, Quantity: stripego.Int64(1)}},
		SuccessURL:        &s.options.SuccessURL,
		CancelURL:         &s.options.CancelURL,
		SubscriptionData:  &stripego.CheckoutSessionSubscriptionDataParams{Metadata: map[string]string{aboutUser: wanted.User.User}},
	}
	params.AddMetadata(aboutUser, wanted.User.User)
	if wanted.TrialDays > 0 {
		params.SubscriptionData.TrialPeriodDays = stripego.Int64(int64(wanted.TrialDays))
	}
	if s.options.PromotionCodes {
		params.AllowPromotionCodes = stripego.Bool(true)
	}
	if s.options.AutomaticTax { // which goes by the address that the customer enters
		params.AutomaticTax = &stripego.CheckoutSessionAutomaticTaxParams{Enabled: stripego.Bool(true)}
		params.CustomerUpdate = &stripego.CheckoutSessionCustomerUpdateParams{Address: stripego.String("auto")}
	}
	begun, err := s.checkouts.New(params)
	if err != nil {
		return "", failed(err)
	}
	return begun.URL, nil
}

// Portal opens the customer portal as it is configured in Stripe's dashboard.
func (s *Stripe) Portal(ctx context.Context, customerID string) (string, error) {
	opened, err := s.portals.New(&stripego.BillingPortalSessionParams{
		Params: stripego.Params{Context: ctx}, Customer: &customerID, ReturnURL: &s.options.ReturnURL,
	})
	if err != nil {
		return "", failed(err)
	}
	return opened.URL, nil
}

// Fetch asks for the customer, all subscriptions and the last invoices.
func (s *Stripe) Fetch(ctx context.Context, customerID string) (domain.Snapshot, error) {
	var said domain.Snapshot
	found, err := s.customers.Get(customerID, &stripego.CustomerParams{Params: stripego.Params{Context: ctx}})
	switch err := failed(err); {
	case errs.Is(err, errs.NotFound):
		return domain.Snapshot{Gone: true}, nil
	case err != nil:
		return domain.Snapshot{}, err
	}
	said.Gone = found.Deleted

	subscriptions := s.subscriptions.List(&stripego.SubscriptionListParams{
		ListParams: part(ctx, maxSubscriptions), Customer: &customerID, Status: stripego.String("all"),
	})
	for subscriptions.Next() {
		said.Subscriptions = append(said.Subscriptions, toSubscription(subscriptions.Subscription()))
	}
	if err := failed(subscriptions.Err()); err != nil {
		return domain.Snapshot{}, err
	}
	wanted := &stripego.InvoiceListParams{ListParams: part(ctx, maxInvoices), Customer: &customerID}
	wanted.AddExpand("data.charge")
	invoices := s.invoices.List(wanted)
	for invoices.Next() {
		said.Invoices = append(said.Invoices, toInvoice(invoices.Invoice()))
	}
	if err := failed(invoices.Err()); err != nil {
		return domain.Snapshot{}, err
	}
	return said, nil
}

func toSubscription(found *stripego.Subscription) domain.Subscription {
	subscription := domain.Subscription{
		ID: found.ID, Status: domain.Status(found.Status), Currency: string(found.Currency),
		PeriodStart: at(found.CurrentPeriodStart), PeriodEnd: at(found.CurrentPeriodEnd), CancelAtPeriodEnd: found.CancelAtPeriodEnd,
		TrialEnd: at(found.TrialEnd), CreatedAt: at(found.Created),
	}
	if found.Items != nil && len(found.Items.Data) > 0 && found.Items.Data[0].Price != nil {
		item := found.Items.Data[0]
		subscription.PriceID, subscription.Amount = item.Price.ID, item.Price.UnitAmount*item.Quantity
	}
	return subscription
}

func toInvoice(found *stripego.Invoice) domain.Invoice {
	invoice := domain.Invoice{
		ID: found.ID, Number: found.Number, Status: domain.InvoiceStatus(found.Status), Due: found.AmountDue, Paid: found.AmountPaid,
		Currency: string(found.Currency), Attempts: found.AttemptCount, NextAttemptAt: at(found.NextPaymentAttempt),
		URL: found.HostedInvoiceURL, CreatedAt: at(found.Created),
	}
	if found.Subscription != nil {
		invoice.SubscriptionID = found.Subscription.ID
	}
	if found.Charge != nil {
		invoice.Refunded = found.Charge.AmountRefunded
	}
	return invoice
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

// Undelivered asks for the events that no endpoint took.
func (s *Stripe) Undelivered(ctx context.Context, since time.Time, each func(app.Post) error) error {
	list := stripego.ListParams{Context: ctx, Limit: stripego.Int64(100)}
	events := s.events.List(&stripego.EventListParams{
		ListParams: list, DeliverySuccess: stripego.Bool(false), CreatedRange: &stripego.RangeQueryParams{GreaterThanOrEqual: since.Unix()},
	})
	for events.Next() {
		found := events.Event()
		if found.Data == nil {
			continue
		}
		if err := each(app.Post{ID: found.ID, Type: string(found.Type), CustomerID: customerIn(found.Data.Raw)}); err != nil {
			return err
		}
	}
	return failed(events.Err())
}

// keyed are the parameters of a call that is made once for a key.
func keyed(ctx context.Context, key string) stripego.Params {
	return stripego.Params{Context: ctx, IdempotencyKey: &key}
}

// part are the parameters of a list of which one page is enough.
func part(ctx context.Context, most int64) stripego.ListParams {
	return stripego.ListParams{Context: ctx, Limit: &most, Single: true}
}

// failed returns an error of the library as one of ours, nil for nil. What another try may mend is errs.External, or
// errs.Timeout. Of Stripe's words only its names for what is wrong are repeated, and to the log alone.
func failed(err error) error {
	if err == nil {
		return nil
	}
	ours := func(kind errs.Kind, message string, cause error) error {
		return errs.New(kind, message).With("service", "stripe").Because(cause)
	}
	said, isStripe := errors.AsType[*stripego.Error](err)
	if !isStripe {
		timer, isNet := errors.AsType[net.Error](err)
		if isNet && timer.Timeout() || errors.Is(err, context.DeadlineExceeded) {
			return ours(errs.Timeout, "The payment service took too long", err)
		}
		return ours(errs.External, "The payment service can't be reached", err)
	}
	cause := fmt.Errorf("stripe answered %d %s %s to the request %s", said.HTTPStatusCode, said.Type, said.Code, said.RequestID)
	switch {
	case said.HTTPStatusCode == http.StatusNotFound || said.Code == stripego.ErrorCodeResourceMissing && said.Param == "id":
		return ours(errs.NotFound, "The payment service doesn't know it", cause)
	case said.HTTPStatusCode == http.StatusUnauthorized, said.HTTPStatusCode == http.StatusForbidden:
		return ours(errs.External, "The payment service doesn't let us in: check its key and the account", cause)
	case said.HTTPStatusCode == http.StatusBadRequest, said.HTTPStatusCode == http.StatusPaymentRequired:
		return ours(errs.Invalid, "The payment service refuses what it was sent", cause)
	}
	return ours(errs.External, "The payment service failed", cause)
}
