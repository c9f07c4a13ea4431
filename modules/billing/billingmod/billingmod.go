// Package billingmod puts the billing context together.
package billingmod

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/modules/billing/internal/adapters/catalog"
	"github.com/omnistack/omnistack/modules/billing/internal/adapters/consumers"
	"github.com/omnistack/omnistack/modules/billing/internal/adapters/httpapi"
	"github.com/omnistack/omnistack/modules/billing/internal/adapters/jobs"
	"github.com/omnistack/omnistack/modules/billing/internal/adapters/simulator"
	"github.com/omnistack/omnistack/modules/billing/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/billing/internal/adapters/stripe"
	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/page"
)

// Deps are what the context needs from the house.
type Deps struct {
	DB       *database.DB
	Events   events.Publisher
	Jobs     jobs.Client
	Cursors  page.Cursors
	Keyring  *keyring.Keyring
	Clock    clock.Clock
	Settings *Settings

	LocalURL    string // where this machine reaches the process
	APIPrefix   string // of the API there
	FrontendURL string // where the web app is
	DataDir     string // where the simulator keeps what happened
	Environment config.Environment
}

// Module is the context, put together.
type Module struct {
	app       *app.App
	exporter  *app.Exporter
	settings  *Settings
	simulator *simulator.Simulator // nil unless it stands in for Stripe
}

// simulated is where the simulator is mounted.
const simulated = "/dev/stripe"

// New puts the context together. Plans that make no sense are an error, and so is a secret for webhooks that isn't one.
func New(deps Deps) (*Module, error) {
	m := &Module{settings: deps.Settings, exporter: app.NewExporter(store.New(deps.DB))}
	plans, err := deps.Settings.catalog()
	if err != nil {
		return nil, err
	}
	rows := store.New(deps.DB)
	ports := app.Ports{
		Store: rows, Tx: deps.DB, Events: deps.Events, Queue: jobs.NewQueue(deps.Jobs), Cursors: deps.Cursors, Clock: deps.Clock,
	}
	returns := cmp.Or(deps.Settings.ReturnURL, deps.FrontendURL+"/billing")
	options := stripe.Options{
		Key: deps.Settings.StripeSecretKey, APIBase: deps.Settings.StripeAPIBase, Retries: 2,
		SuccessURL: returns + "?checkout=success&session_id={CHECKOUT_SESSION_ID}", CancelURL: returns + "?checkout=canceled", ReturnURL: returns,
		PromotionCodes: deps.Settings.StripePromotionCodes, AutomaticTax: deps.Settings.StripeAutomaticTax, Meter: deps.Settings.StripeAIMeter,
	}
	var secrets []string // that a webhook may be signed with
	for _, secret := range deps.Settings.StripeWebhookSecret.List() {
		secrets = append(secrets, secret.Reveal())
	}
	if !deps.Settings.Available() && deps.Environment.OnDesk() {
		sign := deps.Keyring.Signer("stripe simulator")
		options.Key = config.Secret("sk_test_" + hex.EncodeToString(sign.Sign([]byte("key"))[:16]))
		options.APIBase = cmp.Or(options.APIBase, deps.LocalURL+simulated) // a worker's is another process
		secrets = []string{"whsec_" + hex.EncodeToString(sign.Sign([]byte("webhook")))}
		m.simulator, err = simulator.New(simulator.Options{
			Clock: deps.Clock, File: filepath.Join(deps.DataDir, "stripe.json"), Base: simulated, URL: options.APIBase,
			Key: options.Key.Reveal(), Secret: secrets[0], Hook: deps.LocalURL + deps.APIPrefix + httpapi.HookPath, Prices: prices(plans),
		})
		if err != nil {
			return nil, err
		}
	}
	if options.Key != "" {
		ports.Stripe = stripe.New(options)
		ports.Metered = options.Meter != ""
		if ports.Hook, err = stripe.NewHook(deps.Clock, secrets...); err != nil {
			return nil, err
		}
	}
	m.app = app.New(ports, plans, time.Duration(deps.Settings.GraceDays)*24*time.Hour)
	return m, nil
}

