package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/fold"
	"github.com/omnistack/omnistack/platform/page"
)

// Filter says which users to list. What is empty or nil doesn't narrow the list.
type Filter struct {
	Search string // a text that the name or the address holds, whatever its case
	Role   domain.Role
	Active *bool
}

// List returns a page of the living users, the newest first. A cursor of another filter is errs.Invalid.
func (a *App) List(ctx context.Context, filter Filter, request page.Request) (page.Page[domain.User], error) {
	filter.Search = fold.Text(filter.Search)
	list := []string{"users", filter.Search, string(filter.Role), state(filter.Active)}
	return page.List(a.cursors, request, list, func(u domain.User) page.Key { return page.At(u.CreatedAt, u.ID) },
		func(part page.Window) ([]domain.User, int64, error) {
			return a.store.List(ctx, Listing{Filter: filter, Skip: part.Skip, Limit: part.Limit, After: part.After})
		})
}

// state returns "active" or "suspended", and "any" for nil.
func state(active *bool) string {
	switch {
	case active == nil:
		return "any"
	case *active:
		return "active"
	}
	return "suspended"
}
