//scaffold:needs notifications projects

package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// canaries are texts that nobody else writes: what personal data and secrets are in this test.
var canaries = map[string]string{
	"address":  "quokka.fennec@canary.example",
	"name":     "Quokka Fennec",
	"password": "numbat-bilby-dibbler",
	"project":  "Project Potoroo",
	"message":  "I was born in Wombat Street",
	"writer":   "antechinus@canary.example",
}

// Personal data and secrets are where they belong, and not in what administrators, operators and other programs see: jobs,
// events, and the log. The mail server refuses to be reached, so the errors of jobs are among it.
func TestNothingPersonalLeaks(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		token := app.Token(t, auth.DevClaims{Subject: "quokka", Email: canaries["address"], Name: canaries["name"]})
		user := app.As(token)
		user.Do(t, "GET", me).Want(200)
		user.Do(t, "PATCH", me, testkit.Body(`{"full_name": "`+canaries["name"]+` II"}`)).Want(200)
		project := user.Do(t, "POST", projects, testkit.Body(`{"name": "`+canaries["project"]+`"}`)).Want(201).Header.Get("Location")
		user.Do(t, "DELETE", project).Want(204)
		app.Do(t, "POST", contact, testkit.Body(fmt.Sprintf(`{"name": %q, "email": %q, "message": %q}`,
			canaries["name"], canaries["writer"], canaries["message"]))).Want(202)

		// The welcome, the notice of the deletion and the contact were tried, and each says why it failed.
		apptest.Await(t, "three mails that fail", func() bool {
			return testkit.Rows(t, app.DB, "river_job", "kind = 'notifications.send_mail' AND attempt > 0 AND state = 'retryable'") == 3
		})
		user.Do(t, "DELETE", me).Want(202)
		apptest.Await(t, "the erasure", func() bool {
			return erased(t, app)
		})

		for what, text := range map[string]string{
			"the log":        logged(app),
			"jobs":           whole(t, app, "SELECT kind, CAST(args AS text), CAST(errors AS text), CAST(metadata AS text) FROM river_job"),
			"events":         whole(t, app, "SELECT payload, correlation, actor, aggregate FROM events_outbox"),
			"dead letters":   whole(t, app, "SELECT consumer, error FROM events_inbox"),
			"suppressions":   whole(t, app, "SELECT * FROM notifications_suppressions"),
			"what is erased": whole(t, app, "SELECT * FROM users") + whole(t, app, "SELECT * FROM projects") + whole(t, app, "SELECT * FROM notifications"),
		} {
			folded := strings.ToLower(text)
			for of, canary := range canaries {
				if strings.Contains(folded, strings.ToLower(canary)) {
					t.Errorf("%s: it holds the %s", what, of)
				}
			}
			if strings.Contains(text, token) || strings.Contains(text, token[strings.LastIndex(token, "."):]) {
				t.Errorf("%s: it holds a token", what)
			}
		}
		if text := logged(app); !strings.Contains(text, "quokka") {
			t.Errorf("the log doesn't even name the user's id, so this test sees nothing: %s", text)
		}
	}, "EMAIL_PROVIDER=smtp", "SMTP_HOST=127.0.0.1", "SMTP_PORT=1", "SMTP_TLS=none", "SMTP_USERNAME=numbat", "SMTP_PASSWORD="+canaries["password"])
}
