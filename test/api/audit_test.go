package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

const audited = "/api/v1/admin/audit"

// acts returns the actor, the status and the input of what was done to somebody, the first first.
func acts(t *testing.T, app *apptest.App, target string) []string {
	t.Helper()
	var all []string
	for _, row := range app.Rows(t, "audit_log", "id") {
		if row["target"] == target {
			all = append(all, fmt.Sprint(row["actor"], " ", row["status"], " ", row["input"]))
		}
	}
	return all
}

func TestWhatAdministratorsDoIsWrittenDown(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice, ann, root := app.User(t, "alice"), as(t, app, "ann", "admin"), as(t, app, "root", "superadmin")
		alice.Do(t, "PATCH", me, testkit.Body(`{"full_name": "Alice Example"}`)).Want(200)
		one := people + "/alice"

		ann.Do(t, "PATCH", one, testkit.Body(`{"is_active": false}`)).Want(200)
		ann.Do(t, "PATCH", one, testkit.Body(`{"role": "superadmin"}`)).WantError(403, "FORBIDDEN")
		ann.Do(t, "PATCH", one, testkit.Body(`{"is_active": true}`), testkit.Header("If-Match", `"1"`)).WantError(412, "PRECONDITION_FAILED")
		ann.Do(t, "PATCH", one, testkit.Body(`{"role": "king"}`)).WantError(422, "VALIDATION_ERROR")
		alice.Do(t, "PATCH", one, testkit.Body(`{"is_active": true}`)).WantError(403, "FORBIDDEN")
		app.Do(t, "DELETE", one).WantError(401, "UNAUTHENTICATED")
		ann.Do(t, "GET", one).Want(200)
		root.Do(t, "PATCH", one, testkit.Body(`{"role": "admin"}`)).Want(200)
		root.Do(t, "DELETE", one).Want(204)
		root.Do(t, "DELETE", one).WantError(404, "NOT_FOUND")

		// Who is deleted is forgotten, and what was done to him isn't.
		apptest.Await(t, "the erasure", func() bool {
			return erased(t, app)
		})
		want := []string{
			`ann 200 {"is_active":false}`, `ann 403 {"role":"superadmin"}`, `ann 412 {"is_active":true}`,
			`root 200 {"role":"admin"}`, "root 204 null", "root 404 null",
		}
		if got := acts(t, app, "alice"); !slices.Equal(got, want) {
			t.Errorf("it says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if text := whole(t, app, "SELECT * FROM audit_log"); strings.Contains(text, "Example") {
			t.Errorf("it holds a name: %s", text)
		}
		alice.Do(t, "GET", audited).WantError(403, "FORBIDDEN")
		ann.Do(t, "GET", audited+"?target=alice&actor=root&limit=1").Want(200).WantJSON("total", 3).WantJSON("items.0.status", 404).
			WantJSON("items.0.action", "DELETE /admin/users/{id}").WantJSON("items.0.role", "superadmin")
		for _, method := range []string{"POST", "PATCH", "DELETE"} {
			root.Do(t, method, audited, testkit.Body(`{}`)).WantError(405, "METHOD_NOT_ALLOWED")
		}

		// Of many at once each is there, with what became of it.
		app.User(t, "bob").Do(t, "GET", me).Want(200)
		var statuses []string
		for _, status := range atOnce(func() *testkit.Response { return ann.Do(t, "DELETE", people+"/bob") }) {
			statuses = append(statuses, fmt.Sprint("ann ", status, " null"))
		}
		got := acts(t, app, "bob")
		slices.Sort(statuses)
		slices.Sort(got)
		if !slices.Equal(got, statuses) {
			t.Errorf("it says %q of what was answered %q", got, statuses)
		}
	})
}

// What can't be written down doesn't happen.
func TestNothingIsDoneBehindTheAuditLog(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice, ann := app.User(t, "alice"), as(t, app, "ann", "admin")
		alice.Do(t, "GET", me).Want(200)
		ann.Do(t, "GET", me).Want(200)
		before := contents(t, app)
		app.Change(t, "ALTER TABLE audit_log RENAME TO audit_log_away")
		ann.Do(t, "PATCH", people+"/alice", testkit.Body(`{"is_active": false}`)).WantError(500, "INTERNAL_ERROR")
		ann.Do(t, "DELETE", people+"/alice").WantError(500, "INTERNAL_ERROR")
		ann.Do(t, "DELETE", people+"/nobody").WantError(500, "INTERNAL_ERROR")
		if after := contents(t, app); quote(t, before) != quote(t, after) {
			t.Errorf("rows changed\nfrom %v\nto   %v", before, after)
		}
		wantTold(t, app, "alice", "users.user_registered.v1")
		app.Change(t, "ALTER TABLE audit_log_away RENAME TO audit_log")
		alice.Do(t, "GET", me).Want(200)
		ann.Do(t, "DELETE", people+"/alice").Want(204)
	})
}
