package contract_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// role is whom a request is from.
type role string

const (
	anonymous  role = "anonymous"
	user       role = "user"
	other      role = "other user"
	suspended  role = "suspended user"
	admin      role = "admin"
	superadmin role = "superadmin"
	reader     role = "read" // API keys, by their scope
	writer     role = "write"
	asker      role = "ai"
)

var roles = []role{anonymous, user, other, suspended, admin, superadmin, reader, writer, asker}

// actor is somebody who plays a role until he is no more.
type actor struct {
	subject string // the user's id; "" for anonymous
	owner   string // a token of the user himself
	token   string // what he calls with
}

const (
	api         = "/api/v1"
	me          = api + "/app/users/me"
	people      = api + "/admin/users"
	unsubscribe = api + "/public/unsubscribe"
	checkout    = api + "/app/billing/checkout"
)

// world is the running product, who uses it, and what they have made there.
type world struct {
	t          *testing.T // of the operation that is tried
	app        *apptest.App
	operations []*operation
	columns    []string // of the product's tables

	actors  map[role]*actor
	root    *testkit.API // a superadmin who plays no role
	people  int          // how many there have been
	jobs    *jobs.Client
	token   string                       // of a mail, by which its reader gets no more
	ids     map[string]map[role][]string // what is in a collection, the newest first, by who has seen it
	cursors map[string]map[role]string   // where the next page of a list begins

	requests int
	hit      map[string]map[role]int // requests by operation
	done     map[string]http.Header  // what has come with the successes of an operation
}

func newWorld(t *testing.T, app *apptest.App) *world {
	t.Helper()
	w := &world{
		t: t, app: app, operations: parseAPI(t, app.Do(t, "GET", "/openapi.json").Want(200).Body), columns: columns(t, app),
		actors: map[role]*actor{}, ids: map[string]map[role][]string{}, cursors: map[string]map[role]string{},
		hit: map[string]map[role]int{}, done: map[string]http.Header{},
	}
	var err error
	if w.jobs, err = jobs.New(app.DB, zap.NewNop()); err != nil {
		t.Fatal(err)
	}
	if err = w.jobs.Register([]module.Job{jobs.Kind(module.Job{}, func(context.Context, purge) error { return nil })}); err != nil {
		t.Fatal(err)
	}
	w.root = app.As(app.Token(t, auth.DevClaims{Subject: "root", Role: "superadmin"}))
	reader := app.As(app.Token(t, auth.DevClaims{Subject: "reader", Email: "reader@example.com"}))
	reader.Do(t, "GET", me).Want(200)
	w.quiet() // he has been welcomed
	if w.has(checkout) {
		reader.Do(t, "POST", checkout, testkit.Body(`{"plan": "pro", "interval": "monthly"}`)).Want(201) // Stripe tells of that
	}
	if w.has(unsubscribe + "/{token}") {
		link := unsubscribeLink.FindSubmatch(app.Do(t, "GET", "/dev/mail/1").Want(200).Body)
		if link == nil {
			t.Fatal("the first mail doesn't say how to get no more")
		}
		w.token = string(link[1])
	}
	for _, who := range roles {
		w.renew(who)
	}
	w.quiet()
	return w
}

// has tells whether the product has an operation at a path, of modules that may have been removed.
func (w *world) has(path string) bool {
	return slices.ContainsFunc(w.operations, func(o *operation) bool { return o.path == path })
}

// renew lets somebody new play the role.
func (w *world) renew(who role) {
	w.t.Helper()
	w.forget(who)
	if who == anonymous {
		w.actors[who] = &actor{}
		return
	}
	claims := auth.DevClaims{Subject: w.subject(), Email: "somebody@example.com"}
	if who == admin || who == superadmin {
		claims.Role = string(who)
	}
	token := w.app.Token(w.t, claims)
	a := &actor{subject: claims.Subject, owner: token, token: token}
	w.app.As(token).Do(w.t, "GET", me).Want(200)
	switch who {
	case suspended:
		w.root.Do(w.t, "PATCH", people+"/"+a.subject, testkit.Body(`{"is_active": false}`)).Want(200)
	case reader, writer, asker:
		body := fmt.Sprintf(`{"name": "a key", "scopes": [%q]}`, who)
		a.token = w.app.As(token).Do(w.t, "POST", api+"/app/api-keys", testkit.Body(body)).Want(201).Text("key")
	}
	w.actors[who] = a
}

