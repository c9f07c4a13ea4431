// Package consumers drives the AI context by what happened elsewhere.
package consumers

import (
	"context"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/id"
)

// All returns the consumers, which call the use cases.
func All(ai *app.App) []events.Consumer {
	return []events.Consumer{
		events.On(events.Consumer{
			Name:    "ai.erase_user",
			Summary: "removes a user who is gone from the ledger, and the budgets",
		}, func(ctx context.Context, deleted users.UserDeleted, _ events.Envelope) error {
			return ai.Erase(ctx, id.Of(deleted.UserID))
		}),
	}
}
