package store_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/billing"
	contract "github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/modules/projects/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/projects/internal/app"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events/eventstest"
	"github.com/omnistack/omnistack/platform/fold"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/testkit"
)

// The conformance suite of app.Store. It runs on both engines.

var (
	alice = id.Of("alice")
	bob   = id.Of("bob")
	birth = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	later = birth.Add(time.Hour)
	sorts = []app.Sort{app.NewestFirst, app.OldestFirst, app.ByName, app.ByNameDown}
)

// eachStore runs the test on an empty store of both engines.
func eachStore(t *testing.T, test func(t *testing.T, s suite)) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) { test(t, suite{db, store.New(db)}) })
}

// suite is a store under test. Its methods fail the test instead of returning an error.
type suite struct {
	db *database.DB
	*store.Store
}

// add stores the projects.
func (s suite) add(t testing.TB, projects ...domain.Project) {
	t.Helper()
	storetest.Commit(t, s.db, func(ctx context.Context) error {
		for _, project := range projects {
			if err := s.Insert(ctx, project); err != nil {
				return err
			}
		}
		return nil
	})
}

// deleteAt deletes the owner's project as the use case does.
func (s suite) deleteAt(ctx context.Context, owner id.Scope, projectID string) error {
	project, err := s.Lock(ctx, owner, projectID)
	if err != nil {
		return err
	}
	return s.Delete(ctx, project, later)
}

// ids lists what a listing finds, and its total.
func (s suite) ids(t testing.TB, owner id.Scope, listing app.Listing) ([]string, int64) {
	t.Helper()
	items, total, err := s.List(t.Context(), owner, listing)
	if err != nil {
		t.Fatal(err)
	}
	return idsOf(items), total
}

func idsOf(projects []domain.Project) []string {
	ids := make([]string, len(projects))
	for i := range projects {
		ids[i] = projects[i].ID
	}
	return ids
}

// everything is a listing of all projects.
func everything(sort app.Sort) app.Listing { return app.Listing{Sort: sort, Limit: 10_000} }

func plain(owner id.Scope, projectID string) domain.Project {
	return domain.Project{
		ID: projectID, Owner: owner, Name: "Project " + projectID, Description: new("about " + projectID),
		Version: 1, CreatedAt: birth, UpdatedAt: birth,
	}
}

func randomProject(r *rand.Rand, owner id.Scope) domain.Project {
	return domain.Project{
		ID: id.New(), Owner: owner,
		Name:        storetest.Text(r, domain.MaxName),
		Description: storetest.Optional(r, domain.MaxDescription),
		Version:     1 + r.Int64N(1<<40),
		CreatedAt:   storetest.Time(r),
		UpdatedAt:   storetest.Time(r),
	}
}

func TestProjectsComeBackAsTheyWere(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		r := storetest.Random(t)
		for range 100 {
			project := randomProject(r, id.Of(storetest.Text(r, 64)))
			s.add(t, project)
			if found, err := s.Find(t.Context(), project.Owner, project.ID); err != nil || !reflect.DeepEqual(found, project) {
				t.Fatalf("inserted %+v\nfound    %+v, %v", project, found, err)
			}

			changed := randomProject(r, project.Owner)
			changed.ID, changed.CreatedAt, changed.Version = project.ID, project.CreatedAt, project.Version+1
			storetest.Commit(t, s.db, func(ctx context.Context) error { return s.Save(ctx, changed) })
			if found, err := s.Find(t.Context(), project.Owner, project.ID); err != nil || !reflect.DeepEqual(found, changed) {
				t.Fatalf("saved %+v\nfound %+v, %v", changed, found, err)
			}
			if found, _, err := s.List(t.Context(), project.Owner, everything(app.ByName)); err != nil || !slices.ContainsFunc(found, func(p domain.Project) bool { return reflect.DeepEqual(p, changed) }) {
				t.Fatalf("saved  %+v\nlisted %+v, %v", changed, found, err)
			}
		}
	})
}

