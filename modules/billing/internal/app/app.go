// Package app holds the use cases of billing, one file each, and the ports they drive.
package app

import (
	"time"

	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/page"
)

// Ports are what the use cases drive.
type Ports struct {
	Store   Store
	Tx      Transactor
	Events  events.Publisher
	Queue   Queue
	Stripe  Stripe // nil when no payments are taken; Hook is nil then, too
	Hook    Hook
	Cursors page.Cursors
	Clock   clock.Clock
	Metered bool // usage is reported to Stripe
}

// App is the use cases of billing.
type App struct {
	Ports
	rules domain.Rules
}

// trialNotice is how long before its end a trial is announced. Stripe says so then, too.
const trialNotice = 3 * 24 * time.Hour

// New returns the use cases over their driven ports. A plan counts for the time of grace while a payment is late.
func New(ports Ports, catalog domain.Catalog, grace time.Duration) *App {
	return &App{Ports: ports, rules: domain.Rules{Catalog: catalog, Grace: grace, Notice: trialNotice}}
}

// Plans returns the plans there are.
func (a *App) Plans() []domain.Plan { return a.rules.Catalog.Plans() }

// open returns nil where payments are taken, else errs.Unavailable.
func (a *App) open() error {
	if a.Stripe == nil {
		return errs.New(errs.Unavailable, "No payments are taken here")
	}
	return nil
}
