package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
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
	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/events/eventstest"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/testkit"
)

// The conformance suite of app.Store, and of what SignIn promises on a real database. It runs on both engines.

var (
	birth = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	later = birth.Add(time.Hour)
)

// eachStore runs the test on an empty store of both engines.
func eachStore(t *testing.T, test func(t *testing.T, s suite)) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		people, happened := store.New(db, keyring.New(strings.Repeat("k", 32), "")), eventstest.New(db, nil)
		test(t, suite{db, people, newApp(db, people, happened, nil), happened})
	})
}

// newApp returns the use cases over the store at birth, with a provider called "provider".
func newApp(db *database.DB, people *store.Store, happened *eventstest.Recorder, provider app.Provider) *app.App {
	keys := keyring.New(strings.Repeat("k", 32), "")
	return app.New(app.Ports{
		Store: people, Webhooks: people, Tx: db, Events: happened, Principals: auth.NewPrincipalCache(clock.System{}), Queue: noQueue{},
		Sealer: keys.Sealer("test"), Receipts: noReceipts{}, Cursors: page.NewCursors(keys), Clock: clock.NewManual(birth),
		Providers: map[string]app.Provider{"provider": provider},
	}, nil, 0)
}

// noQueue is an app.Queue whose jobs the test does itself.
type noQueue struct{}

func (noQueue) ProcessWebhook(context.Context, string) error { return nil }
func (noQueue) FetchProfile(context.Context, string) error   { return nil }

// noReceipts is an app.Receipts that keeps none.
type noReceipts struct{}

func (noReceipts) Record(context.Context, string, id.Scope, map[string]int64) error { return nil }

// suite is a store under test, with the use cases over it.
type suite struct {
	db *database.DB
	*store.Store
	app    *app.App
	events *eventstest.Recorder
}

// exec runs a statement, for states that no use case makes yet.
func (s suite) exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	storetest.Commit(t, s.db, func(ctx context.Context) error { return s.db.Tx(ctx).Exec(statement, args...).Error })
}

// insert adds a user, whose id has to be free.
func (s suite) insert(ctx context.Context, user domain.User) error {
	free, err := s.Insert(ctx, user)
	if err == nil && !free {
		err = fmt.Errorf("the id %q is taken", user.ID)
	}
	return err
}

// join adds a user who signs in with the identity.
func (s suite) join(ctx context.Context, identity domain.Identity, user domain.User) error {
	free, err := s.ClaimIdentity(ctx, identity)
	if err == nil && !free {
		err = fmt.Errorf("the identity %+v is taken", identity)
	}
	if err != nil {
		return err
	}
	if err := s.insert(ctx, user); err != nil {
		return err
	}
	return s.Link(ctx, identity, user.ID)
}

// signIn signs the identity in, which has to work.
func (s suite) signIn(t testing.TB, issuer, subject string) domain.User {
	t.Helper()
	user, err := s.app.SignIn(t.Context(), claims(issuer, subject))
	if err != nil {
		t.Fatal(err)
	}
	return user
}

func claims(issuer, subject string) domain.Claims {
	return domain.Claims{Identity: domain.Identity{Issuer: issuer, Subject: subject}, Email: subject + "@example.com"}
}

func plain(userID string) domain.User {
	return domain.User{ID: userID, Role: domain.RoleUser, Active: true, Version: 1, CreatedAt: birth, UpdatedAt: birth}
}