func TestTheStoreIsTransactional(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		storetest.Transactional(t, s.db,
			func(ctx context.Context, name string) error { return s.Insert(ctx, plain(alice, name)) },
			func(ctx context.Context, name string) bool {
				_, err := s.Find(ctx, alice, name)
				if err != nil && !errs.Is(err, errs.NotFound) {
					t.Error(err)
				}
				return err == nil
			})

		project := plain(alice, "committed")
		for name, write := range map[string]func(ctx context.Context) error{
			"lock":   func(ctx context.Context) error { _, err := s.Lock(ctx, alice, project.ID); return err },
			"save":   func(ctx context.Context) error { return s.Save(ctx, project) },
			"delete": func(ctx context.Context) error { return s.Delete(ctx, project, later) },
			"erase":  func(ctx context.Context) error { _, err := s.Erase(ctx, alice); return err },
			"purge":  func(ctx context.Context) error { _, err := s.Purge(ctx, later, 1); return err },
		} {
			if err := write(t.Context()); !errors.Is(err, database.ErrNoTransaction) {
				t.Errorf("%s outside of a transaction: got %v, want ErrNoTransaction", name, err)
			}
		}
	})
}

func TestReadsInATransactionSeeItsWrites(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, plain(alice, "p1"))
		storetest.Commit(t, s.db, func(ctx context.Context) error {
			changed := plain(alice, "p1")
			changed.Name, changed.Version = "changed", 2
			if err := errors.Join(s.Insert(ctx, plain(alice, "p2")), s.Save(ctx, changed)); err != nil {
				return err
			}
			if found, err := s.Find(ctx, alice, "p1"); err != nil || found.Name != "changed" {
				t.Errorf("find: %+v, %v", found, err)
			}
			if count, err := s.Count(ctx, alice); err != nil || count != 2 {
				t.Errorf("count: %d, %v", count, err)
			}
			if items, total, err := s.List(ctx, alice, everything(app.ByName)); err != nil || total != 2 || items[0].Name != "changed" {
				t.Errorf("list: %+v of %d, %v", items, total, err)
			}
			return nil
		})
	})
}

// Sixteen writers that lock first all succeed, one after the other.
func TestLockedWritersLoseNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, plain(alice, "p1"))
		const rounds = 10
		storetest.Concurrent(t, rounds, func(writer int) error {
			return s.db.WithinTx(t.Context(), func(ctx context.Context) error {
				project, err := s.Lock(ctx, alice, "p1")
				if err != nil {
					return err
				}
				project.Name = fmt.Sprintf("writer %d after version %d", writer, project.Version)
				project.Version++
				return s.Save(ctx, project)
			})
		})
		if found, err := s.Find(t.Context(), alice, "p1"); err != nil || found.Version != 1+16*rounds {
			t.Errorf("version %d after %d changes, %v", found.Version, 16*rounds, err)
		}
	})
}

// Writers that read without a lock are refused when another one was faster. Nothing that was accepted is lost.
func TestWritersOfAnOldVersionAreRefused(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, plain(alice, "p1"))
		var accepted, refused atomic.Int64
		storetest.Concurrent(t, 20, func(int) error {
			project, err := s.Find(t.Context(), alice, "p1")
			if err != nil {
				return err
			}
			project.Version++
			err = s.db.WithinTx(t.Context(), func(ctx context.Context) error { return s.Save(ctx, project) })
			switch {
			case err == nil:
				accepted.Add(1)
			case errs.Is(err, errs.Precondition):
				refused.Add(1)
			default:
				return err
			}
			return nil
		})
		found, err := s.Find(t.Context(), alice, "p1")
		if err != nil || found.Version != 1+accepted.Load() || accepted.Load()+refused.Load() != 16*20 {
			t.Errorf("version %d after %d accepted and %d refused changes, %v", found.Version, accepted.Load(), refused.Load(), err)
		}

		old := plain(alice, "p1")
		for name, write := range map[string]func(ctx context.Context) error{
			"save":   func(ctx context.Context) error { return s.Save(ctx, old) },
			"delete": func(ctx context.Context) error { return s.Delete(ctx, old, later) },
		} {
			if err := s.db.WithinTx(t.Context(), write); !errs.Is(err, errs.Precondition) {
				t.Errorf("%s of version 1: got %v, want it refused", name, err)
			}
		}
	})
}

