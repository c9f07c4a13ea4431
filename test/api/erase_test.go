//scaffold:needs projects

package api

import (
	"testing"

	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// What a request that was on its way writes about a deleted user, after the modules have erased, goes too.
func TestWhatComesAfterTheErasureGoes(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice, bob := app.User(t, "alice"), app.User(t, "bob")
		alice.Do(t, "GET", me).Want(200)
		bob.Do(t, "POST", projects, testkit.Body(`{"name": "Gemini"}`)).Want(201)
		alice.Do(t, "DELETE", me).Want(202)
		apptest.Await(t, "the erasure", func() bool {
			return erased(t, app)
		})
		app.Change(t, "UPDATE projects SET owner_id = 'alice'") // as if bob's had been hers, and late
		again := "kind = 'jobs.erase_again' AND state = 'scheduled'"
		if testkit.Rows(t, app.DB, "river_job", again) != 1 {
			t.Fatal("nobody will erase again")
		}
		app.Change(t, "UPDATE river_job SET state = 'available', scheduled_at = created_at WHERE "+again)
		apptest.Await(t, "the second erasure", func() bool { return testkit.Rows(t, app.DB, "projects", "") == 0 })
	})
}