func randomUser(r *rand.Rand) domain.User {
	user := domain.User{
		ID:                 id.New(),
		Email:              storetest.Optional(r, 320),
		EmailVerified:      r.IntN(2) == 0,
		FullName:           storetest.Optional(r, domain.MaxFullName),
		AvatarURL:          storetest.Optional(r, domain.MaxAvatarURL),
		Role:               []domain.Role{domain.RoleUser, domain.RoleAdmin, domain.RoleSuperadmin}[r.IntN(3)],
		Active:             r.IntN(2) == 0,
		SubscriptionStatus: storetest.Optional(r, 20),
		SubscriptionPlan:   storetest.Optional(r, 20),
		TokenRole:          []domain.Role{"", domain.RoleUser, domain.RoleAdmin, domain.RoleSuperadmin}[r.IntN(4)],
		LastSession:        storetest.Text(r, 255),
		OwnFullName:        r.IntN(2) == 0,
		OwnAvatarURL:       r.IntN(2) == 0,
		Version:            1 + r.Int64N(1<<40),
		CreatedAt:          storetest.Time(r),
		UpdatedAt:          storetest.Time(r),
	}
	if r.IntN(2) == 0 {
		user.LastLoginAt = new(storetest.Time(r))
	}
	return user
}

func TestUsersComeBackAsTheyWere(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		r := storetest.Random(t)
		for range 100 {
			user := randomUser(r)
			identity := domain.Identity{Issuer: storetest.Text(r, 100), Subject: storetest.Text(r, 255)}
			storetest.Commit(t, s.db, func(ctx context.Context) error { return s.join(ctx, identity, user) })
			if found, err := s.Find(t.Context(), user.ID); err != nil || !reflect.DeepEqual(found, user) {
				t.Fatalf("inserted %+v\nfound    %+v, %v", user, found, err)
			}
			if found, err := s.FindByIdentity(t.Context(), identity); err != nil || !reflect.DeepEqual(found, user) {
				t.Fatalf("inserted      %+v\nby identity   %+v, %v", user, found, err)
			}

			user.Email, user.EmailVerified = storetest.Optional(r, 320), r.IntN(2) == 0
			user.OwnFullName, user.OwnAvatarURL = r.IntN(2) == 0, r.IntN(2) == 0
			user.FullName, user.AvatarURL = storetest.Optional(r, domain.MaxFullName), storetest.Optional(r, domain.MaxAvatarURL)
			user.Role, user.Active = []domain.Role{domain.RoleUser, domain.RoleAdmin, domain.RoleSuperadmin}[r.IntN(3)], r.IntN(2) == 0
			user.Version, user.UpdatedAt = user.Version+1, storetest.Time(r)
			storetest.Commit(t, s.db, func(ctx context.Context) error { return s.Save(ctx, user) })
			if found, err := s.Find(t.Context(), user.ID); err != nil || !reflect.DeepEqual(found, user) {
				t.Fatalf("saved %+v\nfound %+v, %v", user, found, err)
			}
		}
	})
}

func TestTheStoreIsTransactional(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		identity := func(name string) domain.Identity { return domain.Identity{Issuer: "issuer", Subject: name} }
		storetest.Transactional(t, s.db,
			func(ctx context.Context, name string) error { return s.join(ctx, identity(name), plain(name)) },
			func(ctx context.Context, name string) bool {
				_, err := s.Find(ctx, name)
				_, identityErr := s.FindByIdentity(ctx, identity(name))
				if errs.Is(err, errs.NotFound) != errs.Is(identityErr, errs.NotFound) {
					t.Errorf("%s: the user is there or the identity is, not both: %v, %v", name, err, identityErr)
				}
				return err == nil
			})

		user := plain("committed")
		for name, write := range map[string]func(ctx context.Context) error{
			"lock":   func(ctx context.Context) error { _, err := s.Lock(ctx, user.ID); return err },
			"claim":  func(ctx context.Context) error { _, err := s.ClaimIdentity(ctx, identity("x")); return err },
			"insert": func(ctx context.Context) error { _, err := s.Insert(ctx, plain("x")); return err },
			"hold":   func(ctx context.Context) error { _, _, err := s.LockWithSuperadmins(ctx, user.ID); return err },
			"link":   func(ctx context.Context) error { return s.Link(ctx, identity("x"), user.ID) },
			"save":   func(ctx context.Context) error { return s.Save(ctx, user) },
			"erase":  func(ctx context.Context) error { _, err := s.Erase(ctx, id.Of(user.ID), later); return err },
		} {
			if err := write(t.Context()); !errors.Is(err, database.ErrNoTransaction) {
				t.Errorf("%s outside of a transaction: got %v, want ErrNoTransaction", name, err)
			}
		}
	})
}

func TestAnIDIsTakenOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		first := randomUser(storetest.Random(t))
		storetest.Commit(t, s.db, func(ctx context.Context) error { return s.insert(ctx, first) })
		storetest.Commit(t, s.db, func(ctx context.Context) error {
			second := plain(first.ID)
			second.Email = new("second@example.com")
			free, err := s.Insert(ctx, second)
			if err != nil || free {
				t.Errorf("a second insert: free %t, %v", free, err)
			}
			return err
		})
		if found, err := s.Find(t.Context(), first.ID); err != nil || !reflect.DeepEqual(found, first) {
			t.Errorf("the first is now %+v, %v", found, err)
		}
	})
}

func TestAnIdentityIsClaimedOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		identity := domain.Identity{Issuer: "issuer", Subject: "subject"}
		claim := func(ctx context.Context) (free bool) {
			free, err := s.ClaimIdentity(ctx, identity)
			if err != nil {
				t.Error(err)
			}
			return free
		}
		undone := errors.New("undone")
		err := s.db.WithinTx(t.Context(), func(ctx context.Context) error {
			if !claim(ctx) || claim(ctx) {
				t.Error("it wasn't free, or still is")
			}
			return undone
		})
		if !errors.Is(err, undone) {
			t.Error(err)
		}
		storetest.Commit(t, s.db, func(ctx context.Context) error {
			if !claim(ctx) {
				t.Error("a claim that was rolled back is still there")
			}
			return errors.Join(s.insert(ctx, plain("u1")), s.Link(ctx, identity, "u1"))
		})
		storetest.Commit(t, s.db, func(ctx context.Context) error {
			if claim(ctx) {
				t.Error("an identity that stands for a user is free")
			}
			return nil
		})
		if found, err := s.FindByIdentity(t.Context(), identity); err != nil || found.ID != "u1" {
			t.Errorf("it stands for %+v, %v", found, err)
		}
	})
}

// However many first requests of new people come at once, each of them becomes one user, and none fails.
func TestFirstRequestsAtOnceMakeOneUserEach(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		const people, requests = 20, 64
		var all sync.WaitGroup
		var ids [people]sync.Map
		start := make(chan struct{})
		for person := range people {
			for range requests {
				all.Go(func() {
					<-start
					user, err := s.app.SignIn(t.Context(), claims("issuer", fmt.Sprintf("person-%d", person)))
					if err != nil {
						t.Error(err)
					}
					ids[person].Store(user.ID, true)
				})
			}
		}
		close(start)
		all.Wait()

		for person := range people {
			ids[person].Range(func(userID, _ any) bool {
				if userID != fmt.Sprintf("person-%d", person) {
					t.Errorf("person %d became user %v", person, userID)
				}
				return true
			})
		}
		if got := testkit.Rows(t, s.db, "users", ""); got != people {
			t.Errorf("%d people became %d users", people, got)
		}
		if got := testkit.Rows(t, s.db, "users_identities", "user_id = subject"); got != people {
			t.Errorf("%d people have %d identities", people, got)
		}
		registered := map[events.Event]bool{}
		for _, event := range s.events.Published() {
			registered[event] = true
		}
		for person := range people {
			if userID := fmt.Sprintf("person-%d", person); !registered[users.UserRegistered{UserID: userID, Version: 1}] {
				t.Errorf("nobody heard of %s", userID)
			}
		}
		if told := len(s.events.Published()); told != people {
			t.Errorf("%d people were registered %d times", people, told)
		}
	})
}

