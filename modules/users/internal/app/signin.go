package app

import (
	"context"
	"slices"
	"time"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/fold"
	"github.com/omnistack/omnistack/platform/id"
)

// loginPatience is how long a request waits at most until its login, or the role in its token, is noted.
const loginPatience = 250 * time.Millisecond

// SignIn returns the user behind a verified identity, and makes one at the first request. A suspended or deleted
// account is errs.Forbidden.
func (a *App) SignIn(ctx context.Context, claims domain.Claims) (domain.User, error) {
	user, err := a.store.FindByIdentity(ctx, claims.Identity)
	if errs.Is(err, errs.NotFound) {
		user, err = a.register(ctx, claims, true)
	}
	if err != nil {
		return domain.User{}, err
	}
	if err := user.MayAct(); err != nil {
		return user, err
	}
	if user.IsLogin(claims) {
		at := domain.LoginAt(claims, a.clock.Now())
		a.note(ctx, func(ctx context.Context) error { return a.store.NoteLogin(ctx, user.ID, at, claims.Session) })
	}
	if user.TokenRole != claims.Role {
		a.note(ctx, func(ctx context.Context) error { return a.store.NoteTokenRole(ctx, user.ID, claims.Role) })
	}
	if user.Role == domain.RoleUser && a.appoints(claims) {
		admin := domain.RoleAdmin
		if appointed, err := a.Administer(ctx, domain.Operator(), user.ID, 0, domain.Administration{Role: &admin}); err == nil {
			user = appointed // else the next request that asks for the account tries again
		}
	}
	return user, nil
}

// appoints tells whether the settings make an administrator of who signs in with such claims. An address counts only when its
// issuer vouches for it: anybody may claim one.
func (a *App) appoints(claims domain.Claims) bool {
	return claims.EmailVerified && slices.ContainsFunc(a.adminEmails, func(address string) bool {
		return fold.Text(address) == fold.Text(claims.Email)
	})
}

// note remembers what a token says. If it fails the request goes on without: it is still to be seen in the token, and the next
// request that asks for the account tries again.
func (a *App) note(ctx context.Context, write func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, loginPatience)
	defer cancel()
	_ = a.tx.WithinTx(ctx, write)
}

// register makes the user, whether a token or the provider is the first to tell of the identity. Of any number of them at
// once, the one that claims the identity does it, and the others find its work. The id is the subject if nobody ever had that
// id: the same subject of another issuer is another person.
func (a *App) register(ctx context.Context, claims domain.Claims, signedIn bool) (user domain.User, err error) {
	err = a.tx.WithinTx(ctx, func(ctx context.Context) error {
		free, err := a.store.ClaimIdentity(ctx, claims.Identity)
		if err != nil {
			return err
		}
		if !free {
			user, err = a.store.FindByIdentity(ctx, claims.Identity)
			return err
		}
		if user, err = a.insert(ctx, claims, signedIn); err != nil {
			return err
		}
		if err := a.store.Link(ctx, claims.Identity, user.ID); err != nil {
			return err
		}
		if _, knows := a.profiles[claims.Issuer]; knows && signedIn && claims.Email == "" {
			if err := a.queue.FetchProfile(ctx, user.ID); err != nil {
				return err
			}
		}
		return a.events.Publish(ctx, users.UserRegistered{UserID: user.ID, Version: user.Version})
	})
	return user, err
}

func (a *App) insert(ctx context.Context, claims domain.Claims, signedIn bool) (domain.User, error) {
	now := a.clock.Now()
	user := domain.Register(claims.Subject, claims, now)
	if signedIn {
		user.LastLoginAt, user.LastSession, user.TokenRole = &now, claims.Session, claims.Role
	}
	free, err := a.store.Insert(ctx, user)
	if err != nil || free {
		return user, err
	}
	user.ID = id.New()
	_, err = a.store.Insert(ctx, user)
	return user, err
}
