package app

import (
	"context"
	"slices"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
)

// Identities returns the identities of a user, the oldest first.
func (a *App) Identities(ctx context.Context, userID string) ([]domain.LinkedIdentity, error) {
	return a.store.Identities(ctx, userID)
}

// LinkIdentity makes an identity that nobody has stand for the user, who has shown that it is theirs, and says so to the other
// modules. Somebody's is errs.Conflict; one that is the user's already stays so.
func (a *App) LinkIdentity(ctx context.Context, userID string, identity domain.Identity) (domain.LinkedIdentity, error) {
	var linked domain.LinkedIdentity
	is := func(l domain.LinkedIdentity) bool { return l.Identity == identity }
	err := a.tx.WithinTx(ctx, func(ctx context.Context) error {
		user, all, err := a.lockIdentities(ctx, userID)
		if err != nil {
			return err
		}
		if found := slices.IndexFunc(all, is); found >= 0 {
			linked = all[found]
			return nil
		}
		if err := domain.MayLink(all); err != nil {
			return err
		}
		free, err := a.store.ClaimIdentity(ctx, identity)
		if err != nil {
			return err
		}
		if !free {
			return errs.New(errs.Conflict, "This identity belongs to an account already")
		}
		if err := a.store.Link(ctx, identity, userID); err != nil {
			return err
		}
		if all, err = a.store.Identities(ctx, userID); err != nil {
			return err
		}
		linked = all[slices.IndexFunc(all, is)]
		return a.events.Publish(ctx, users.UserIdentityLinked{UserID: userID, Issuer: identity.Issuer, Version: user.Version})
	})
	if err != nil {
		return domain.LinkedIdentity{}, err
	}
	return linked, nil
}

// UnlinkIdentity takes the identity of that id from the user, who is signed in with another one. It is free again: whoever
// comes with it is somebody new. A user who has none of that id is errs.NotFound, the one in use errs.Conflict.
func (a *App) UnlinkIdentity(ctx context.Context, userID, identityID string, signedIn domain.Identity) error {
	return a.tx.WithinTx(ctx, func(ctx context.Context) error {
		_, all, err := a.lockIdentities(ctx, userID)
		if err != nil {
			return err
		}
		identity, err := domain.Unlink(all, identityID, signedIn)
		if err != nil {
			return err
		}
		a.tx.AfterCommit(ctx, func() { a.principals.Forget(userID) })
		return a.store.Unlink(ctx, identity)
	})
}

// lockIdentities returns a user and the user's identities, who gets and loses none until the transaction ends.
func (a *App) lockIdentities(ctx context.Context, userID string) (domain.User, []domain.LinkedIdentity, error) {
	user, err := a.store.Lock(ctx, userID)
	if err != nil {
		return domain.User{}, nil, err
	}
	linked, err := a.store.Identities(ctx, userID)
	return user, linked, err
}