// The same subject of another issuer is another person, also when both come for the first time at once.
func TestTheSameSubjectOfAnotherIssuerIsAnotherPerson(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		issuers := []string{"one", "two", "three", "four"}
		const requests = 16
		var all sync.WaitGroup
		for _, issuer := range issuers {
			for range requests {
				all.Go(func() {
					if _, err := s.app.SignIn(t.Context(), claims(issuer, "sam")); err != nil {
						t.Error(err)
					}
				})
			}
		}
		all.Wait()

		owners := map[string]string{}
		var kept int
		for _, issuer := range issuers {
			user := s.signIn(t, issuer, "sam")
			if other, taken := owners[user.ID]; taken {
				t.Errorf("sam of %s and sam of %s are one person", issuer, other)
			}
			owners[user.ID] = issuer
			if user.ID == "sam" {
				kept++
			} else if !id.Valid(user.ID) {
				t.Errorf("sam of %s got the id %q", issuer, user.ID)
			}
		}
		if kept != 1 || testkit.Rows(t, s.db, "users", "") != len(issuers) {
			t.Errorf("%d of %d users are called sam, want 1 of %d", kept, testkit.Rows(t, s.db, "users", ""), len(issuers))
		}
	})
}

// An erased user leaves tombstones that tell nothing and never comes back to life.
func TestATombstoneStays(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		const canary = "canary"
		identity := domain.Identity{Issuer: "issuer", Subject: "sam"}
		person := domain.Claims{
			Identity: identity, Email: canary + "@example.com", EmailVerified: true, FullName: canary + " name",
			AvatarURL: "https://example.com/" + canary, Session: canary,
		}
		user, err := s.app.SignIn(t.Context(), person)
		if err != nil {
			t.Fatal(err)
		}
		s.exec(t, `UPDATE users SET stripe_customer_id = ?, subscription_status = ?, subscription_plan = ?, login_count = 4711,
			own_full_name = ?, own_avatar_url = ? WHERE id = ?`, canary, canary, canary, true, true, user.ID)
		if before := row(t, s.db, user.ID); len(before) < 17 || strings.Count(fmt.Sprint(before), canary) < 8 {
			t.Fatalf("this isn't a whole row: %v", before)
		}
		s.signIn(t, "issuer", "somebody else")

		if _, err := s.app.Erase(t.Context(), id.Of(user.ID)); err != nil {
			t.Fatal(err)
		}
		buried := s.buried(t)
		if len(buried) != 2 || strings.Contains(fmt.Sprint(buried), "sam") {
			t.Errorf("the tombstones are %v", buried)
		}
		for _, table := range []string{"users", "users_identities", "users_api_keys"} {
			if left := testkit.Rows(t, s.db, table, ""); left > 1 { // somebody else's
				t.Errorf("%d rows are left in %s", left, table)
			}
		}

		if living, total, err := s.List(t.Context(), app.Listing{Limit: 10}); err != nil || total != 1 || living[0].ID != "somebody else" {
			t.Errorf("the list is %+v of %d, %v", living, total, err)
		}
		if _, err := s.app.SignIn(t.Context(), person); !errs.Is(err, errs.Forbidden) {
			t.Errorf("signing in again: got %v, want it forbidden", err)
		}
		if _, err := s.Find(t.Context(), user.ID); !errs.Is(err, errs.NotFound) {
			t.Errorf("find: got %v, want it not found", err)
		}
		if err := s.db.WithinTx(t.Context(), func(ctx context.Context) error { _, err := s.Lock(ctx, user.ID); return err }); !errs.Is(err, errs.NotFound) {
			t.Errorf("lock: got %v, want it not found", err)
		}
		if found, err := s.FindByIdentity(t.Context(), identity); err != nil || !found.Deleted || found.ID != "" {
			t.Errorf("by identity: %+v, %v", found, err)
		}
		if other := s.signIn(t, "another issuer", "sam"); other.ID == user.ID || !id.Valid(other.ID) {
			t.Errorf("sam of another issuer got the id %q", other.ID)
		}

		if _, err := s.app.Erase(t.Context(), id.Of(user.ID)); err != nil {
			t.Errorf("erasing twice: %v", err)
		}
		if again := s.buried(t); !slices.Equal(again, buried) {
			t.Errorf("erasing twice makes %v of %v", again, buried)
		}
		if _, err := s.app.Erase(t.Context(), id.Of("nobody")); err != nil {
			t.Errorf("erasing nobody: %v", err)
		}
		if bystander := s.signIn(t, "issuer", "somebody else"); bystander.Email == nil || bystander.Version != 1 {
			t.Errorf("somebody else is now %+v", bystander)
		}
	})
}

