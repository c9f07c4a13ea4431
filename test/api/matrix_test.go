package api

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/platform/webhook/webhooktest"
	"github.com/omnistack/omnistack/test/apptest"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

// caller is somebody who calls a route. A new kind of caller is added here and in newMatrix; every case that doesn't say what
// becomes of it fails.
type caller string

const (
	anonymous  caller = "anonymous"
	owner      caller = "owner" // of everything that the cases are about
	other      caller = "other" // a user like the owner
	suspended  caller = "suspended"
	deleted    caller = "deleted"
	expired    caller = "expired" // the owner's token of yesterday
	garbage    caller = "garbage" // the owner's token, with another signature
	admin      caller = "admin"
	superadmin caller = "superadmin"
	reader     caller = "read" // the owner's API keys, by their scope
	writer     caller = "write"
	asker      caller = "ai"
)

var callers = []caller{anonymous, owner, other, suspended, deleted, expired, garbage, admin, superadmin, reader, writer, asker}

// isKey tells whether the caller is an API key.
func (c caller) isKey() bool { return c == reader || c == writer || c == asker }

// statuses are what a caller is answered.
type statuses map[caller]int

// everybody are the statuses of a route where it doesn't matter who calls.
func everybody(status int) statuses {
	all := statuses{}
	for _, who := range callers {
		all[who] = status
	}
	return all
}

// persons are those of a route where users act for themselves, on what is the owner's: others is what other users are
// answered. No API key will do.
func persons(status, others int) statuses {
	return statuses{
		anonymous: 401, owner: status, other: others, suspended: 403, deleted: 403, expired: 401, garbage: 401,
		admin: others, superadmin: others, reader: 403, writer: 403, asker: 403,
	}
}

// reads are those of a route where users look, and so do their keys.
func reads(status, others int) statuses {
	all := persons(status, others)
	all[reader] = status
	return all
}

// writes are those of a route where users change something, and so do their keys.
func writes(status, others int) statuses {
	all := persons(status, others)
	all[writer] = status
	return all
}

// admins are those of a route for administrators: lower is what an admin is answered who is no superadmin.
func admins(status, lower int) statuses {
	return statuses{
		anonymous: 401, owner: 403, other: 403, suspended: 403, deleted: 403, expired: 401, garbage: 401,
		admin: lower, superadmin: status, reader: 403, writer: 403, asker: 403,
	}
}

// access is a case of a route: how it is called, and what becomes of whom.
type access struct {
	route string
	want  statuses
	body  string

	path  func(m *matrix) string // of something new that is the owner's; the route's own when nil
	fresh bool                   // who is let in is somebody new each time: it is the end of him
	shows bool                   // it may show the owner to anybody: on a developer's machine only
	free  bool                   // no limit counts it
	hides func(*matrix) string   // the path of something that only the owner may learn of
}

const api = "/api/v1"

