// Package app holds the use cases of projects, one file each, and the ports they drive.
package app

import (
	"context"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

// App is the use cases of projects.
type App struct {
	store   Store
	tx      Transactor
	cursors page.Cursors
	clock   clock.Clock
}

// New returns the use cases over their driven ports.
func New(store Store, tx Transactor, cursors page.Cursors, clock clock.Clock) *App {
	return &App{store: store, tx: tx, cursors: cursors, clock: clock}
}

// Count returns how many projects an owner has.
func (a *App) Count(ctx context.Context, owner id.Scope) (int64, error) {
	return a.store.Count(ctx, owner)
}

// Erase removes everything the owner has here, for good.
func (a *App) Erase(ctx context.Context, owner id.Scope) error {
	return a.tx.WithinTx(ctx, func(ctx context.Context) error { return a.store.Erase(ctx, owner) })
}
