package wiregen

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/platform/asyncapi"
	"github.com/omnistack/omnistack/platform/audit"
	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/blob"
	"github.com/omnistack/omnistack/platform/bus"
	"github.com/omnistack/omnistack/platform/cache"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/erasure"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/idempotency"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/ratelimit"
	"github.com/omnistack/omnistack/platform/telemetry"
	"github.com/omnistack/omnistack/schema"
)

// Patience is how long a start waits for a database that isn't there yet, as when both start together.
const Patience = 30 * time.Second

// openDatabase opens the database and brings its schema up to date. Outside of a developer's machine it only checks:
// there `omnistack migrate up` is a step of the deployment, and a binary that is ahead of its database refuses to run.
func openDatabase(ctx context.Context, settings *Settings, log *zap.Logger) (*database.DB, func(), error) {
	db, err := OpenDatabase(ctx, settings, Patience, log)
	if err != nil {
		return nil, nil, err
	}
	if settings.Platform.Core.Environment.OnDesk() {
		_, err = schema.Up(ctx, db, log)
	} else {
		err = schema.Current(ctx, db)
	}
	if err != nil {
		_ = db.Close() // the reason for giving up is err
		return nil, nil, err
	}
	return db, func() {
		if err := db.Close(); err != nil {
			log.Error("closing the database", zap.Error(err))
		}
	}, nil
}

// OpenDatabase opens the database that the settings name, and leaves its schema as it is. It waits for it as long as
// patience says.
func OpenDatabase(ctx context.Context, settings *Settings, patience time.Duration, log *zap.Logger) (*database.DB, error) {
	conf := settings.Platform.Database
	engine, target := conf.Target()
	return database.Open(ctx, database.Options{
		Engine:      database.Engine(engine),
		Target:      target,
		PoolSize:    conf.PoolSize,
		MaxLifetime: conf.PoolRecycle,
		Pooled:      conf.UseNullPool,
		Debug:       settings.Platform.Core.Debug,
		Patience:    patience,
	}, log)
}

// openRedis returns nil without a REDIS_URL: then a single process does all by itself.
func openRedis(settings *Settings) (*redis.Client, func(), error) {
	if settings.Platform.Redis.URL == "" {
		return nil, func() {}, nil
	}
	client, err := cache.Open(settings.Platform.Redis.URL.Reveal())
	if err != nil {
		return nil, nil, err
	}
	return client, func() { _ = client.Close() }, nil // only fails when closed twice
}

func newClock() clock.Clock { return clock.System{} }

func newKeyring(settings *Settings) *keyring.Keyring {
	core := settings.Platform.Core
	return keyring.New(core.SecretKey.Reveal(), core.SecretKeyPrevious.Reveal())
}

// OpenDevIssuer returns the issuer of development tokens, nil unless AUTH_PROVIDER or AUTH_PROVIDER_SECONDARY is dev.
func OpenDevIssuer(settings *Settings, clock clock.Clock) (*auth.DevIssuer, error) {
	if !slices.Contains(settings.Platform.Auth.Providers(), config.ProviderDev) {
		return nil, nil
	}
	return auth.OpenDevIssuer(settings.Platform.Core.DataDir, devIssuerName, clock)
}

// devIssuerName is the iss of development tokens. It names no host, so that tokens survive a change of the port.
const devIssuerName = "omnistack-dev"

// newProviders returns whose tokens are believed, the primary first.
func newProviders(settings *Settings, dev *auth.DevIssuer) ([]*auth.Provider, error) {
	conf := settings.Platform.Auth
	var providers []*auth.Provider
	for _, name := range conf.Providers() {
		switch name {
		case config.ProviderDev:
			providers = append(providers, dev.Provider())
		case config.ProviderSupabase:
			providers = append(providers, auth.Supabase(conf.SupabaseProjectURL, conf.SupabaseJWTSecret.Reveal()))
		case config.ProviderClerk:
			providers = append(providers, auth.Clerk(conf.ClerkIssuerURL, conf.ClerkAuthorizedParties))
		case config.ProviderCustom:
			providers = append(providers, auth.Custom(conf.OAuthIssuer, conf.OAuthJWKSURL, conf.OAuthAudience, conf.OAuthRoleClaim, conf.OAuthEmailClaim))
		default:
			return nil, fmt.Errorf("unknown identity provider %q", name)
		}
	}
	for _, provider := range providers {
		if err := provider.Validate(); err != nil {
			return nil, err
		}
	}
	return providers, nil
}

func newVerifier(providers []*auth.Provider, clock clock.Clock, log *zap.Logger) *auth.Verifier {
	verifier := auth.NewVerifier(providers, clock)
	verifier.KeyTrouble = func(provider string, err error) {
		log.Warn("the keys of an identity provider can't be fetched", zap.String("provider", provider), zap.Error(err))
	}
	return verifier
}

