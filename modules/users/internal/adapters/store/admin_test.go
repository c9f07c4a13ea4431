package store_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/fold"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/testkit"
)

// add stores the users.
func (s suite) add(t testing.TB, people ...domain.User) {
	t.Helper()
	storetest.Commit(t, s.db, func(ctx context.Context) error {
		for _, user := range people {
			if err := s.insert(ctx, user); err != nil {
				return err
			}
		}
		return nil
	})
}

func withRole(userID string, role domain.Role) domain.User {
	user := plain(userID)
	user.Role, user.Email = role, new(userID+"@example.com")
	return user
}

// told returns how often each event was published.
func (s suite) told() map[string]int {
	told := map[string]int{}
	for _, event := range s.events.Published() {
		told[event.EventName()]++
	}
	return told
}

// Both engines list the same random users in the same order, for every filter; and it is what the rules say.
func TestListsAreAlikeOnBothEngines(t *testing.T) {
	t.Parallel()
	r := storetest.Random(t)
	names := []string{"Straße", "STRASSE", "Äpfel", "A\u0308pfel", "100%", "a_b", "aXb", `back\slash`, "İzmir", "🚀", "Sam Smith"}
	var all []domain.User
	for i := range 200 {
		user := randomUser(r)
		user.CreatedAt = birth.Add(time.Duration(r.IntN(40)) * time.Microsecond) // many at the same time
		user.FullName, user.Email = new(names[r.IntN(len(names))]), new(fmt.Sprintf("Someone%d@Example.com", i))
		if r.IntN(4) == 0 {
			user.FullName, user.Email = storetest.Optional(r, 12), storetest.Optional(r, 12)
		}
		all = append(all, user)
	}
	engines := map[database.Engine]suite{}
	for _, db := range []*database.DB{testkit.SQLite(t), testkit.Postgres(t)} {
		s := suite{db: db, Store: store.New(db, keyring.New(strings.Repeat("k", 32), ""))}
		s.add(t, all...)
		s.add(t, plain("erased"))
		storetest.Commit(t, db, func(ctx context.Context) error { _, err := s.Erase(ctx, id.Of("erased"), later); return err })
		engines[db.Engine()] = s
	}

	searches := []string{"", "strasse", "äpfel", "%", "_", `\`, "100%", "a_b", "İ", "🚀", "SOMEONE1", "@example", "sam smith", "nothing of that kind", "'"}
	for range 20 {
		searches = append(searches, storetest.Text(r, 3))
	}
	for _, search := range searches {
		for _, role := range []domain.Role{"", domain.RoleUser, domain.RoleSuperadmin} {
			for _, active := range []*bool{nil, new(true), new(false)} {
				filter := app.Filter{Search: fold.Text(search), Role: role, Active: active}
				want := expected(all, filter)
				for engine, s := range engines {
					got, total, err := s.List(t.Context(), app.Listing{Filter: filter, Limit: 1000})
					if err != nil || !slices.Equal(idsOf(got), idsOf(want)) || total != int64(len(want)) {
						t.Errorf("%s: %+v finds %d of %d, want %d, %v", engine, filter, len(got), total, len(want), err)
					}
				}
			}
		}
	}
	want := idsOf(expected(all, app.Filter{}))
	for engine, s := range engines {
		for _, skip := range []int{0, 1, 7, 199, 200, 10_000} {
			got, total, err := s.List(t.Context(), app.Listing{Skip: skip, Limit: 20})
			from := min(skip, len(want))
			if err != nil || !slices.Equal(idsOf(got), want[from:min(from+20, len(want))]) || total != int64(len(want)) {
				t.Errorf("%s: 20 from %d on are %v of %d, %v", engine, skip, idsOf(got), total, err)
			}
		}
		var walked []string
		for listing := (app.Listing{Limit: 7}); ; {
			got, _, err := s.List(t.Context(), listing)
			if err != nil {
				t.Fatal(err)
			}
			walked = append(walked, idsOf(got)...)
			if len(got) < listing.Limit {
				break
			}
			last := got[len(got)-1]
			listing.After = new(page.At(last.CreatedAt, last.ID))
		}
		if !slices.Equal(walked, want) {
			t.Errorf("%s: page by page there are %d, want %d in that order", engine, len(walked), len(want))
		}
	}
}

// expected is what a filter must find, by the rules.
func expected(all []domain.User, filter app.Filter) []domain.User {
	holds := func(text *string) bool { return text != nil && strings.Contains(fold.Text(*text), filter.Search) }
	var found []domain.User
	for _, user := range all {
		if (filter.Search == "" || holds(user.FullName) || holds(user.Email)) &&
			(filter.Role == "" || user.Role == filter.Role) && (filter.Active == nil || user.Active == *filter.Active) {
			found = append(found, user)
		}
	}
	slices.SortFunc(found, func(a, b domain.User) int {
		return -cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID))
	})
	return found
}

func idsOf(people []domain.User) []string {
	ids := []string{}
	for _, user := range people {
		ids = append(ids, user.ID)
	}
	return ids
}

// A search goes by what a user is called now.
func TestASearchFollowsChanges(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		user := s.signIn(t, "issuer", "sam")
		finds := func(search string, want int64) {
			t.Helper()
			if got, err := s.app.List(t.Context(), app.Filter{Search: search}, page.Request{Limit: 5}); err != nil || got.Total != want {
				t.Errorf("%q finds %d, %v, want %d", search, got.Total, err, want)
			}
		}
		finds("Grace", 0)
		if _, err := s.app.Update(t.Context(), user.ID, 0, domain.Profile{SetFullName: true, FullName: new("Grace Hopper")}); err != nil {
			t.Fatal(err)
		}
		finds("GRACE", 1)
		finds("sam@EXAMPLE", 1)
		if err := s.app.Delete(t.Context(), domain.Administrator{ID: user.ID}, user.ID, 0); err != nil {
			t.Fatal(err)
		}
		finds("grace", 0)
		finds("sam", 0)
	})
}

func TestAdministratorsAndSuperadmins(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		suspended, unreachable, blank := withRole("suspended", domain.RoleSuperadmin), withRole("unreachable", domain.RoleSuperadmin), withRole("blank", domain.RoleAdmin)
		suspended.Active, unreachable.Email, blank.Email = false, nil, new("")
		s.add(t, withRole("zoe", domain.RoleAdmin), withRole("ada", domain.RoleSuperadmin), withRole("sam", domain.RoleUser), suspended,
			unreachable, blank, withRole("gone", domain.RoleSuperadmin))
		storetest.Commit(t, s.db, func(ctx context.Context) error { _, err := s.Erase(ctx, id.Of("gone"), later); return err })

		if got, err := s.Administrators(t.Context()); err != nil || !slices.Equal(idsOf(got), []string{"ada", "zoe"}) {
			t.Errorf("the administrators are %v, %v", idsOf(got), err)
		}
		storetest.Commit(t, s.db, func(ctx context.Context) error {
			for _, userID := range []string{"sam", "ada", "zoe", "suspended"} {
				user, superadmins, err := s.LockWithSuperadmins(ctx, userID)
				if err != nil || user.ID != userID || !slices.Equal(superadmins, []string{"ada", "unreachable"}) {
					t.Errorf("beside %s, found as %+v, the superadmins are %v, %v", userID, user, superadmins, err)
				}
			}
			for _, userID := range []string{"gone", "nobody", ""} {
				if _, _, err := s.LockWithSuperadmins(ctx, userID); !errs.Is(err, errs.NotFound) {
					t.Errorf("%q: got %v, want it not found", userID, err)
				}
			}
			return nil
		})
	})
}

func TestTally(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		from, to := birth, birth.Add(24*time.Hour)
		for i, at := range []time.Time{from.Add(-time.Microsecond), from, from.Add(time.Hour), to.Add(-time.Microsecond), to} {
			user := plain(fmt.Sprint("u", i))
			user.CreatedAt = at
			s.add(t, user)
		}
		storetest.Commit(t, s.db, func(ctx context.Context) error {
			for userID, at := range map[string]time.Time{"u0": to.Add(-time.Microsecond), "u1": to} {
				if _, err := s.Erase(ctx, id.Of(userID), at); err != nil {
					return err
				}
			}
			return nil
		})
		if got, err := s.Tally(t.Context(), from, to); err != nil || got != (app.Tally{New: 3, All: 3}) {
			t.Errorf("got %+v, %v", got, err)
		}
		if got, err := s.Tally(t.Context(), from.Add(-48*time.Hour), from.Add(-24*time.Hour)); err != nil || got != (app.Tally{}) {
			t.Errorf("before there was anybody: %+v, %v", got, err)
		}
	})
}

// However many administrators change one user at once, each change is told once, and only if it changed anything.
func TestAdministratorsAtOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, withRole("root", domain.RoleSuperadmin), withRole("sam", domain.RoleUser))
		by := domain.Administrator{ID: "root", Role: domain.RoleSuperadmin}

		var all sync.WaitGroup
		var accepted, refused atomic.Int64
		for range 16 { // all have seen version 1
			all.Go(func() {
				_, err := s.app.Administer(t.Context(), by, "sam", 1, domain.Administration{Role: new(domain.RoleAdmin)})
				switch {
				case err == nil:
					accepted.Add(1)
				case errs.Is(err, errs.Precondition):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if accepted.Load() != 1 || refused.Load() != 15 {
			t.Errorf("%d of 16 changes to one version were accepted, %d refused", accepted.Load(), refused.Load())
		}
		s.events.Expect(t, users.UserRoleChanged{UserID: "sam", Role: "admin", Version: 2})

		for range 16 { // whatever the version: the first one suspends, the others find that done
			all.Go(func() {
				if _, err := s.app.Administer(t.Context(), by, "sam", 0, domain.Administration{Active: new(false)}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if told := s.told(); told["users.user_suspended.v1"] != 1 {
			t.Errorf("told was %v", told)
		}
		if found, err := s.Find(t.Context(), "sam"); err != nil || found.Version != 3 || found.Active || found.Role != domain.RoleAdmin {
			t.Errorf("sam is now %+v, %v", found, err)
		}
	})
}

// Superadmins who end each other at the same time leave one.
func TestOneSuperadminIsLeft(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		const count = 8
		root := func(i int) string { return fmt.Sprint("root", i%count) }
		for i := range count {
			s.add(t, withRole(root(i), domain.RoleSuperadmin))
		}
		start := make(chan struct{})
		var all sync.WaitGroup
		for i := range 3 * count {
			by := domain.Administrator{ID: root(i), Role: domain.RoleSuperadmin}
			all.Go(func() {
				<-start
				var err error
				switch i / count {
				case 0:
					_, err = s.app.Administer(t.Context(), by, root(i+1), 0, domain.Administration{Role: new(domain.RoleUser)})
				case 1:
					_, err = s.app.Administer(t.Context(), by, root(i+2), 0, domain.Administration{Active: new(false)})
				default:
					err = s.app.Delete(t.Context(), by, root(i), 0)
				}
				if err != nil && !errs.Is(err, errs.Conflict) && !errs.Is(err, errs.NotFound) {
					t.Error(err)
				}
			})
		}
		close(start)
		all.Wait()
		if left := testkit.Rows(t, s.db, "users", "role = 'superadmin' AND is_active AND deleted_at IS NULL"); left != 1 {
			t.Errorf("%d superadmins are left, want one", left)
		}
	})
}

// A deletion races with changes and with itself: it happens once, nothing comes after it, and everybody hears of it once.
func TestADeletionRacesWithChanges(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		user := s.signIn(t, "issuer", "sam")
		own, admin := domain.Administrator{ID: user.ID, Role: domain.RoleUser}, domain.Administrator{ID: "admin", Role: domain.RoleAdmin}
		var deleted, renamed, switched atomic.Int64
		storetest.Concurrent(t, 4, func(writer int) error {
			count, err := &deleted, error(nil)
			switch writer % 4 {
			case 0:
				err = s.app.Delete(t.Context(), own, user.ID, 0)
			case 1:
				err = s.app.Delete(t.Context(), admin, user.ID, 0)
			case 2:
				count = &renamed
				var before, after domain.User
				before, _ = s.Find(t.Context(), user.ID)
				after, err = s.app.Update(t.Context(), user.ID, before.Version, domain.Profile{SetFullName: true, FullName: new(fmt.Sprint("Sam ", before.Version))})
				if err == nil && after.Version == before.Version {
					return nil
				}
			default:
				count = &switched
				var before, after domain.User
				before, _ = s.Find(t.Context(), user.ID)
				after, err = s.app.Administer(t.Context(), admin, user.ID, before.Version, domain.Administration{Active: new(!before.Active)})
				if err == nil && after.Version == before.Version {
					return nil
				}
			}
			switch {
			case err == nil:
				count.Add(1)
			case !errs.Is(err, errs.NotFound) && !errs.Is(err, errs.Precondition):
				return err
			}
			return nil
		})

		if deleted.Load() != 1 {
			t.Errorf("sam was deleted %d times", deleted.Load())
		}
		told := s.told()
		if told["users.user_deleted.v1"] != 1 || int64(told["users.user_profile_changed.v1"]) != renamed.Load() ||
			int64(told["users.user_suspended.v1"]+told["users.user_reactivated.v1"]) != switched.Load() {
			t.Errorf("told was %v after %d renamings and %d suspensions or ends of one", told, renamed.Load(), switched.Load())
		}
		if want := (users.UserDeleted{UserID: user.ID, Version: 2 + renamed.Load() + switched.Load()}); !slices.Contains(s.events.Published(), events.Event(want)) {
			t.Errorf("told was %+v, want %+v among it", s.events.Published(), want)
		}
		if len(s.buried(t)) != 2 || testkit.Rows(t, s.db, "users_identities", "subject = 'sam'") != 0 {
			t.Error("there are no tombstones, or something says too much")
		}
		if _, err := s.app.SignIn(t.Context(), claims("issuer", "sam")); !errs.Is(err, errs.Forbidden) {
			t.Errorf("signing in again: got %v, want it forbidden", err)
		}
	})
}