func TestADeletedProjectIsGone(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, plain(alice, "kept"), plain(alice, "gone"))
		gone := func(ctx context.Context) error { return s.deleteAt(ctx, alice, "gone") }
		storetest.Commit(t, s.db, gone)

		if _, err := s.Find(t.Context(), alice, "gone"); !errs.Is(err, errs.NotFound) {
			t.Errorf("find: got %v, want it not found", err)
		}
		if err := s.db.WithinTx(t.Context(), gone); !errs.Is(err, errs.NotFound) {
			t.Errorf("a second deletion: got %v, want it not found", err)
		}
		if err := s.db.WithinTx(t.Context(), func(ctx context.Context) error {
			return s.Save(ctx, domain.Project{ID: "gone", Owner: alice, Version: 3})
		}); err == nil {
			t.Error("a deleted project can be saved")
		}
		for projectID, want := range map[string]contract.Project{
			"gone": {ID: "gone", Name: "Project gone", Deleted: true}, "kept": {ID: "kept", Name: "Project kept"},
		} {
			if found, err := s.FindAny(t.Context(), alice, projectID); err != nil || found != want {
				t.Errorf("whoever wants any project finds %+v, %v, want %+v", found, err, want)
			}
		}
		if count, err := s.Count(t.Context(), alice); err != nil || count != 1 {
			t.Errorf("count: %d, %v", count, err)
		}
		for _, sort := range sorts {
			if got, total := s.ids(t, alice, everything(sort)); !slices.Equal(got, []string{"kept"}) || total != 1 {
				t.Errorf("sorted by %s: %v of %d", sort, got, total)
			}
		}
		if got, total := s.ids(t, alice, app.Listing{Search: "gone", Sort: app.ByName, Limit: 10}); len(got) > 0 || total > 0 {
			t.Errorf("a search finds %v of %d", got, total)
		}
		// The row stays for a while, as one change more.
		if testkit.Rows(t, s.db, "projects", "id = 'gone' AND version = 2 AND deleted_at IS NOT NULL") != 1 {
			t.Error("the row isn't there, or isn't marked")
		}
	})
}

// Every method sees the projects of its owner only, whatever it is asked for.
func TestNobodySeesAnothersProjects(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, plain(alice, "hers"), plain(bob, "his"))
		stolen := plain(bob, "hers")
		stolen.Version = 2

		notFound := func(name string, err error) {
			t.Helper()
			if !errs.Is(err, errs.NotFound) {
				t.Errorf("%s: got %v, want it not found", name, err)
			}
		}
		for _, nosy := range []id.Scope{bob, id.Of(""), id.Of("ALICE"), id.Of("alice "), id.Of("%"), id.Of("' OR '1'='1")} {
			_, err := s.Find(t.Context(), nosy, "hers")
			notFound("find", err)
			_, err = s.FindAny(t.Context(), nosy, "hers")
			notFound("find any", err)
			notFound("lock", s.db.WithinTx(t.Context(), func(ctx context.Context) error { _, err := s.Lock(ctx, nosy, "hers"); return err }))
		}
		if err := s.db.WithinTx(t.Context(), func(ctx context.Context) error { return s.Save(ctx, stolen) }); err == nil {
			t.Error("bob saved what is alice's")
		}
		if err := s.db.WithinTx(t.Context(), func(ctx context.Context) error { return s.Delete(ctx, plain(bob, "hers"), later) }); err == nil {
			t.Error("bob deleted what is alice's")
		}
		for _, sort := range sorts {
			if got, total := s.ids(t, bob, everything(sort)); !slices.Equal(got, []string{"his"}) || total != 1 {
				t.Errorf("bob's projects by %s are %v of %d", sort, got, total)
			}
			behindAll := app.Listing{Sort: sort, Limit: 10, After: new(page.At(birth, ""))}
			if got, _ := s.ids(t, bob, behindAll); slices.Contains(got, "hers") {
				t.Errorf("by a cursor bob gets %v", got)
			}
		}
		if got, total := s.ids(t, bob, app.Listing{Search: "hers", Sort: app.ByName, Limit: 10}); len(got) > 0 || total > 0 {
			t.Errorf("bob finds %v of %d", got, total)
		}
		if count, err := s.Count(t.Context(), bob); err != nil || count != 1 {
			t.Errorf("bob has %d projects, %v", count, err)
		}
		s.erase(t, bob)
		if found, err := s.Find(t.Context(), alice, "hers"); err != nil || !reflect.DeepEqual(found, plain(alice, "hers")) {
			t.Errorf("alice's project is now %+v, %v", found, err)
		}
	})
}

// erase erases what the owner has, and returns how many rows of which table that was.
func (s suite) erase(t testing.TB, owner id.Scope) (erased map[string]int64) {
	t.Helper()
	storetest.Commit(t, s.db, func(ctx context.Context) (err error) {
		erased, err = s.Erase(ctx, owner)
		return err
	})
	return erased
}

