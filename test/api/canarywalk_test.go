//scaffold:needs notifications

package api

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/platform/testkit/idp"
	"github.com/omnistack/omnistack/platform/webhook/webhooktest"
	"github.com/omnistack/omnistack/test/apptest"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

// markers are texts that nobody else writes, with what they stand for.
type markers map[string]string

// plant returns a new marker.
func (m markers) plant(what string) string {
	marker := "canary" + strings.ToLower(rand.Text())
	m[marker] = what
	return marker
}

// of returns the marker that stands for it.
func (m markers) of(what string) string {
	for marker, its := range m {
		if its == what {
			return marker
		}
	}
	return ""
}

var (
	marker  = regexp.MustCompile("canary[a-z2-7]{26}")
	encoded = base64.StdEncoding.EncodeToString([]byte("canary")) // how each begins
)

// found returns what of them the text holds, in whatever case or in base64.
func (m markers) found(text string) []string {
	var found []string
	for _, each := range marker.FindAllString(strings.ToLower(text), 10) {
		found = append(found, m[each])
	}
	if strings.Contains(text, encoded) {
		found = append(found, "something in base64")
	}
	for token, what := range m {
		if !strings.HasPrefix(token, "canary") && strings.Contains(text, token) {
			found = append(found, what)
		}
	}
	return found
}

// elsewhere are the secrets that can't be any text: where to connect, and what would connect to somebody. Stripe's would end the
// simulator, without which nothing of billing works: TestStripesKeyStaysSecret is about them.
var elsewhere = regexp.MustCompile(`^(DATABASE_URL|REDIS_URL|UPSTASH_.*|SENTRY_DSN|STRIPE_.*)$`)

// secretSettings returns every setting that is a secret, with a marker in it, and services that nobody is at.
func secretSettings(t *testing.T, planted markers) []string {
	t.Helper()
	settings, err := config.Describe(new(wiregen.Settings).Groups()...)
	if err != nil {
		t.Fatal(err)
	}
	var environ []string
	for _, setting := range settings {
		switch {
		case elsewhere.MatchString(setting.Name):
		case strings.HasSuffix(setting.Name, "_BASE_URL") || strings.HasSuffix(setting.Name, "_API_BASE"):
			environ = append(environ, setting.Name+"=http://127.0.0.1:1")
		case setting.Secret:
			environ = append(environ, setting.Name+"="+shaped(setting.Name, planted.plant(setting.Name)))
		}
	}
	return environ
}

// shaped returns a secret in the form that its setting wants.
func shaped(name, secret string) string {
	switch name {
	case "OTEL_EXPORTER_OTLP_HEADERS":
		return "key=" + secret
	case "SUPABASE_WEBHOOK_SECRET":
		return "v1,whsec_" + base64.StdEncoding.EncodeToString([]byte(secret))
	case "CLERK_WEBHOOK_SECRET", "RESEND_WEBHOOK_SECRET":
		return "whsec_" + base64.StdEncoding.EncodeToString([]byte(secret))
	case "SECRET_KEY", "SECRET_KEY_PREVIOUS", "SUPABASE_JWT_SECRET":
		return secret + secret
	}
	return secret
}

// gossip is a mail server that takes nobody's mail, and repeats whose.
func gossip(t *testing.T) (port string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				fmt.Fprint(conn, "220 here\r\n")
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					answer := "250 fine"
					switch verb, _, _ := strings.Cut(lines.Text(), " "); verb {
					case "EHLO":
						answer = "250-here\r\n250 AUTH PLAIN LOGIN"
					case "AUTH":
						answer = "235 welcome"
					case "RCPT":
						answer = "550 5.1.1 I don't know " + lines.Text()
					}
					fmt.Fprint(conn, answer+"\r\n")
				}
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		running.Wait()
	})
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	return port
}

