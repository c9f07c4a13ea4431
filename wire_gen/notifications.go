package wiregen

import (
	"github.com/omnistack/omnistack/modules/notifications/notificationsmod"
	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/page"
)

// notificationsDeps hands over the ports of the modules that are asked when a mail is written.
func notificationsDeps(settings *Settings, db *database.DB, background *jobs.Client, cursors page.Cursors, keys *keyring.Keyring,
	clock clock.Clock, directory users.Directory, catalog projects.Catalog) notificationsmod.Deps {
	conf := settings.Platform
	return notificationsmod.Deps{
		DB: db, Jobs: background, Cursors: cursors, Keyring: keys, Clock: clock, Settings: &settings.Notifications,
		Directory: directory, Catalog: catalog,
		Product: conf.Core.ProjectName, PublicURL: conf.HTTP.PublicURL, APIPrefix: conf.HTTP.APIPrefix, FrontendURL: conf.HTTP.FrontendURL,
		Environment: conf.Core.Environment, Output: settings.Output,
	}
}