// catalog returns the plans that the settings name.
func (s *Settings) catalog() (domain.Catalog, error) {
	switch {
	case s.CatalogFile != "":
		return catalog.Read(s.CatalogFile)
	case s.Available():
		return catalog.Sold(s.StripePriceIDMonthly, s.StripePriceIDYearly)
	}
	return catalog.BuiltIn()
}

// prices returns what the simulator sells.
func prices(plans domain.Catalog) []simulator.Price {
	var sold []simulator.Price
	for _, plan := range plans.Plans() {
		for _, interval := range []domain.Interval{domain.Monthly, domain.Yearly} {
			if price, found := plan.Prices[interval]; found {
				sold = append(sold, simulator.Price{
					ID: price.ID, Product: plan.Name, Amount: price.Amount, Currency: cmp.Or(price.Currency, "usd"),
					Yearly: interval == domain.Yearly,
				})
			}
		}
	}
	return sold
}

// Entitlements returns the port that other modules may ask.
func (m *Module) Entitlements() billing.Entitlements { return m.app }

// Describe returns the table of contents.
func (m *Module) Describe() module.Descriptor {
	described := module.Descriptor{
		Name:      "billing",
		Summary:   "Billing: plans and what they include, subscriptions and invoices, paid through Stripe.",
		Routes:    m.routes,
		Ports:     []module.Port{{Name: "billing.Entitlements", Summary: "what a user's plan includes"}},
		Publishes: billing.Published(),
		Consumes:  consumers.All(m.app),
		Jobs:      jobs.Kinds(m.app),
		Models:    store.Models(),
		Tables: []module.Table{
			{Name: "billing_accounts", Summary: "one row for each user who has been to the checkout: the customer at Stripe, the subscription and the plan", Owner: "user_id"},
			{Name: "billing_invoices", Summary: "the invoices, as Stripe has them", Owner: "user_id"},
			{Name: "billing_webhooks", Summary: "that Stripe posted something, for 30 days; not what"},
		},
		Settings: m.settings.Group(),
		Reporter: reporter{m.app},
		Exporter: m.exporter,
		Eraser:   m.app,
	}
	if m.simulator != nil {
		described.Run = m.simulator.Run
		described.Pages = []module.Page{{Name: "Stripe", Path: simulated + "/", Summary: "a simulator"}}
	}
	return described
}

func (m *Module) routes(r *httpserver.Router) {
	httpapi.Register(r, m.app)
	if m.simulator != nil {
		r.Tool(simulated, "A simulator of Stripe, while one develops", m.simulator)
	}
}

// reporter says for the daily report how the product earns.
type reporter struct{ app *app.App }

// Report says how the product earns now. What needs somebody's attention is there only when there is some.
func (r reporter) Report(ctx context.Context, _, _ time.Time) ([]module.Figure, error) {
	revenue, err := r.app.Revenue(ctx)
	if err != nil {
		return nil, err
	}
	figures := []module.Figure{
		{Name: "Active subscriptions", Value: strconv.FormatInt(revenue.Active, 10)},
		{Name: "Trials", Value: strconv.FormatInt(revenue.Trial, 10)},
		{Name: "Late payments", Value: strconv.FormatInt(revenue.PastDue, 10)},
		{Name: fmt.Sprintf("Subscriptions that ended within %d days", app.ChurnDays), Value: strconv.FormatInt(revenue.Ended, 10)},
	}
	for _, money := range revenue.Monthly {
		figures = append(figures, module.Figure{Name: "Monthly recurring revenue", Value: billing.Money(money.Amount, money.Currency)})
	}
	for _, alert := range []struct {
		name  string
		count int64
	}{
		{"Subscriptions paid twice by one user", revenue.Extra},
		{"Subscriptions at a price that is in no plan", revenue.Unknown},
		{"Webhooks that wait", revenue.Waiting},
	} {
		if alert.count > 0 {
			figures = append(figures, module.Figure{Name: alert.name, Value: strconv.FormatInt(alert.count, 10)})
		}
	}
	return figures, nil
}
