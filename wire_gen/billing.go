package wiregen

import (
	"github.com/omnistack/omnistack/modules/billing/billingmod"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/page"
)

// billingDeps hands over where the product is reached, and where people come back to from the pages of Stripe.
func billingDeps(settings *Settings, db *database.DB, events events.Publisher, background *jobs.Client, cursors page.Cursors,
	keys *keyring.Keyring, clock clock.Clock) billingmod.Deps {
	conf := settings.Platform
	return billingmod.Deps{
		DB: db, Events: events, Jobs: background, Cursors: cursors, Keyring: keys, Clock: clock, Settings: &settings.Billing,
		LocalURL: conf.HTTP.LocalURL(), APIPrefix: conf.HTTP.APIPrefix, FrontendURL: conf.HTTP.FrontendURL,
		DataDir: conf.Core.DataDir, Environment: conf.Core.Environment,
	}
}
