// Package httpapi drives the billing context by HTTP.
package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/httpserver"
)

// API is the operations of billing.
type API struct{ app *app.App }

// Register adds the operations to the router.
func Register(r *httpserver.Router, app *app.App) {
	api := &API{app}
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: "/app/billing/plans", Guard: httpserver.User,
		Summary: "List the plans, and what each includes",
	}, api.plans)
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: "/app/billing/subscription", Guard: httpserver.User,
		Summary: "Get your subscription, and the plan that you are on",
	}, api.subscription)
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: "/app/billing/invoices", Guard: httpserver.User,
		Summary: "List your invoices, the newest first",
	}, api.invoices)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPost, Path: "/app/billing/checkout", Guard: httpserver.User, People: true, Outside: true,
		Summary: "Begin to buy a plan, on a page of Stripe's", Status: http.StatusCreated, Errors: outside,
	}, api.checkout)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPost, Path: "/app/billing/portal", Guard: httpserver.User, People: true, Outside: true,
		Summary: "Open a page of Stripe's to change your subscription, or what it is paid with", Status: http.StatusCreated, Errors: outside,
	}, api.portal)
	api.registerAdmin(r)
}

// outside are the statuses of what asks Stripe.
var outside = []int{http.StatusConflict, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}

// Plan is a plan as clients see it.
type Plan struct {
	Name       string   `json:"name"`
	Projects   int64    `json:"projects" doc:"How many projects you may have; -1 for any number"`
	Storage    int64    `json:"storage_bytes" doc:"How much you may store; -1 for any amount"`
	File       int64    `json:"file_bytes" doc:"How large one file may be; -1 for as large as the product takes"`
	RateFactor int      `json:"rate_factor" doc:"How many times the limit of calls you have"`
	AIBudget   int64    `json:"ai_budget_cents" doc:"What AI may cost a month, in US cents; -1 for any amount"`
	AIRoutes   []string `json:"ai_routes" nullable:"false" doc:"The routes of AI that are open; * for all"`
	TrialDays  int      `json:"trial_days"`
	Prices     []Price  `json:"prices" nullable:"false" doc:"Empty when it isn't for sale"`
}

// Price is what a plan costs.
type Price struct {
	Interval string  `json:"interval" enum:"monthly,yearly"`
	Amount   *int64  `json:"amount" doc:"In the currency's smallest unit; null when the checkout tells it first"`
	Currency *string `json:"currency" doc:"ISO 4217, in small letters; null when the checkout tells it first"`
}

func toPlan(plan domain.Plan) Plan {
	shown := Plan{
		Name: plan.Name, Projects: plan.Projects, Storage: plan.StorageBytes, File: plan.FileBytes,
		RateFactor: plan.RateFactor, AIBudget: plan.AIBudget, AIRoutes: append([]string{}, plan.AIRoutes...), TrialDays: plan.TrialDays, Prices: []Price{},
	}
	for _, interval := range []domain.Interval{domain.Monthly, domain.Yearly} {
		price, sold := plan.Prices[interval]
		if !sold {
			continue
		}
		offer := Price{Interval: string(interval)}
		if price.Currency != "" {
			offer.Amount, offer.Currency = &price.Amount, &price.Currency
		}
		shown.Prices = append(shown.Prices, offer)
	}
	return shown
}

// Plans are all plans.
type Plans struct {
	Items []Plan `json:"items" nullable:"false"`
}

func (a *API) plans(context.Context, *struct{}) (*httpserver.Object[Plans], error) {
	plans := Plans{Items: []Plan{}}
	for _, plan := range a.app.Plans() {
		plans.Items = append(plans.Items, toPlan(plan))
	}
	return &httpserver.Object[Plans]{Body: plans}, nil
}

