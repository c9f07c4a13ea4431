//scaffold:needs projects

package api

import (
	"net/http"
	"testing"

	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// An account is gone at once, for good and once, and then so is what other modules hold of it.
func TestADeletedAccountIsGoneEverywhere(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		admin, bob := as(t, app, "ann", "admin"), app.User(t, "bob")
		bob.Do(t, "POST", projects, testkit.Body(`{"name": "Gemini"}`)).Want(201)
		for subject, remove := range map[string]func(alice *testkit.API) []int{
			"alice": func(alice *testkit.API) []int {
				alice.Do(t, "DELETE", me, testkit.Header("If-Match", `"7"`)).WantError(412, "PRECONDITION_FAILED")
				return atOnce(func() *testkit.Response { return alice.Do(t, "DELETE", me) })
			},
			"amy": func(*testkit.API) []int {
				admin.Do(t, "DELETE", people+"/amy", testkit.Header("If-Match", `"7"`)).WantError(412, "PRECONDITION_FAILED")
				return atOnce(func() *testkit.Response { return admin.Do(t, "DELETE", people+"/amy") })
			},
			"ada": func(ada *testkit.API) []int {
				answer := ada.Do(t, "DELETE", me).Want(202).WantJSON("", map[string]any{"status": "deleting"})
				return []int{answer.Status}
			},
		} {
			user := app.User(t, subject)
			user.Do(t, "PATCH", me, testkit.Body(`{"full_name": "Somebody"}`)).Want(200)
			user.Do(t, "POST", projects, testkit.Body(`{"name": "Apollo"}`)).Want(201)
			deleted := 0
			for _, status := range remove(user) {
				switch status {
				case http.StatusAccepted, http.StatusNoContent:
					deleted++
				case http.StatusForbidden, http.StatusNotFound: // too late: the token is refused, or the user isn't there
				default:
					t.Errorf("%s: a deletion answers %d", subject, status)
				}
			}
			if deleted != 1 {
				t.Errorf("%s was deleted %d times", subject, deleted)
			}

			user.Do(t, "GET", me).WantError(403, "FORBIDDEN")
			app.User(t, subject).Do(t, "DELETE", me).WantError(403, "FORBIDDEN") // a new token of the same person
			admin.Do(t, "GET", people+"/"+subject).WantError(404, "NOT_FOUND")
			admin.Do(t, "DELETE", people+"/"+subject).WantError(404, "NOT_FOUND")
			admin.Do(t, "GET", people+"?q=somebody").Want(200).WantJSON("total", 0)
			wantTold(t, app, subject, "users.user_registered.v1", "users.user_profile_changed.v1", "users.user_deleted.v1")
			apptest.Await(t, "the projects to be erased", func() bool {
				return testkit.Rows(t, app.DB, "projects", "owner_id = ?", subject) == 0
			})
		}
		bob.Do(t, "GET", projects).Want(200).WantJSON("total", 1)
	})
}

func TestProjectsTellWhatHappens(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := app.User(t, "alice")
		made := alice.Do(t, "POST", projects, testkit.Body(`{"name": "Apollo"}`)).Want(201)
		one := made.Header.Get("Location")
		alice.Do(t, "PATCH", one, testkit.Body(`{"description": "to the moon"}`)).Want(200)
		alice.Do(t, "PATCH", one, testkit.Body(`{"name": "Apollo"}`)).Want(200)
		alice.Do(t, "PATCH", one, testkit.Body(`{"name": "Artemis"}`)).Want(200)
		alice.Do(t, "PATCH", one, testkit.Body(`{"name": ""}`)).Want(422)
		alice.Do(t, "DELETE", one).Want(204)
		alice.Do(t, "DELETE", one).Want(404)
		wantTold(t, app, made.Text("id"), "projects.project_created.v1", "projects.project_renamed.v1", "projects.project_deleted.v1")
	})
}

func TestASuspendedAccountKeepsItsProjects(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice, bob := app.User(t, "alice"), app.User(t, "bob")
		mine := alice.Do(t, "POST", projects, testkit.Body(`{"name": "Apollo"}`)).Want(201).Header.Get("Location")
		bob.Do(t, "GET", me).Want(200)

		app.Change(t, "UPDATE users SET is_active = ? WHERE id = ?", false, "alice")
		apptest.Await(t, "the suspension to count", func() bool { return alice.Do(t, "GET", me).Status == 403 })
		before := contents(t, app)
		for _, request := range []struct{ method, path, body string }{
			{"GET", me, ""}, {"PATCH", me, `{"full_name": "Ada"}`}, {"GET", projects, ""}, {"GET", mine, ""},
			{"POST", projects, `{"name": "Gemini"}`}, {"PATCH", mine, `{"name": "Gemini"}`}, {"DELETE", mine, ""},
		} {
			alice.Do(t, request.method, request.path, testkit.Body(request.body)).WantError(403, "FORBIDDEN")
		}
		if after := contents(t, app); quote(t, before) != quote(t, after) {
			t.Errorf("a suspended user changed rows\nfrom %v\nto   %v", before, after)
		}
		bob.Do(t, "GET", me).Want(200)

		app.Change(t, "UPDATE users SET is_active = ? WHERE id = ?", true, "alice")
		apptest.Await(t, "the end of the suspension", func() bool { return alice.Do(t, "GET", me).Status == 200 })
		alice.Do(t, "GET", mine).Want(200).WantJSON("name", "Apollo")
	})
}

// A program does with an API key what its scopes let it do, as the user whose key it is.
func TestAKeyHoldsForProjects(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := app.User(t, "alice")
		both, _ := made(t, alice, `"read", "write"`)
		reads, _ := made(t, alice, `"read"`)
		writes, _ := made(t, alice, `"write"`)
		program := app.As(both)
		address := program.Do(t, "POST", projects, testkit.Body(`{"name": "Apollo"}`)).Want(201).WantJSON("owner_id", "alice").Header.Get("Location")
		alice.Do(t, "GET", address).Want(200)
		program.Do(t, "DELETE", address).Want(204)
		program.Do(t, "POST", projects, testkit.Body(`{"name": ""}`)).Want(422)

		app.As(reads).Do(t, "GET", projects).Want(200)
		app.As(reads).Do(t, "HEAD", projects).Want(200)
		app.As(reads).Do(t, "POST", projects, testkit.Body(`{"name": "Apollo"}`)).WantError(403, "FORBIDDEN").
			WantHeader("WWW-Authenticate", keyRefused+`, scope="write"`)
		app.As(writes).Do(t, "GET", projects).WantError(403, "FORBIDDEN").WantHeader("WWW-Authenticate", keyRefused+`, scope="read"`)
	})
}
