package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
)

// NotePlan keeps which plan an owner is on. A version of billing's account that comes late changes nothing.
func (a *App) NotePlan(ctx context.Context, owner id.Scope, plan string, version int64) error {
	return a.tx.WithinTx(ctx, func(ctx context.Context) error { return a.store.SavePlan(ctx, owner, plan, version) })
}

// makeRoom returns nil if the owner may have one project more. Nobody else adds one of the same owner's until the transaction
// ends, so that many at once are no more than the plan includes. What a plan includes is asked from memory.
func (a *App) makeRoom(ctx context.Context, owner id.Scope) error {
	plan, err := a.store.LockPlan(ctx, owner)
	if err != nil {
		return err
	}
	limit := a.plans.Plan(plan).Projects
	if limit == billing.Unlimited {
		return nil
	}
	count, err := a.store.Count(ctx, owner)
	if err != nil {
		return err
	}
	return domain.MayAdd(count, limit)
}
