package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

// Ports are what the use cases drive.
type Ports struct {
	Store     Store
	Tx        Transactor
	Queue     Queue
	Directory users.Directory
	Catalog   projects.Catalog
	Reports   Reports
	Mailer    Mailer
	Renderer  Renderer
	Sealer    Sealer
	Signer    Signer
	Cursors   page.Cursors
	Clock     clock.Clock
}

// Identity is who the product is to those it writes to.
type Identity struct {
	Product     string         // its name
	Home        string         // the address of the web app
	From        domain.Address // the sender of its mails
	Contact     domain.Address // who reads the contact form
	Unsubscribe string         // the address that becomes, with a token behind it, the one that ends mails of a kind
}

// App is the use cases of notifications.
type App struct {
	Ports

	identity Identity
}

// New returns the use cases over their driven ports.
func New(ports Ports, identity Identity) *App { return &App{ports, identity} }

// Erase removes everything that is kept of the user, for good, and says how many rows of which table that was.
func (a *App) Erase(ctx context.Context, user id.Scope) (erased map[string]int64, err error) {
	err = a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		erased, err = a.Store.Erase(ctx, user)
		return err
	})
	return erased, err
}
