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
	listing := Listing{Search: search, Sort: sort, Skip: request.Skip, Limit: request.Limit + 1}
	if request.Cursor != "" {
		after, err := a.cursors.Decode(request.Cursor, list...)
		if err != nil {
			return page.Page[domain.Project]{}, err
		}
		listing.After = &after
	}
	items, total, err := a.store.List(ctx, owner, listing)
	if err != nil {
		return page.Page[domain.Project]{}, err
	}
	found := page.Page[domain.Project]{Items: items, Total: total, Skip: request.Skip, Limit: request.Limit}
	if len(items) > request.Limit { // the one more that was asked for shows that there is a next page
		found.Items = items[:request.Limit]
		found.Next = a.cursors.Encode(sort.key(items[request.Limit-1]), list...)
	}
	return found, nil
}
