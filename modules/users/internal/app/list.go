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
	listing := Listing{Filter: filter, Skip: request.Skip, Limit: request.Limit + 1}
	if request.Cursor != "" {
		after, err := a.cursors.Decode(request.Cursor, list...)
		if err != nil {
			return page.Page[domain.User]{}, err
		}
		listing.After = &after
	}
	items, total, err := a.store.List(ctx, listing)
	if err != nil {
		return page.Page[domain.User]{}, err
	}
	found := page.Page[domain.User]{Items: items, Total: total, Skip: request.Skip, Limit: request.Limit}
	if len(items) > request.Limit { // the one more that was asked for shows that there is a next page
		found.Items = items[:request.Limit]
		last := items[request.Limit-1]
		found.Next = a.cursors.Encode(page.At(last.CreatedAt, last.ID), list...)
	}
	return found, nil
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