func TestEraseRemovesAllOfOneOwner(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, plain(alice, "1"), plain(alice, "2"), plain(alice, "deleted"), plain(bob, "3"), plain(bob, "his deleted"))
		storetest.Commit(t, s.db, func(ctx context.Context) error {
			return errors.Join(s.deleteAt(ctx, alice, "deleted"), s.deleteAt(ctx, bob, "his deleted"))
		})
		for _, want := range []int64{3, 0} { // doing it twice is the same as doing it once
			if erased := s.erase(t, alice); erased["projects"] != want {
				t.Errorf("erased %v, want %d projects", erased, want)
			}
			if got := testkit.Rows(t, s.db, "projects", "owner_id = ?", "alice"); got != 0 {
				t.Errorf("%d rows of alice's are left", got)
			}
			if got := testkit.Rows(t, s.db, "projects", "owner_id = ?", "bob"); got != 2 {
				t.Errorf("bob has %d rows, want 2", got)
			}
		}
	})
}

func TestPurgeRemovesWhatWasDeletedLongAgo(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		for i := range 5 {
			project := plain([]id.Scope{alice, bob}[i%2], fmt.Sprint("deleted ", i))
			s.add(t, project)
			storetest.Commit(t, s.db, func(ctx context.Context) error {
				return s.Delete(ctx, project, birth.Add(time.Duration(i)*time.Microsecond))
			})
		}
		s.add(t, plain(alice, "living"))
		purge := func(before time.Time, limit int, want int64) {
			t.Helper()
			storetest.Commit(t, s.db, func(ctx context.Context) error {
				purged, err := s.Purge(ctx, before, limit)
				if purged != want {
					t.Errorf("%d are purged, want %d", purged, want)
				}
				return err
			})
		}
		purge(birth, 10, 0)
		purge(birth.Add(4*time.Microsecond), 3, 3)
		purge(birth.Add(4*time.Microsecond), 3, 1)
		if got := testkit.Rows(t, s.db, "projects", "id = ?", "deleted 4"); got != 1 {
			t.Error("what was deleted at the time itself is purged")
		}
		purge(later, 3, 1)
		if got := testkit.Rows(t, s.db, "projects", ""); got != 1 {
			t.Errorf("%d rows are left, want the living one", got)
		}
	})
}

func TestTally(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		from, to := birth, birth.Add(24*time.Hour)
		for i, at := range []time.Time{from.Add(-time.Microsecond), from, from.Add(time.Hour), to.Add(-time.Microsecond), to} {
			project := plain([]id.Scope{alice, bob}[i%2], fmt.Sprint("p", i))
			project.CreatedAt = at
			s.add(t, project)
		}
		storetest.Commit(t, s.db, func(ctx context.Context) error {
			return errors.Join(
				s.Delete(ctx, plain(alice, "p0"), to.Add(-time.Microsecond)), s.Delete(ctx, plain(bob, "p1"), to))
		})
		if got, err := s.Tally(t.Context(), from, to); err != nil || got != (app.Tally{Created: 3, Deleted: 1, All: 3}) {
			t.Errorf("got %+v, %v", got, err)
		}
		if got, err := s.Tally(t.Context(), to, to.Add(time.Hour)); err != nil || got != (app.Tally{Created: 1, Deleted: 1, All: 3}) {
			t.Errorf("the hour after: %+v, %v", got, err)
		}
	})
}

