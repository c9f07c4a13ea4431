package app_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

var (
	birth = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	now   = birth.Add(time.Hour)
	sam   = domain.Identity{Issuer: "issuer", Subject: "sam"}

	errBoom = errors.New("boom")
)

// fakeTx is an app.Transactor that keeps count, and the app.Principals too. Its transactions are marked in the context.
type fakeTx struct {
	committed, rolledBack int
	after                 []func()
	forgotten             []string
}

type insideTx struct{}

func (f *fakeTx) WithinTx(ctx context.Context, fn func(ctx context.Context) error) error {
	f.after = nil
	if err := fn(context.WithValue(ctx, insideTx{}, true)); err != nil {
		f.rolledBack++
		return err
	}
	f.committed++
	for _, fn := range f.after {
		fn()
	}
	return nil
}

func (f *fakeTx) AfterCommit(_ context.Context, fn func()) { f.after = append(f.after, fn) }

func (f *fakeTx) Forget(userID string) { f.forgotten = append(f.forgotten, userID) }

// fakeStore is an app.Store in memory. It says what it was told to do, and fails where told to.
type fakeStore struct {
	users      map[string]domain.User
	identities map[domain.Identity]string
	calls      []string
	failing    string // the method that fails with errBoom
	beforeTx   func() // what others do between a first look and the transaction; may be nil
}

var _ app.Store = (*fakeStore)(nil)

func (f *fakeStore) call(ctx context.Context, name string) error {
	if ctx.Value(insideTx{}) != nil {
		name += " in tx"
	}
	f.calls = append(f.calls, name)
	if method, _, _ := strings.Cut(name, " "); method == f.failing {
		return errBoom
	}
	return nil
}

func (f *fakeStore) FindByIdentity(ctx context.Context, identity domain.Identity) (domain.User, error) {
	if err := f.call(ctx, "identify"); err != nil {
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
	return f.find(userID, f.call(ctx, "find"))
}

func (f *fakeStore) Lock(ctx context.Context, userID string) (domain.User, error) {
	return f.find(userID, f.call(ctx, "lock"))
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
		return false, f.call(ctx, "claim")
	}
	f.identities[identity] = ""
	return true, f.call(ctx, "claim")
}

func (f *fakeStore) Insert(ctx context.Context, user domain.User) (bool, error) {
	if _, taken := f.users[user.ID]; taken {
		return false, f.call(ctx, "insert")
	}
	f.users[user.ID] = user
	return true, f.call(ctx, "insert")
}

func (f *fakeStore) Link(ctx context.Context, identity domain.Identity, userID string) error {
	f.identities[identity] = userID
	return f.call(ctx, "link")
}

func (f *fakeStore) Save(ctx context.Context, user domain.User) error {
	f.users[user.ID] = user
	return f.call(ctx, "save")
}

func (f *fakeStore) Erase(ctx context.Context, _ id.Scope, at time.Time) error {
	if at != now {
		return errors.New("not the clock's time")
	}
	return f.call(ctx, "erase")
}

// fixture is the use cases over fakes.
type fixture struct {
	*app.App
	store *fakeStore
	tx    *fakeTx
}

// newFixture returns the use cases over a store of these users, each of whom signs in with the subject of the same name,
// where the method called failing fails.
func newFixture(failing string, users ...domain.User) fixture {
	store := &fakeStore{users: map[string]domain.User{}, identities: map[domain.Identity]string{}, failing: failing}
	for _, user := range users {
		store.users[user.ID] = user
		store.identities[domain.Identity{Issuer: "issuer", Subject: user.ID}] = user.ID
	}
	tx := &fakeTx{}
	return fixture{app.New(store, tx, tx, clock.NewManual(now)), store, tx}
}

// expect fails the test unless these calls reached the store.
func (f fixture) expect(t *testing.T, calls ...string) {
	t.Helper()
	if !slices.Equal(f.store.calls, calls) {
		t.Errorf("the store was called for %q, want %q", f.store.calls, calls)
	}
}

func person(userID string) domain.User {
	return domain.User{
		ID: userID, Email: new(userID + "@example.com"), FullName: new("Sam"), Role: domain.RoleUser, Active: true,
		Version: 3, CreatedAt: birth, UpdatedAt: birth,
	}
}
