package wiregen

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/platform/audit"
	"github.com/omnistack/omnistack/platform/blob"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/idempotency"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

// eraseAgain names a deleted user of whom nothing may be left.
type eraseAgain struct {
	UserID string `json:"user_id"`
}

// Kind returns the name of the kind.
func (eraseAgain) Kind() string { return "jobs.erase_again" }

// afterwards is how much later than a request can end that was let in before the deletion, on whichever instance, a module
// erases again.
const afterwards = time.Minute

// house are the tables of contents of everything that publishes, consumes or works: the modules, and what the house adds.
type house []module.Descriptor

func newHouse(modules *Modules, background *jobs.Client, trail *audit.Log, keys *idempotency.Store, removals *blob.Removals, clock clock.Clock, settings *Settings) house {
	described := append(modules.Describe(), keys.Describe(), removals.Describe())
	return append(described, erasure(described, keys, background, clock, settings), module.Descriptor{Name: "audit", Jobs: trail.Jobs()})
}

// erasure is what the house adds to the erasure that each module does when it hears of a deleted user: jobs forget whose they
// were, the user's idempotency keys go, and everybody erases a second time, because a request that was on its way may have
// written something after the first.
func erasure(all []module.Descriptor, keys *idempotency.Store, background *jobs.Client, clock clock.Clock, settings *Settings) module.Descriptor {
	late := settings.Platform.HTTP.RequestTimeout + afterwards
	return module.Descriptor{
		Name: "jobs",
		Consumes: []events.Consumer{events.On(
			events.Consumer{Name: "jobs.erase_user", Summary: "forgets whose a deleted user's jobs were, erases the user's idempotency keys, and has all modules erase once more, later"},
			func(ctx context.Context, e users.UserDeleted, _ events.Envelope) error {
				if err := background.Forget(ctx, id.Of(e.UserID)); err != nil {
					return err
				}
				if err := keys.Erase(ctx, id.Of(e.UserID)); err != nil {
					return err
				}
				return background.Enqueue(ctx, eraseAgain{e.UserID}, jobs.At(clock.Now().Add(late)))
			},
		)},
		Jobs: append(background.Upkeep(), jobs.Kind(
			module.Job{Summary: "erases what was written about a user after the deletion", Timeout: 300 * time.Second},
			func(ctx context.Context, args eraseAgain) error {
				for _, m := range all {
					if m.Eraser == nil {
						continue
					}
					if err := m.Eraser.Erase(ctx, id.Of(args.UserID)); err != nil {
						return err
					}
				}
				return nil
			},
		)),
	}
}
