// Package consumers drives the users context by what happened elsewhere.
package consumers

import (
	"context"

	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/events"
)

// All returns the consumers, which call the use cases.
func All(users *app.App) []events.Consumer {
	return []events.Consumer{
		events.On(events.Consumer{
			Name:    "users.note_subscription",
			Summary: "keeps what a user pays for, so that each request knows the plan",
		}, func(ctx context.Context, changed billing.SubscriptionChanged, _ events.Envelope) error {
			return users.NoteSubscription(ctx, changed.UserID, domain.Subscription{
				CustomerID: changed.CustomerID, Status: changed.Status, Plan: changed.Plan, Version: changed.Version,
			})
		}),
	}
}