// houseAccesses are the cases of every route of the product that has no file of its module's.
var houseAccesses = []access{
	{route: "GET /health", want: everybody(200), free: true},
	{route: "GET /health/ready", want: everybody(200), free: true},
	{route: "GET " + api + "/public/health", want: everybody(200), free: true},
	{route: "GET " + api + "/public/health/ready", want: everybody(200), free: true},
	{route: "GET " + api + "/public/files/*key", want: everybody(403), path: fixed(api + "/public/files/a?expires=9999999999&filename=a&signature=AAAA"), free: true},
	{route: "PUT " + api + "/public/files/*key", want: everybody(403), path: fixed(api + "/public/files/a?expires=9999999999&size=2&type=text/plain&signature=AAAA"), body: `{}`, free: true},
	{route: "GET /openapi.json", want: everybody(200), free: true},
	{route: "GET /openapi.yaml", want: everybody(200), free: true},
	{route: "GET /asyncapi.json", want: everybody(200), free: true},
	{route: "GET /docs", want: everybody(200), free: true},
	{route: "GET /docs/start.js", want: everybody(200), free: true},
	{route: "GET /docs/swagger-ui-bundle.js", want: everybody(200), free: true},
	{route: "GET /docs/swagger-ui.css", want: everybody(200), free: true},
	{route: "GET /.well-known/jwks.json", want: everybody(200), free: true},
	{route: "POST " + api + "/public/auth/dev-token", want: everybody(200), body: `{"sub": "somebody"}`},

	{route: "POST " + clerkHook, want: everybody(404), body: `{}`, free: true}, // this and the next aren't configured
	{route: "POST " + supabaseHook, want: everybody(404), body: `{}`, free: true},

	{route: "GET " + me, want: reads(200, 200)},
	{route: "PATCH " + me, want: writes(200, 200), body: `{"full_name": "Somebody Else"}`, fresh: true},
	{route: "DELETE " + me, want: persons(202, 202), fresh: true},
	{route: "GET " + api + "/app/jobs/{id}", want: reads(200, 404), path: (*matrix).job},
	{route: "GET " + api + "/app/jobs/{id}/events", want: reads(200, 404), path: (*matrix).endedJob},

	{route: "GET " + keys, want: persons(200, 200)},
	{route: "POST " + keys, want: persons(201, 201), body: `{"name": "More", "scopes": ["read"]}`},
	{route: "DELETE " + keys + "/{id}", want: persons(204, 404), path: (*matrix).key},
	{route: "GET " + identities, want: persons(200, 200)},
	{route: "POST " + identities, want: persons(422, 422), body: `{"token": "somebody's"}`},
	{route: "DELETE " + identities + "/{id}", want: persons(409, 404), path: (*matrix).identity}, // it is the only one
	{route: "POST " + exports, want: persons(202, 202), fresh: true},
	{route: "GET " + exports + "/{id}", want: persons(200, 404), path: (*matrix).export},

	{route: "GET " + people, want: admins(200, 200)},
	{route: "GET " + people + "/{id}", want: admins(200, 200), path: (*matrix).person},
	{route: "PATCH " + people + "/{id}", want: admins(200, 200), path: (*matrix).person, body: `{"is_active": false}`},
	{route: "PATCH " + people + "/{id}", want: admins(200, 403), path: (*matrix).person, body: `{"role": "admin"}`},
	{route: "PATCH " + people + "/{id}", want: admins(200, 403), path: (*matrix).administrator, body: `{"role": "superadmin"}`},
	{route: "DELETE " + people + "/{id}", want: admins(204, 204), path: (*matrix).person},
	{route: "DELETE " + people + "/{id}", want: admins(204, 403), path: (*matrix).administrator},
	{route: "GET " + api + "/admin/events", want: admins(200, 200)},
	{route: "GET " + api + "/admin/events/stats", want: admins(200, 200)},
	{route: "GET " + api + "/admin/events/{id}", want: admins(200, 200), path: adminEvent("")},
	{route: "POST " + api + "/admin/events/{id}/replay", want: admins(200, 200), path: adminEvent("/replay")},
	{route: "GET " + api + "/admin/jobs", want: admins(200, 200)},
	{route: "GET " + api + "/admin/jobs/stats", want: admins(200, 200)},
	{route: "GET " + api + "/admin/jobs/{id}", want: admins(200, 200), path: adminJob("")},
	{route: "POST " + api + "/admin/jobs/{id}/retry", want: admins(200, 200), path: adminJob("/retry")},
	{route: "POST " + api + "/admin/jobs/{id}/cancel", want: admins(200, 200), path: adminJob("/cancel")},
	{route: "GET " + api + "/admin/audit", want: admins(200, 200)},
	{route: "GET " + api + "/admin/erasures/{user_id}", want: admins(200, 200), path: fixed(erasures + "/deleted")},
}

// The matrix walks what the server serves, so no route can be left out, and asks of every route what becomes of every caller:
// the status, that what is refused changes no row and gives nothing of the owner's away, that nobody else changes the owner's
// rows, and that what administrators do is in the audit log, once.
func TestTheAuthorisationMatrix(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		for _, broken := range uncovered(app.Routes, accesses) {
			t.Error(broken)
		}
		m := newMatrix(t, app)
		for _, c := range accesses {
			t.Run(c.route, func(t *testing.T) { m.walk(t, c) })
		}
	}, "CONTACT_TO_ADDRESS=team@example.com", "RESEND_WEBHOOK_SECRET="+webhooktest.Secret)
}

