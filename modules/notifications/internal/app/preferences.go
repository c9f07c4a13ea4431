package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
)

// Preferences returns what the user doesn't want.
func (a *App) Preferences(ctx context.Context, owner id.Scope) (domain.Preferences, error) {
	return a.Store.Preferences(ctx, owner)
}

// ChangePreferences changes what the user doesn't want, and returns it as it is now. With a version above 0 nothing changes
// unless that version is current (errs.Precondition).
func (a *App) ChangePreferences(ctx context.Context, owner id.Scope, version int64, switches []domain.Switch) (domain.Preferences, error) {
	var preferences domain.Preferences
	err := a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		var err error
		if preferences, err = a.Store.LockPreferences(ctx, owner); err != nil {
			return err
		}
		if err := preferences.Expect(version); err != nil {
			return err
		}
		changed, err := preferences.Apply(switches, a.Clock.Now())
		if err != nil || !changed {
			return err
		}
		return a.Store.SavePreferences(ctx, preferences)
	})
	if err != nil {
		return domain.Preferences{}, err
	}
	return preferences, nil
}
