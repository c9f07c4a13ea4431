package wiregen

import (
	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/modules/projects/projectsmod"
	"github.com/omnistack/omnistack/platform/blob"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/page"
)

// projectsDeps hands over which files are taken.
func projectsDeps(settings *Settings, db *database.DB, events events.Publisher, cursors page.Cursors, clock clock.Clock,
	plans billing.Entitlements, files blob.Store, removals *blob.Removals) projectsmod.Deps {
	return projectsmod.Deps{
		DB: db, Events: events, Cursors: cursors, Clock: clock, Plans: plans, Files: files, Removals: removals, Storage: settings.Platform.Storage,
		Settings: &settings.Projects,
	}
}
