//go:build wireinject

package wiregen

import (
	"context"

	"github.com/google/wire"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/audit"
	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/blob"
	"github.com/omnistack/omnistack/platform/bus"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/erasure"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/telemetry"
)

// Build puts the program together. The function it returns releases what was opened, in the reverse order.
func Build(ctx context.Context, settings *Settings, roles Roles, log *zap.Logger) (*App, func(), error) {
	panic(wire.Build(
		openDatabase,
		openRedis,
		newClock,
		newKeyring,
		page.NewCursors,
		OpenDevIssuer,
		newProviders,
		newVerifier,
		accountsOf,
		keysOf,
		auth.NewPrincipalCache,
		newGate,
		moduleSet,
		jobs.New,
		busOptions,
		bus.New,
		wire.Bind(new(events.Publisher), new(*bus.Bus)),
		newIdempotency,
		newErasure,
		newHouse,
		audit.New,
		telemetry.NewMetrics,
		newLimiter,
		OpenFiles,
		blob.NewRemovals,
		newServer,
		newApp,
	))
}

// buildModules puts the modules together over the given platform.
func buildModules(settings *Settings, db *database.DB, events events.Publisher, background *jobs.Client, keys *keyring.Keyring, log *zap.Logger,
	cursors page.Cursors, principals *auth.PrincipalCache, verifier *auth.Verifier, erasing *erasure.Erasure, clock clock.Clock,
	providers []*auth.Provider, files blob.Store, removals *blob.Removals) (*Modules, error) {
	panic(wire.Build(moduleSet))
}
