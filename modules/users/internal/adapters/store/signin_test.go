package store_test

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/testkit"
)

// atOnce runs the functions at once, and returns when all have ended.
func atOnce(functions ...func()) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for _, run := range functions {
		all.Go(func() {
			<-start
			run()
		})
	}
	close(start)
	all.Wait()
}

// Of any number of requests with new tokens at once, one notes the login. The version stays, and nobody hears of it.
func TestALoginIsNotedOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		user := s.signIn(t, "issuer", "sam")
		before := birth.Add(-3 * time.Hour)
		s.exec(t, "UPDATE users SET last_login_at = ?, login_count = 4 WHERE id = ?", before, user.ID)
		heard := len(s.events.Published())
		signIn := func(issued time.Time, session string) func() {
			return func() {
				claims := claims("issuer", "sam")
				claims.IssuedAt, claims.Session = issued, session
				if _, err := s.app.SignIn(t.Context(), claims); err != nil {
					t.Error(err)
				}
			}
		}
		var requests []func()
		for i := range 64 {
			requests = append(requests, signIn(birth.Add(-time.Duration(i)*time.Second), fmt.Sprint("s", i%4)))
		}
		atOnce(requests...)
		got := row(t, s.db, user.ID)
		if fmt.Sprint(got["login_count"]) != "5" || fmt.Sprint(got["version"]) != "1" || len(s.events.Published()) != heard {
			t.Errorf("after 64 requests at once the row is %v, and %d events came of it", got, len(s.events.Published())-heard)
		}
		found, err := s.Find(t.Context(), user.ID)
		if err != nil || found.LastLoginAt.Before(birth.Add(-time.Minute-4*time.Second)) || !strings.HasPrefix(found.LastSession, "s") || !found.UpdatedAt.Equal(user.UpdatedAt) {
			t.Errorf("the user is %+v, %v", found, err)
		}
		signIn(found.LastLoginAt.Add(domain.LoginWindow), "other")()
		if again := row(t, s.db, user.ID); !reflect.DeepEqual(again, got) {
			t.Errorf("a token within the window makes %v of %v", again, got)
		}
	})
}

// A login that can't be noted in time doesn't fail the request.
func TestALoginWaitsForNobody(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		user := s.signIn(t, "issuer", "sam")
		s.exec(t, "UPDATE users SET last_login_at = NULL, login_count = 0 WHERE id = ?", user.ID)
		err := s.db.WithinTx(t.Context(), func(ctx context.Context) error {
			if _, err := s.Lock(ctx, user.ID); err != nil {
				return err
			}
			s.signIn(t, "issuer", "sam") // in a context of its own, while the row is held
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := row(t, s.db, user.ID); got["last_login_at"] != nil {
			t.Errorf("it was noted: %v", got)
		}
		s.signIn(t, "issuer", "sam")
		if got := row(t, s.db, user.ID); got["last_login_at"] == nil || fmt.Sprint(got["login_count"]) != "1" {
			t.Errorf("the next request didn't note it: %v", got)
		}
	})
}

// says is an app.Provider whose posts are keys of what it says.
type says map[string]app.Notice

func (s says) Verify(_ func(string) string, body []byte) (app.Post, error) {
	return app.Post{ID: string(body), Type: "test"}, nil
}

func (s says) Read(body []byte) (app.Notice, error) { return s[string(body)], nil }

// hear posts the texts at once with the other functions, works the jobs that come of them, and returns their errors.
func hear(t *testing.T, s suite, provider says, others ...func()) {
	t.Helper()
	users := newApp(s.db, s.Store, s.events, provider)
	functions := others
	for text := range provider {
		functions = append(functions, func() {
			if err := users.Receive(t.Context(), "provider", app.Post{ID: text, Type: "test"}, []byte(text)); err != nil {
				t.Error(err)
			}
			ids, err := database.All(s.db.Read(t.Context()).Raw("SELECT id FROM users_webhooks WHERE event_id = ?", text), database.Scalar[string])
			if err != nil || len(ids) != 1 {
				t.Errorf("%s is kept as %v, %v", text, ids, err)
				return
			}
			for range 2 { // a job may be worked twice
				if err := users.ProcessWebhook(t.Context(), ids[0]); err != nil {
					t.Errorf("%s: %v", text, err)
				}
			}
		})
	}
	atOnce(functions...)
}

