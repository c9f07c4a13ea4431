package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/platform/httpserver"
)

// HookPath is the path of what Stripe posts to, below API_V1_STR.
const HookPath = "/public/webhooks/stripe"

func (a *API) registerAdmin(r *httpserver.Router) {
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPost, Path: HookPath, Guard: httpserver.Signature, Rate: httpserver.RateWebhook,
		Summary: "Hear from Stripe that something changed", Errors: []int{http.StatusBadRequest, http.StatusNotFound},
	}, a.hear)
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: "/admin/billing/revenue", Guard: httpserver.Admin,
		Summary: "See subscriptions, what they bring a month, and how many were lost",
	}, a.revenue)
	const list = "/admin/billing/webhooks"
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: list, Guard: httpserver.Admin,
		Summary: "List what Stripe posted in the last 30 days, the newest first",
	}, a.webhooks)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPost, Path: list + "/{id}/replay", Guard: httpserver.Admin,
		Summary: "Have a webhook of Stripe's processed again", Status: http.StatusAccepted, Errors: []int{http.StatusNotFound},
	}, a.replay)
}

type stripeInput struct {
	Signature string `header:"Stripe-Signature"`
	RawBody   []byte `contentType:"application/json"`
}

func (a *API) hear(_ context.Context, in *stripeInput) (httpserver.Commit[httpserver.Object[httpserver.Heard]], error) {
	post, err := a.app.Verify(in.Signature, in.RawBody)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*httpserver.Object[httpserver.Heard], error) {
		return &httpserver.Object[httpserver.Heard]{Body: httpserver.Heard{Received: true}}, a.app.Receive(ctx, post)
	}, nil
}

// Webhook is what Stripe posted, as administrators see it. What stood in it isn't kept.
type Webhook struct {
	ID          string     `json:"id"`
	Type        string     `json:"type"`
	CustomerID  *string    `json:"customer_id"`
	ReceivedAt  time.Time  `json:"received_at"`
	ProcessedAt *time.Time `json:"processed_at"`
}

func toWebhook(webhook app.Webhook) Webhook {
	return Webhook{
		ID: webhook.ID, Type: webhook.Type, CustomerID: orNil(webhook.CustomerID), ReceivedAt: webhook.ReceivedAt,
		ProcessedAt: orNil(webhook.ProcessedAt),
	}
}

func (a *API) webhooks(ctx context.Context, in *struct{ httpserver.Paging }) (*httpserver.List[Webhook], error) {
	wanted, err := in.Page()
	if err != nil {
		return nil, err
	}
	found, err := a.app.Webhooks(ctx, wanted)
	if err != nil {
		return nil, err
	}
	return httpserver.ListOf(found, toWebhook), nil
}

// OneInput names one webhook by its event's id. It is exported because huma passes over what an unexported embedded struct holds.
type OneInput struct {
	ID string `path:"id" maxLength:"255"`
}

// Replay is the answer to a replay.
type Replay struct {
	Status string `json:"status" enum:"queued"`
}

func (a *API) replay(_ context.Context, in *OneInput) (httpserver.Commit[httpserver.Object[Replay]], error) {
	return func(ctx context.Context) (*httpserver.Object[Replay], error) {
		return &httpserver.Object[Replay]{Body: Replay{Status: "queued"}}, a.app.ReplayWebhook(ctx, in.ID)
	}, nil
}
