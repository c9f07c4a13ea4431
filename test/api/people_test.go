package api

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

func wantTold(t *testing.T, app *apptest.App, aggregate string, want ...string) {
	t.Helper()
	if got := told(t, app, aggregate); !slices.Equal(got, want) {
		t.Errorf("of %s was told %v, want %v", aggregate, got, want)
	}
}

func TestAdministratorsListUsers(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		for i, name := range []string{"Anna Straße", "Bert", "Cora"} {
			app.As(app.Token(t, auth.DevClaims{Subject: fmt.Sprint("u", i), Name: name, Email: fmt.Sprintf("Person%d@Example.com", i)})).
				Do(t, "GET", me).Want(200)
		}
		admin := as(t, app, "root", "admin")
		admin.Do(t, "PATCH", people+"/u1", testkit.Body(`{"is_active": false}`)).Want(200)
		app.Change(t, "UPDATE users SET role = 'admin' WHERE id = ?", "u2")

		for query, want := range map[string][]string{
			"":                              {"root", "u2", "u1", "u0"},
			"?q=STRASSE":                    {"u0"},
			"?q=person1@example":            {"u1"},
			"?q=%25":                        {},
			"?role=admin":                   {"u2"},
			"?role=superadmin":              {},
			"?is_active=false":              {"u1"},
			"?is_active=true":               {"root", "u2", "u0"},
			"?is_active=true&role=user&q=s": {"u0"},
			"?limit=2&skip=1":               {"u2", "u1"},
			"?skip=9":                       {},
		} {
			answer, got := admin.Do(t, "GET", people+query).Want(200), []string{}
			for i := range answer.JSON("items").([]any) {
				got = append(got, answer.Text(fmt.Sprintf("items.%d.id", i)))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q lists %v, want %v", query, got, want)
			}
		}
		first := admin.Do(t, "GET", people+"?limit=3").Want(200).WantJSON("total", 4).WantJSON("skip", 0).WantJSON("limit", 3).
			WantJSON("items.1.role", "admin").WantJSON("items.2.is_active", false).WantJSON("items.2.email", "Person1@Example.com")
		admin.Do(t, "GET", people+"?limit=3&cursor="+first.Text("next_cursor")).Want(200).WantJSON("items.0.id", "u0")
		for query, field := range map[string]string{
			"?role=king": "role", "?is_active=1": "is_active", "?limit=101": "limit", "?cursor=x": "cursor", "?sort=name": "sort",
			"?role=admin&cursor=" + first.Text("next_cursor"): "cursor", "?skip=1&cursor=" + first.Text("next_cursor"): "skip",
		} {
			if answer := admin.Do(t, "GET", people+query).WantError(422, "VALIDATION_ERROR"); !namesField(answer, field) {
				t.Errorf("%s: details.errors doesn't name %s\n%s", query, field, answer.Body)
			}
		}
	})
}