// Twenty people come for the first time, each with 64 requests, while their provider tells of them in any order: each becomes
// one user, who is told of once, and ends up as the provider said last.
func TestFirstRequestsAndWebhooksMakeOneUserEach(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		const people, requests = 20, 64
		provider := says{}
		var others []func()
		for person := range people {
			who := domain.Identity{Issuer: "issuer", Subject: fmt.Sprintf("person-%d", person)}
			for i, event := range []string{"created", "updated", "renamed"} {
				provider[fmt.Sprintf("%s %d", event, person)] = app.Notice{
					Claims:    domain.Claims{Identity: who, Email: fmt.Sprintf("%s-%d@example.com", event, person), FullName: event},
					UpdatedAt: birth.Add(time.Duration(i) * time.Second),
				}
			}
			for range requests {
				others = append(others, func() {
					user, err := s.app.SignIn(t.Context(), claims("issuer", who.Subject))
					if err != nil || user.ID != who.Subject {
						t.Errorf("%s is %q, %v", who.Subject, user.ID, err)
					}
				})
			}
		}
		hear(t, s, provider, others...)

		for _, table := range []string{"users", "users_identities"} {
			if got := testkit.Rows(t, s.db, table, ""); got != people {
				t.Errorf("%d people have %d rows in %s", people, got, table)
			}
		}
		if got := testkit.Rows(t, s.db, "users_webhooks", "payload IS NULL AND processed_at IS NOT NULL"); got != 3*people {
			t.Errorf("%d webhooks are processed and empty", got)
		}
		registered := map[string]int{}
		for _, event := range s.events.Published() {
			if event, is := event.(users.UserRegistered); is {
				registered[event.UserID]++
			}
		}
		for person := range people {
			userID := fmt.Sprintf("person-%d", person)
			user, err := s.Find(t.Context(), userID)
			if err != nil || registered[userID] != 1 {
				t.Errorf("%s was registered %d times, %v", userID, registered[userID], err)
				continue
			}
			if *user.Email != fmt.Sprintf("renamed-%d@example.com", person) || *user.FullName != "renamed" || user.LastLoginAt == nil {
				t.Errorf("%s ends up as %s, %s", userID, *user.Email, *user.FullName)
			}
		}
		if len(registered) != people {
			t.Errorf("%d people were registered", len(registered))
		}
	})
}

// A provider deletes a user while he signs in and it still tells of him: whatever comes first, he is gone, and told of at most
// once each way.
func TestADeletionByTheProviderWins(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		const people = 20
		provider := says{}
		var others []func()
		for person := range people {
			who := domain.Identity{Issuer: "issuer", Subject: fmt.Sprintf("person-%d", person)}
			provider[fmt.Sprint("created ", person)] = app.Notice{Claims: domain.Claims{Identity: who, Email: "a@example.com"}, UpdatedAt: birth}
			provider[fmt.Sprint("deleted ", person)] = app.Notice{Claims: domain.Claims{Identity: who}, Deleted: true}
			for range 4 {
				others = append(others, func() {
					if _, err := s.app.SignIn(t.Context(), claims("issuer", who.Subject)); err != nil && !errs.Is(err, errs.Forbidden) {
						t.Error(err)
					}
				})
			}
		}
		hear(t, s, provider, others...)
		registered, deleted := map[string]int{}, map[string]int{}
		for _, event := range s.events.Published() {
			switch event := event.(type) {
			case users.UserRegistered:
				registered[event.UserID]++
			case users.UserDeleted:
				deleted[event.UserID]++
			}
		}
		for person := range people {
			who := fmt.Sprintf("person-%d", person)
			if _, err := s.app.SignIn(t.Context(), claims("issuer", who)); !errs.Is(err, errs.Forbidden) {
				t.Errorf("%s is back: %v", who, err)
			}
			if registered[who] != deleted[who] || deleted[who] > 1 {
				t.Errorf("%s was registered %d times and deleted %d times", who, registered[who], deleted[who])
			}
		}
		if living := testkit.Rows(t, s.db, "users", "deleted_at IS NULL"); living != 0 {
			t.Errorf("%d users live", living)
		}
		if tally, err := s.Tally(t.Context(), birth, later); err != nil || tally.New != 0 || tally.All != 0 {
			t.Errorf("counted are %+v, %v", tally, err)
		}
	})
}

