package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/platform/id"
)

// Delete makes a project disappear. With a version above 0 nothing happens unless that version is current
// (errs.Precondition).
func (a *App) Delete(ctx context.Context, owner id.Scope, projectID string, version int64) error {
	return a.tx.WithinTx(ctx, func(ctx context.Context) error {
		project, err := a.lock(ctx, owner, projectID, version)
		if err != nil {
			return err
		}
		if err := a.store.Delete(ctx, project, a.clock.Now()); err != nil {
			return err
		}
		return a.events.Publish(ctx, projects.ProjectDeleted{ProjectID: projectID, OwnerID: owner.User, Version: project.Version + 1})
	})
}