func TestAdministratorsSayWhoMayDoWhat(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice, bob := app.User(t, "alice"), app.User(t, "bob")
		alice.Do(t, "GET", me).Want(200)
		bob.Do(t, "GET", me).Want(200)
		admin, root := as(t, app, "ann", "admin"), as(t, app, "root", "superadmin")

		// A suspension counts at once where it is made, and so does its end.
		admin.Do(t, "GET", people+"/alice").Want(200).WantHeader("ETag", `"1"`).WantJSON("role", "user").WantJSON("is_active", true)
		suspend := testkit.Body(`{"is_active": false}`)
		admin.Do(t, "PATCH", people+"/alice", suspend, testkit.Header("If-Match", `"1"`)).Want(200).WantHeader("ETag", `"2"`).WantJSON("is_active", false)
		alice.Do(t, "GET", me).WantError(403, "FORBIDDEN")
		admin.Do(t, "PATCH", people+"/alice", suspend, testkit.Header("If-Match", `"1"`)).WantError(412, "PRECONDITION_FAILED")
		admin.Do(t, "PATCH", people+"/alice", suspend).Want(200).WantHeader("ETag", `"2"`)
		admin.Do(t, "PATCH", people+"/alice", testkit.Body(`{}`)).Want(200).WantHeader("ETag", `"2"`)
		admin.Do(t, "PATCH", people+"/alice", testkit.Body(`{"is_active": true}`)).Want(200)
		alice.Do(t, "GET", me).Want(200)

		// A role counts at once, too. Only a superadmin gives and takes it.
		promote, demote := testkit.Body(`{"role": "admin"}`), testkit.Body(`{"role": "user"}`)
		bob.Do(t, "PATCH", people+"/bob", promote).WantError(403, "FORBIDDEN")
		admin.Do(t, "PATCH", people+"/bob", promote).WantError(403, "FORBIDDEN")
		admin.Do(t, "PATCH", people+"/ann", testkit.Body(`{"role": "superadmin"}`)).WantError(403, "FORBIDDEN")
		root.Do(t, "PATCH", people+"/root", testkit.Body(`{"role": "superadmin"}`)).WantError(403, "FORBIDDEN")
		root.Do(t, "PATCH", people+"/root", suspend).WantError(403, "FORBIDDEN")
		root.Do(t, "PATCH", people+"/bob", promote).Want(200).WantJSON("role", "admin")
		bob.Do(t, "GET", people).Want(200)
		bob.Do(t, "PATCH", people+"/bob", demote).WantError(403, "FORBIDDEN")
		root.Do(t, "PATCH", people+"/bob", demote).Want(200).WantJSON("role", "user")
		bob.Do(t, "GET", people).WantError(403, "FORBIDDEN")

		before := contents(t, app)
		for body, field := range map[string]string{
			`{"role": "king"}`: "role", `{"role": null}`: "role", `{"role": 7}`: "role", `{"is_active": null}`: "is_active",
			`{"is_active": "no"}`: "is_active", `{"full_name": "Eve"}`: "full_name", `{"version": 1}`: "version",
		} {
			if answer := root.Do(t, "PATCH", people+"/bob", testkit.Body(body)).WantError(422, "VALIDATION_ERROR"); !namesField(answer, field) {
				t.Errorf("%s: details.errors doesn't name %s\n%s", body, field, answer.Body)
			}
		}
		for _, method := range []string{"GET", "PATCH", "DELETE"} {
			root.Do(t, method, people+"/nobody", testkit.Body(`{"is_active": false}`)).WantError(404, "NOT_FOUND").WantJSON("error.details.id", "nobody")
		}
		if after := contents(t, app); quote(t, before) != quote(t, after) {
			t.Errorf("what was refused changed rows\nfrom %v\nto   %v", before, after)
		}
		wantTold(t, app, "alice", "users.user_registered.v1", "users.user_suspended.v1", "users.user_reactivated.v1")
		wantTold(t, app, "bob", "users.user_registered.v1", "users.user_role_changed.v1", "users.user_role_changed.v1")
	})
}

// What an administrator does counts at once where it is done, and within five seconds in every other process.
func TestWhatAdministratorsDoCountsEverywhere(t *testing.T) {
	for _, engine := range testkit.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			options := testkit.DatabaseOptions(t, engine)
			here, there := apptest.StartOn(t, options), apptest.StartOn(t, options)
			root := as(t, here, "root", "superadmin")
			aliceHere, aliceThere := here.User(t, "alice"), there.User(t, "alice")
			becomes := func(body, path string, status int) {
				t.Helper()
				root.Do(t, "PATCH", people+"/alice", testkit.Body(body)).Want(200)
				since := time.Now()
				aliceHere.Do(t, "GET", path).Want(status)
				apptest.Await(t, "the other process to know", func() bool { return aliceThere.Do(t, "GET", path).Status == status })
				if took := time.Since(since); took > 5*time.Second {
					t.Errorf("the other process knew of %s after %s", body, took)
				}
			}
			aliceHere.Do(t, "GET", me).Want(200)
			aliceThere.Do(t, "GET", people).WantError(403, "FORBIDDEN")
			becomes(`{"role": "admin"}`, people, 200)
			becomes(`{"role": "user"}`, people, 403)
			aliceThere.Do(t, "GET", me).Want(200)
			becomes(`{"is_active": false}`, me, 403)
			becomes(`{"is_active": true}`, me, 200)
			root.Do(t, "DELETE", people+"/alice").Want(204)
			aliceHere.Do(t, "GET", me).WantError(403, "FORBIDDEN")
			apptest.Await(t, "the other process to know of the deletion", func() bool { return aliceThere.Do(t, "GET", me).Status == 403 })
		})
	}
}

