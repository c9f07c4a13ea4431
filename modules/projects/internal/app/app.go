// Package app holds the use cases of projects, one file each, and the ports they drive.
package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

// App is the use cases of projects.
type App struct {
	store   Store
	tx      Transactor
	events  events.Publisher
	cursors page.Cursors
	clock   clock.Clock
	plans   billing.Entitlements
	files   *Files
}

// New returns the use cases over their driven ports.
func New(store Store, tx Transactor, events events.Publisher, cursors page.Cursors, clock clock.Clock, plans billing.Entitlements,
	files *Files) *App {
	return &App{store, tx, events, cursors, clock, plans, files}
}

// Count returns how many projects an owner has.
func (a *App) Count(ctx context.Context, owner id.Scope) (int64, error) {
	return a.store.Count(ctx, owner)
}

// Find returns what other modules may know of a project of the owner, a deleted one too as long as it is kept, or
// errs.NotFound.
func (a *App) Find(ctx context.Context, owner id.Scope, projectID string) (projects.Project, error) {
	return a.store.FindAny(ctx, owner, projectID)
}

// Erase removes everything the owner has here, for good, and says how many rows of
// which table that was. Nobody hears of each project: that the owner is gone says it all.
func (a *App) Erase(ctx context.Context, owner id.Scope) (erased map[string]int64, err error) {
	err = a.tx.WithinTx(ctx, func(ctx context.Context) error {
		files, err := a.files.eraseOf(ctx, owner)
		if err != nil {
			return err
		}
		if erased, err = a.store.Erase(ctx, owner); err == nil && files > 0 {
			erased["projects_files"] = files
		}
		return err
	})
	return erased, err
}
