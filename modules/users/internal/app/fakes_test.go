package app_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database/txtest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/events/eventstest"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/page"
)

var (
	birth = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	now   = birth.Add(time.Hour)
	sam   = domain.Identity{Issuer: "issuer", Subject: "sam"}
)

// fakeStore is an app.Store in memory. It says what it was told to do, and fails where told to.
type fakeStore struct {
	txtest.Recorder
	users      map[string]domain.User
	identities map[domain.Identity]string
	beforeTx   func() // what others do between a first look and the transaction; may be nil
	listing    app.Listing

	keys       map[string]domain.APIKey // by id
	keyListing app.KeyListing
	purged     time.Time // what was purged ended before
}

var _ app.Store = (*fakeStore)(nil)

func (f *fakeStore) FindByIdentity(ctx context.Context, identity domain.Identity) (domain.User, error) {
	if err := f.Call(ctx, "identify"); err != nil {
		return domain.User{}, err
	}
	userID, known := f.identities[identity]
	if f.beforeTx != nil {
		f.beforeTx()
		f.beforeTx = nil
	}
	if !known || userID == "" {
		return domain.User{}, errs.Missing("User", identity.Subject)
	}
	return f.users[userID], nil
}

func (f *fakeStore) Find(ctx context.Context, userID string) (domain.User, error) {
	return f.find(userID, f.Call(ctx, "find"))
}

func (f *fakeStore) Lock(ctx context.Context, userID string) (domain.User, error) {
	return f.find(userID, f.Call(ctx, "lock"))
}

func (f *fakeStore) find(userID string, err error) (domain.User, error) {
	user, known := f.users[userID]
	if err == nil && (!known || user.Deleted) {
		err = errs.Missing("User", userID)
	}
	if err != nil {
		return domain.User{}, err
	}
	return user, nil
}

func (f *fakeStore) ClaimIdentity(ctx context.Context, identity domain.Identity) (bool, error) {
	if _, taken := f.identities[identity]; taken {
		return false, f.Call(ctx, "claim")
	}
	f.identities[identity] = ""
	return true, f.Call(ctx, "claim")
}

func (f *fakeStore) Insert(ctx context.Context, user domain.User) (bool, error) {
	if _, taken := f.users[user.ID]; taken {
		return false, f.Call(ctx, "insert")
	}
	f.users[user.ID] = user
	return true, f.Call(ctx, "insert")
}

func (f *fakeStore) Link(ctx context.Context, identity domain.Identity, userID string) error {
	f.identities[identity] = userID
	return f.Call(ctx, "link")
}

func (f *fakeStore) LockWithSuperadmins(ctx context.Context, userID string) (domain.User, []string, error) {
	user, err := f.find(userID, f.Call(ctx, "hold"))
	return user, f.idsOf(domain.RoleSuperadmin), err
}

func (f *fakeStore) Administrators(ctx context.Context) ([]domain.User, error) {
	var found []domain.User
	for _, userID := range f.idsOf(domain.RoleAdmin, domain.RoleSuperadmin) {
		found = append(found, f.users[userID])
	}
	return found, f.Call(ctx, "administrators")
}

// idsOf returns the ids of those who may act and have one of the roles, in order.
func (f *fakeStore) idsOf(roles ...domain.Role) []string {
	var ids []string
	for userID, user := range f.users {
		if slices.Contains(roles, user.Role) && user.MayAct() == nil {
			ids = append(ids, userID)
		}
	}
	slices.Sort(ids)
	return ids
}

func (f *fakeStore) List(ctx context.Context, listing app.Listing) ([]domain.User, int64, error) {
	f.listing = listing
	var all []domain.User
	for _, userID := range slices.Sorted(maps.Keys(f.users)) {
		all = append(all, f.users[userID])
	}
	return all[:min(len(all), listing.Limit)], int64(len(all)), f.Call(ctx, "list")
}

func (f *fakeStore) Tally(ctx context.Context, from, to time.Time) (app.Tally, error) {
	return app.Tally{New: int64(to.Sub(from).Hours()), All: 7}, f.Call(ctx, "tally")
}

func (f *fakeStore) Save(ctx context.Context, user domain.User) error {
	f.users[user.ID] = user
	return f.Call(ctx, "save")
}

