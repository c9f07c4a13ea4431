package app_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/projects/internal/app"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/page"
)

var (
	alice = id.Of("alice")
	bob   = id.Of("bob")
	birth = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	now   = birth.Add(time.Hour)

	errBoom = errors.New("boom")
)

// fakeTx is an app.Transactor that keeps count. Its transactions are marked in the context.
type fakeTx struct{ committed, rolledBack int }

type insideTx struct{}

func (f *fakeTx) WithinTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if err := fn(context.WithValue(ctx, insideTx{}, true)); err != nil {
		f.rolledBack++
		return err
	}
	f.committed++
	return nil
}

// fakeStore is an app.Store of one project at most. It says what it was told to do, and fails where told to.
type fakeStore struct {
	project *domain.Project
	page    []domain.Project // what List finds
	listing app.Listing      // what List was asked for
	calls   []string
	failing string // the method that fails with errBoom
	deleted int64  // how many projects wait for Purge
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

func (f *fakeStore) Insert(ctx context.Context, project domain.Project) error {
	f.project = &project
	return f.call(ctx, "insert")
}

func (f *fakeStore) Find(ctx context.Context, owner id.Scope, projectID string) (domain.Project, error) {
	return f.find(owner, projectID, f.call(ctx, "find"))
}

func (f *fakeStore) Lock(ctx context.Context, owner id.Scope, projectID string) (domain.Project, error) {
	return f.find(owner, projectID, f.call(ctx, "lock"))
}

func (f *fakeStore) find(owner id.Scope, projectID string, err error) (domain.Project, error) {
	if err == nil && (f.project == nil || f.project.ID != projectID || f.project.Owner != owner) {
		err = errs.Missing("Project", projectID)
	}
	if err != nil {
		return domain.Project{}, err
	}
	return *f.project, nil
}

func (f *fakeStore) Save(ctx context.Context, project domain.Project) error {
	f.project = &project
	return f.call(ctx, "save")
}

func (f *fakeStore) Delete(ctx context.Context, _ domain.Project, at time.Time) error {
	if at != now {
		return errors.New("not the clock's time")
	}
	return f.call(ctx, "delete")
}

func (f *fakeStore) List(ctx context.Context, _ id.Scope, listing app.Listing) ([]domain.Project, int64, error) {
	f.listing = listing
	if err := f.call(ctx, "list"); err != nil {
		return nil, 0, err
	}
	return f.page[:min(len(f.page), listing.Limit)], int64(len(f.page)), nil
}

func (f *fakeStore) Count(ctx context.Context, _ id.Scope) (int64, error) {
	return 7, f.call(ctx, "count")
}

func (f *fakeStore) Erase(ctx context.Context, _ id.Scope) error { return f.call(ctx, "erase") }

func (f *fakeStore) Purge(ctx context.Context, before time.Time, limit int) (int64, error) {
	if want := now.AddDate(0, 0, -30); before != want {
		return 0, fmt.Errorf("before %s, want %s", before, want)
	}
	purged := min(f.deleted, int64(limit))
	f.deleted -= purged
	return purged, f.call(ctx, "purge")
}

// fixture is the use cases over fakes.
type fixture struct {
	*app.App
	store   *fakeStore
	tx      *fakeTx
	cursors page.Cursors
}

// newFixture returns the use cases over a store that holds apollo, where the method called failing fails.
func newFixture(failing string) fixture {
	project := apollo()
	f := fixture{
		store:   &fakeStore{project: &project, failing: failing},
		tx:      &fakeTx{},
		cursors: page.NewCursors(keyring.New(strings.Repeat("k", 32), "")),
	}
	f.App = app.New(f.store, f.tx, f.cursors, clock.NewManual(now))
	return f
}

// expect fails the test unless these calls reached the store.
func (f fixture) expect(t *testing.T, calls ...string) {
	t.Helper()
	if !slices.Equal(f.store.calls, calls) {
		t.Errorf("the store was called for %q, want %q", f.store.calls, calls)
	}
}

func apollo() domain.Project {
	return domain.Project{
		ID: "apollo", Owner: alice, Name: "Apollo", Description: new("moon"),
		Version: 3, CreatedAt: birth, UpdatedAt: birth,
	}
}
