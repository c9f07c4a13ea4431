package httpapi

import (
	"context"
	"net/http"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/platform/httpserver"
)

// The identity providers that post what becomes of their users.
const (
	Clerk    = "clerk"
	Supabase = "supabase"
)

type heard = httpserver.Commit[httpserver.Object[httpserver.Heard]]

func registerWebhooks(r *httpserver.Router, users *app.App) {
	route := func(provider string) httpserver.Route {
		return httpserver.Route{
			Method: http.MethodPost, Path: "/public/webhooks/" + provider, Guard: httpserver.Signature, Rate: httpserver.RateWebhook,
			Summary: "Hear from " + provider + " what becomes of its users", Errors: []int{http.StatusBadRequest, http.StatusNotFound},
		}
	}
	httpserver.Mutation(r, route(Clerk), func(_ context.Context, in *clerkInput) (heard, error) {
		return hear(users, Clerk, in.RawBody, in.headers())
	})
	httpserver.Mutation(r, route(Supabase), func(_ context.Context, in *supabaseInput) (heard, error) {
		headers := in.headers()
		headers["x-webhook-secret"] = in.Secret
		return hear(users, Supabase, in.RawBody, headers)
	})
}

// SignedInput holds what proves a post, in the headers of either family. It is exported because huma passes over what an
// unexported embedded struct holds.
type SignedInput struct {
	SvixID            string `header:"Svix-Id"`
	SvixTimestamp     string `header:"Svix-Timestamp"`
	SvixSignature     string `header:"Svix-Signature"`
	StandardID        string `header:"Webhook-Id"`
	StandardTimestamp string `header:"Webhook-Timestamp"`
	StandardSignature string `header:"Webhook-Signature"`
}

// headers returns them by their names in small letters.
func (in SignedInput) headers() map[string]string {
	return map[string]string{
		"svix-id": in.SvixID, "svix-timestamp": in.SvixTimestamp, "svix-signature": in.SvixSignature,
		"webhook-id": in.StandardID, "webhook-timestamp": in.StandardTimestamp, "webhook-signature": in.StandardSignature,
	}
}

type clerkInput struct {
	SignedInput
	RawBody []byte `contentType:"application/json"`
}

type supabaseInput struct {
	SignedInput
	Secret  string `header:"X-Webhook-Secret" doc:"The secret itself, of a database webhook"`
	RawBody []byte `contentType:"application/json"`
}

// hear verifies what a provider posted, and keeps it.
func hear(users *app.App, provider string, body []byte, headers map[string]string) (heard, error) {
	post, err := users.Verify(provider, func(name string) string { return headers[name] }, body)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*httpserver.Object[httpserver.Heard], error) {
		return &httpserver.Object[httpserver.Heard]{Body: httpserver.Heard{Received: true}}, users.Receive(ctx, provider, post, body)
	}, nil
}
