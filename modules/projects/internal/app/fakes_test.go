package app_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/modules/billing/billingtest"
	contract "github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/modules/projects/internal/app"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
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
	alice = id.Of("alice")
	bob   = id.Of("bob")
	birth = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	now   = birth.Add(time.Hour)
)

// fakeStore is an app.Store of one project at most. It says what it was told to do, and fails where told to.
type fakeStore struct {
	txtest.Recorder
	project *domain.Project
	page    []domain.Project // what List finds
	listing app.Listing      // what List was asked for
	deleted int64            // how many projects wait for Purge
	plan    string           // what LockPlan finds
	saved   string           // what SavePlan was told
}

var _ app.Store = (*fakeStore)(nil)

func (f *fakeStore) Insert(ctx context.Context, project domain.Project) error {
	f.project = &project
	return f.Call(ctx, "insert")
}

func (f *fakeStore) Find(ctx context.Context, owner id.Scope, projectID string) (domain.Project, error) {
	return f.find(owner, projectID, f.Call(ctx, "find"))
}

func (f *fakeStore) FindAny(ctx context.Context, owner id.Scope, projectID string) (contract.Project, error) {
	found, err := f.find(owner, projectID, f.Call(ctx, "find any"))
	return contract.Project{ID: found.ID, Name: found.Name}, err
}

func (f *fakeStore) Tally(ctx context.Context, from, to time.Time) (app.Tally, error) {
	return app.Tally{Created: int64(to.Sub(from).Hours()), Deleted: 5, All: 7}, f.Call(ctx, "tally")
}

func (f *fakeStore) Lock(ctx context.Context, owner id.Scope, projectID string) (domain.Project, error) {
	return f.find(owner, projectID, f.Call(ctx, "lock"))
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
	return f.Call(ctx, "save")
}

func (f *fakeStore) Delete(ctx context.Context, _ domain.Project, at time.Time) error {
	if at != now {
		return errors.New("not the clock's time")
	}
	return f.Call(ctx, "delete")
}

func (f *fakeStore) List(ctx context.Context, _ id.Scope, listing app.Listing) ([]domain.Project, int64, error) {
	f.listing = listing
	if err := f.Call(ctx, "list"); err != nil {
		return nil, 0, err
	}
	return f.page[:min(len(f.page), listing.Limit)], int64(len(f.page)), nil
}

func (f *fakeStore) LockPlan(ctx context.Context, _ id.Scope) (string, error) {
	return f.plan, f.Call(ctx, "lock plan")
}

func (f *fakeStore) SavePlan(ctx context.Context, owner id.Scope, plan string, version int64) error {
	f.saved = fmt.Sprint(owner.User, " ", plan, " ", version)
	return f.Call(ctx, "save plan")
}

func (f *fakeStore) Count(ctx context.Context, _ id.Scope) (int64, error) {
	return 7, f.Call(ctx, "count")
}

func (f *fakeStore) Erase(ctx context.Context, _ id.Scope) (map[string]int64, error) {
	return map[string]int64{"projects": 2}, f.Call(ctx, "erase")
}

func (f *fakeStore) Purge(ctx context.Context, before time.Time, limit int) (int64, error) {
	if want := now.AddDate(0, 0, -30); before != want {
		return 0, fmt.Errorf("before %s, want %s", before, want)
	}
	purged := min(f.deleted, int64(limit))
	f.deleted -= purged
	return purged, f.Call(ctx, "purge")
}

// fixture is the use cases over fakes.
type fixture struct {
	*app.App
	store   *fakeStore
	tx      *txtest.Transactor
	events  *eventstest.Recorder
	cursors page.Cursors
	files   *fakeFiles
}

// newFixture returns the use cases over a store that holds apollo, where the method called failing fails; "publish" is the events'.
func newFixture(failing string) fixture {
	project := apollo()
	f := fixture{
		store:   &fakeStore{project: &project, Recorder: txtest.Recorder{Failing: failing}},
		tx:      &txtest.Transactor{},
		cursors: page.NewCursors(keyring.New(strings.Repeat("k", 32), "")),
	}
	var refused error
	if failing == "publish" {
		refused = errstest.ErrBoom
	}
	f.events = eventstest.New(f.tx, refused)
	f.files = &fakeFiles{fakeStore: &fakeStore{}, removals: map[string]time.Time{}, clock: clock.NewManual(now)}
	files := app.NewFiles(app.FilePorts{Store: f.files, Removals: f.files, Tx: f.tx, Clock: f.files.clock}, domain.FileRules{})
	f.App = app.New(f.store, f.tx, f.events, f.cursors, f.files.clock, billingtest.Entitlements{Plans: []billing.Plan{
		{Name: billing.Free, Projects: 8}, {Name: "tiny", Projects: 7}, {Name: "vast", Projects: billing.Unlimited},
	}}, files)
	return f
}

func apollo() domain.Project {
	return domain.Project{
		ID: "apollo", Owner: alice, Name: "Apollo", Description: new("moon"),
		Version: 3, CreatedAt: birth, UpdatedAt: birth,
	}
}
