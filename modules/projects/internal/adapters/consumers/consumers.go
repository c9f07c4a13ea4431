// Package consumers drives the projects context by what happened elsewhere.
package consumers

import (
	"context"

	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/modules/projects/internal/app"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/id"
)

// All returns the consumers, which call the use cases.
func All(projects *app.App) []events.Consumer {
	return []events.Consumer{
		events.On(events.Consumer{
			Name:    "projects.note_plan",
			Summary: "keeps which plan an owner is on, which says how many projects there may be",
		}, func(ctx context.Context, changed billing.SubscriptionChanged, _ events.Envelope) error {
			return projects.NotePlan(ctx, id.Of(changed.UserID), changed.Plan, changed.Version)
		}),
	}
}
