//scaffold:needs ai notifications projects

package api

import (
	"fmt"
	"testing"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// Administrators see what was erased of whom, and who is to erase yet.
func TestAnErasureIsProved(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		root := app.As(app.Token(t, auth.DevClaims{Subject: "root", Role: "admin"}))
		alice := app.User(t, "alice")
		for _, name := range []string{"Apollo", "Gemini"} {
			alice.Do(t, "POST", projects, testkit.Body(`{"name": "`+name+`"}`)).Want(201)
		}
		made(t, alice, `"read"`)
		apptest.Await(t, "the welcome", func() bool { return testkit.Rows(t, app.DB, "notifications", "user_id = 'alice'") == 1 })
		settle(t, app) // a mail whose reader is gone erases, too
		root.Do(t, "GET", erasures+"/alice").WantError(404, "NOT_FOUND")
		alice.Do(t, "DELETE", me).Want(202)
		root.Do(t, "GET", erasures+"/alice").Want(200) // the users have erased
		apptest.Await(t, "the erasure", func() bool {
			return len(root.Do(t, "GET", erasures+"/alice").Want(200).JSON("unfinished").([]any)) == 0
		})
		app.Change(t, "UPDATE river_job SET state = 'available', scheduled_at = created_at WHERE kind = 'jobs.erase_again' AND state = 'scheduled'")
		apptest.Await(t, "the second erasure", func() bool {
			return testkit.Rows(t, app.DB, "erasure_receipts", "pass = 'second'") == testkit.Rows(t, app.DB, "erasure_receipts", "pass = 'first'")
		})

		erased := map[string]any{}
		receipts, _ := root.Do(t, "GET", erasures+"/alice").Want(200).JSON("receipts").([]any)
		for _, receipt := range receipts {
			one := receipt.(map[string]any)
			for _, table := range one["tables"].([]any) {
				count := table.(map[string]any)
				erased[fmt.Sprint(one["pass"], " ", count["table"])] = count["rows"]
			}
		}
		for what, rows := range map[string]int{
			"first projects": 2, "first users": 1, "first users_api_keys": 1, "first notifications": 1, "first river_job": 0,
			"second projects": 0, "second users": 0, "second ai_calls": 0,
		} {
			if fmt.Sprint(erased[what]) != fmt.Sprint(rows) {
				t.Errorf("%s: %v rows were erased, want %d", what, erased[what], rows)
			}
		}
		if testkit.Rows(t, app.DB, "erasure_receipts", "person LIKE '%alice%' OR counts LIKE '%alice%'") != 0 {
			t.Error("a receipt names her")
		}
	})
}
