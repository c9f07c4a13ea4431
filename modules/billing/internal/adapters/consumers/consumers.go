// Package consumers drives the billing context by what happened elsewhere.
package consumers

import (
	"context"

	"github.com/omnistack/omnistack/modules/ai"
	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/id"
)

// picodollars are so many in a microdollar. A part of one counts as a whole.
const picodollars = 1_000_000

// All returns the consumers, which call the use cases. That of calls of models is there only where they are paid by what they
// cost: there are many of them.
func All(billing *app.App) []events.Consumer {
	if !billing.Metered {
		return nil
	}
	return []events.Consumer{
		events.On(events.Consumer{
			Name:    "billing.meter_ai",
			Summary: "has what a call of a model cost reported to Stripe",
		}, func(ctx context.Context, finished ai.CompletionFinished, _ events.Envelope) error {
			return billing.NoteUsage(ctx, app.Usage{
				ID: finished.CallID, User: id.Of(finished.UserID), At: finished.FinishedAt,
				Microdollars: (finished.CostPicodollars + picodollars - 1) / picodollars,
			})
		}),
	}
}
