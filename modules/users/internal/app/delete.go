package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
)

// Delete ends an account for good: what is personal about the user is erased, a tombstone stays, and every other module
// hears of it. With a version above 0 nothing happens unless that version is current (errs.Precondition). A second time
// it is errs.NotFound.
func (a *App) Delete(ctx context.Context, by domain.Administrator, userID string, version int64) error {
	return a.tx.WithinTx(ctx, func(ctx context.Context) error {
		user, superadmins, err := a.store.LockWithSuperadmins(ctx, userID)
		if err != nil {
			return err
		}
		if err := user.Expect(version); err != nil {
			return err
		}
		if err := user.MayBeDeleted(by, superadmins); err != nil {
			return err
		}
		erased, err := a.Erase(ctx, id.Of(userID))
		if err != nil {
			return err
		}
		if err := a.receipts.Record(ctx, "users", id.Of(userID), erased); err != nil {
			return err
		}
		return a.events.Publish(ctx, users.UserDeleted{UserID: userID, Version: user.Version + 1})
	})
}