// What the user chose stays when the provider tells of another name, and what it told of an earlier time never counts.
func TestWhatTheUserChoseStays(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.signIn(t, "issuer", "sam")
		if _, err := s.app.Update(t.Context(), "sam", 0, domain.Profile{SetFullName: true, FullName: new("Sam I Am")}); err != nil {
			t.Fatal(err)
		}
		notice := app.Notice{Claims: claims("issuer", "sam"), UpdatedAt: birth.Add(time.Hour)}
		notice.FullName, notice.AvatarURL, notice.EmailVerified = "Samuel", "https://example.com/new.png", true
		hear(t, s, says{"new": notice})
		notice.AvatarURL, notice.UpdatedAt = "https://example.com/old.png", birth
		hear(t, s, says{"old": notice})
		user, err := s.Find(t.Context(), "sam")
		if err != nil || *user.FullName != "Sam I Am" || *user.AvatarURL != "https://example.com/new.png" || !user.EmailVerified || user.Version != 3 {
			t.Errorf("the user is %+v, %v", user, err)
		}
		if found, _, err := s.List(t.Context(), app.Listing{Filter: app.Filter{Search: "sam i am"}, Limit: 5}); err != nil || len(found) != 1 {
			t.Errorf("a search finds %v, %v", found, err)
		}
	})
}

func TestWebhooksAreKept(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		r := storetest.Random(t)
		want := app.Webhook{
			ID: id.New(), Provider: "clerk", Post: app.Post{ID: storetest.Text(r, 200), Type: storetest.Text(r, 60)},
			Sealed: []byte{0, 255, 1}, ReceivedAt: storetest.Time(r),
		}
		add := func(webhook app.Webhook) (added bool) {
			storetest.Commit(t, s.db, func(ctx context.Context) (err error) {
				added, err = s.AddWebhook(ctx, webhook)
				return err
			})
			return added
		}
		again, other := want, want
		again.ID, other.ID, other.Provider = id.New(), id.New(), "supabase"
		if !add(want) || add(again) || !add(other) {
			t.Error("an id of a provider's post doesn't count once")
		}
		if found, err := s.FindWebhook(t.Context(), want.ID); err != nil || !reflect.DeepEqual(found, want) {
			t.Errorf("kept is %+v, %v, want %+v", found, err, want)
		}
		if _, err := s.FindWebhook(t.Context(), again.ID); !errs.Is(err, errs.NotFound) {
			t.Errorf("found is a duplicate, %v", err)
		}
		for _, wantOpen := range []bool{true, false} {
			storetest.Commit(t, s.db, func(ctx context.Context) error {
				open, err := s.CloseWebhook(ctx, want.ID, later)
				if open != wantOpen {
					t.Errorf("it is open: %t", open)
				}
				return err
			})
		}
		want.Sealed = nil
		if found, err := s.FindWebhook(t.Context(), want.ID); err != nil || !reflect.DeepEqual(found, want) {
			t.Errorf("closed it is %+v, %v", found, err)
		}
		for _, purge := range []struct {
			before time.Time
			left   int
		}{{want.ReceivedAt, 2}, {want.ReceivedAt.Add(time.Microsecond), 0}} {
			storetest.Commit(t, s.db, func(ctx context.Context) error { _, err := s.PurgeWebhooks(ctx, purge.before, 100); return err })
			if got := testkit.Rows(t, s.db, "users_webhooks", ""); got != purge.left {
				t.Errorf("%d are left, want %d", got, purge.left)
			}
		}
	})
}

