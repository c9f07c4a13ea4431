//scaffold:needs projects

package api

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// under sends the Idempotency-Key.
func under(key string) testkit.Part { return testkit.Header("Idempotency-Key", key) }

var apollo = testkit.Body(`{"name": "Apollo"}`)

// sent returns what of an answer is the same when it is sent again.
func sent(answer *testkit.Response) string {
	header := answer.Header.Clone()
	for _, name := range []string{"X-Request-Id", "Date", "Idempotent-Replayed"} {
		header.Del(name)
	}
	return fmt.Sprint(answer.Status, header, string(answer.Body))
}

// wantReplay fails the test unless the second is the first again.
func wantReplay(t *testing.T, first, second *testkit.Response) {
	t.Helper()
	if second.WantHeader("Idempotent-Replayed", "true"); sent(first) != sent(second) {
		t.Errorf("it is answered\n%s\nand was\n%s", sent(second), sent(first))
	}
	first.WantHeader("Idempotent-Replayed", "")
}

func TestOfAHundredTwinsOneHappens(t *testing.T) {
	for _, engine := range testkit.Engines() {
		for _, processes := range []int{1, 2} {
			t.Run(fmt.Sprint(engine, " ", processes), func(t *testing.T) {
				t.Parallel()
				options := testkit.DatabaseOptions(t, engine)
				var apps []*apptest.App
				var users []*testkit.API
				for range processes {
					app := apptest.StartOn(t, options)
					apps, users = append(apps, app), append(users, app.User(t, "alice"))
				}
				users[0].Do(t, "GET", me).Want(200)
				answers := make([]*testkit.Response, 100)
				together(len(answers), func(i int) { answers[i] = users[i%processes].Do(t, "POST", projects, apollo, under("k")) })

				var first *testkit.Response
				for _, answer := range answers {
					if answer.Want(201).Header.Get("Idempotent-Replayed") == "" {
						if first != nil {
							t.Error("two happened")
						}
						first = answer
					}
				}
				if first == nil {
					t.Fatal("none happened")
				}
				for _, answer := range answers {
					if answer != first {
						wantReplay(t, first, answer)
					}
				}
				if rows := testkit.Rows(t, apps[0].DB, "projects", ""); rows != 1 {
					t.Errorf("there are %d projects", rows)
				}
				wantTold(t, apps[0], first.Text("id"), "projects.project_created.v1")
			})
		}
	}
}

// While a call is held up its twins wait for two seconds, and then they are told to try again.
func TestATwinIsToldThatTheCallIsInProgress(t *testing.T) {
	for _, engine := range testkit.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			options := testkit.DatabaseOptions(t, engine)
			app := apptest.StartOn(t, options)
			users := []*testkit.API{app.User(t, "alice"), app.User(t, "alice")}
			if engine == database.Postgres { // there twins of two processes meet in the database
				users[1] = apptest.StartOn(t, options).User(t, "alice")
			}
			for _, user := range users {
				user.Do(t, "GET", me).Want(200)
			}
			answers := make(chan *testkit.Response, len(users))
			holdUp(t, app, func() {
				for _, user := range users {
					go func() { answers <- user.Do(t, "POST", projects, apollo, under("k")) }()
				}
				(<-answers).WantError(409, "CONFLICT").WantHeader("Retry-After", "1").WantHeader("Idempotent-Replayed", "").
					WantJSON("error.message", "A call with this Idempotency-Key is in progress: try again")
			})
			first := (<-answers).Want(201)
			for _, user := range users {
				wantReplay(t, first, user.Do(t, "POST", projects, apollo, under("k")))
			}
			if rows := testkit.Rows(t, app.DB, "projects", ""); rows != 1 {
				t.Errorf("there are %d projects", rows)
			}
		})
	}
}

