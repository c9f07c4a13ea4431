// Package app holds the use cases of users, one file each, and the ports they drive.
package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

// App is the use cases of users.
type App struct {
	store       Store
	webhooks    Webhooks
	tx          Transactor
	events      events.Publisher
	principals  Principals
	queue       Queue
	sealer      Sealer
	receipts    Receipts
	cursors     page.Cursors
	clock       clock.Clock
	providers   map[string]Provider
	profiles    map[string]ProfileSource
	adminEmails []string
	grace       time.Duration
}

// Ports are what the use cases drive.
type Ports struct {
	Store      Store
	Webhooks   Webhooks
	Tx         Transactor
	Events     events.Publisher
	Principals Principals
	Queue      Queue
	Sealer     Sealer
	Receipts   Receipts
	Cursors    page.Cursors
	Clock      clock.Clock
	Providers  map[string]Provider      // whose posts are taken, by name
	Profiles   map[string]ProfileSource // who can be asked of a user, by issuer
}

// New returns the use cases over their driven ports. Who signs in with one of the addresses is an administrator from then on. An
// account that is deleted is erased so much later, and at once for 0.
func New(ports Ports, adminEmails []string, grace time.Duration) *App {
	return &App{
		store: ports.Store, webhooks: ports.Webhooks, tx: ports.Tx, events: ports.Events, principals: ports.Principals,
		queue: ports.Queue, sealer: ports.Sealer, receipts: ports.Receipts, cursors: ports.Cursors, clock: ports.Clock,
		providers: ports.Providers, profiles: ports.Profiles, adminEmails: adminEmails, grace: grace,
	}
}

// Get returns one user, or errs.NotFound.
func (a *App) Get(ctx context.Context, userID string) (domain.User, error) {
	return a.store.Find(ctx, userID)
}

// Find returns what other modules may know of a user, or errs.NotFound.
func (a *App) Find(ctx context.Context, userID string) (users.User, error) {
	user, err := a.store.Find(ctx, userID)
	if err != nil {
		return users.User{}, err
	}
	return toContract(user), nil
}

// Erase removes a user and leaves tombstones that nobody can read, so that an old token doesn't bring the account back.
// It says how many rows of which table that was.
func (a *App) Erase(ctx context.Context, user id.Scope) (erased map[string]int64, err error) {
	err = a.tx.WithinTx(ctx, func(ctx context.Context) error {
		a.tx.AfterCommit(ctx, func() { a.principals.Forget(user.User) })
		erased, err = a.store.Erase(ctx, user, a.clock.Now())
		return err
	})
	return erased, err
}

// toContract returns what other modules may know of a user.
func toContract(user domain.User) users.User {
	return users.User{ID: user.ID, Email: text(user.Email), FullName: text(user.FullName), Active: user.Active}
}

func text(optional *string) string {
	if optional == nil {
		return ""
	}
	return *optional
}