// An identity that several want at once becomes one's, whether they link it or come with it for the first time.
func TestAnIdentityIsLinkedOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		const people = 8
		wanted := domain.Identity{Issuer: "two", Subject: "wanted"}
		var mu sync.Mutex
		owners := map[string]bool{}
		won := func(userID string) {
			mu.Lock()
			defer mu.Unlock()
			owners[userID] = true
		}
		functions := []func(){func() {
			user, err := s.app.SignIn(t.Context(), domain.Claims{Identity: wanted})
			if err != nil {
				t.Error(err)
			}
			won(user.ID)
		}}
		for person := range people {
			user := s.signIn(t, "one", fmt.Sprint("person-", person))
			functions = append(functions, func() {
				if _, err := s.app.LinkIdentity(t.Context(), user.ID, wanted); err == nil {
					won(user.ID)
				} else if !errs.Is(err, errs.Conflict) {
					t.Error(err)
				}
			})
		}
		atOnce(functions...)
		owner, err := s.app.SignIn(t.Context(), domain.Claims{Identity: wanted})
		if err != nil || !owners[owner.ID] || len(owners) != 1 {
			t.Errorf("it is %s's, and won have %v, %v", owner.ID, slices.Collect(maps.Keys(owners)), err)
		}
	})
}

// Two sessions of one user remove each other's identity at once: one is left. And however many are linked at once, there are
// no more than ten.
func TestOneIdentityIsLeft(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		one, two := domain.Identity{Issuer: "one", Subject: "sam"}, domain.Identity{Issuer: "two", Subject: "sam"}
		user := s.signIn(t, one.Issuer, one.Subject)
		if _, err := s.app.LinkIdentity(t.Context(), user.ID, two); err != nil {
			t.Fatal(err)
		}
		if all, err := s.app.Identities(t.Context(), user.ID); err != nil || len(all) != 2 || all[0].Identity != one || all[1].Identity != two || all[1].LinkedAt.IsZero() {
			t.Errorf("they are %+v, %v", all, err)
		}
		unlink := func(identity, signedIn domain.Identity) func() {
			return func() {
				err := s.app.UnlinkIdentity(t.Context(), user.ID, identity.ID(), signedIn)
				if err != nil && !errs.Is(err, errs.Conflict) {
					t.Error(err)
				}
			}
		}
		atOnce(unlink(one, two), unlink(two, one))
		left, err := s.app.Identities(t.Context(), user.ID)
		if err != nil || len(left) != 1 {
			t.Fatalf("left are %+v, %v", left, err)
		}
		var links []func()
		for i := range 16 {
			links = append(links, func() {
				_, err := s.app.LinkIdentity(t.Context(), user.ID, domain.Identity{Issuer: "more", Subject: fmt.Sprint(i)})
				if err != nil && !errs.Is(err, errs.Conflict) {
					t.Error(err)
				}
			})
		}
		atOnce(links...)
		if all, err := s.app.Identities(t.Context(), user.ID); err != nil || len(all) != domain.MaxIdentities {
			t.Errorf("there are %d, %v", len(all), err)
		}

		// What was removed is somebody new.
		gone := one
		if left[0].Identity == one {
			gone = two
		}
		if stranger, err := s.app.SignIn(t.Context(), domain.Claims{Identity: gone}); err != nil || stranger.ID == user.ID {
			t.Errorf("who was removed is %+v, %v", stranger, err)
		}
		// A deleted account takes its identities with it.
		if err := s.app.Delete(t.Context(), domain.Administrator{ID: user.ID}, user.ID, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := s.app.SignIn(t.Context(), domain.Claims{Identity: left[0].Identity}); !errs.Is(err, errs.Forbidden) {
			t.Errorf("got %v, want it forbidden", err)
		}
		if _, err := s.app.LinkIdentity(t.Context(), gone.Subject, left[0].Identity); err == nil {
			t.Error("the identity of a deleted account is somebody's now")
		}
	})
}
