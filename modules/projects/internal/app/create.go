package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
)

// Create makes a project for its owner. Texts that break a rule are errs.Invalid.
func (a *App) Create(ctx context.Context, owner id.Scope, draft domain.Draft) (domain.Project, error) {
	project, err := domain.New(id.New(), owner, draft, a.clock.Now())
	if err != nil {
		return domain.Project{}, err
	}
	err = a.tx.WithinTx(ctx, func(ctx context.Context) error {
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
