package wiregen

import (
	"github.com/omnistack/omnistack/modules/users/usersmod"
	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/blob"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/erasure"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/page"
)

// usersDeps hands over the issuer whose users the product has, and where their exports are made and kept.
func usersDeps(settings *Settings, db *database.DB, events events.Publisher, background *jobs.Client, cursors page.Cursors,
	keys *keyring.Keyring, principals *auth.PrincipalCache, verifier *auth.Verifier, erasing *erasure.Erasure, clock clock.Clock,
	providers []*auth.Provider, files blob.Store) usersmod.Deps {
	return usersmod.Deps{
		DB: db, Events: events, Jobs: background, Cursors: cursors, Keyring: keys, Clock: clock, Principals: principals, Verifier: verifier,
		Receipts: erasing, Auth: settings.Platform.Auth, Settings: &settings.Users, Issuer: providers[0].Issuer, Files: files,
		DataDir: settings.Platform.Core.DataDir,
	}
}

func accountsOf(users *usersmod.Module) auth.Accounts { return users.Accounts() }

func keysOf(users *usersmod.Module) auth.Keys { return users.Keys() }