// Subscription is how a user's subscription stands.
type Subscription struct {
	Status            *string    `json:"status" doc:"Stripe's word for it, such as active; null without a subscription"`
	Plan              string     `json:"plan" doc:"The plan that counts now"`
	Interval          *string    `json:"interval" doc:"monthly or yearly; null without a subscription"`
	CurrentPeriodEnd  *time.Time `json:"current_period_end"`
	CancelAtPeriodEnd bool       `json:"cancel_at_period_end"`
	TrialEnd          *time.Time `json:"trial_end" doc:"When the trial ends or ended; null without one"`
}

func (a *API) subscription(ctx context.Context, _ *struct{}) (*httpserver.Object[Subscription], error) {
	account, err := a.app.Account(ctx, httpserver.Principal(ctx).Scope())
	if err != nil {
		return nil, err
	}
	shown := Subscription{Plan: account.Plan, Interval: orNil(string(account.Interval))}
	if bought := account.Subscription; bought != nil {
		shown.Status, shown.CancelAtPeriodEnd = orNil(string(bought.Status)), bought.CancelAtPeriodEnd
		shown.CurrentPeriodEnd, shown.TrialEnd = orNil(bought.PeriodEnd), orNil(bought.TrialEnd)
	}
	return &httpserver.Object[Subscription]{Body: shown}, nil
}

// StripeInvoice is an invoice as clients see it. It isn't called so alone, as other modules may have invoices of their own.
type StripeInvoice struct {
	ID        string    `json:"id"`
	Number    *string   `json:"number"`
	Status    string    `json:"status" doc:"open, paid, uncollectible or void"`
	Due       int64     `json:"amount_due" doc:"In the currency's smallest unit, as all amounts here"`
	Paid      int64     `json:"amount_paid"`
	Refunded  int64     `json:"amount_refunded"`
	Currency  string    `json:"currency" doc:"ISO 4217, in small letters"`
	URL       *string   `json:"url" doc:"Stripe's page of it, where it can be paid"`
	CreatedAt time.Time `json:"created_at"`
}

func toInvoice(invoice domain.Invoice) StripeInvoice {
	return StripeInvoice{
		ID: invoice.ID, Number: orNil(invoice.Number), Status: string(invoice.Status), Due: invoice.Due, Paid: invoice.Paid,
		Refunded: invoice.Refunded, Currency: invoice.Currency, URL: orNil(invoice.URL), CreatedAt: invoice.CreatedAt,
	}
}

func (a *API) invoices(ctx context.Context, in *struct{ httpserver.Paging }) (*httpserver.List[StripeInvoice], error) {
	wanted, err := in.Page()
	if err != nil {
		return nil, err
	}
	found, err := a.app.Invoices(ctx, httpserver.Principal(ctx).Scope(), wanted)
	if err != nil {
		return nil, err
	}
	return httpserver.ListOf(found, toInvoice), nil
}

// Purchase says what to buy. Prices come from the settings.
type Purchase struct {
	Plan     string `json:"plan" minLength:"1" maxLength:"100"`
	Interval string `json:"interval" enum:"monthly,yearly"`
}

// Forward is where to send a person.
type Forward struct {
	URL string `json:"url" doc:"A page of Stripe's, for this person only"`
}

type forwarded = httpserver.Commit[httpserver.Object[Forward]]

func (a *API) checkout(ctx context.Context, in *struct{ Body Purchase }) (forwarded, error) {
	url, err := a.app.Checkout(ctx, httpserver.Principal(ctx).Scope(), httpserver.IdempotencyKey(ctx), in.Body.Plan, domain.Interval(in.Body.Interval))
	return forward(url, err)
}

func (a *API) portal(ctx context.Context, _ *struct{}) (forwarded, error) {
	url, err := a.app.Portal(ctx, httpserver.Principal(ctx).Scope())
	return forward(url, err)
}

// forward answers with an address that was made outside. There is nothing to do within the transaction.
func forward(url string, err error) (forwarded, error) {
	if err != nil {
		return nil, err
	}
	return func(context.Context) (*httpserver.Object[Forward], error) {
		return &httpserver.Object[Forward]{Location: url, Body: Forward{URL: url}}, nil
	}, nil
}

// orNil returns nil for a zero value, which the API shows as null.
func orNil[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}
