package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/events"
)

// Administer changes a user's role or state for an administrator and returns the user as it is now. With a version above 0
// nothing changes unless that version is current (errs.Precondition). A change that changes nothing leaves the version as
// it is, and nobody hears of it.
func (a *App) Administer(ctx context.Context, by domain.Administrator, userID string, version int64, change domain.Administration) (domain.User, error) {
	var user domain.User
	err := a.tx.WithinTx(ctx, func(ctx context.Context) error {
		var superadmins []string
		var err error
		if user, superadmins, err = a.store.LockWithSuperadmins(ctx, userID); err != nil {
			return err
		}
		if err := user.Expect(version); err != nil {
			return err
		}
		before := user
		changed, err := user.Administer(by, change, superadmins, a.clock.Now())
		if err != nil || !changed {
			return err
		}
		if err := a.store.Save(ctx, user); err != nil {
			return err
		}
		a.tx.AfterCommit(ctx, func() { a.principals.Forget(userID) })
		return a.events.Publish(ctx, administered(before, user)...)
	})
	if err != nil {
		return domain.User{}, err
	}
	return user, nil
}

// administered returns what there is to tell of a change.
func administered(before, after domain.User) []events.Event {
	var happened []events.Event
	if before.Role != after.Role {
		happened = append(happened, users.UserRoleChanged{UserID: after.ID, Role: string(after.Role), Version: after.Version})
	}
	switch {
	case before.Active && !after.Active:
		happened = append(happened, users.UserSuspended{UserID: after.ID, Version: after.Version})
	case !before.Active && after.Active:
		happened = append(happened, users.UserReactivated{UserID: after.ID, Version: after.Version})
	}
	return happened
}
