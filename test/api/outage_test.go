//scaffold:needs projects

package api

import (
	"regexp"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// detail is what strangers must not learn of a database that is away.
var detail = regexp.MustCompile(`(?i)127\.0\.0\.1|refused|dial|postgres|sqlstate|broken pipe|EOF|reset`)

func TestPostgresMayGoAndComeBack(t *testing.T) {
	t.Parallel()
	server := testkit.NewPostgresServer(t)
	app := apptest.StartOn(t, database.Options{Engine: database.Postgres, Target: server.URL, PoolSize: 2})
	alice := app.User(t, "alice")
	project := alice.Do(t, "POST", projects, testkit.Body(`{"name": "Apollo"}`)).Want(201).Header.Get("Location")
	etag := alice.Do(t, "GET", project).Want(200).Header.Get("ETag")
	together(32, func(int) { alice.Do(t, "GET", projects) }) // so that the pool is full of connections

	server.Kill()
	for _, request := range []struct{ method, path, body string }{
		{"GET", me, ""}, {"GET", projects, ""}, {"GET", project, ""}, {"POST", projects, `{"name": "Gemini"}`},
		{"PATCH", project, `{"name": "Gemini"}`}, {"DELETE", project, ""},
	} {
		answer := alice.Do(t, request.method, request.path, testkit.Body(request.body)).WantError(503, "SERVICE_UNAVAILABLE")
		if found := detail.Find(answer.Body); found != nil {
			t.Errorf("the answer tells %q\n%s", found, answer.Body)
		}
	}
	app.User(t, "somebody new").Do(t, "GET", me).WantError(503, "SERVICE_UNAVAILABLE")
	app.Do(t, "GET", "/health").Want(200)
	ready := app.Do(t, "GET", "/health/ready").Want(503).WantJSON("status", "failing").WantJSON("checks.database", "failing")
	if found := detail.Find(ready.Body); found != nil {
		t.Errorf("the probe tells %q\n%s", found, ready.Body)
	}
	if app.Logs.FilterMessage("not ready").Len() == 0 {
		t.Error("the log doesn't say why it isn't ready")
	}
	for _, entry := range app.Logs.All() {
		if text := quote(t, entry.ContextMap()); strings.Contains(text, password(server.URL)) {
			t.Errorf("the log holds the password: %s", text)
		}
	}

	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	apptest.Await(t, "the product to find its database again", func() bool { return app.Do(t, "GET", "/health/ready").Status == 200 })
	for range 20 { // no connection of before the crash is left
		alice.Do(t, "GET", project).Want(200).WantJSON("name", "Apollo").WantHeader("ETag", etag)
	}
	alice.Do(t, "PATCH", project, testkit.Body(`{"name": "Gemini"}`)).Want(200)
	if rows := testkit.Rows(t, app.DB, "projects", ""); rows != 1 {
		t.Errorf("there are %d projects", rows)
	}
}

// password returns the one in a URL of testkit's.
func password(url string) string {
	_, rest, _ := strings.Cut(url, "postgres:")
	secret, _, _ := strings.Cut(rest, "@")
	return secret
}
