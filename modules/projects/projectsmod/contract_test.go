package projectsmod_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/billing/billingtest"
	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/modules/projects/projectsmod"
	"github.com/omnistack/omnistack/modules/projects/projectstest"
	"github.com/omnistack/omnistack/platform/blob"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events/eventstest"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/testkit"
)

// The real port and its fake keep one contract, so that other modules' tests with the fake are worth something.

func TestTheModuleKeepsTheContract(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		module := newModule(db)
		described := module.Describe()
		ids := map[id.Scope][]string{} // in the order in which they came
		keepsTheCatalog(t, module.Catalog(), world{
			add: func(owner id.Scope) (projects.Project, error) {
				if err := described.Seeder.Seed(t.Context(), []id.Scope{owner}, 1); err != nil {
					return projects.Project{}, err
				}
				found, err := database.All(db.Read(t.Context()).Raw("SELECT id FROM projects WHERE owner_id = ?", owner.User), database.Scalar[string])
				if err != nil {
					return projects.Project{}, err
				}
				added := slices.DeleteFunc(found, func(projectID string) bool { return slices.Contains(ids[owner], projectID) })
				ids[owner] = append(ids[owner], added...)
				return projects.Project{ID: added[0], Name: "Project 1"}, nil
			},
			remove: func(_ id.Scope, projectID string) error {
				return db.WithinTx(t.Context(), func(ctx context.Context) error {
					return db.Tx(ctx).Exec("UPDATE projects SET deleted_at = ? WHERE id = ?", time.Now().UTC(), projectID).Error
				})
			},
			erase: func(owner id.Scope) error {
				_, err := described.Eraser.Erase(t.Context(), owner)
				return err
			},
		})
	})
}

func TestTheFakeKeepsTheContract(t *testing.T) {
	fake := projectstest.Catalog{}
	keepsTheCatalog(t, fake, world{
		add: func(owner id.Scope) (projects.Project, error) {
			added := projects.Project{ID: id.New(), Name: "Project 1"}
			fake[owner] = append(fake[owner], added)
			return added, nil
		},
		remove: func(owner id.Scope, projectID string) error {
			for i := range fake[owner] {
				fake[owner][i].Deleted = fake[owner][i].Deleted || fake[owner][i].ID == projectID
			}
			return nil
		},
		erase: func(owner id.Scope) error {
			delete(fake, owner)
			return nil
		},
	})
}

// world is how the contract makes things happen.
type world struct {
	add    func(owner id.Scope) (projects.Project, error)
	remove func(owner id.Scope, projectID string) error
	erase  func(owner id.Scope) error
}

func keepsTheCatalog(t *testing.T, catalog projects.Catalog, world world) {
	t.Helper()
	alice, bob, nobody := id.Of("alice"), id.Of("bob"), id.Of("nobody")
	expect := func(when string, counts map[id.Scope]int64) {
		t.Helper()
		for owner, want := range counts {
			if got, err := catalog.Count(t.Context(), owner); err != nil || got != want {
				t.Errorf("%s: %s has %d projects, %v, want %d", when, owner.User, got, err, want)
			}
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	add := func(owner id.Scope) projects.Project {
		t.Helper()
		added, err := world.add(owner)
		must(err)
		return added
	}
	finds := func(when string, owner id.Scope, want projects.Project) {
		t.Helper()
		if got, err := catalog.Find(t.Context(), owner, want.ID); err != nil || got != want {
			t.Errorf("%s: found %+v, %v, want %+v", when, got, err, want)
		}
	}
	missing := func(when string, owner id.Scope, projectID string) {
		t.Helper()
		got, err := catalog.Find(t.Context(), owner, projectID)
		if !errs.Is(err, errs.NotFound) || got != (projects.Project{}) {
			t.Errorf("%s: found %+v, %v, want it not found", when, got, err)
			return
		}
		if details := errs.From(err).Details; details["resource"] != "Project" || details["id"] != projectID {
			t.Errorf("%s: the details are %v", when, details)
		}
	}

	expect("at first", map[id.Scope]int64{alice: 0, nobody: 0})
	missing("at first", alice, "p1")
	first, his, second := add(alice), add(bob), add(alice)
	expect("then", map[id.Scope]int64{alice: 2, bob: 1, nobody: 0})
	finds("her first", alice, first)
	finds("her second", alice, second)
	finds("his", bob, his)
	missing("another's", bob, first.ID)
	missing("an empty id", alice, "")

	must(world.remove(alice, first.ID))
	first.Deleted = true
	expect("after a deletion", map[id.Scope]int64{alice: 1, bob: 1})
	finds("deleted", alice, first)
	finds("beside it", alice, second)
	missing("deleted, by another", bob, first.ID)

	must(world.erase(alice))
	must(world.erase(nobody))
	expect("in the end", map[id.Scope]int64{alice: 0, bob: 1, nobody: 0})
	missing("erased", alice, first.ID)
	missing("erased", alice, second.ID)
	finds("somebody else's", bob, his)
}

func newModule(db *database.DB) *projectsmod.Module {
	return projectsmod.New(projectsmod.Deps{
		DB: db, Events: eventstest.New(db, nil), Cursors: page.NewCursors(keyring.New(strings.Repeat("k", 32), "")), Clock: clock.System{}, Plans: billingtest.Entitlements{}, Settings: &projectsmod.Settings{}, Removals: blob.NewRemovals(db, nil, clock.System{}),
	})
}

// What a deleted user had here is gone, however often it is erased, and nobody else's is.
func TestADeletedUsersProjectsAreErased(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		described := newModule(db).Describe()
		if err := described.Seeder.Seed(t.Context(), []id.Scope{id.Of("alice"), id.Of("bob")}, 3); err != nil {
			t.Fatal(err)
		}
		for _, want := range []int64{3, 0} {
			if erased, err := described.Eraser.Erase(t.Context(), id.Of("alice")); err != nil || erased["projects"] != want {
				t.Fatalf("erased %v, %v, want %d of them", erased, err, want)
			}
			if hers, his := testkit.Rows(t, db, "projects", "owner_id = 'alice'"), testkit.Rows(t, db, "projects", "owner_id = 'bob'"); hers != 0 || his != 3 {
				t.Errorf("alice has %d projects left, and bob %d", hers, his)
			}
		}
	})
}

func TestReport(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		described := newModule(db).Describe()
		if err := described.Seeder.Seed(t.Context(), []id.Scope{id.Of("alice"), id.Of("bob")}, 2); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		if err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			return db.Tx(ctx).Exec("UPDATE projects SET deleted_at = ? WHERE owner_id = 'bob' AND name = 'Project 2'", now.UTC()).Error
		}); err != nil {
			t.Fatal(err)
		}
		got, err := described.Reporter.Report(t.Context(), now.AddDate(0, 0, -1), now.Add(time.Hour))
		want := []module.Figure{{Name: "New projects", Value: "4"}, {Name: "Deleted projects", Value: "1"}, {Name: "Projects", Value: "3"}}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	})
}
