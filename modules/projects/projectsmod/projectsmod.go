// Package projectsmod puts the projects context together.
package projectsmod

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/modules/projects/internal/adapters/clamav"
	"github.com/omnistack/omnistack/modules/projects/internal/adapters/consumers"
	"github.com/omnistack/omnistack/modules/projects/internal/adapters/httpapi"
	"github.com/omnistack/omnistack/modules/projects/internal/adapters/jobs"
	"github.com/omnistack/omnistack/modules/projects/internal/adapters/objects"
	"github.com/omnistack/omnistack/modules/projects/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/projects/internal/app"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/blob"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/page"
)

// Deps are what the context needs from the house.
type Deps struct {
	DB      *database.DB
	Events  events.Publisher
	Cursors page.Cursors
	Clock   clock.Clock
	Plans   billing.Entitlements

	Files    blob.Store
	Removals *blob.Removals
	Storage  config.Storage // which files are taken
	Settings *Settings
}

// Module is the context, put together.
type Module struct {
	app      *app.App
	files    *app.Files
	exporter module.Exporter

	settings *Settings
}

// New puts the context together.
func New(deps Deps) *Module {
	rows := store.New(deps.DB)
	var scanner app.Scanner
	if deps.Settings.ClamAV != "" {
		scanner = clamav.New(deps.Settings.ClamAV)
	}
	files := app.NewFiles(app.FilePorts{
		Projects: rows, Store: rows, Objects: objects.New(deps.Files), Removals: deps.Removals, Scanner: scanner, Tx: deps.DB,
		Events: deps.Events, Cursors: deps.Cursors, Clock: deps.Clock, Plans: deps.Plans,
	}, domain.FileRules{MaxBytes: int64(deps.Storage.UploadMaxBytes), Types: deps.Storage.UploadAllowedTypes})
	return &Module{
		app:      app.New(rows, deps.DB, deps.Events, deps.Cursors, deps.Clock, deps.Plans, files),
		files:    files,
		settings: deps.Settings,
		exporter: exporters{app.NewExporter(rows), app.NewFileExporter(rows, objects.New(deps.Files))},
	}
}

// Catalog returns the port that other modules may ask.
func (m *Module) Catalog() projects.Catalog { return m.app }

// Describe returns the table of contents.
func (m *Module) Describe() module.Descriptor {
	return module.Descriptor{
		Name:    "projects",
		Summary: "Projects: what a user works on. The example to copy for a resource of your own.",
		Routes: func(r *httpserver.Router) {
			httpapi.Register(r, m.app)
			httpapi.RegisterFiles(r, m.files)
		},
		Ports:     []module.Port{{Name: "projects.Catalog", Summary: "how many projects an owner has, and what one is called"}},
		Publishes: projects.Published(),
		Consumes:  consumers.All(m.app),
		Jobs:      jobs.Kinds(m.app, m.files),
		Settings:  m.settings.Group(),
		Models:    store.Models(),
		Tables: []module.Table{
			{Name: "projects", Summary: "one row a project, deleted ones too", Owner: "owner_id"},
			{Name: "projects_plans", Summary: "which plan an owner is on, as billing says", Owner: "owner_id"},
			{Name: "projects_files", Summary: "one row a file; its bytes are where files are kept", Owner: "owner_id"},
		},
		Reporter: reporter{m.app},
		Exporter: m.exporter,
		Eraser:   m.app,
		Seeder:   seeder{m.app},
	}
}

// reporter counts projects for the daily report.
type reporter struct{ app *app.App }

// Report says how many projects were created and deleted, and how many there were in the end.
func (r reporter) Report(ctx context.Context, from, to time.Time) ([]module.Figure, error) {
	tally, err := r.app.Tally(ctx, from, to)
	if err != nil {
		return nil, err
	}
	return []module.Figure{
		{Name: "New projects", Value: strconv.FormatInt(tally.Created, 10)},
		{Name: "Deleted projects", Value: strconv.FormatInt(tally.Deleted, 10)},
		{Name: "Projects", Value: strconv.FormatInt(tally.All, 10)},
	}, nil
}

// seeder makes example projects.
type seeder struct{ app *app.App }

// Seed makes count projects for every owner.
func (s seeder) Seed(ctx context.Context, owners []id.Scope, count int) error {
	for _, owner := range owners {
		for number := range count {
			draft := domain.Draft{Name: fmt.Sprintf("Project %d", number+1), Description: new("An example")}
			if _, err := s.app.Give(ctx, owner, draft); err != nil {
				return err
			}
		}
	}
	return nil
}