// Every route is called, as those who may and those who may not, with markers as all that is secret or personal: settings, tokens,
// headers, queries, bodies good and bad. What comes back from a refusal, what is logged, and what jobs, events, dead letters and
// the audit log keep holds none of them.
func TestNoRouteLeaksACanary(t *testing.T) {
	clerk := idp.New(t, idp.Clerk)
	for _, engine := range testkit.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			planted := markers{}
			settings := append(withClerk(clerk), secretSettings(t, planted)...)
			app := apptest.Start(t, engine, append(settings, "RATE_LIMIT_ENABLED=false", "CONTACT_TO_ADDRESS="+planted.plant("the team's address")+"@canary.example",
				"EMAIL_PROVIDER=smtp", "SMTP_HOST=127.0.0.1", "SMTP_PORT="+gossip(t), "SMTP_TLS=none", "SMTP_USERNAME=us")...)
			w := &canaryWalk{matrix: newMatrix(t, app), planted: planted}
			for _, who := range []caller{reader, writer, asker} {
				planted[w.tokens[who]] = "an API key"
			}
			for _, c := range accesses {
				w.call(t, c)
			}
			w.hooks(t)
			w.settle(t)
			w.search(t)
		})
	}
}

type canaryWalk struct {
	*matrix
	planted markers
	refused int // answers that were looked at
}

// somebody returns the API of somebody new with a name and an address.
func (w *canaryWalk) somebody(t *testing.T, role string) *testkit.API {
	t.Helper()
	token := w.app.Token(t, auth.DevClaims{
		Subject: w.subject(), Role: role, Name: w.planted.plant("a name"), Email: w.planted.plant("an address") + "@canary.example",
	})
	w.planted[token[strings.LastIndex(token, ".")+1:]] = "a token"
	return w.app.As(token)
}

// personal are the members of bodies that may hold any text.
var personal = []string{"name", "full_name", "message", "subject", "description"}

// marked returns the body of a case with markers in it.
func (w *canaryWalk) marked(t *testing.T, body string) string {
	t.Helper()
	members := map[string]any{}
	if json.Unmarshal([]byte(body), &members) != nil {
		return body // a list
	}
	for name := range members {
		switch {
		case slices.Contains(personal, name):
			members[name] = w.planted.plant("the body's " + name)
		case name == "email":
			members[name] = w.planted.plant("the body's address") + "@canary.example"
		case name == "token":
			members[name] = w.planted.plant("the body's token")
		}
	}
	return quote(t, members)
}

// call plays a case as a stranger, a user and a superadmin: as it should be, and in ways that are refused.
func (w *canaryWalk) call(t *testing.T, c access) {
	w.t = t
	method, _, _ := strings.Cut(c.route, " ")
	header := func(name, form string) testkit.Part {
		return testkit.Header(name, fmt.Sprintf(form, w.planted.plant("the header "+name)))
	}
	everywhere := []testkit.Part{
		header("Idempotency-Key", "%s"), header("Cookie", "session=%s"), header("User-Agent", "%s"), header("Referer", "https://%s.example/"),
		header("X-Forwarded-For", "%s"), header("X-Api-Key", "%s"), header("If-None-Match", "%q"),
	}
	for _, api := range []*testkit.API{w.app.API, w.app.As(w.planted.plant("a bad token")), w.as(writer), w.somebody(t, ""), w.somebody(t, "superadmin")} {
		good := slices.Concat(everywhere, []testkit.Part{func(r *http.Request) {
			if c.body != "" {
				testkit.Body(w.marked(t, c.body))(r)
			}
		}})
		path := w.target(c)
		w.look(t, api.Do(t, method, path+"?q="+w.planted.plant("the query")+"&q="+w.planted.plant("the query again"), good...))
		w.look(t, api.Do(t, method, path, append(good, header("If-Match", "%q"))...))
		for _, body := range bad {
			text := fmt.Sprintf(body, w.planted.plant("a bad body"), w.planted.plant("a bad body"), w.planted.plant("a bad body"))
			if method != "GET" {
				w.look(t, api.Do(t, method, path, append(everywhere, testkit.Body(text))...))
				w.look(t, api.Do(t, method, path, append(everywhere, testkit.Body(text), header("Content-Type", "text/%s"))...))
			}
		}
		w.look(t, api.Do(t, method, path, good...))
	}
}

