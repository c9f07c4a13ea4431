package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// SignIn returns the user behind a verified identity, and makes one at the first request. A suspended or deleted
// account is errs.Forbidden.
func (a *App) SignIn(ctx context.Context, claims domain.Claims) (domain.User, error) {
	user, err := a.store.FindByIdentity(ctx, claims.Identity)
	if errs.Is(err, errs.NotFound) {
		user, err = a.register(ctx, claims)
	}
	if err != nil {
		return domain.User{}, err
	}
	return user, user.MayAct()
}

// register makes the user. Of any number of first requests at once, the one that claims the identity does it, and the
// others find its work. The id is the subject if nobody ever had that id: the same subject of another issuer is
// another person.
func (a *App) register(ctx context.Context, claims domain.Claims) (user domain.User, err error) {
	err = a.tx.WithinTx(ctx, func(ctx context.Context) error {
		free, err := a.store.ClaimIdentity(ctx, claims.Identity)
		if err != nil {
			return err
		}
		if !free {
			user, err = a.store.FindByIdentity(ctx, claims.Identity)
			return err
		}
		if user, err = a.insert(ctx, claims); err != nil {
			return err
		}
		if err := a.store.Link(ctx, claims.Identity, user.ID); err != nil {
			return err
		}
		return a.events.Publish(ctx, users.UserRegistered{UserID: user.ID, Version: user.Version})
	})
	return user, err
}

func (a *App) insert(ctx context.Context, claims domain.Claims) (domain.User, error) {
	user := domain.Register(claims.Subject, claims, a.clock.Now())
	free, err := a.store.Insert(ctx, user)
	if err != nil || free {
		return user, err
	}
	user.ID = id.New()
	_, err = a.store.Insert(ctx, user)
	return user, err
}
