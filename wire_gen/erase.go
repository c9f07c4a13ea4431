package wiregen

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/platform/audit"
	"github.com/omnistack/omnistack/platform/blob"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/erasure"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/idempotency"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/module"
)

// afterwards is how much later than a request can end that was let in before the deletion, on whichever instance, everybody
// erases again.
const afterwards = time.Minute

func newErasure(db *database.DB, keys *keyring.Keyring, clock clock.Clock, background *jobs.Client, settings *Settings) *erasure.Erasure {
	return erasure.New(db, keys, clock, background, settings.Platform.HTTP.RequestTimeout+afterwards)
}

// gone returns the name of the event after which everybody erases.
func gone() string { return users.UserDeleted{}.EventName() }

// house are the tables of contents of everything that publishes, consumes or works: the modules, and what the house adds.
type house []module.Descriptor

func newHouse(modules *Modules, background *jobs.Client, trail *audit.Log, keys *idempotency.Store, erasing *erasure.Erasure, removals *blob.Removals) house {
	described := erasing.Join(modules.Describe(), gone())
	work := module.Descriptor{Name: "jobs", Jobs: background.Upkeep(), Eraser: background}
	kept := keys.Describe()
	consumer, again := erasing.Finish(described, []module.Descriptor{kept, work}, gone(), func(ctx context.Context, user id.Scope, person string) error {
		if err := background.Forget(ctx, user); err != nil {
			return err
		}
		return trail.Forget(ctx, user, person)
	})
	work.Consumes, work.Jobs = append(work.Consumes, consumer), append(work.Jobs, again...)
	return append(described, kept, work, removals.Describe(), erasing.Describe(), module.Descriptor{Name: "audit", Jobs: trail.Jobs()})
}
