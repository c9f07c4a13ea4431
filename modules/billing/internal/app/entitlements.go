package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// Account returns the account of a user: a new one for whoever never paid.
func (a *App) Account(ctx context.Context, user id.Scope) (domain.Account, error) {
	account, err := a.Store.FindAccount(ctx, user)
	if errs.Is(err, errs.NotFound) {
		return domain.NewAccount(user, a.Clock.Now()), nil
	}
	return account, err
}

// Of returns the plan that the user is on now.
func (a *App) Of(ctx context.Context, user id.Scope) (billing.Plan, error) {
	account, err := a.Account(ctx, user)
	if err != nil {
		return billing.Plan{}, err
	}
	return a.Plan(account.Plan), nil
}

// Plan returns a plan by its name, the free one for a name that isn't in the catalogue.
func (a *App) Plan(name string) billing.Plan {
	plan, _ := a.rules.Catalog.Plan(name)
	return billing.Plan{
		Name: plan.Name, Projects: plan.Projects, StorageBytes: plan.StorageBytes, FileBytes: plan.FileBytes,
		RateFactor: plan.RateFactor, AIBudget: plan.AIBudget, AIRoutes: plan.AIRoutes,
	}
}
