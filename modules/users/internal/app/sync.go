package app

import (
	"context"
	"slices"
	"time"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
)

// Notice is what a provider says of one of its users. Without a subject it says nothing that matters here.
type Notice struct {
	domain.Claims
	UpdatedAt time.Time // when the user became so there
	Deleted   bool      // the user is gone there
}

// apply does what a notice leads to, in the transaction of ctx. Notices may come in any order, any number of times, and beside
// the first requests of the same user.
func (a *App) apply(ctx context.Context, notice Notice) error {
	switch {
	case notice.Subject == "":
		return nil
	case !notice.Valid():
		return errs.New(errs.Invalid, "The provider tells of a subject that no token can have")
	case notice.Deleted:
		return a.leave(ctx, notice.Identity)
	}
	return a.learn(ctx, notice)
}

// learn brings the user up to what the provider says, and makes one if there is none. What the same identity's provider said
// of a later time stays, and so does what the user chose here.
func (a *App) learn(ctx context.Context, notice Notice) error {
	user, err := a.register(ctx, notice.Claims, false)
	if err != nil || user.Deleted {
		return err
	}
	user, err = a.store.Lock(ctx, user.ID)
	if errs.Is(err, errs.NotFound) {
		return nil // deleted a moment ago
	}
	if err != nil {
		return err
	}
	newer, err := a.store.MarkTold(ctx, notice.Identity, user.ID, notice.UpdatedAt)
	if err != nil || !newer {
		return err
	}
	if !user.Learn(notice.Claims, a.clock.Now()) {
		return nil
	}
	if err := a.store.Save(ctx, user); err != nil {
		return err
	}
	return a.events.Publish(ctx, users.UserProfileChanged{UserID: user.ID, Version: user.Version})
}

// leave erases the account whose provider deleted the identity, at once and as an operator would. A user with other identities
// keeps the account. The identity itself never gets one again: neither an old token nor a late notice brings it back.
func (a *App) leave(ctx context.Context, identity domain.Identity) error {
	free, err := a.store.ClaimIdentity(ctx, identity)
	if err != nil {
		return err
	}
	if free {
		return a.store.Bury(ctx, identity, a.clock.Now())
	}
	user, err := a.store.FindByIdentity(ctx, identity)
	if err != nil || user.Deleted {
		return err
	}
	_, _, err = a.store.LockWithSuperadmins(ctx, user.ID) // in the order in which Delete locks
	if errs.Is(err, errs.NotFound) {
		return nil // deleted a moment ago
	}
	if err != nil {
		return err
	}
	linked, err := a.store.Identities(ctx, user.ID)
	if err != nil {
		return err
	}
	switch {
	case !slices.ContainsFunc(linked, func(l domain.LinkedIdentity) bool { return l.Identity == identity }):
		return errs.New(errs.Unavailable, "The identity was unlinked a moment ago")
	case len(linked) == 1:
		return a.delete(ctx, domain.Operator(), user.ID, 0, 0)
	}
	a.tx.AfterCommit(ctx, func() { a.principals.Forget(user.ID) })
	return a.store.Bury(ctx, identity, a.clock.Now())
}

// FetchProfile asks the providers of a user's identities what the tokens didn't say. Whom a provider doesn't know stays as
// he is: that he is gone is told by a notice.
func (a *App) FetchProfile(ctx context.Context, userID string) error {
	linked, err := a.store.Identities(ctx, userID)
	if err != nil {
		return err
	}
	for _, identity := range linked {
		source, knows := a.profiles[identity.Issuer]
		if !knows {
			continue
		}
		notice, err := source.Fetch(ctx, identity.Subject)
		if errs.Is(err, errs.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := a.tx.WithinTx(ctx, func(ctx context.Context) error { return a.apply(ctx, notice) }); err != nil {
			return err
		}
	}
	return nil
}