// Both engines list the same random projects in the same order, for every sort and search; and it is the order that
// the rules say.
func TestListsAreAlikeOnBothEngines(t *testing.T) {
	t.Parallel()
	r := storetest.Random(t)
	names := []string{"Straße", "STRASSE", "strasse", "Äpfel", "äpfel", "A\u0308pfel", "apfel", "Apfel", "zebra", "Zebra", "100%", "100",
		"a_b", "aXb", `back\slash`, "ﬁne", "fine", "İzmir", "izmir", "É", "e\u0301", "e", "🚀", "שלום", "a", "B", "c", "~", "-", " x"}
	var all []domain.Project
	for range 300 {
		project := plain(alice, fmt.Sprintf("%04x", r.IntN(0x10000))+id.New()[8:])
		project.Name = names[r.IntN(len(names))]
		if r.IntN(3) == 0 {
			project.Name = storetest.Text(r, 12)
		}
		project.CreatedAt = birth.Add(time.Duration(r.IntN(40)) * time.Microsecond) // many at the same time
		all = append(all, project)
	}
	engines := map[database.Engine]suite{}
	for _, db := range []*database.DB{testkit.SQLite(t), testkit.Postgres(t)} {
		s := suite{db, store.New(db)}
		s.add(t, all...)
		s.add(t, plain(bob, "another's"))
		engines[db.Engine()] = s
	}

	searches := []string{"", "strasse", "ÄPFEL", "apfel", "%", "_", `\`, "100%", "a_b", "fi", "İ", "i", "É", "🚀", "ל", "nothing of that kind", "'", "x"}
	for range 30 {
		searches = append(searches, storetest.Text(r, 3))
	}
	compare := func(when string) {
		for _, search := range searches {
			search = fold.Text(search)
			for _, sort := range sorts {
				want := idsOf(expected(all, search, sort))
				for engine, s := range engines {
					got, total := s.ids(t, alice, app.Listing{Search: search, Sort: sort, Limit: len(all)})
					if !slices.Equal(got, want) || total != int64(len(want)) {
						t.Errorf("%s %s: %q by %s: %d items of %d, want %d in another order or number\ngot  %v\nwant %v",
							engine, when, search, sort, len(got), total, len(want), got, want)
					}
				}
			}
		}
	}
	compare("with its indexes")
	for _, sort := range sorts {
		want := idsOf(expected(all, "", sort))
		for engine, s := range engines {
			for _, skip := range []int{0, 1, 7, 299, 300, 10_000} {
				got, total := s.ids(t, alice, app.Listing{Sort: sort, Skip: skip, Limit: 20})
				from := min(skip, len(want))
				if !slices.Equal(got, want[from:min(from+20, len(want))]) || total != int64(len(want)) {
					t.Errorf("%s: 20 by %s from %d on: %v of %d", engine, sort, skip, got, total)
				}
			}
		}
	}
	for _, s := range engines { // an index that happens to be in the right order must not hide what the query forgets
		for _, index := range []string{"projects_by_created", "projects_by_name"} {
			if _, err := s.db.SQL().Exec("DROP INDEX " + index); err != nil {
				t.Fatal(err)
			}
		}
	}
	compare("without its indexes")
}

// expected is what a listing must find, by the rules: the folded name holds the folded search, and ties are broken by id.
func expected(all []domain.Project, search string, sort app.Sort) []domain.Project {
	var found []domain.Project
	for _, project := range all {
		if strings.Contains(fold.Text(project.Name), search) {
			found = append(found, project)
		}
	}
	slices.SortFunc(found, func(a, b domain.Project) int {
		byTime := cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID))
		byName := cmp.Or(strings.Compare(fold.Text(a.Name), fold.Text(b.Name)), strings.Compare(a.ID, b.ID))
		return map[app.Sort]int{app.OldestFirst: byTime, app.NewestFirst: -byTime, app.ByName: byName, app.ByNameDown: -byName}[sort]
	})
	return found
}

// A plan is kept by its version, and whoever locks it holds others up, also where there was none.
func TestPlans(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		alice := id.Of("alice")
		plan := func() (found string) {
			t.Helper()
			storetest.Commit(t, s.db, func(ctx context.Context) (err error) {
				found, err = s.LockPlan(ctx, alice)
				return err
			})
			return found
		}
		if got := plan(); got != "" {
			t.Errorf("who never paid is on %q", got)
		}
		for _, step := range []struct {
			plan    string
			version int64
			want    string
		}{{"pro", 2, "pro"}, {"free", 1, "pro"}, {"other", 2, "pro"}, {"free", 3, "free"}} {
			storetest.Commit(t, s.db, func(ctx context.Context) error { return s.SavePlan(ctx, alice, step.plan, step.version) })
			if got := plan(); got != step.want {
				t.Errorf("after %+v the plan is %q", step, got)
			}
		}
		storetest.Commit(t, s.db, func(ctx context.Context) error { return s.SavePlan(ctx, id.Of("bob"), "pro", 1) })
		s.erase(t, alice)
		if left := testkit.Rows(t, s.db, "projects_plans", ""); left != 1 {
			t.Errorf("%d plans are left, want bob's", left)
		}

		// Each adds one when there are fewer than five.
		carol := id.Of("carol")
		storetest.Concurrent(t, 1, func(int) error {
			return s.db.WithinTx(t.Context(), func(ctx context.Context) error {
				if _, err := s.LockPlan(ctx, carol); err != nil {
					return err
				}
				count, err := s.Count(ctx, carol)
				if err != nil || count >= 5 {
					return err
				}
				return s.Insert(ctx, randomProject(storetest.Random(t), carol))
			})
		})
		if count, err := s.Count(t.Context(), carol); err != nil || count != 5 {
			t.Errorf("there are %d, %v", count, err)
		}
	})
}

// Whoever walks a list by its cursors meets everything that was there all the time exactly once, although projects come
// and go between the pages, also the one that the cursor stands on.
func TestCursorsWalkThroughAChangingList(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		r := storetest.Random(t)
		cursors := page.NewCursors(keyring.New(strings.Repeat("k", 32), ""))
		projects := app.New(s.Store, s.db, eventstest.New(s.db, nil), cursors, clock.System{}, billing.Null{}, nil)
		for _, sort := range sorts {
			owner := id.Of("walker by " + string(sort))
			random := func() domain.Project {
				project := randomProject(r, owner)
				project.Name = storetest.Text(r, 2) // many alike
				project.CreatedAt = birth.Add(time.Duration(r.IntN(30)) * time.Microsecond)
				return project
			}
			var all []domain.Project
			for range 80 {
				all = append(all, random())
			}
			s.add(t, all...)
			stays := map[string]bool{}
			for _, project := range all {
				stays[project.ID] = true
			}

			seen := map[string]int{}
			request := page.Request{Limit: 7}
			for pages := 0; ; pages++ {
				got, err := projects.List(t.Context(), owner, "", sort, request)
				if err != nil {
					t.Fatal(err)
				}
				for _, project := range got.Items {
					seen[project.ID]++
				}
				if got.Next == "" {
					break
				}
				if pages > 100 {
					t.Fatal("the walk doesn't end")
				}
				request.Cursor = got.Next

				s.add(t, random(), random())
				leaving := []domain.Project{all[r.IntN(len(all))]}
				if pages%2 == 0 {
					leaving = append(leaving, got.Items[len(got.Items)-1])
				}
				storetest.Commit(t, s.db, func(ctx context.Context) error {
					for _, project := range leaving {
						delete(stays, project.ID)
						if err := s.deleteAt(ctx, owner, project.ID); err != nil && !errs.Is(err, errs.NotFound) {
							return err
						}
					}
					return nil
				})
			}
			for projectID, times := range seen {
				if times > 1 {
					t.Errorf("by %s: %s was met %d times", sort, projectID, times)
				}
			}
			for projectID := range stays {
				if seen[projectID] != 1 {
					t.Errorf("by %s: %s was met %d times, and was there all the time", sort, projectID, seen[projectID])
				}
			}
		}
	})
}

// The store works behind a transaction pooler, where the driver writes the values into the SQL.
func TestTheStoreWorksBehindAPooler(t *testing.T) {
	t.Parallel()
	opts := testkit.DatabaseOptions(t, database.Postgres)
	opts.Pooled = true
	db := testkit.OpenDatabase(t, opts)
	s := suite{db, store.New(db)}
	r := storetest.Random(t)
	for range 20 {
		project := randomProject(r, alice)
		s.add(t, project)
		if found, err := s.Find(t.Context(), alice, project.ID); err != nil || !reflect.DeepEqual(found, project) {
			t.Fatalf("inserted %+v\nfound    %+v, %v", project, found, err)
		}
		search := fold.Text(storetest.Text(r, 2))
		after := new(page.At(project.CreatedAt, project.ID))
		if _, _, err := s.List(t.Context(), alice, app.Listing{Search: search, Sort: app.NewestFirst, Limit: 5, After: after}); err != nil {
			t.Fatalf("searching %q: %v", search, err)
		}
		changed := project
		changed.Description, changed.Version = storetest.Optional(r, 100), project.Version+1
		storetest.Commit(t, s.db, func(ctx context.Context) error {
			return errors.Join(s.Save(ctx, changed), s.deleteAt(ctx, alice, project.ID))
		})
	}
	s.erase(t, alice)
	if got := testkit.Rows(t, db, "projects", ""); got != 0 {
		t.Errorf("%d rows are left", got)
	}
}