// buried returns the hashes of the tombstones, in order.
func (s suite) buried(t testing.TB) []string {
	t.Helper()
	hashes, err := database.All(s.db.Read(t.Context()).Raw("SELECT hash FROM users_tombstones ORDER BY hash"), database.Scalar[string])
	if err != nil {
		t.Fatal(err)
	}
	return hashes
}

// row returns all columns of a user's row.
func row(t *testing.T, db *database.DB, userID string) map[string]any {
	t.Helper()
	rows, err := db.Read(t.Context()).Raw("SELECT * FROM users WHERE id = ?", userID).Rows()
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil || !rows.Next() {
		t.Fatalf("%q has no row: %v, %v", userID, err, rows.Err())
	}
	values := make([]any, len(columns))
	places := make([]any, len(columns))
	for i := range values {
		places[i] = &values[i]
	}
	if err := rows.Scan(places...); err != nil {
		t.Fatal(err)
	}
	named := map[string]any{}
	for i, column := range columns {
		named[column] = values[i]
	}
	return named
}

func TestASuspendedUserMayNotSignIn(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		user := s.signIn(t, "issuer", "sam")
		s.exec(t, "UPDATE users SET is_active = ? WHERE id = ?", false, user.ID)
		if _, err := s.app.SignIn(t.Context(), claims("issuer", "sam")); !errs.Is(err, errs.Forbidden) {
			t.Errorf("got %v, want it forbidden", err)
		}
		if found, err := s.app.Find(t.Context(), user.ID); err != nil || found.Active {
			t.Errorf("other modules see %+v, %v", found, err)
		}
		s.exec(t, "UPDATE users SET is_active = ? WHERE id = ?", true, user.ID)
		if again := s.signIn(t, "issuer", "sam"); again.ID != user.ID {
			t.Errorf("afterwards %q is %q", user.ID, again.ID)
		}
	})
}

// One person may have identities of several issuers.
func TestTwoIdentitiesMayStandForOneUser(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		user := s.signIn(t, "one", "sam")
		second := domain.Identity{Issuer: "two", Subject: "s-4711"}
		storetest.Commit(t, s.db, func(ctx context.Context) error {
			if free, err := s.ClaimIdentity(ctx, second); err != nil || !free {
				t.Errorf("the second identity: free %t, %v", free, err)
			}
			return s.Link(ctx, second, user.ID)
		})
		if again := s.signIn(t, "two", "s-4711"); again.ID != user.ID {
			t.Errorf("%q signs in as %q", user.ID, again.ID)
		}
		if _, err := s.app.Erase(t.Context(), id.Of(user.ID)); err != nil {
			t.Fatal(err)
		}
		for issuer, subject := range map[string]string{"one": "sam", "two": "s-4711"} {
			if _, err := s.app.SignIn(t.Context(), claims(issuer, subject)); !errs.Is(err, errs.Forbidden) {
				t.Errorf("%s of %s after the erasure: got %v, want it forbidden", subject, issuer, err)
			}
		}
	})
}