// migrated returns the check of the schema. It asks until it has been told once that all is there: a schema doesn't go
// back.
func migrated(db *database.DB) func(ctx context.Context) error {
	var current atomic.Bool
	return func(ctx context.Context) error {
		if current.Load() {
			return nil
		}
		err := schema.Current(ctx, db)
		current.Store(err == nil)
		return err
	}
}

// newLimiter returns nil when nothing is limited.
func newLimiter(settings *Settings, client *redis.Client, clock clock.Clock, metrics *telemetry.Metrics, log *zap.Logger) ratelimit.Limiter {
	if !settings.Platform.RateLimit.Enabled {
		return nil
	}
	local := ratelimit.NewLocal(clock)
	if client == nil {
		return local
	}
	shared := ratelimit.NewShared(ratelimit.NewRedis(client), local)
	var away atomic.Bool
	metrics.Gauge("ratelimit_redis_up", "Whether calls are counted in Redis; 0 while each process counts by itself.", func() float64 {
		if away.Load() {
			return 0
		}
		return 1
	})
	shared.Switched = func(err error) {
		away.Store(err != nil)
		if err == nil {
			log.Info("calls are counted in Redis again")
			return
		}
		log.Warn("Redis can't count calls: until it can, each process does, and lets half of every limit pass", zap.Error(err))
	}
	return shared
}

// filesPath is where local files are reached by signed URLs, below API_V1_STR.
const filesPath = "/public/files"

// OpenFiles returns where files are kept, and what releases it.
func OpenFiles(settings *Settings, keys *keyring.Keyring, clock clock.Clock) (blob.Store, func(), error) {
	conf := settings.Platform
	return blob.Open(conf.Storage, conf.Core.DataDir, keys, conf.HTTP.PublicURL+conf.HTTP.APIPrefix+filesPath, clock)
}

// newServer returns the server with every module's routes.
func newServer(settings *Settings, db *database.DB, client *redis.Client, limiter ratelimit.Limiter, gate *auth.Gate,
	dev *auth.DevIssuer, files blob.Store, modules *Modules, described house, carrier *bus.Bus, background *jobs.Client, trail *audit.Log,
	keys *idempotency.Store, erasing *erasure.Erasure, principals *auth.PrincipalCache, plans billing.Entitlements, roles Roles, log *zap.Logger) (*httpserver.Server, error) {
	checks := []httpserver.Check{
		{Name: "database", Run: db.Ping},
		{Name: "migrations", Run: migrated(db)},
		{Name: "jobs", Run: background.Check},
	}
	if client != nil {
		checks = append(checks, httpserver.Check{Name: "redis", Run: cache.Check(client), Optional: true})
	}
	conf := settings.Platform.HTTP
	conf.DocsEnabled = conf.DocsEnabled && roles.API // without the API there is nothing to document
	options := httpserver.Options{
		Title:   settings.Platform.Core.ProjectName,
		Version: Version(),
		HTTP:    conf,
		Auth:    gate,
		Tx:      db,
		Audit:   trail,
		Checks:  checks,
		Limiter: limiter,
		Rates:   settings.Platform.RateLimit,

		RateFactor: func(plan string) int { return plans.Plan(plan).RateFactor },

		Idempotency: keys,
	}
	if !settings.Platform.Core.Environment.OnDesk() {
		options.Deployed, options.Notice = true, notice
		if strings.HasPrefix(conf.PublicURL, "https://") {
			options.HTTPS = conf.PublicURL
		}
	}
	server := httpserver.New(options, log)
	principals.Forgotten = server.AskAgain
	if !roles.API {
		return server, nil
	}
	if dev != nil {
		server.AddDevIssuer(dev)
	}
	if local, isLocal := files.(*blob.Local); isLocal {
		server.AddFiles(filesPath, local.Serve)
	}
	modules.mount(server)
	carrier.Routes(server.Router("events"))
	background.Routes(server.Router("jobs"))
	trail.Routes(server.Router("audit"))
	erasing.Routes(server.Router("erasure"))
	if conf.DocsEnabled {
		document, err := asyncapi.Document(options.Title, options.Version, described)
		if err != nil {
			return nil, err
		}
		server.AddDocument("/asyncapi.json", "The events", document)
	}
	return server, nil
}

func newIdempotency(db *database.DB, clock clock.Clock, settings *Settings) *idempotency.Store {
	return idempotency.New(db, clock, settings.Platform.Events.IdempotencyTTL)
}

func busOptions(settings *Settings) bus.Options {
	var options bus.Options
	if settings.Platform.Events.Transport == config.TransportRedis {
		options.RedisURL = settings.Platform.Redis.URL.Reveal()
	}
	return options
}

func newGate(verifier *auth.Verifier, accounts auth.Accounts, keys auth.Keys, principals *auth.PrincipalCache, log *zap.Logger) *auth.Gate {
	gate := auth.NewGate(verifier, accounts, keys, principals)
	gate.NoteTrouble = func(err error) { log.Warn("the use of an API key can't be noted", zap.Error(err)) }
	return gate
}
