package httpapi

import (
	"context"
	"net/http"

	"github.com/omnistack/omnistack/modules/notifications/internal/app"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/httpserver"
)

// The carriers that tell what became of mails.
const (
	Resend   = "resend"
	SendGrid = "sendgrid"
)

type heard = httpserver.Commit[httpserver.Object[httpserver.Heard]]

func registerWebhooks(r *httpserver.Router, notifications *app.App, carriers map[string]app.Feedback) {
	route := func(carrier string) httpserver.Route {
		return httpserver.Route{
			Method: http.MethodPost, Path: "/public/webhooks/" + carrier, Guard: httpserver.Signature, Rate: httpserver.RateWebhook,
			Summary: "Hear from " + carrier + " about mails that bounced", Errors: []int{http.StatusBadRequest, http.StatusNotFound},
		}
	}
	httpserver.Mutation(r, route(Resend), func(_ context.Context, in *resendInput) (heard, error) {
		return hear(notifications, carriers[Resend], in.RawBody, map[string]string{
			"svix-id": in.ID, "svix-timestamp": in.Timestamp, "svix-signature": in.Signature,
		})
	})
	httpserver.Mutation(r, route(SendGrid), func(_ context.Context, in *sendgridInput) (heard, error) {
		return hear(notifications, carriers[SendGrid], in.RawBody, map[string]string{
			"x-twilio-email-event-webhook-timestamp": in.Timestamp, "x-twilio-email-event-webhook-signature": in.Signature,
		})
	})
}

type resendInput struct {
	ID        string `header:"Svix-Id"`
	Timestamp string `header:"Svix-Timestamp"`
	Signature string `header:"Svix-Signature"`
	RawBody   []byte `contentType:"application/json"`
}

type sendgridInput struct {
	Timestamp string `header:"X-Twilio-Email-Event-Webhook-Timestamp"`
	Signature string `header:"X-Twilio-Email-Event-Webhook-Signature"`
	RawBody   []byte `contentType:"application/json"`
}

// hear verifies and reads what a carrier posted. The headers go by their names in small letters.
func hear(notifications *app.App, from app.Feedback, body []byte, headers map[string]string) (heard, error) {
	if from == nil {
		return nil, errs.New(errs.NotFound, "This webhook isn't configured")
	}
	said, err := from.Read(func(name string) string { return headers[name] }, body)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*httpserver.Object[httpserver.Heard], error) {
		return &httpserver.Object[httpserver.Heard]{Body: httpserver.Heard{Received: true}}, notifications.HandleFeedback(ctx, said)
	}, nil
}
