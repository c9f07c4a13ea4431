package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/users/internal/domain"
)

// NoteSubscription keeps what billing says of a user. Versions that come late change nothing. It counts at once in this process,
// in others as soon as they ask again.
func (a *App) NoteSubscription(ctx context.Context, userID string, said domain.Subscription) error {
	return a.tx.WithinTx(ctx, func(ctx context.Context) error {
		a.tx.AfterCommit(ctx, func() { a.principals.Forget(userID) })
		return a.store.SaveSubscription(ctx, userID, said, a.clock.Now())
	})
}
