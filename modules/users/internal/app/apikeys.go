package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

// MakeAPIKey adds an API key to the owner's and returns it. What it is made of breaks no rule, or it is errs.Invalid; who
// has the most keys already gets errs.Conflict, however many are made at once. Long ended keys of the owner go.
func (a *App) MakeAPIKey(ctx context.Context, owner id.Scope, wanted domain.NewAPIKey) (domain.APIKey, error) {
	var key domain.APIKey
	err := a.tx.WithinTx(ctx, func(ctx context.Context) error {
		// The lock makes counting and adding one step, and lets nobody who is being deleted get a key.
		user, err := a.store.Lock(ctx, owner.User)
		if err != nil {
			return err
		}
		if err := user.MayAct(); err != nil {
			return err
		}
		now := a.clock.Now()
		good, err := a.store.CountAPIKeys(ctx, owner, now)
		if err != nil {
			return err
		}
		if key, err = domain.MakeAPIKey(id.New(), owner, wanted, good, now); err != nil {
			return err
		}
		if err := a.store.PurgeAPIKeys(ctx, owner, now.Add(-domain.KeptAPIKey)); err != nil {
			return err
		}
		return a.store.InsertAPIKey(ctx, key)
	})
	if err != nil {
		return domain.APIKey{}, err
	}
	return key, nil
}

// ListAPIKeys returns a page of the owner's API keys that weren't revoked, the newest first.
func (a *App) ListAPIKeys(ctx context.Context, owner id.Scope, request page.Request) (page.Page[domain.APIKey], error) {
	list := []string{"api-keys", owner.User}
	return page.List(a.cursors, request, list, func(k domain.APIKey) page.Key { return page.At(k.CreatedAt, k.ID) },
		func(part page.Window) ([]domain.APIKey, int64, error) {
			return a.store.ListAPIKeys(ctx, owner, KeyListing{Skip: part.Skip, Limit: part.Limit, After: part.After})
		})
}

// RevokeAPIKey ends one of the owner's API keys: in this process at once, in others as soon as they ask again. One that is
// another's, was revoked or never was is errs.NotFound.
func (a *App) RevokeAPIKey(ctx context.Context, owner id.Scope, keyID string) error {
	return a.tx.WithinTx(ctx, func(ctx context.Context) error {
		a.tx.AfterCommit(ctx, func() { a.principals.Forget(owner.User) })
		return a.store.RevokeAPIKey(ctx, owner, keyID, a.clock.Now())
	})
}

// FindAPIKey returns the key with that hash, and of its owner the id and the plan: errs.NotFound for none that is good now,
// errs.Forbidden for one whose owner is suspended or deleted.
func (a *App) FindAPIKey(ctx context.Context, hash string) (domain.APIKey, domain.User, error) {
	key, owner, err := a.store.FindAPIKey(ctx, hash)
	if err != nil {
		return domain.APIKey{}, domain.User{}, err
	}
	if !key.Good(a.clock.Now()) {
		return domain.APIKey{}, domain.User{}, errs.Missing("API key", key.ID)
	}
	if err := owner.MayAct(); err != nil {
		return domain.APIKey{}, domain.User{}, err
	}
	return key, owner, nil
}

// NoteAPIKeyUse notes that a key is used now, unless a use within the last interval was noted.
func (a *App) NoteAPIKeyUse(ctx context.Context, keyID string, interval time.Duration) error {
	return a.tx.WithinTx(ctx, func(ctx context.Context) error {
		now := a.clock.Now()
		return a.store.NoteAPIKeyUse(ctx, keyID, now, now.Add(-interval))
	})
}
