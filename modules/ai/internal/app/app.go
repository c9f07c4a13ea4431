package app

import (
	"context"
	"crypto/sha256"
	"sync/atomic"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/recent"
)

// Rules are what the settings decide.
type Rules struct {
	Fallback  string // the model that stands behind those of every route
	KnownOnly bool   // models that aren't in the catalogue are refused
}

// App is the use cases of AI. It is safe for concurrent use.
type App struct {
	Ports
	rules     Rules
	gateway   *Gateway
	estimates *Estimates
	tallies   tallies
	memory    *memory
	catalog   atomic.Pointer[domain.Catalog]
}

// New returns the use cases over their driven ports.
func New(ports Ports, catalog *domain.Catalog, rules Rules) *App {
	a := &App{Ports: ports, rules: rules, gateway: NewGateway(ports.Providers, ports.Clock, ports.Pauses), estimates: NewEstimates(),
		memory: recent.NewMap[[sha256.Size]byte, remembered](mostAnswers)}
	a.catalog.Store(catalog)
	return a
}

// UseCatalog puts another catalogue in the place of the one that there is. Calls that have begun go on with theirs.
func (a *App) UseCatalog(catalog *domain.Catalog) { a.catalog.Store(catalog) }

// Retiring returns the models that retire before that time, or have, and that a route names.
func (a *App) Retiring(before time.Time) []domain.Retiring { return a.catalog.Load().Retiring(before) }

// Budget is how a user's month stands.
type Budget struct {
	domain.Spent
	Limit    domain.Pico // below zero: none
	ResetsAt time.Time
}

// Budget returns how the user's month stands.
func (a *App) Budget(ctx context.Context, user id.Scope, plan string) (Budget, error) {
	now := a.Clock.Now()
	spent, err := a.Store.SpentIn(ctx, user, domain.MonthOf(now))
	return Budget{Spent: spent, Limit: limitOf(a.Plans.Plan(plan)), ResetsAt: nextMonth(now)}, err
}

// mostDays is of how many days usage is told at once.
const mostDays = 366

// Usage adds up by day and model what a user's calls took that ended from one day to another, both of UTC and included, or,
// without a user, everybody's. Days that aren't in order, or too many, are errs.Invalid.
func (a *App) Usage(ctx context.Context, user *id.Scope, from, to time.Time) ([]Total, error) {
	if days := to.Sub(from).Hours() / 24; days < 0 || days >= mostDays {
		return nil, errs.InvalidFields(errs.Field{Name: "from", Message: "must not be behind to, nor 366 days or more before it"})
	}
	return a.Store.Usage(ctx, user, domain.DayOf(from), domain.DayOf(to))
}
