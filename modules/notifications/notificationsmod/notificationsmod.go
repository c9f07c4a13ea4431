// Package notificationsmod puts the notifications context together.
package notificationsmod

import (
	"cmp"
	"io"

	"github.com/omnistack/omnistack/modules/notifications"
	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/console"
	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/consumers"
	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/httpapi"
	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/jobs"
	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/reports"
	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/templates"
	"github.com/omnistack/omnistack/modules/notifications/internal/app"
	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/page"
)

// Deps are what the context needs from the house.
type Deps struct {
	DB        *database.DB
	Jobs      jobs.Client
	Cursors   page.Cursors
	Keyring   *keyring.Keyring
	Clock     clock.Clock
	Directory users.Directory
	Catalog   projects.Catalog
	Settings  *Settings

	Product     string // the name of the product
	PublicURL   string // where clients reach the process
	APIPrefix   string // of the API there
	FrontendURL string // where the web app is

	Environment config.Environment
	Output      io.Writer // where mail is shown that isn't sent; nil for nowhere
}

// Module is the context, put together.
type Module struct {
	app      *app.App
	deps     Deps
	console  *console.Mailer // nil when mail is sent
	feedback map[string]app.Feedback
	modules  func() []module.Descriptor
}

// New puts the context together. A template that can't be compiled is an error.
func New(deps Deps) (*Module, error) {
	m := &Module{deps: deps}
	renderer, err := templates.New()
	if err != nil {
		return nil, err
	}
	if m.feedback, err = feedback(deps.Settings, deps.Clock); err != nil {
		return nil, err
	}
	settings := deps.Settings
	carrier := mailer(settings, deps.Clock)
	if carrier == nil {
		m.console = console.New(cmp.Or(deps.Output, io.Discard), deps.PublicURL, deps.Clock)
		carrier = m.console
	}
	m.app = app.New(app.Ports{
		Store: store.New(deps.DB), Tx: deps.DB, Queue: jobs.NewQueue(deps.Jobs), Directory: deps.Directory, Catalog: deps.Catalog,
		Reports: reports.Modules(m.reported), Mailer: carrier, Renderer: renderer,
		Sealer: deps.Keyring.Sealer("mail"), Signer: deps.Keyring.Signer("unsubscribe"), Cursors: deps.Cursors, Clock: deps.Clock,
	}, app.Identity{
		Product:     deps.Product,
		Home:        deps.FrontendURL,
		From:        domain.Address{Email: settings.EmailFromAddress, Name: settings.EmailFromName},
		Contact:     domain.Address{Email: settings.ContactToAddress},
		Unsubscribe: deps.PublicURL + deps.APIPrefix + httpapi.Unsubscribe,
	})
	return m, nil
}

func (m *Module) reported() []module.Descriptor {
	if m.modules == nil {
		return nil
	}
	return m.modules()
}

// Mail returns the port by which other modules write to addresses.
func (m *Module) Mail() notifications.Mail { return m.app }

// Describe returns the table of contents.
func (m *Module) Describe() module.Descriptor {
	described := module.Descriptor{
		Name:    "notifications",
		Summary: "Notifications: how the product writes to people, and what they don't want to get.",
		Routes: func(r *httpserver.Router) {
			httpapi.Register(r, m.app, m.deps.Product, m.feedback)
			if m.console != nil {
				m.console.Register(r, m.deps.Environment)
			}
		},
		Ports:    []module.Port{{Name: "notifications.Mail", Summary: "takes mails to addresses, by template or in words of the caller's"}},
		Consumes: consumers.All(m.app),
		Jobs:     jobs.Kinds(m.app),
		Models:   store.Models(),
		Tables: []module.Table{
			{Name: "notifications", Summary: "one row for what a user reads in the web app, for 180 days", Owner: "user_id"},
			{Name: "notifications_preferences", Summary: "what a user doesn't want to get", Owner: "user_id"},
			{Name: "notifications_mails", Summary: "one row a mail, for 30 days; what goes to no user is sealed", Owner: "user_id"},
			{Name: "notifications_suppressions", Summary: "hashes of addresses that get nothing any more"},
			{Name: "notifications_contacts", Summary: "what was written into the contact form, sealed, for 90 days"},
		},
		Settings: m.deps.Settings.Group(),
		Exporter: app.NewExporter(store.New(m.deps.DB)),
		Eraser:   m.app,
		Meet:     func(modules func() []module.Descriptor) { m.modules = modules },
	}
	if m.console != nil {
		described.Pages = []module.Page{{Name: "Mail", Path: "/dev/mail", Summary: "shown, not sent"}}
	}
	return described
}
