package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/fold"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

// Sort is an order of projects. Ties are broken by id, so every order is total.
type Sort string

// The orders a list can have.
const (
	NewestFirst Sort = "-created_at"
	OldestFirst Sort = "created_at"
	ByName      Sort = "name"
	ByNameDown  Sort = "-name"
)

// key returns the project's place in this order.
func (s Sort) key(project domain.Project) page.Key {
	if s == ByName || s == ByNameDown {
		return page.Key{Value: fold.Text(project.Name), ID: project.ID}
	}
	return page.At(project.CreatedAt, project.ID)
}

// List returns a page of the owner's projects whose names hold the search text, whatever its case. A cursor of another
// owner, search or order is errs.Invalid.
func (a *App) List(ctx context.Context, owner id.Scope, search string, sort Sort, request page.Request) (page.Page[domain.Project], error) {
	search = fold.Text(search)
	list := []string{"projects", owner.User, search, string(sort)}
	return page.List(a.cursors, request, list, sort.key,
		func(part page.Window) ([]domain.Project, int64, error) {
			return a.store.List(ctx, owner, Listing{Search: search, Sort: sort, Skip: part.Skip, Limit: part.Limit, After: part.After})
		})
}
