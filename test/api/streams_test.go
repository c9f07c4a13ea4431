//scaffold:needs projects

package api

import (
	"testing"

	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// With EVENTS_TRANSPORT=redis the modules hear of each other over streams, and no job delivers anything.
func TestModulesHearOfEachOtherOverStreams(t *testing.T) {
	for _, engine := range testkit.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			app := apptest.Start(t, engine, "EVENTS_TRANSPORT=redis", "REDIS_URL="+testkit.Redis(t))
			alice := app.User(t, "alice")
			alice.Do(t, "POST", projects, testkit.Body(`{"name": "Apollo"}`)).Want(201)
			alice.Do(t, "DELETE", me).Want(202)
			apptest.Await(t, "the erasure", func() bool {
				return testkit.Rows(t, app.DB, "events_inbox", "consumer = 'projects.erase_user' AND state = 'done'") == 1
			})
			if rows := testkit.Rows(t, app.DB, "projects", ""); rows != 0 {
				t.Errorf("%d projects are left", rows)
			}
			if rows := testkit.Rows(t, app.DB, "river_job", "kind = 'projects.erase_user'"); rows != 0 {
				t.Errorf("%d jobs delivered it", rows)
			}
		})
	}
}
