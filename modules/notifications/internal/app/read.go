package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
)

// MarkRead notes that the user has read a notification and returns it. One that was read before stays as it is; another
// user's is errs.NotFound.
func (a *App) MarkRead(ctx context.Context, owner id.Scope, notificationID string) (domain.Notification, error) {
	var notification domain.Notification
	err := a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		var err error
		notification, err = a.Store.LockNotification(ctx, owner, notificationID)
		if err != nil || notification.ReadAt != nil {
			return err
		}
		notification.ReadAt = new(a.Clock.Now())
		return a.Store.MarkRead(ctx, owner, notificationID, *notification.ReadAt)
	})
	if err != nil {
		return domain.Notification{}, err
	}
	return notification, nil
}
