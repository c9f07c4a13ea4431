// Package consumers drives the billing context by what happened elsewhere.
package consumers

import (
	"context"

	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/id"
)

// All returns the consumers, which call the use cases.
func All(billing *app.App) []events.Consumer {
	return []events.Consumer{
		events.On(events.Consumer{
			Name:    "billing.erase_user",
			Summary: "erases the account of a user who is gone, and ends the subscription",
		}, func(ctx context.Context, deleted users.UserDeleted, _ events.Envelope) error {
			return billing.Erase(ctx, id.Of(deleted.UserID))
		}),
	}
}
