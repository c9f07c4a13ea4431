package app

import (
	"context"
	"errors"
	"time"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// Delete ends an account. Without a grace that is for good: what is kept of the user is erased, tombstones stay that nobody
// can read, and every other module hears of it. With one the account is closed, whoever wants it, and is erased when the grace is over; one
// that is closed stays as it is. With a version above 0 nothing happens unless that version is current (errs.Precondition). After
// the erasure it is errs.NotFound.
func (a *App) Delete(ctx context.Context, by domain.Administrator, userID string, version int64) error {
	return a.delete(ctx, by, userID, version, a.grace)
}

func (a *App) delete(ctx context.Context, by domain.Administrator, userID string, version int64, grace time.Duration) error {
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
		switch now := a.clock.Now(); {
		case grace == 0:
			return a.end(ctx, user)
		case user.EraseAt != nil:
			return nil
		default:
			user.Close(now.Add(grace), now)
			a.tx.AfterCommit(ctx, func() { a.principals.Forget(userID) })
			return a.store.Save(ctx, user)
		}
	})
}

// end erases a user whose row is held, and tells the other modules.
func (a *App) end(ctx context.Context, user domain.User) error {
	erased, err := a.Erase(ctx, id.Of(user.ID))
	if err != nil {
		return err
	}
	if err := a.receipts.Record(ctx, "users", id.Of(user.ID), erased); err != nil {
		return err
	}
	return a.events.Publish(ctx, users.UserDeleted{UserID: user.ID, Version: user.Version + 1})
}

// closedAtOnce is how many closed accounts one look returns.
const closedAtOnce = 100

// EraseClosed erases the accounts whose grace is over, each in its own transaction. One that can't be erased now, such as that of
// the last superadmin, doesn't keep the others from it, and is tried again by the next run.
func (a *App) EraseClosed(ctx context.Context) error {
	due, err := a.store.Closed(ctx, a.clock.Now(), closedAtOnce)
	if err != nil {
		return err
	}
	var failed []error
	for _, userID := range due {
		failed = append(failed, a.tx.WithinTx(ctx, func(ctx context.Context) error {
			user, superadmins, err := a.store.LockWithSuperadmins(ctx, userID)
			switch {
			case errs.Is(err, errs.NotFound):
				return nil // erased a moment ago
			case err != nil:
				return err
			case user.EraseAt == nil || user.EraseAt.After(a.clock.Now()):
				return nil // brought back a moment ago
			}
			if err := user.MayBeErased(superadmins); err != nil {
				return err
			}
			return a.end(ctx, user)
		}))
	}
	return errors.Join(failed...)
}

// BuryOld removes what is left of users who were deleted when their ids and identities were kept, as Erase does now.
func (a *App) BuryOld(ctx context.Context) error {
	for {
		left, err := a.store.OldTombstones(ctx, closedAtOnce)
		if err != nil || len(left) == 0 {
			return err
		}
		err = a.tx.WithinTx(ctx, func(ctx context.Context) error {
			for _, userID := range left {
				if _, err := a.store.Erase(ctx, id.Of(userID), a.clock.Now()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}
