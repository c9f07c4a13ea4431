package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
)

// Create makes a project for its owner. Texts that break a rule are errs.Invalid.
func (a *App) Create(ctx context.Context, owner id.Scope, name string, description *string) (domain.Project, error) {
	project, err := domain.New(id.New(), owner, name, description, a.clock.Now())
	if err != nil {
		return domain.Project{}, err
	}
	err = a.tx.WithinTx(ctx, func(ctx context.Context) error { return a.store.Insert(ctx, project) })
	if err != nil {
		return domain.Project{}, err
	}
	return project, nil
}
