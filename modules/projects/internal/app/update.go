package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
)

// Update changes a project and returns it as it is now. With a version above 0 nothing changes unless that version is
// current (errs.Precondition). A change that changes nothing leaves the version as it is.
func (a *App) Update(ctx context.Context, owner id.Scope, projectID string, version int64, change domain.Change) (domain.Project, error) {
	var project domain.Project
	err := a.tx.WithinTx(ctx, func(ctx context.Context) error {
		var err error
		if project, err = a.lock(ctx, owner, projectID, version); err != nil {
			return err
		}
		name := project.Name
		changed, err := project.Apply(change, a.clock.Now())
		if err != nil || !changed {
			return err
		}
		if err := a.store.Save(ctx, project); err != nil || project.Name == name {
			return err
		}
		return a.events.Publish(ctx, projects.ProjectRenamed{ProjectID: projectID, OwnerID: owner.User, Version: project.Version})
	})
	if err != nil {
		return domain.Project{}, err
	}
	return project, nil
}

// lock returns the project for a change, provided that the expected version is current.
func (a *App) lock(ctx context.Context, owner id.Scope, projectID string, version int64) (domain.Project, error) {
	project, err := a.store.Lock(ctx, owner, projectID)
	if err != nil {
		return domain.Project{}, err
	}
	return project, project.Expect(version)
}