// holdUp keeps whoever makes a project from it while the function runs.
func holdUp(t *testing.T, app *apptest.App, run func()) {
	t.Helper()
	err := app.DB.WithinTx(t.Context(), func(ctx context.Context) error {
		if app.DB.Engine() == database.Postgres { // on SQLite nobody else writes now
			if err := app.DB.Tx(ctx).Exec("LOCK TABLE projects IN ACCESS EXCLUSIVE MODE").Error; err != nil {
				return err
			}
		}
		run()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsAnsweredUnderAKey(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice, bob := app.User(t, "alice"), app.User(t, "bob")
		first := alice.Do(t, "POST", projects, apollo, under("k")).Want(201)
		one := first.Header.Get("Location")
		wantReplay(t, first, alice.Do(t, "POST", projects, apollo, under(`"k"`)))

		// Another request isn't the same call, and the key is nobody else's and of no other route.
		if other := alice.Do(t, "POST", projects, testkit.Body(`{"name": "Apollo "}`), under("k")).WantError(422, "VALIDATION_ERROR"); !namesField(other, "Idempotency-Key") {
			t.Errorf("it doesn't name the header: %s", other.Body)
		}
		alice.Do(t, "POST", projects, apollo, under("no key")).WantError(400, "BAD_REQUEST").WantJSON("error.details.header", "Idempotency-Key")
		bob.Do(t, "POST", projects, apollo, under("k")).Want(201).WantJSON("owner_id", "bob").WantHeader("Idempotent-Replayed", "")
		changed := alice.Do(t, "PATCH", one, testkit.Body(`{"name": "Artemis"}`), under("k")).Want(200).WantHeader("Etag", `"2"`)
		wantReplay(t, changed, alice.Do(t, "PATCH", one, testkit.Body(`{"name": "Artemis"}`), under("k")))
		alice.Do(t, "PATCH", projects+"/other", testkit.Body(`{"name": "Artemis"}`), under("k")).WantError(422, "VALIDATION_ERROR")

		// The answer is that of then, whatever has happened since.
		gone := alice.Do(t, "DELETE", one, under("d")).Want(204)
		wantReplay(t, gone, alice.Do(t, "DELETE", one, under("d")))
		alice.Do(t, "DELETE", one, under("e")).WantError(404, "NOT_FOUND")
		wantReplay(t, first, alice.Do(t, "POST", projects, apollo, under("k")))
		if rows := testkit.Rows(t, app.DB, "projects", "owner_id = 'alice'"); rows != 1 {
			t.Errorf("alice has %d projects", rows)
		}

		// A program acts as its user.
		program, _ := made(t, alice, `"read", "write"`)
		wantReplay(t, first, app.As(program).Do(t, "POST", projects, apollo, under("k")))
		readOnly, _ := made(t, alice, `"read"`)
		app.As(readOnly).Do(t, "POST", projects, apollo, under("k")).WantError(403, "FORBIDDEN")
		app.Do(t, "POST", projects, apollo, under("k")).WantError(401, "UNAUTHENTICATED")

		// Its time being over, it is a new key.
		app.Change(t, "UPDATE idempotency_keys SET expires_at = created_at WHERE user_id = 'alice'")
		again := alice.Do(t, "POST", projects, apollo, under("k")).Want(201).WantHeader("Idempotent-Replayed", "")
		if again.Text("id") == first.Text("id") {
			t.Error("it is the old project")
		}
		wantReplay(t, again, alice.Do(t, "POST", projects, apollo, under("k")))
	})
}

func TestACallThatFailedMayBeRepeated(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := app.User(t, "alice")
		one := alice.Do(t, "POST", projects, apollo).Want(201).Header.Get("Location")
		change := func(tag string) *testkit.Response {
			return alice.Do(t, "PATCH", one, testkit.Body(`{"name": "Artemis"}`), testkit.Header("If-Match", tag), under("k"))
		}
		change(`"7"`).WantError(412, "PRECONDITION_FAILED")
		change(`"1"`).Want(200).WantHeader("Idempotent-Replayed", "")

		alice.Do(t, "POST", projects, testkit.Body(`{"name": " "}`), under("k")).WantError(422, "VALIDATION_ERROR")
		app.Change(t, "ALTER TABLE events_outbox RENAME TO events_away") // fails when the project is written
		alice.Do(t, "POST", projects, apollo, under("k")).WantError(500, "INTERNAL_ERROR")
		if rows := testkit.Rows(t, app.DB, "projects", ""); rows != 1 {
			t.Errorf("there are %d projects", rows)
		}
		app.Change(t, "ALTER TABLE events_away RENAME TO events_outbox")
		wantReplay(t, alice.Do(t, "POST", projects, apollo, under("k")).Want(201), alice.Do(t, "POST", projects, apollo, under("k")))
	})
}

