package app

import (
	"context"
	"strconv"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

// List returns a page of the user's notifications, the newest first. A cursor of another user, or of another list, is
// errs.Invalid.
func (a *App) List(ctx context.Context, owner id.Scope, unread bool, request page.Request) (page.Page[domain.Notification], error) {
	list := []string{"notifications", owner.User, strconv.FormatBool(unread)}
	listing := Listing{Unread: unread, Skip: request.Skip, Limit: request.Limit + 1}
	if request.Cursor != "" {
		after, err := a.Cursors.Decode(request.Cursor, list...)
		if err != nil {
			return page.Page[domain.Notification]{}, err
		}
		listing.After = &after
	}
	items, total, err := a.Store.ListNotifications(ctx, owner, listing)
	if err != nil {
		return page.Page[domain.Notification]{}, err
	}
	found := page.Page[domain.Notification]{Items: items, Total: total, Skip: request.Skip, Limit: request.Limit}
	if len(items) > request.Limit { // the one more that was asked for shows that there is a next page
		found.Items = items[:request.Limit]
		last := items[request.Limit-1]
		found.Next = a.Cursors.Encode(page.At(last.CreatedAt, last.ID), list...)
	}
	return found, nil
}