// forget drops what was the actor's in the role.
func (w *world) forget(who role) {
	for _, seen := range w.ids {
		delete(seen, who)
	}
	for _, next := range w.cursors {
		delete(next, who)
	}
}

func (w *world) subject() string {
	w.people++
	return fmt.Sprint("somebody-", w.people)
}

// purge is the arguments of a job of the product's that finds nothing to do.
type purge struct{}

func (purge) Kind() string { return "users.purge_webhooks" }

// send plays a request to an operation as somebody, and keeps account of what came of it.
func (w *world) send(o *operation, who role, r *request) answer {
	w.t.Helper()
	path := r.path
	if len(r.query) > 0 {
		path += "?" + strings.Join(r.query, "&")
	}
	parts := []testkit.Part{func(sent *http.Request) {
		maps.Copy(sent.Header, r.header)
	}}
	if r.body != nil {
		parts = append(parts, testkit.Body(*r.body))
	}
	got := w.app.As(w.actors[who].token).Do(w.t, r.method, path, parts...)
	w.requests++
	if w.hit[o.String()] == nil {
		w.hit[o.String()] = map[role]int{}
	}
	w.hit[o.String()][who]++
	a := answer{got.Status, got.Header, got.Body}
	if !r.lost {
		w.learn(o, who, r, a)
	}
	return a
}

