package main

import (
	"testing"

	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

const administration = "/api/v1/admin/users"

// The first superadmin is made on the command line, while the product runs.
func TestOperatorsAppointAdministrators(t *testing.T) {
	for _, engine := range testkit.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, "DATABASE_URL="+emptyDatabase(t, engine))
			s := d.serve("serve")
			ada, bob := d.as(s, "ada"), d.as(s, "bob")
			d.run("admin", "grant", "ada").want(t, exitFailed, "", `nobody signs in as "ada"`, "has to sign in once before")
			for _, user := range []string{"ada", "bob"} {
				d.as(s, user).Do(t, "GET", administration).WantError(403, "FORBIDDEN")
			}

			d.run("admin", "grant", "ada", "--role", "superadmin").want(t, exitOK, "The user ada has the role superadmin now.\n")
			apptest.Await(t, "the running process to know", func() bool { return ada.Do(t, "GET", administration).Status == 200 })
			d.run("admin", "grant", "bob").want(t, exitOK, "The user bob has the role admin now.\n")
			d.run("admin", "grant", "bob", "--issuer", "https://other.example.com").want(t, exitFailed, "", `nobody signs in as "bob"`)
			apptest.Await(t, "the running process to know", func() bool { return bob.Do(t, "GET", administration).Status == 200 })
			for _, call := range [][]string{{"admin", "revoke", "ada"}, {"admin", "revoke", "ada", "--role", "admin"}, {"admin", "grant", "ada"}} {
				d.run(call...).want(t, exitFailed, "", "The last superadmin can't be demoted, suspended or deleted")
			}
			d.run("admin", "grant", "bob", "--role", "superadmin", "--issuer", "omnistack-dev").want(t, exitOK, "superadmin now")
			d.run("admin", "revoke", "ada", "--role", "admin").want(t, exitOK, "The user ada has the role admin now.\n")
			d.run("admin", "revoke", "ada").want(t, exitOK, "The user ada has the role user now.\n")
			d.run("events", "replay", "--name", "users.user_registered.v1").want(t, exitOK, "0 deliveries")
			apptest.Await(t, "the running process to know", func() bool { return ada.Do(t, "GET", administration).Status == 403 })

			bob.Do(t, "GET", "/api/v1/admin/events?name=users.user_role_changed.v1&aggregate=ada").Want(200).WantJSON("total", 3).
				WantJSON("items.0.payload.role", "user").WantJSON("items.0.actor", "")
			bob.Do(t, "GET", "/api/v1/admin/audit?actor=cli").Want(200).WantJSON("total", 6).
				WantJSON("items.0.action", "events replay").WantJSON("items.0.input", map[string]string{"name": "users.user_registered.v1"}).
				WantJSON("items.1.action", "admin revoke").WantJSON("items.1.target", "ada").WantJSON("items.1.role", "operator").
				WantJSON("items.1.input", map[string]string{"role": "user"}).WantJSON("items.1.status", 200).WantJSON("items.5.action", "admin grant")
		})
	}
}
