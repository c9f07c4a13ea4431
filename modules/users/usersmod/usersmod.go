package usersmod

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/internal/adapters/accounts"
	"github.com/omnistack/omnistack/modules/users/internal/adapters/archives"
	"github.com/omnistack/omnistack/modules/users/internal/adapters/consumers"
	"github.com/omnistack/omnistack/modules/users/internal/adapters/httpapi"
	"github.com/omnistack/omnistack/modules/users/internal/adapters/jobs"
	"github.com/omnistack/omnistack/modules/users/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/blob"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/page"
)

// Deps are what the context needs from the house.
type Deps struct {
	DB         *database.DB
	Events     events.Publisher
	Jobs       jobs.Client
	Cursors    page.Cursors
	Keyring    *keyring.Keyring
	Clock      clock.Clock
	Principals *auth.PrincipalCache
	Verifier   *auth.Verifier
	Receipts   app.Receipts
	Auth       config.Auth // which providers there are, and their secrets
	Settings   *Settings
	Files      blob.Store // where exports are kept
	DataDir    string     // where they grow
	Issuer     string     // whose subjects the seeder's users are; the primary provider's
	ClerkAPI   string     // where Clerk's Backend API is; empty but in tests
}

// Module is the context, put together.
type Module struct {
	app     *app.App
	exports *app.Exports
	deps    Deps
	modules func() []module.Descriptor
}

// New puts the context together. A secret for webhooks that isn't one is an error.
func New(deps Deps) (*Module, error) {
	providers, err := providers(deps.Auth, deps.Clock)
	if err != nil {
		return nil, err
	}
	rows := store.New(deps.DB, deps.Keyring)
	made := app.New(app.Ports{
		Store: rows, Webhooks: rows, Tx: deps.DB, Events: deps.Events, Principals: deps.Principals, Queue: jobs.NewQueue(deps.Jobs),
		Sealer: deps.Keyring.Sealer("users webhook"), Receipts: deps.Receipts, Cursors: deps.Cursors, Clock: deps.Clock,
		Providers: providers, Profiles: profiles(deps.Auth, deps.ClerkAPI),
	}, deps.Settings.AdminEmails, deps.Settings.DeletionGrace)
	m := &Module{app: made, deps: deps}
	m.exports = app.NewExports(app.ExportPorts{
		Users: rows, Store: rows, Queue: jobs.NewQueue(deps.Jobs), Sources: m.sources,
		Bundles: archives.Folder(filepath.Join(deps.DataDir, "exports")), Archives: archives.New(deps.Files),
		Tx: deps.DB, Events: deps.Events, Clock: deps.Clock,
	})
	return m, nil
}

// sources returns the modules that hold something of people.
func (m *Module) sources() []app.Source {
	var all []app.Source
	if m.modules == nil {
		return all
	}
	for _, described := range m.modules() {
		if described.Exporter != nil {
			all = append(all, app.Source{Name: described.Name, Exporter: described.Exporter})
		}
	}
	return all
}

// Directory returns the port that other modules may ask.
func (m *Module) Directory() users.Directory { return m.app }

// Accounts returns who verified tokens stand for.
func (m *Module) Accounts() auth.Accounts { return accounts.New(m.app) }

// Keys returns what API keys are good.
func (m *Module) Keys() auth.Keys { return accounts.NewKeys(m.app) }

// Appoint gives a user a role, on behalf of whoever runs the product, and returns the user's id. The user is the one who
// signs in with the subject at the issuer. An empty issuer is the primary provider's; then the subject may be the id of a
// user too. Nobody is errs.NotFound; the end of the last superadmin is errs.Conflict.
func (m *Module) Appoint(ctx context.Context, issuer, subject string, role auth.Role) (userID string, err error) {
	who := domain.Identity{Issuer: cmp.Or(issuer, m.deps.Issuer), Subject: subject}
	user, err := m.app.Appoint(ctx, who, issuer == "", domain.Role(role))
	return user.ID, err
}

// Describe returns the table of contents.
func (m *Module) Describe() module.Descriptor {
	return module.Descriptor{
		Name:    "users",
		Summary: "People: who they are, how they sign in, what they may do.",
		Routes: func(r *httpserver.Router) {
			httpapi.Register(r, m.app, m.deps.Verifier)
			httpapi.RegisterExports(r, m.exports)
		},
		Ports: []module.Port{
			{Name: "users.Directory", Summary: "a user's name, address and state; who the administrators are"},
			{Name: "auth.Accounts", Summary: "whom a verified token stands for"},
			{Name: "auth.Keys", Summary: "which API keys are good, and for what"},
		},
		Publishes: users.Published(),
		Consumes:  consumers.All(m.app),
		Jobs:      slices.Concat(jobs.Kinds(m.app), jobs.ExportKinds(m.exports)),
		Models:    store.Models(),
		Tables: []module.Table{
			{Name: "users", Summary: "one row a person", Owner: "id"},
			{Name: "users_identities", Summary: "which subject of which issuer is whom", Owner: "user_id"},
			{Name: "users_tombstones", Summary: "hashes, with a key, of the ids and identities that nobody gets again"},
			{Name: "users_api_keys", Summary: "what programs call with, by hash", Owner: "user_id"},
			{Name: "users_exports", Summary: "one row for each archive with a person's data, as long as that is kept; nobody's until it is removed once the user is gone", Owner: "user_id"},
			{Name: "users_webhooks", Summary: "what identity providers posted, for 30 days; sealed until it was processed, then empty"},
		},
		Settings: m.deps.Settings.Group(),
		Reporter: reporter{m.app},
		Exporter: app.NewExporter(store.New(m.deps.DB, m.deps.Keyring)),
		Eraser:   m.app,
		Seeder:   seeder{m.app, m.deps.Issuer},
		Meet:     func(modules func() []module.Descriptor) { m.modules = modules },
	}
}

// reporter counts users for the daily report.
type reporter struct{ app *app.App }

// Report says how many users came, and how many there were in the end.
func (r reporter) Report(ctx context.Context, from, to time.Time) ([]module.Figure, error) {
	tally, err := r.app.Tally(ctx, from, to)
	if err != nil {
		return nil, err
	}
	return []module.Figure{
		{Name: "New users", Value: strconv.FormatInt(tally.New, 10)},
		{Name: "Users", Value: strconv.FormatInt(tally.All, 10)},
	}, nil
}

// seeder makes example users, as if each had signed in once.
type seeder struct {
	app    *app.App
	issuer string
}

// Seed makes the owners themselves; count is of no use here.
func (s seeder) Seed(ctx context.Context, owners []id.Scope, _ int) error {
	for _, owner := range owners {
		_, err := s.app.SignIn(ctx, domain.Claims{
			Identity: domain.Identity{Issuer: s.issuer, Subject: owner.User},
			Email:    owner.User + "@example.com",
			FullName: "Example " + owner.User,
		})
		if err != nil {
			return err
		}
	}
	return nil
}