// learn remembers what there is after a request, and lets somebody new play the roles of those who are no more.
func (w *world) learn(o *operation, who role, r *request, a answer) {
	w.t.Helper()
	if a.status == http.StatusUnauthorized && who != anonymous {
		w.renew(who) // the key, or the way to sign in, is gone
	}
	if a.status >= 300 {
		return
	}
	if w.done[o.String()] == nil {
		w.done[o.String()] = http.Header{}
	}
	maps.Copy(w.done[o.String()], a.header)
	collection, last := r.path[:strings.LastIndex(r.path, "/")], r.path[strings.LastIndex(r.path, "/")+1:]
	if r.method == http.MethodDelete && w.ids[collection] != nil {
		w.ids[collection][who] = slices.DeleteFunc(w.ids[collection][who], func(id string) bool { return id == last })
	}
	if r.method != http.MethodGet {
		for role, is := range w.actors {
			if is.subject == last || role == who && r.path == me && r.method == http.MethodDelete {
				w.renew(role)
			}
		}
	}
	var held struct {
		ID    string `json:"id"`
		Next  string `json:"next_cursor"`
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	if json.Unmarshal(a.body, &held) != nil {
		return
	}
	if held.Next != "" {
		put(w.cursors, r.path, who, held.Next)
	}
	found := []string{held.ID}
	for _, item := range held.Items {
		found = append(found, item.ID)
	}
	if found = slices.DeleteFunc(found, func(id string) bool { return id == "" }); len(found) > 0 && last != "me" && !strings.Contains(o.path, "{") {
		found = append(found, w.ids[r.path][who]...)
		put(w.ids, r.path, who, found[:min(len(found), 50)])
	}
}

func put[V any](in map[string]map[role]V, path string, who role, value V) {
	if in[path] == nil {
		in[path] = map[role]V{}
	}
	in[path][who] = value
}

// as is what a request of the role is about.
type as struct {
	*world
	who role
}

// own returns the id of something in the collection that is the actor's. Where there is nothing yet, it is made.
func (w as) own(collection string) string {
	w.t.Helper()
	owner := w.actors[w.who]
	switch collection {
	case people:
		subject := w.subject()
		w.app.User(w.t, subject).Do(w.t, "GET", me).Want(200)
		return subject
	case api + "/admin/erasures":
		subject := w.subject()
		leaver := w.app.User(w.t, subject)
		leaver.Do(w.t, "GET", me).Want(200)
		leaver.Do(w.t, "DELETE", me).Want(202)
		return subject
	case api + "/app/jobs":
		number := w.job(cmp.Or(owner.subject, "root"))
		w.app.Change(w.t, "UPDATE river_job SET state = 'cancelled', finalized_at = ? WHERE id = "+number, time.Now().UTC()) // or following it takes until tomorrow
		return number
	case api + "/admin/jobs":
		return w.job(cmp.Or(owner.subject, "root"))
	case unsubscribe:
		return w.token
	case me + "/exports":
		return w.export(cmp.Or(owner.subject, "root"))
	}
	if known := w.ids[collection][w.who]; len(known) > 0 {
		return known[0]
	}
	client := w.app.As(owner.owner)
	switch {
	case strings.Contains(collection, "/admin/"):
		client = w.root
	case owner.owner == "" || w.who == suspended:
		return w.foreign(collection)
	}
	for _, o := range w.operations {
		if !leads(o.path, collection) || o.method != http.MethodPost || o.body == nil {
			continue
		}
		for attempt := range 20 { // a rule may refuse what the document allows, such as a name of spaces
			made := client.Do(w.t, "POST", collection, testkit.Body(w.bodyFor(o, attempt)))
			if made.Status == http.StatusCreated {
				put(w.ids, collection, w.who, []string{made.Text("id")})
				return made.Text("id")
			}
			if made.Status != http.StatusUnprocessableEntity {
				break
			}
		}
	}
	listed := client.Do(w.t, "GET", collection+"?limit=100")
	if listed.Status == http.StatusNotFound && strings.Count(collection, "/") > 4 { // it is in something that isn't there
		return id.New()
	}
	if items, _ := listed.Want(200).JSON("items").([]any); len(items) > 0 {
		id, _ := items[0].(map[string]any)["id"].(string)
		put(w.ids, collection, w.who, []string{id})
		return id
	}
	return id.New()
}

// leads tells whether a path is one of the document's, which has names in braces for its ids.
func leads(documented, path string) bool {
	names, parts := strings.Split(documented, "/"), strings.Split(path, "/")
	return slices.EqualFunc(names, parts, func(name, part string) bool { return name == part || strings.HasPrefix(name, "{") })
}

// bodyFor returns what makes something that nobody needs.
func (w as) bodyFor(o *operation, attempt int) string {
	switch o.path {
	case api + "/app/api-keys":
		return `{"name": "spare", "scopes": ["read"]}`
	case me + "/identities":
		return fmt.Sprintf(`{"token": %q}`, w.app.Token(w.t, auth.DevClaims{Subject: w.subject()}))
	case api + "/app/projects/{id}/files":
		return `{"filename": "a.txt", "content_type": "text/plain", "size": 1}`
	}
	return *example(o, w, attempt).body
}

// foreign returns the id of something in the collection that somebody else has seen.
func (w as) foreign(collection string) string {
	if collection == people {
		return w.actors[w.who].subject // oneself
	}
	for _, who := range []role{user, other, writer} {
		if known := w.ids[collection][who]; who != w.who && len(known) > 0 {
			return known[0]
		}
	}
	return id.New()
}

// export makes an export of the user's that is ready. Of those that are asked for there are few a day.
func (w as) export(owner string) string {
	one, now := id.New(), time.Now().UTC()
	w.app.Change(w.t, `INSERT INTO users_exports (id, user_id, status, done, total, object, created_at, expires_at, due_at)
		VALUES (?, ?, 'ready', 5, 5, ?, ?, ?, ?)`, one, owner, "exports/"+one+".zip", now.Add(-48*time.Hour), now.Add(time.Hour), now.Add(time.Hour))
	put(w.ids, me+"/exports", w.who, []string{one})
	return one
}

// job makes a job of the user's that waits for tomorrow.
func (w as) job(owner string) string {
	var number string
	err := w.app.DB.WithinTx(w.t.Context(), func(ctx context.Context) (err error) {
		number, err = w.jobs.EnqueueFor(ctx, id.Of(owner), purge{}, jobs.At(time.Now().Add(24*time.Hour)))
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return number
}

var unsubscribeLink = regexp.MustCompile(unsubscribe + `/([A-Za-z0-9_-]+)`)

// meant returns texts for fields whose schema can't tell what they are about.
func (w as) meant(o *operation, name string) []string {
	switch {
	case name == "token" && strings.HasSuffix(o.path, "/identities"):
		return []string{w.app.Token(w.t, auth.DevClaims{Subject: w.subject()})}
	case name == "cursor" && w.cursors[o.path][w.who] != "":
		return []string{w.cursors[o.path][w.who]}
	case name == "content_type":
		return []string{"text/plain", "image/png", "text/html"}
	case name == "consumer":
		return []string{"notifications.welcome", "no such"}
	case name == "plan" && o.path == checkout:
		return []string{"pro", "free"}
	}
	return nil
}

// columns returns the names of the columns of all tables of the product.
func columns(t *testing.T, app *apptest.App) []string {
	t.Helper()
	var names []string
	for _, table := range tables(t) {
		types, err := app.DB.Read(t.Context()).Migrator().ColumnTypes(table)
		if err != nil {
			t.Fatal(err)
		}
		for _, column := range types {
			names = append(names, column.Name())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
