//scaffold:needs projects

package main

import (
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

const projects = "/api/v1/app/projects"

func TestDataSurvivesARestart(t *testing.T) {
	for _, engine := range testkit.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, "DATABASE_URL="+emptyDatabase(t, engine))
			token := strings.TrimSpace(d.run("token", "--sub", "alice").stdout)
			first := d.serve("serve")
			alice := first.api.As(token)
			apollo := alice.Do(t, "POST", projects, testkit.Body(`{"name": "Apollo"}`)).Want(201)
			alice.Do(t, "POST", projects, testkit.Body(`{"name": "Gemini"}`)).Want(201)
			cursor := alice.Do(t, "GET", projects+"?limit=1").Want(200).Text("next_cursor")
			first.stop().want(t, exitOK, "is running", "request")

			// Tokens and cursors survive too: their keys are kept beside the data.
			alice = d.serve("serve").api.As(token)
			alice.Do(t, "GET", apollo.Header.Get("Location")).Want(200).WantJSON("", apollo.JSON(""))
			alice.Do(t, "GET", projects+"?cursor="+cursor).Want(200).WantJSON("items.0.name", "Apollo")
		})
	}
}

func TestSeed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	catalog, err := wiregen.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	seeded := ""
	for _, canvas := range catalog {
		if canvas.Seeder != nil {
			seeded += "seeded " + canvas.Name + "\n"
		}
	}
	if !strings.Contains(seeded, "users\n") || !strings.Contains(seeded, "projects\n") {
		t.Fatalf("what is seeded is %q", seeded)
	}
	d.run("seed", "--users", "2", "--projects", "3").want(t, exitOK, seeded, "migration applied")
	s := d.serve("serve")
	d.as(s, "user-1").Do(t, "GET", projects+"?sort=name&limit=2").Want(200).WantJSON("total", 3).WantJSON("items.0.name", "Project 1")
	d.as(s, "user-2").Do(t, "GET", "/api/v1/app/users/me").Want(200).WantJSON("full_name", "Example user-2")
	d.as(s, "user-3").Do(t, "GET", projects).Want(200).WantJSON("total", 0)

	d.run("seed", "--users", "0").want(t, exitOK, "seeded")
	d.with(production(emptyDatabase(t, database.SQLite))...).run("seed").
		want(t, exitFailed, "", "examples are for a developer's machine")
}

func TestModulesPrintsWhatProjectsAreMadeOf(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.run("modules").want(t, exitOK, "projects ")
	canvas := d.run("modules", "projects")
	for _, line := range []string{
		"| GET | `/api/v1/app/projects` | user |", "| POST | `/api/v1/app/projects` | user |",
		"| DELETE | `/api/v1/app/projects/{id}` | user |", "`projects.Catalog`", "`owner_id`",
	} {
		canvas.want(t, exitOK, line)
	}
}
