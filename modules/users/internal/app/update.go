package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
)

// Update changes a user's own profile and returns the user as it is now. With a version above 0 nothing changes unless
// that version is current (errs.Precondition). A change that changes nothing leaves the version as it is.
func (a *App) Update(ctx context.Context, userID string, version int64, profile domain.Profile) (domain.User, error) {
	var user domain.User
	err := a.tx.WithinTx(ctx, func(ctx context.Context) error {
		var err error
		if user, err = a.store.Lock(ctx, userID); err != nil {
			return err
		}
		if err := user.Expect(version); err != nil {
			return err
		}
		changed, err := user.Apply(profile, a.clock.Now())
		if err != nil || !changed {
			return err
		}
		if err := a.store.Save(ctx, user); err != nil {
			return err
		}
		return a.events.Publish(ctx, users.UserProfileChanged{UserID: user.ID, Version: user.Version})
	})
	if err != nil {
		return domain.User{}, err
	}
	return user, nil
}
