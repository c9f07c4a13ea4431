//scaffold:needs projects

package api_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

const adminEvents = "/api/v1/admin/events"

func TestAdministratorsSeeEventsAndReplayThem(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		admin := app.As(app.Token(t, auth.DevClaims{Subject: "root", Role: "admin"}))
		admin.Do(t, "GET", "/api/v1/app/users/me").Want(200)
		alice := app.User(t, "alice")
		requestID := id.New()
		alice.Do(t, "GET", "/api/v1/app/users/me", testkit.Header("X-Request-ID", requestID)).Want(200)
		project := alice.Do(t, "POST", "/api/v1/app/projects", testkit.Body(`{"name": "Apollo"}`)).Want(201).Text("id")
		alice.Do(t, "DELETE", "/api/v1/app/users/me").Want(202)

		first := func(query string) *testkit.Response { return admin.Do(t, "GET", adminEvents+query).Want(200) }
		first("?aggregate=alice").WantJSON("total", 2).WantJSON("items.0.name", "users.user_deleted.v1").
			WantJSON("items.0.actor", "alice").WantJSON("items.1.name", "users.user_registered.v1").
			WantJSON("items.1.correlation_id", requestID).WantJSON("items.1.version", 1).WantJSON("items.1.payload.user_id", "alice")
		first("?name=projects.project_created.v1").WantJSON("total", 1).WantJSON("items.0.aggregate", project).
			WantJSON("items.0.payload.owner_id", "alice").WantJSON("items.0.actor", "alice")
		first("?limit=1&skip=1").WantJSON("total", 4).WantJSON("skip", 1).WantJSON("limit", 1).WantJSON("items.0.aggregate", project)
		first("?name=nothing").WantJSON("total", 0).WantJSON("items", []any{})
		at := func(when time.Time) string { return url.QueryEscape(when.Format(time.RFC3339Nano)) }
		happened, err := time.Parse(time.RFC3339Nano, first("?name=projects.project_created.v1").Text("items.0.time"))
		if err != nil {
			t.Fatal(err)
		}
		first("?from="+at(happened)).WantJSON("total", 2)
		first("?to="+at(happened)).WantJSON("total", 2)
		first("?from="+at(happened)+"&to="+at(happened.Add(time.Microsecond))).WantJSON("total", 1)
		admin.Do(t, "GET", adminEvents+"?from=yesterday").WantError(422, "VALIDATION_ERROR")

		// The other modules have erased what they held; then one of them gave up, so to speak.
		deleted := adminEvents + "/" + first("?name=users.user_deleted.v1").Text("items.0.id")
		state := func(consumer string) string {
			t.Helper()
			found := admin.Do(t, "GET", deleted).Want(200)
			consumers, _ := found.JSON("consumers").([]any)
			for i := range consumers {
				if found.Text(fmt.Sprintf("consumers.%d.name", i)) == consumer {
					return found.Text(fmt.Sprintf("consumers.%d.state", i))
				}
			}
			t.Fatalf("%s isn't a consumer\n%s", consumer, found.Body)
			return ""
		}
		const eraser = "projects.erase_user"
		apptest.Await(t, "the erasure", func() bool { return state(eraser) == "done" })
		app.Change(t, "UPDATE events_inbox SET state = 'dead', error = 'for nothing' WHERE consumer = ?", eraser)
		first("?state=dead").WantJSON("total", 1).WantJSON("items.0.name", "users.user_deleted.v1")
		admin.Do(t, "GET", adminEvents+"/stats").Want(200).WantJSON("events", 4).WantJSON("dead", 1)
		admin.Do(t, "POST", deleted+"/replay").Want(200)
		apptest.Await(t, "the replay", func() bool { return state(eraser) == "done" })
		first("?state=dead").WantJSON("total", 0)
		admin.Do(t, "POST", deleted+"/replay", testkit.Body(`{"consumer": "`+eraser+`"}`)).Want(200)
		apptest.Await(t, "the replay of what is done", func() bool { return state(eraser) == "done" })

		// The jobs that deliver are the events' own: who could end one would leave an event that waits for ever.
		app.Change(t, "UPDATE river_job SET state = 'discarded', finalized_at = created_at WHERE kind = ?", eraser)
		delivery := adminJobs + "/" + admin.Do(t, "GET", adminJobs+"?kind="+eraser).Want(200).Text("items.0.id")
		for _, verb := range []string{"/retry", "/cancel"} {
			admin.Do(t, "POST", delivery+verb).WantError(409, "CONFLICT")
		}
		admin.Do(t, "POST", delivery+"/retry").WantJSON("error.details.manager", "events")

		admin.Do(t, "POST", deleted+"/replay", testkit.Body(`{"consumer": "nobody"}`)).WantError(404, "NOT_FOUND").
			WantJSON("error.details.resource", "Consumer")
		for _, unknown := range []string{"x", id.New()} {
			admin.Do(t, "GET", adminEvents+"/"+unknown).WantError(404, "NOT_FOUND").WantJSON("error.details.resource", "Event")
			admin.Do(t, "POST", adminEvents+"/"+unknown+"/replay").WantError(404, "NOT_FOUND")
		}
	})
}
