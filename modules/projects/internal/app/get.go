package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
)

// Get returns one project of the owner, or errs.NotFound.
func (a *App) Get(ctx context.Context, owner id.Scope, projectID string) (domain.Project, error) {
	return a.store.Find(ctx, owner, projectID)
}