// uncovered returns the routes without a case, the cases without a route, and the callers a case forgets.
func uncovered(routes []httpserver.Route, cases []access) []string {
	var broken []string
	served := map[string]bool{}
	for _, route := range routes {
		name := route.Method + " " + route.Full
		served[name] = true
		if !slices.ContainsFunc(cases, func(c access) bool { return c.route == name }) {
			broken = append(broken, name+" has no case")
		}
	}
	for _, c := range cases {
		if !served[c.route] {
			broken = append(broken, c.route+" isn't served")
		}
		for _, who := range callers {
			if c.want[who] == 0 {
				broken = append(broken, fmt.Sprintf("%s doesn't say what becomes of %s", c.route, who))
			}
		}
	}
	return broken
}

func TestTheMatrixMissesNothing(t *testing.T) {
	routes := []httpserver.Route{{Method: "GET", Full: "/a"}, {Method: "POST", Full: "/a"}, {Method: "GET", Full: "/b"}}
	forgetful := everybody(200)
	delete(forgetful, expired)
	got := uncovered(routes, []access{{route: "GET /a", want: everybody(200)}, {route: "GET /b", want: forgetful}, {route: "GET /c", want: everybody(200)}})
	want := []string{"POST /a has no case", "GET /b doesn't say what becomes of expired", "GET /c isn't served"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// victim is the owner's id.
const victim = "victim-7f3a"

// matrix is a product with an owner and all the callers.
type matrix struct {
	app     *apptest.App
	t       *testing.T // of the case
	tokens  map[caller]string
	secrets []string // what tells of the owner
	tables  []module.Table
	jobs    *jobs.Client
	made    int // how many people were made
}

func newMatrix(t *testing.T, app *apptest.App) *matrix {
	t.Helper()
	m := &matrix{app: app, t: t, tables: watched(t)}
	mine := auth.DevClaims{Subject: victim, Email: victim + "@example.com", Name: "Veronica Victim"}
	good := app.Token(t, mine)
	m.tokens = map[caller]string{
		owner: good, expired: app.TokenAt(t, time.Now().Add(-24*time.Hour), mine), garbage: good[:len(good)-20] + strings.Repeat("A", 20),
		other: app.Token(t, claims("other")), suspended: app.Token(t, claims("suspended")), deleted: app.Token(t, claims("deleted")),
		admin:      app.Token(t, auth.DevClaims{Subject: "admin", Role: "admin"}),
		superadmin: app.Token(t, auth.DevClaims{Subject: "superadmin", Role: "superadmin"}),
	}
	for _, who := range []caller{owner, other, suspended, deleted, admin, superadmin} {
		m.as(who).Do(t, "GET", me).Want(200)
	}
	m.as(admin).Do(t, "PATCH", people+"/suspended", testkit.Body(`{"is_active": false}`)).Want(200)
	m.as(deleted).Do(t, "DELETE", me).Want(202)

	for _, who := range []caller{reader, writer, asker} {
		m.tokens[who], _ = made(t, m.as(owner), quote(t, who))
	}

	var err error
	if m.jobs, err = jobs.New(app.DB, zap.NewNop()); err != nil {
		t.Fatal(err)
	}
	if err = m.jobs.Register([]module.Job{jobs.Kind(module.Job{}, func(context.Context, purge) error { return nil })}); err != nil {
		t.Fatal(err)
	}
	m.quiet()
	m.secrets = []string{victim, "Veronica", "Secret Plans"}
	for _, c := range accesses {
		if c.hides != nil {
			m.secrets = append(m.secrets, lastOf(c.hides(m)))
		}
	}
	return m
}

// watched returns the tables of the modules and of the platform, but for those that change by themselves, and the audit log,
// which is looked at for itself.
func watched(t *testing.T) []module.Table {
	t.Helper()
	catalog, err := wiregen.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	var all []module.Table
	for _, described := range catalog {
		all = append(all, described.Tables...)
	}
	for _, described := range wiregen.Platform() {
		all = append(all, described.Tables...)
	}
	return slices.DeleteFunc(all, func(table module.Table) bool {
		return strings.HasPrefix(table.Name, "river_") || table.Name == "events_consumers" || table.Name == "audit_log"
	})
}

// as returns the API as the caller uses it.
func (m *matrix) as(who caller) *testkit.API { return m.app.As(m.tokens[who]) }

// quiet waits until nothing goes on behind the requests.
func (m *matrix) quiet() {
	m.t.Helper()
	apptest.Await(m.t, "the jobs to end", func() bool {
		if stripe := m.app.Do(m.t, "GET", "/dev/stripe/knobs"); stripe.Status == 200 && stripe.JSON("waiting") != 0.0 {
			return false // what it posts makes jobs
		}
		return testkit.Rows(m.t, m.app.DB, "river_job", "state IN ('available', 'running', 'retryable')") == 0
	})
}

// walk plays one case.
func (m *matrix) walk(t *testing.T, c access) {
	m.t = t
	route := m.app.Routes[slices.IndexFunc(m.app.Routes, func(r httpserver.Route) bool { return r.Method+" "+r.Full == c.route })]
	administers := func(who caller) bool { return route.Guard == httpserver.Admin && (who == admin || who == superadmin) }
	owns := func(who caller) bool { return who == owner || who.isKey() }

	target := m.target(c)
	m.quiet()
	before := m.rows(false)
	for _, who := range callers {
		if c.want[who] >= 400 {
			m.call(c, route, who, target, administers(who))
		}
	}
	m.same("what was refused", before, m.rows(false))

	before = m.rows(true)
	for _, who := range callers {
		if c.want[who] < 400 && !owns(who) && !administers(who) {
			m.call(c, route, who, target, false)
		}
	}
	m.same("somebody else", before, m.rows(true))

	for _, who := range callers {
		if c.want[who] >= 400 || !owns(who) && !administers(who) {
			continue
		}
		target = m.target(c)
		m.quiet()
		before = m.rows(false)
		m.call(c, route, who, target, administers(who))
		if route.Method == "GET" {
			m.same("who looks", before, m.rows(false))
		}
	}
}

// target returns the path of something new that is the owner's.
func (m *matrix) target(c access) string {
	if c.path == nil {
		_, path, _ := strings.Cut(c.route, " ")
		return path
	}
	return c.path(m)
}

// call plays the request of a case as the caller.
func (m *matrix) call(c access, route httpserver.Route, who caller, path string, administers bool) {
	m.t.Helper()
	recorded := testkit.Rows(m.t, m.app.DB, "audit_log", "")
	client, status := m.as(who), c.want[who]
	if c.fresh && status < 400 {
		somebody := claims(m.subject())
		if who == admin || who == superadmin {
			somebody.Role = string(who)
		}
		client = m.app.As(m.app.Token(m.t, somebody))
		if who.isKey() {
			token, _ := made(m.t, client, quote(m.t, who))
			client = m.app.As(token)
		}
	}
	var parts []testkit.Part
	if c.body != "" {
		parts = append(parts, testkit.Body(c.body))
	}
	answer := client.Do(m.t, route.Method, path, parts...)
	if answer.Status != status {
		m.t.Errorf("%s is answered %d, want %d: %.300s", who, answer.Status, status, answer.Body)
	}

	shown := string(answer.Body) + fmt.Sprint(answer.Header)
	for _, secret := range m.secrets {
		mayKnow := c.shows || strings.Contains(path, secret) || (who == owner || who.isKey()) && status < 400 || administers && status < 400
		if !mayKnow && strings.Contains(shown, secret) {
			m.t.Errorf("%s is told %q: %s", who, secret, shown)
		}
	}

	want := 0
	if administers && route.Method != "GET" {
		want = 1
		act := m.as(superadmin).Do(m.t, "GET", api+"/admin/audit?limit=1").Want(200)
		act.WantJSON("items.0.actor", string(who)).WantJSON("items.0.role", string(who)).WantJSON("items.0.status", answer.Status).
			WantJSON("items.0.action", route.Method+" "+route.Path).WantJSON("items.0.request_id", answer.Header.Get("X-Request-ID"))
	}
	if got := testkit.Rows(m.t, m.app.DB, "audit_log", "") - recorded; got != want {
		m.t.Errorf("of %s the audit log has %d new rows, want %d", who, got, want)
	}
}

// rows returns what the tables hold, as texts by table; of the owner only, or everything.
func (m *matrix) rows(ownersOnly bool) map[string]string {
	m.t.Helper()
	held := map[string]string{}
	for _, table := range m.tables {
		query := m.app.DB.Read(m.t.Context()).Table(table.Name).Order("1, 2")
		if ownersOnly {
			if table.Owner == "" {
				continue
			}
			query = query.Where(table.Owner+" = ?", victim)
		}
		var rows []map[string]any
		if err := query.Find(&rows).Error; err != nil {
			m.t.Fatalf("reading %s: %v", table.Name, err)
		}
		for _, row := range rows { // a sign-in may be noted some time after the request
			delete(row, "last_login_at")
			delete(row, "login_count")
			delete(row, "last_used_at") // of a key, too
		}
		held[table.Name] = quote(m.t, rows)
	}
	return held
}

// same fails the case if a table isn't as it was.
func (m *matrix) same(who string, before, after map[string]string) {
	m.t.Helper()
	for _, table := range slices.Sorted(maps.Keys(before)) {
		if before[table] != after[table] {
			m.t.Errorf("%s changed %s\nfrom %s\nto   %s", who, table, before[table], after[table])
		}
	}
}

// fixed returns a path that is always the same.
func fixed(path string) func(*matrix) string { return func(*matrix) string { return path } }

// lastOf returns the last segment of a path.
func lastOf(path string) string { return path[strings.LastIndex(path, "/")+1:] }

// subject returns the subject of somebody new.
func (m *matrix) subject() string {
	m.made++
	return fmt.Sprint("new-", m.made)
}

// person makes a user.
func (m *matrix) person() string {
	subject := m.subject()
	m.app.User(m.t, subject).Do(m.t, "GET", me).Want(200)
	return people + "/" + subject
}

// administrator makes a user who is an administrator by his own role.
func (m *matrix) administrator() string {
	path := m.person()
	m.as(superadmin).Do(m.t, "PATCH", path, testkit.Body(`{"role": "admin"}`)).Want(200)
	return path
}

// key makes an API key of the owner's.
func (m *matrix) key() string {
	_, keyID := made(m.t, m.as(owner), `"read"`)
	return keys + "/" + keyID
}

// identity returns how the owner signs in.
func (m *matrix) identity() string {
	return identities + "/" + m.as(owner).Do(m.t, "GET", identities).Want(200).Text("items.0.id")
}

// export makes an export of the owner's that is ready.
func (m *matrix) export() string {
	one, now := id.New(), time.Now().UTC()
	m.app.Change(m.t, `INSERT INTO users_exports (id, user_id, status, done, total, object, created_at, expires_at, due_at)
		VALUES (?, ?, 'ready', 5, 5, ?, ?, ?, ?)`, one, victim, "exports/"+one+".zip", now, now.Add(time.Hour), now.Add(time.Hour))
	return exports + "/" + one
}

// purge is the arguments of a job of the product's that finds nothing to do.
type purge struct{}

func (purge) Kind() string { return "users.purge_webhooks" }

// job makes a job of the owner's that waits for tomorrow.
func (m *matrix) job() string {
	var number string
	err := m.app.DB.WithinTx(m.t.Context(), func(ctx context.Context) (err error) {
		number, err = m.jobs.EnqueueFor(ctx, id.Of(victim), purge{}, jobs.At(time.Now().Add(24*time.Hour)))
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return api + "/app/jobs/" + number
}

// endedJob makes a job of the owner's that has ended, and returns where he follows it.
func (m *matrix) endedJob() string {
	path := m.job()
	m.app.Change(m.t, "UPDATE river_job SET state = 'cancelled', finalized_at = ? WHERE id = ?", time.Now().UTC(), lastOf(path))
	return path + "/events"
}

// adminJob returns what makes a job and returns where administrators do something with it.
func adminJob(doing string) func(*matrix) string {
	return func(m *matrix) string { return api + "/admin/jobs/" + lastOf(m.job()) + doing }
}

// adminEvent returns what returns where administrators do something with an event about the owner.
func adminEvent(doing string) func(*matrix) string {
	return func(m *matrix) string {
		found := m.as(admin).Do(m.t, "GET", api+"/admin/events?limit=1&aggregate="+victim).Want(200)
		return api + "/admin/events/" + found.Text("items.0.id") + doing
	}
}