func (f *fakeStore) Erase(ctx context.Context, _ id.Scope, at time.Time) error {
	if at != now {
		return errors.New("not the clock's time")
	}
	return f.Call(ctx, "erase")
}

func (f *fakeStore) InsertAPIKey(ctx context.Context, key domain.APIKey) error {
	f.keys[key.ID] = key
	return f.Call(ctx, "insert key")
}

func (f *fakeStore) CountAPIKeys(ctx context.Context, owner id.Scope, at time.Time) (int, error) {
	good := 0
	for _, key := range f.keys {
		if key.Owner == owner && key.Good(at) {
			good++
		}
	}
	return good, f.Call(ctx, "count keys")
}

func (f *fakeStore) ListAPIKeys(ctx context.Context, owner id.Scope, listing app.KeyListing) ([]domain.APIKey, int64, error) {
	f.keyListing = listing
	var mine []domain.APIKey
	for _, keyID := range slices.Sorted(maps.Keys(f.keys)) {
		if key := f.keys[keyID]; key.Owner == owner {
			mine = append(mine, key)
		}
	}
	return mine[:min(len(mine), listing.Limit)], int64(len(mine)), f.Call(ctx, "list keys")
}

func (f *fakeStore) FindAPIKey(ctx context.Context, hash string) (domain.APIKey, domain.User, error) {
	err := f.Call(ctx, "find key")
	for _, key := range f.keys {
		if key.Hash == hash && err == nil {
			return key, f.users[key.Owner.User], nil
		}
	}
	if err == nil {
		err = errs.New(errs.NotFound, "API key not found")
	}
	return domain.APIKey{}, domain.User{}, err
}

func (f *fakeStore) RevokeAPIKey(ctx context.Context, owner id.Scope, keyID string, at time.Time) error {
	key, known := f.keys[keyID]
	if !known || key.Owner != owner || key.RevokedAt != nil {
		return errors.Join(f.Call(ctx, "revoke key"), errs.Missing("API key", keyID))
	}
	key.RevokedAt = &at
	f.keys[keyID] = key
	return f.Call(ctx, "revoke key")
}

func (f *fakeStore) NoteAPIKeyUse(ctx context.Context, keyID string, at, since time.Time) error {
	if key := f.keys[keyID]; key.LastUsedAt == nil || !key.LastUsedAt.After(since) {
		key.LastUsedAt = &at
		f.keys[keyID] = key
	}
	return f.Call(ctx, "note key")
}

func (f *fakeStore) PurgeAPIKeys(ctx context.Context, _ id.Scope, before time.Time) error {
	f.purged = before
	return f.Call(ctx, "purge keys")
}

// fakePrincipals is an app.Principals that says whom it was told to forget.
type fakePrincipals struct{ forgotten []string }

func (f *fakePrincipals) Forget(userID string) { f.forgotten = append(f.forgotten, userID) }

// fixture is the use cases over fakes.
type fixture struct {
	*app.App
	store      *fakeStore
	tx         *txtest.Transactor
	events     *eventstest.Recorder
	principals *fakePrincipals
	cursors    page.Cursors
}

// newFixture returns the use cases over a store of these users, each of whom signs in with the subject of the same name,
// where the method called failing fails; "publish" is the events'.
func newFixture(failing string, users ...domain.User) fixture {
	store := &fakeStore{users: map[string]domain.User{}, identities: map[domain.Identity]string{}, keys: map[string]domain.APIKey{}, Recorder: txtest.Recorder{Failing: failing}}
	for _, user := range users {
		store.users[user.ID] = user
		store.identities[domain.Identity{Issuer: "issuer", Subject: user.ID}] = user.ID
	}
	tx, principals, cursors := &txtest.Transactor{}, &fakePrincipals{}, page.NewCursors(keyring.New(strings.Repeat("k", 32), ""))
	var refused error
	if failing == "publish" {
		refused = errstest.ErrBoom
	}
	events := eventstest.New(tx, refused)
	settings := []string{"ADA@example.com", "grace@example.com", "Grace@Example.com"}
	return fixture{app.New(store, tx, events, principals, cursors, clock.NewManual(now), settings), store, tx, events, principals, cursors}
}

func person(userID string) domain.User {
	return domain.User{
		ID: userID, Email: new(userID + "@example.com"), FullName: new("Sam"), Role: domain.RoleUser, Active: true,
		Version: 3, CreatedAt: birth, UpdatedAt: birth,
	}
}