// bad are bodies that nothing takes, with three markers each.
var bad = []string{
	`{"name": {"a": %q}, "email": %q, "role": %q}`, `{"name": 1, "scopes": %q, "x": %q, "is_active": %q}`, `[%q, %q, %q]`,
	`{"name": %q, "name": %q, "a": %q`, `%s%s%s`,
}

// look fails the test for a refusal that repeats something, and for any answer, streams too, without the security headers.
func (w *canaryWalk) look(t *testing.T, answer *testkit.Response) {
	t.Helper()
	for name, want := range common {
		answer.WantHeader(name, want)
	}
	if answer.Status < 400 {
		return
	}
	w.refused++
	if found := w.planted.found(string(answer.Body) + fmt.Sprint(answer.Header)); found != nil {
		t.Errorf("a refusal tells %q: %s %v", found, answer.Body, answer.Header)
	}
}

// hooks lets the identity provider and the mail service tell of somebody.
func (w *canaryWalk) hooks(t *testing.T) {
	t.Helper()
	address := w.planted.plant("the address of a webhook") + "@canary.example"
	name := w.planted.plant("the name of a webhook")
	for path, hook := range map[string]struct{ family, setting, body string }{
		clerkHook: {"svix-", "CLERK_WEBHOOK_SECRET", clerkUser("user.created", "hooked", address, name, time.Now())},
		api + "/public/webhooks/resend": {"svix-", "RESEND_WEBHOOK_SECRET",
			fmt.Sprintf(`{"type": "email.bounced", "data": {"to": [%q], "bounce": {"type": "Permanent", "message": %q}}}`, address, name)},
	} {
		parts := []testkit.Part{testkit.Body(hook.body)}
		secret := base64.StdEncoding.EncodeToString([]byte(w.planted.of(hook.setting)))
		for name, value := range webhooktest.Sign(t, hook.family, "whsec_"+secret, "msg_1", time.Now(), []byte(hook.body)) {
			parts = append(parts, testkit.Header(name, value))
		}
		w.look(t, w.app.Do(t, "POST", path, parts...).Want(200))
	}
}

// settle waits until every job has been tried.
func (w *canaryWalk) settle(t *testing.T) {
	t.Helper()
	apptest.Await(t, "the jobs", func() bool {
		return testkit.Rows(t, w.app.DB, "river_job", "state IN ('available', 'running')") == 0
	})
}

// search looks for the markers where they may not be.
func (w *canaryWalk) search(t *testing.T) {
	t.Helper()
	for where, text := range map[string]string{
		"the log":       logged(w.app),
		"jobs":          whole(t, w.app, "SELECT kind, CAST(args AS text), CAST(errors AS text), CAST(metadata AS text), CAST(tags AS text) FROM river_job"),
		"events":        whole(t, w.app, "SELECT * FROM events_outbox"),
		"dead letters":  whole(t, w.app, "SELECT * FROM events_inbox"),
		"the audit log": whole(t, w.app, "SELECT * FROM audit_log"),
		"webhooks":      whole(t, w.app, "SELECT * FROM users_webhooks WHERE processed_at IS NOT NULL"),
	} {
		if found := w.planted.found(text); found != nil {
			t.Errorf("%s: it holds %q", where, found)
		}
		if len(text) < 100 && where != "webhooks" {
			t.Errorf("%s: there is nothing in it: %s", where, text)
		}
	}
	if testkit.Rows(t, w.app.DB, "river_job", "kind = 'notifications.send_mail' AND errors IS NOT NULL") == 0 {
		t.Error("no mail was refused, so no error was there to hold an address")
	}
	if kept := whole(t, w.app, "SELECT * FROM users"); w.planted.found(kept) == nil {
		t.Errorf("not even the users hold a marker, so this test sees nothing: %s", kept)
	}
	t.Logf("%d markers, %d refusals, %d lines of the log", len(w.planted), w.refused, w.app.Logs.Len())
}
