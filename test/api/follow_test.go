package api_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

const self = "/api/v1/app/users/me"

// events returns where the owner of a job follows it.
func events(job string) string { return "/api/v1/app/jobs/" + job + "/events" }

// Owners hear how their jobs go on, whichever process works them, and nobody else does.
func TestOwnersFollowTheirJobs(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		w := newWorkshop(t, app)
		alice, bob := app.User(t, "alice"), app.User(t, "bob")
		owner := id.Of(alice.Do(t, "GET", self).Want(200).Text("id"))
		later := jobs.At(time.Now().Add(time.Hour))

		job := w.enqueueFor(t, owner, halfJob{"f1"}, later)
		followed := alice.Events(t, "GET", events(job))
		followed.Want("start").WantJSON("id", job).WantJSON("kind", "tests.half").WantJSON("state", "queued").WantJSON("progress", nil)
		w.admin.Do(t, "POST", adminJobs+"/"+job+"/retry").Want(200) // which is at once
		for half := false; !half; {
			half = fmt.Sprint(followed.Want("progress").WantJSON("state", "running").JSON("progress")) == "map[done:1 total:2]"
		}
		w.goOn <- struct{}{}
		followed.WantLast("done").WantJSON("state", "succeeded").WantJSON("result.file", "f1").WantJSON("progress.done", 2)
		again := alice.Events(t, "GET", events(job))
		again.Want("start").WantJSON("state", "succeeded")
		again.WantLast("done").WantJSON("", alice.Do(t, "GET", "/api/v1/app/jobs/"+job).Want(200).JSON(""))

		failed := w.enqueueFor(t, owner, badJob{"1"}, later)
		followed = alice.Events(t, "GET", events(failed))
		followed.Want("start")
		w.admin.Do(t, "POST", adminJobs+"/"+failed+"/retry").Want(200)
		name, data := followed.Next()
		for name == "progress" { // it may have been seen running
			name, data = followed.Next()
		}
		if data.WantJSON("state", "failed").WantJSON("result", nil); name != "done" {
			t.Errorf("the stream of a job that fails ends with %s", name)
		}

		nobodys := w.enqueue(t, goodJob{"2"}, later)[len(adminJobs+"/"):]
		for _, api := range []*testkit.API{bob, w.admin} {
			api.Do(t, "GET", events(job)).WantError(404, "NOT_FOUND")
		}
		for _, unknown := range []string{nobodys, "x", "0", "99999999"} {
			alice.Do(t, "GET", events(unknown)).WantError(404, "NOT_FOUND").WantJSON("error.details.id", unknown)
		}

		taken := w.enqueueFor(t, owner, goodJob{"3"}, later)
		followed = alice.Events(t, "GET", events(taken))
		followed.Want("start")
		if err := w.DB.WithinTx(t.Context(), func(ctx context.Context) error { _, err := w.Erase(ctx, owner); return err }); err != nil {
			t.Fatal(err)
		}
		followed.WantFailure("NOT_FOUND")
	})
}

// Who may no longer listen is told so on streams that are open, whichever process changed it.
func TestOpenStreamsEndWithTheRightToListen(t *testing.T) {
	for _, engine := range testkit.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			options := testkit.DatabaseOptions(t, engine)
			app, elsewhere := apptest.StartOn(t, options), apptest.StartOn(t, options)
			w := newWorkshop(t, app)
			superadmin := func(app *apptest.App) *testkit.API {
				return app.As(app.Token(t, auth.DevClaims{Subject: "root", Role: "superadmin"}))
			}
			change := func(at *apptest.App, body string) func(subject string) {
				return func(subject string) {
					superadmin(at).Do(t, "PATCH", "/api/v1/admin/users/"+subject, testkit.Body(body)).Want(200)
				}
			}
			open := func(as *testkit.API, subject string) *testkit.Events {
				job := w.enqueueFor(t, id.Of(subject), goodJob{subject}, jobs.At(time.Now().Add(time.Hour)))
				followed := as.Events(t, "GET", events(job))
				followed.Want("start")
				return followed
			}

			type ending struct {
				what   string
				stream *testkit.Events
				codes  []string
			}
			var endings []ending
			expect := func(what string, stream *testkit.Events, codes ...string) {
				endings = append(endings, ending{what, stream, codes})
			}
			for i, change := range []struct {
				what  string
				make  func(subject string)
				codes []string
			}{
				{"a suspension", change(elsewhere, `{"is_active": false}`), []string{"FORBIDDEN"}},
				{"another role", change(elsewhere, `{"role": "admin"}`), []string{"FORBIDDEN"}},
				{"a suspension here", change(app, `{"is_active": false}`), []string{"FORBIDDEN"}},
				{"another role here", change(app, `{"role": "admin"}`), []string{"FORBIDDEN"}},
				{"a deletion", func(subject string) { // after which the job isn't his any more either
					elsewhere.User(t, subject).Do(t, "DELETE", self).Want(202)
				}, []string{"FORBIDDEN", "NOT_FOUND"}},
			} {
				subject := fmt.Sprint("user-", i)
				as := app.User(t, subject)
				as.Do(t, "GET", self).Want(200)
				expect(change.what, open(as, subject), change.codes...)
				change.make(subject)
			}

			alice := app.User(t, "alice")
			alice.Do(t, "GET", self).Want(200)
			key := alice.Do(t, "POST", "/api/v1/app/api-keys", testkit.Body(`{"name": "Follower", "scopes": ["read"]}`)).Want(201)
			expect("a key that is revoked", open(app.As(key.Text("key")), "alice"), "UNAUTHENTICATED")
			elsewhere.User(t, "alice").Do(t, "DELETE", "/api/v1/app/api-keys/"+key.Text("id")).Want(204)
			const lifetime, leeway, left = time.Hour, 30 * time.Second, 8 * time.Second
			short := app.TokenAt(t, time.Now().Add(left-lifetime-leeway), auth.DevClaims{Subject: "alice"})
			expect("a token that expires", open(app.As(short), "alice"), "UNAUTHENTICATED")

			for _, ending := range endings {
				failure := ending.stream.WantLast("error")
				if code := failure.Text("error.code"); !slices.Contains(ending.codes, code) {
					t.Errorf("%s ends the stream with %s, want one of %v", ending.what, code, ending.codes)
				}
			}
			others := open(alice, "alice")
			app.Stop()
			others.WantFailure("SERVICE_UNAVAILABLE")
		})
	}
}