// Sixteen writers that lock first all succeed, one after the other.
func TestLockedWritersLoseNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		storetest.Commit(t, s.db, func(ctx context.Context) error { return s.insert(ctx, plain("u1")) })
		const rounds = 10
		storetest.Concurrent(t, rounds, func(writer int) error {
			return s.db.WithinTx(t.Context(), func(ctx context.Context) error {
				user, err := s.Lock(ctx, "u1")
				if err != nil {
					return err
				}
				user.FullName = new(fmt.Sprintf("writer %d after version %d", writer, user.Version))
				user.Version++
				return s.Save(ctx, user)
			})
		})
		if found, err := s.Find(t.Context(), "u1"); err != nil || found.Version != 1+16*rounds {
			t.Errorf("version %d after %d changes, %v", found.Version, 16*rounds, err)
		}
	})
}

// Writers that read without a lock are refused when another one was faster. Nothing that was accepted is lost.
func TestWritersOfAnOldVersionAreRefused(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		storetest.Commit(t, s.db, func(ctx context.Context) error { return s.insert(ctx, plain("u1")) })
		var accepted atomic.Int64
		storetest.Concurrent(t, 20, func(int) error {
			user, err := s.Find(t.Context(), "u1")
			if err != nil {
				return err
			}
			user.Version++
			err = s.db.WithinTx(t.Context(), func(ctx context.Context) error { return s.Save(ctx, user) })
			if err == nil {
				accepted.Add(1)
			} else if !errs.Is(err, errs.Precondition) {
				return err
			}
			return nil
		})
		if found, err := s.Find(t.Context(), "u1"); err != nil || found.Version != 1+accepted.Load() {
			t.Errorf("version %d after %d accepted changes, %v", found.Version, accepted.Load(), err)
		}
		if err := s.db.WithinTx(t.Context(), func(ctx context.Context) error { return s.Save(ctx, plain("u1")) }); !errs.Is(err, errs.Precondition) {
			t.Errorf("saving version 1: got %v, want it refused", err)
		}
	})
}

// What billing says counts by its version, and a tombstone keeps none of it.
func TestSaveSubscription(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		born := plain("sam")
		storetest.Commit(t, s.db, func(ctx context.Context) error { return s.insert(ctx, born) })
		say := func(said domain.Subscription) domain.User {
			t.Helper()
			storetest.Commit(t, s.db, func(ctx context.Context) error { return s.SaveSubscription(ctx, "sam", said, later) })
			found, err := s.Find(t.Context(), "sam")
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		active := domain.Subscription{CustomerID: "cus_1", Status: "active", Plan: "pro", Version: 3}
		if got := say(active); got.Plan() != "pro" || got.SubscriptionStatus == nil || *got.SubscriptionStatus != "active" || got.Version != born.Version+1 || !got.UpdatedAt.Equal(later) {
			t.Errorf("at first %+v", got)
		}
		for _, late := range []int64{2, 3} {
			if got := say(domain.Subscription{CustomerID: "cus_1", Plan: "free", Version: late}); got.Plan() != "pro" || got.Version != born.Version+1 {
				t.Errorf("after the version %d, which comes late: %+v", late, got)
			}
		}
		if got := say(domain.Subscription{CustomerID: "cus_1", Plan: "free", Version: 4}); got.Plan() != "free" || got.SubscriptionStatus != nil {
			t.Errorf("in the end %+v", got)
		}
		storetest.Commit(t, s.db, func(ctx context.Context) error { _, err := s.Erase(ctx, id.Of("sam"), later); return err })
		active.Version = 9
		storetest.Commit(t, s.db, func(ctx context.Context) error { return s.SaveSubscription(ctx, "sam", active, later) })
		if kept := testkit.Rows(t, s.db, "users", "stripe_customer_id IS NOT NULL OR subscription_plan IS NOT NULL"); kept != 0 {
			t.Error("the tombstone says what sam paid for")
		}
	})
}
