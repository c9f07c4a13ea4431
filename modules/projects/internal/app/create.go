package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
)

// Create makes a project for its owner. Texts that break a rule are errs.Invalid, and one project more than the owner's plan
// includes errs.PaymentRequired.
func (a *App) Create(ctx context.Context, owner id.Scope, draft domain.Draft) (domain.Project, error) {
	return a.create(ctx, owner, draft, a.makeRoom)
}

// Give makes a project for its owner, whatever the plan includes.
func (a *App) Give(ctx context.Context, owner id.Scope, draft domain.Draft) (domain.Project, error) {
	return a.create(ctx, owner, draft, func(context.Context, id.Scope) error { return nil })
}

func (a *App) create(ctx context.Context, owner id.Scope, draft domain.Draft, first func(ctx context.Context, owner id.Scope) error) (domain.Project, error) {
	project, err := domain.New(id.New(), owner, draft, a.clock.Now())
	if err != nil {
		return domain.Project{}, err
	}
	err = a.tx.WithinTx(ctx, func(ctx context.Context) error {
		if err := first(ctx, owner); err != nil {
			return err
		}
		if err := a.store.Insert(ctx, project); err != nil {
			return err
		}
		return a.events.Publish(ctx, projects.ProjectCreated{ProjectID: project.ID, OwnerID: owner.User, Version: project.Version})
	})
	if err != nil {
		return domain.Project{}, err
	}
	return project, nil
}
