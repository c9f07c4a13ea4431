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
	return page.List(a.Cursors, request, list, func(n domain.Notification) page.Key { return page.At(n.CreatedAt, n.ID) },
		func(part page.Window) ([]domain.Notification, int64, error) {
			return a.Store.ListNotifications(ctx, owner, Listing{Unread: unread, Skip: part.Skip, Limit: part.Limit, After: part.After})
		})
}