func TestTheLastSuperadminStays(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		ada, bob := app.User(t, "ada"), app.User(t, "bob")
		bob.Do(t, "GET", me).Want(200)
		ada.Do(t, "GET", me).Want(200)
		app.Change(t, "UPDATE users SET role = 'superadmin' WHERE id = ?", "ada")
		root, admin := as(t, app, "root", "superadmin"), as(t, app, "ann", "admin")

		ada.Do(t, "DELETE", me).WantError(409, "CONFLICT")
		root.Do(t, "DELETE", people+"/ada").WantError(409, "CONFLICT")
		root.Do(t, "PATCH", people+"/ada", testkit.Body(`{"role": "user"}`)).WantError(409, "CONFLICT")
		root.Do(t, "PATCH", people+"/ada", testkit.Body(`{"is_active": false}`)).WantError(409, "CONFLICT")
		admin.Do(t, "DELETE", people+"/ada").WantError(403, "FORBIDDEN")
		ada.Do(t, "GET", me).Want(200)

		root.Do(t, "PATCH", people+"/bob", testkit.Body(`{"role": "superadmin"}`)).Want(200)
		root.Do(t, "DELETE", people+"/ada").Want(204)
		bob.Do(t, "DELETE", me).WantError(409, "CONFLICT")
		bob.Do(t, "GET", people).Want(200).WantJSON("total", 3)
	})
}

// atOnce does a request sixteen times at once and returns the statuses.
func atOnce(request func() *testkit.Response) []int {
	statuses := make([]int, 16)
	together(len(statuses), func(i int) { statuses[i] = request().Status })
	return statuses
}

// Who is a superadmin by the word of the identity provider can't be suspended or deleted by a plain administrator, and can
// once the provider names another role.
func TestATokensRoleProtects(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		admin := app.As(app.Token(t, auth.DevClaims{Subject: "root", Role: "admin"}))
		app.As(app.Token(t, auth.DevClaims{Subject: "chief", Role: "superadmin"})).Do(t, "GET", me).Want(200)
		suspend := testkit.Body(`{"is_active": false}`)
		admin.Do(t, "PATCH", "/api/v1/admin/users/chief", suspend).WantError(403, "FORBIDDEN")
		admin.Do(t, "DELETE", "/api/v1/admin/users/chief").WantError(403, "FORBIDDEN")

		apptest.Await(t, "the end of what is remembered of the old token", func() bool {
			app.User(t, "chief").Do(t, "GET", me).Want(200)
			return testkit.Rows(t, app.DB, "users", "id = 'chief' AND token_role = ''") == 1
		})
		admin.Do(t, "PATCH", "/api/v1/admin/users/chief", suspend).Want(200)
	})
}

// Who signs in with an address of the settings is an administrator at once.
func TestTheSettingsAppointAdministrators(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		boss := app.As(app.Token(t, auth.DevClaims{Subject: "boss", Email: "Boss@example.com"}))
		boss.Do(t, "GET", me).Want(200).WantJSON("role", "admin")
		boss.Do(t, "GET", "/api/v1/admin/users/boss").Want(200).WantJSON("role", "admin")
		app.As(app.Token(t, auth.DevClaims{Subject: "sam", Email: "sam@example.com"})).Do(t, "GET", "/api/v1/admin/users/sam").WantError(403, "FORBIDDEN")
	}, "ADMIN_EMAILS=boss@example.com")
}