func TestAnActIsRecordedOnceHoweverOftenItIsSent(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		app.User(t, "alice").Do(t, "GET", me).Want(200)
		ann := as(t, app, "ann", "admin")
		suspend := testkit.Body(`{"is_active": false}`)
		first := ann.Do(t, "PATCH", people+"/alice", suspend, under("k")).Want(200)
		wantReplay(t, first, ann.Do(t, "PATCH", people+"/alice", suspend, under("k")))
		gone := ann.Do(t, "DELETE", people+"/alice", under("k")).Want(204)
		wantReplay(t, gone, ann.Do(t, "DELETE", people+"/alice", under("k")))
		apptest.Await(t, "the erasure", func() bool {
			return erased(t, app)
		})
		wantReplay(t, gone, ann.Do(t, "DELETE", people+"/alice", under("k")))
		if got := acts(t, app, "alice"); !reflect.DeepEqual(got, []string{`ann 200 {"is_active":false}`, "ann 204 null"}) {
			t.Errorf("it says %q", got)
		}
	})
}

// The table holds neither keys nor addresses, and no answer that is shown once.
func TestNoSecretIsKeptUnderAKey(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := app.User(t, "alice")
		const given = "a-key-that-nobody-guesses"
		body := testkit.Body(`{"name": "Deploy", "scopes": ["read"]}`)
		secret := alice.Do(t, "POST", keys, body, under(given)).Want(201).Text("key")
		for range 2 {
			alice.Do(t, "POST", keys, body, under(given)).WantError(409, "CONFLICT").WantHeader("Retry-After", "").WantHeader("Location", "").
				WantJSON("error.message", "A call with this Idempotency-Key was done, and its answer isn't kept because it held a secret")
		}
		alice.Do(t, "GET", keys).WantJSON("total", 1)

		rows := whole(t, app, "SELECT * FROM idempotency_keys")
		if testkit.Rows(t, app.DB, "idempotency_keys", "status = 0") != 1 {
			t.Fatalf("the keys are %s", rows)
		}
		for _, text := range []string{secret, secret[9:], given, "127.0.0.1", "Deploy"} {
			if strings.Contains(rows, text) {
				t.Errorf("the table holds %q: %s", text, rows)
			}
		}
		if strings.Contains(logged(app), given) {
			t.Error("the log holds the key")
		}
	})
}

// Of a user who is deleted no answer is left: not the user's own, not one that an administrator got about him, and none that
// came late.
func TestTheKeysOfADeletedUserGo(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice, ann := app.User(t, "alice"), as(t, app, "ann", "admin")
		alice.Do(t, "PATCH", me, testkit.Body(`{"full_name": "Quokka Fennec"}`), under("k")).Want(200)
		ann.Do(t, "PATCH", people+"/alice", testkit.Body(`{"is_active": true}`), under("k")).Want(200)
		ann.Do(t, "POST", projects, apollo, under("k")).Want(201)
		if rows := whole(t, app, "SELECT CAST(body AS text) AS body FROM idempotency_keys"); testkit.Rows(t, app.DB, "idempotency_keys", "") != 3 {
			t.Fatalf("the keys are %s", rows)
		}
		alice.Do(t, "DELETE", me, under("d")).Want(202)
		alice.Do(t, "DELETE", me, under("d")).WantError(403, "FORBIDDEN")

		left := func() bool { return testkit.Rows(t, app.DB, "idempotency_keys", "") != 1 }
		apptest.Await(t, "the erasure", func() bool { return !left() })
		app.Change(t, "UPDATE idempotency_keys SET about = 'alice'") // as if it had come late
		apptest.Await(t, "the end of the first erasure", func() bool {
			return erased(t, app)
		})
		app.Change(t, "UPDATE river_job SET state = 'available', scheduled_at = created_at WHERE kind = 'jobs.erase_again'")
		apptest.Await(t, "the second erasure", func() bool { return testkit.Rows(t, app.DB, "idempotency_keys", "") == 0 })
	})
}

// Callers who each have a key that all the others have too get what is theirs.
func TestManyUsersWithTheSameKey(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		const users, times = 8, 6
		var happened atomic.Int64
		together(users*times, func(i int) {
			owner := fmt.Sprint("u", i%users)
			answer := app.User(t, owner).Do(t, "POST", projects, apollo, under("k"))
			if answer.Status != http.StatusCreated || answer.Text("owner_id") != owner {
				t.Errorf("%s is answered %d %s", owner, answer.Status, answer.Body)
			}
			if answer.Header.Get("Idempotent-Replayed") == "" {
				happened.Add(1)
			}
		})
		if rows := testkit.Rows(t, app.DB, "projects", ""); rows != users || happened.Load() != users {
			t.Errorf("%d calls happened, and there are %d projects", happened.Load(), rows)
		}
	})
}
