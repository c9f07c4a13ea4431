//scaffold:needs projects

package api

import (
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// canary stands for a value that must not come back in an error.
const canary = "CANARY7f3a"

// inside matches what only our own code and libraries should know.
var inside = regexp.MustCompile(`(?i)` + canary + `|\bstruct\b|\bint64\b|goroutine|httpapi|\.go\b|gorm|sqlite|postgres|pgx|jsontext|huma`)

// refused is a request of Alice's that must be refused, and how.
type refused struct {
	name   string
	method string
	path   string
	parts  []testkit.Part
	status int
	code   string
	field  string // the one that details.errors must name; "" for any answer
}

// {id} in a path stands for Alice's project.
var refusals = []refused{
	// What can't be read.
	post("malformed JSON", `{"name": "Apollo"`, 400, "BAD_REQUEST", ""),
	post("no body", ``, 400, "BAD_REQUEST", ""),
	post("a second value behind the first", `{"name": "Apollo"} {}`, 400, "BAD_REQUEST", ""),
	post("one name twice", `{"name": "Apollo", "name": "Gemini"}`, 400, "BAD_REQUEST", ""),
	post("bytes that aren't UTF-8", "{\"name\": \"\xff\xfe\"}", 400, "BAD_REQUEST", ""),
	post("half a surrogate pair", `{"name": "\ud83d"}`, 400, "BAD_REQUEST", ""),
	post("a NUL character", `{"name": "Apol\u0000lo"}`, 400, "BAD_REQUEST", ""),
	post("deep nesting", strings.Repeat(`[`, 20_000), 400, "BAD_REQUEST", ""),

	// What can be read and breaks a rule.
	post("a number for a text", `{"name": 7}`, 422, "VALIDATION_ERROR", "name"),
	post("an object for a text", `{"name": {"`+canary+`": 1}}`, 422, "VALIDATION_ERROR", "name"),
	post("a list for an object", `["`+canary+`"]`, 422, "VALIDATION_ERROR", ""),
	post("null for an object", `null`, 422, "VALIDATION_ERROR", ""),
	post("no name", `{}`, 422, "VALIDATION_ERROR", "name"),
	post("null as a name", `{"name": null}`, 422, "VALIDATION_ERROR", "name"),
	post("an empty name", `{"name": ""}`, 422, "VALIDATION_ERROR", "name"),
	post("a blank name", `{"name": "  　 "}`, 422, "VALIDATION_ERROR", "name"),
	post("a name of 101 characters", `{"name": "`+strings.Repeat("ü", 101)+`"}`, 422, "VALIDATION_ERROR", "name"),
	post("a line break in a name", `{"name": "Apollo\r\nX-Evil: 1"}`, 422, "VALIDATION_ERROR", "name"),
	post("a description of 2,001 characters", `{"name": "Apollo", "description": "`+strings.Repeat("ü", 2001)+`"}`, 422, "VALIDATION_ERROR", "description"),
	post("an unknown field", `{"name": "Apollo", "colour": "`+canary+`"}`, 422, "VALIDATION_ERROR", "colour"),
	post("a field in another case", `{"Name": "Apollo"}`, 422, "VALIDATION_ERROR", "Name"),
	post("a field that is the server's", `{"name": "Apollo", "owner_id": "bob"}`, 422, "VALIDATION_ERROR", "owner_id"),
	patch("a change without a body", ``, 400, "BAD_REQUEST", ""),
	patch("a change that is a list", `[]`, 422, "VALIDATION_ERROR", ""),
	patch("null for a name", `{"name": null}`, 422, "VALIDATION_ERROR", "name"),
	patch("an unknown field in a change", `{"version": 9}`, 422, "VALIDATION_ERROR", "version"),
	{"an avatar that isn't https", "PATCH", me, body(`{"avatar_url": "javascript:alert(1)"}`), 422, "VALIDATION_ERROR", "avatar_url"},
	{"a role for oneself", "PATCH", me, body(`{"role": "superadmin"}`), 422, "VALIDATION_ERROR", "role"},

	// Bodies of the wrong size or kind.
	post("2 MB", `{"name": "`+strings.Repeat("a", 2<<20)+`"}`, 413, "PAYLOAD_TOO_LARGE", ""),
	{"2 MB whose length nobody said", "POST", projects, append(body(`{"name": "`+strings.Repeat("a", 2<<20)+`"}`), chunked), 413, "PAYLOAD_TOO_LARGE", ""},
	{"plain text", "POST", projects, body(`{"name": "Apollo"}`, "Content-Type", "text/plain"), 415, "UNSUPPORTED_MEDIA_TYPE", ""},
	{"a form", "POST", projects, body(`name=Apollo`, "Content-Type", "application/x-www-form-urlencoded"), 415, "UNSUPPORTED_MEDIA_TYPE", ""},
	{"JSON in another encoding", "POST", projects, body(`{"name": "Apollo"}`, "Content-Type", "application/json; charset=utf-16"), 415, "UNSUPPORTED_MEDIA_TYPE", ""},
	{"a patch of another kind", "PATCH", projects + "/{id}", body(`{"name": "Gemini"}`, "Content-Type", "application/json-patch+json"), 415, "UNSUPPORTED_MEDIA_TYPE", ""},
	{"a media type that isn't one", "POST", projects, body(`{"name": "Apollo"}`, "Content-Type", "json;;"), 415, "UNSUPPORTED_MEDIA_TYPE", ""},

	// Addresses.
	get("an unknown route", "/api/v1/app/nothing", 404, "NOT_FOUND", ""),
	get("an unknown route at the root", "/wp-login.php", 404, "NOT_FOUND", ""),
	get("a slash too many", projects+"/", 404, "NOT_FOUND", ""),
	get("a project that isn't there", projects+"/01890000-0000-7000-8000-000000000000", 404, "NOT_FOUND", ""),
	get("an id that is SQL", projects+"/'%20OR%201=1--", 404, "NOT_FOUND", ""),
	get("a NUL in an id", projects+"/a%00b", 404, "NOT_FOUND", ""),
	get("bytes that aren't UTF-8 in an id", projects+"/%ff%fe", 404, "NOT_FOUND", ""),
	get("an id of 300 characters", projects+"/"+strings.Repeat("a", 300), 422, "VALIDATION_ERROR", "id"),
	get("a way out by dots", projects+"/../../../../etc/passwd", 404, "NOT_FOUND", ""),
	get("a way out by escaped dots", projects+"/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404, "NOT_FOUND", ""),
	get("a way out by dots escaped twice", projects+"/%252e%252e%252fetc%252fpasswd", 404, "NOT_FOUND", ""),
	get("a way out by backslashes", projects+`/..%5c..%5cetc%5cpasswd`, 404, "NOT_FOUND", ""),
	get("a way out of the docs", "/docs/../../go.mod", 404, "NOT_FOUND", ""),
	get("a way out of the docs, escaped", "/docs/%2e%2e%2f%2e%2e%2fgo.mod", 404, "NOT_FOUND", ""),
	get("a line break in a path", projects+"/a%0d%0aX-Evil:%201", 404, "NOT_FOUND", ""),

	// Methods.
	{"a wrong method", "PUT", projects, body(`{"name": "Apollo"}`), 405, "METHOD_NOT_ALLOWED", ""},
	{"a wrong method on an object", "POST", projects + "/{id}", body(`{"name": "Apollo"}`), 405, "METHOD_NOT_ALLOWED", ""},
	{"a method that doesn't exist", "BREW", projects, nil, 405, "METHOD_NOT_ALLOWED", ""},

	// Lists.
	get("limit=0", projects+"?limit=0", 422, "VALIDATION_ERROR", "limit"),
	get("limit=101", projects+"?limit=101", 422, "VALIDATION_ERROR", "limit"),
	get("limit=-1", projects+"?limit=-1", 422, "VALIDATION_ERROR", "limit"),
	get("limit=abc", projects+"?limit=abc", 422, "VALIDATION_ERROR", "limit"),
	get("limit=1.0", projects+"?limit=1.0", 422, "VALIDATION_ERROR", "limit"),
	get("a limit beyond every integer", projects+"?limit=99999999999999999999", 422, "VALIDATION_ERROR", "limit"),
	get("skip=-1", projects+"?skip=-1", 422, "VALIDATION_ERROR", "skip"),
	get("skip=10001", projects+"?skip=10001", 422, "VALIDATION_ERROR", "skip"),
	get("an unknown order", projects+"?sort=owner_id", 422, "VALIDATION_ERROR", "sort"),
	get("an order that is SQL", projects+"?sort=name%3BDROP%20TABLE%20projects", 422, "VALIDATION_ERROR", "sort"),
	get("an unknown parameter", projects+"?owner_id=bob", 422, "VALIDATION_ERROR", "owner_id"),
	get("a search of 101 characters", projects+"?q="+strings.Repeat("a", 101), 422, "VALIDATION_ERROR", "q"),
	get("a NUL in a search", projects+"?q=a%00b", 400, "BAD_REQUEST", ""),
	get("bytes that aren't UTF-8 in a search", projects+"?q=%ff%fe", 400, "BAD_REQUEST", ""),
	get("a query that can't be read", projects+"?q=%zz", 400, "BAD_REQUEST", ""),
	get("a query of another age", projects+"?limit=5;skip=3", 400, "BAD_REQUEST", ""),
	get("a parameter twice", projects+"?limit=1&limit=2", 422, "VALIDATION_ERROR", "limit"),
	get("a cursor made up", projects+"?cursor="+canary, 422, "VALIDATION_ERROR", "cursor"),
	get("a cursor of the right length made up", projects+"?cursor="+strings.Repeat("QUFB", 24), 422, "VALIDATION_ERROR", "cursor"),
	get("a cursor that isn't base64", projects+"?cursor=%25%25%25", 422, "VALIDATION_ERROR", "cursor"),

	// Versions.
	{"a change to a version that isn't current", "PATCH", projects + "/{id}", body(`{"name": "Gemini"}`, "If-Match", `"7"`), 412, "PRECONDITION_FAILED", ""},
	{"a change to a version that can't be", "PATCH", projects + "/{id}", body(`{"name": "Gemini"}`, "If-Match", `"abc"`), 412, "PRECONDITION_FAILED", ""},
	{"a change to a weak version", "PATCH", projects + "/{id}", body(`{"name": "Gemini"}`, "If-Match", `W/"1"`), 412, "PRECONDITION_FAILED", ""},
	{"a delete of a version that isn't current", "DELETE", projects + "/{id}", body("", "If-Match", `"7"`), 412, "PRECONDITION_FAILED", ""},
}

func post(name, text string, status int, code, field string) refused {
	return refused{name, "POST", projects, body(text), status, code, field}
}

func patch(name, text string, status int, code, field string) refused {
	return refused{name, "PATCH", projects + "/{id}", body(text), status, code, field}
}

func get(name, path string, status int, code, field string) refused {
	return refused{name, "GET", path, nil, status, code, field}
}

// body is a text with headers, given as name and value in turn.
func body(text string, headers ...string) []testkit.Part {
	parts := []testkit.Part{testkit.Body(text)}
	for i := 0; i < len(headers); i += 2 {
		parts = append(parts, testkit.Header(headers[i], headers[i+1]))
	}
	return parts
}

// chunked sends the body without saying how long it is.
func chunked(r *http.Request) { r.ContentLength = -1 }

func TestBadInputIsRefusedInTheEnvelopeAndChangesNothing(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := app.User(t, "alice")
		id := alice.Do(t, "POST", projects, testkit.Body(`{"name": "Apollo"}`)).Want(201).Text("id")
		before := contents(t, app)
		for _, c := range refusals {
			t.Run(c.name, func(t *testing.T) {
				answer := alice.Do(t, c.method, strings.ReplaceAll(c.path, "{id}", id), c.parts...)
				answer.WantError(c.status, c.code)
				if c.field != "" && !namesField(answer, c.field) {
					t.Errorf("details.errors doesn't name %s\n%s", c.field, answer.Body)
				}
				if found := inside.Find(answer.Body); found != nil {
					t.Errorf("the answer tells %q\n%s", found, answer.Body)
				}
				if c.status == 405 && !strings.Contains(answer.Header.Get("Allow"), "GET") {
					t.Errorf("Allow is %q", answer.Header.Get("Allow"))
				}
				if answer.Header.Get("X-Evil") != "" {
					t.Error("the request made a header of the answer")
				}
				if answer.Header.Get("X-Content-Type-Options") != "nosniff" {
					t.Error("the security headers are missing")
				}
				if after := contents(t, app); !reflect.DeepEqual(before, after) {
					t.Errorf("the rows changed\nfrom %v\nto   %v", before, after)
				}
			})
		}
	})
}

func TestACursorIsGoodForOneListOnly(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice, bob := app.User(t, "alice"), app.User(t, "bob")
		for range 3 {
			alice.Do(t, "POST", projects, testkit.Body(`{"name": "Apollo"}`)).Want(201)
			bob.Do(t, "POST", projects, testkit.Body(`{"name": "Gemini"}`)).Want(201)
		}
		cursor := alice.Do(t, "GET", projects+"?limit=1").Want(200).Text("next_cursor")
		alice.Do(t, "GET", projects+"?limit=2&cursor="+cursor).Want(200).WantJSON("items.0.name", "Apollo")

		changed := "A" + cursor[1:]
		if changed == cursor {
			changed = "B" + cursor[1:]
		}
		for what, refused := range map[string]*testkit.Response{
			"of somebody else":         bob.Do(t, "GET", projects+"?cursor="+cursor),
			"of another order":         alice.Do(t, "GET", projects+"?sort=name&cursor="+cursor),
			"of another search":        alice.Do(t, "GET", projects+"?q=apo&cursor="+cursor),
			"with one letter changed":  alice.Do(t, "GET", projects+"?cursor="+changed),
			"with its end cut off":     alice.Do(t, "GET", projects+"?cursor="+cursor[:len(cursor)-4]),
			"with something behind it": alice.Do(t, "GET", projects+"?cursor="+cursor+"AAAA"),
		} {
			refused.WantError(422, "VALIDATION_ERROR")
			if !namesField(refused, "cursor") {
				t.Errorf("a cursor %s: %s", what, refused.Body)
			}
		}
		refused := alice.Do(t, "GET", projects+"?skip=1&cursor="+cursor).WantError(422, "VALIDATION_ERROR")
		if !namesField(refused, "skip") {
			t.Errorf("skip and cursor together: %s", refused.Body)
		}
	})
}

func TestNamesComeBackByteForByte(t *testing.T) {
	names := map[string]string{
		"emoji":                      "🚀 Launch 👩🏽‍🚀👨‍👩‍👧‍👦🏳️‍🌈",
		"a hundred emoji":            strings.Repeat("🦀", 100),
		"right to left":              "مشروع أبولو — פרויקט אפולו",
		"with marks of direction":    "\u200fאב\u200e (v2) \u2067ג\u2069",
		"letter and accent apart":    "Cafe\u0301",
		"letter and accent together": "Caf\u00e9",
		"ideographs beyond the BMP":  "𠮷野家",
		"with spaces around it":      "  Apollo  ",
		"markup":                     `<b>"Apollo" & 'Söhne' \ </b>`,
		"wildcards of SQL":           `100%_done'; DROP TABLE projects;--`,
	}
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := app.User(t, "alice")
		for what, name := range names {
			made := alice.Do(t, "POST", projects, testkit.Body(quote(t, map[string]any{"name": name, "description": name + "\n" + name}))).Want(201)
			for where, got := range map[string]*testkit.Response{
				"create": made, "get": alice.Do(t, "GET", made.Header.Get("Location")).Want(200),
			} {
				if got.Text("name") != name || got.Text("description") != name+"\n"+name {
					t.Errorf("%s: %s answers %q and %q", what, where, got.Text("name"), got.Text("description"))
				}
			}
			if rows := testkit.Rows(t, app.DB, "projects", "id = ? AND name = ?", made.Text("id"), name); rows != 1 {
				t.Errorf("%s: the row holds another name", what)
			}
		}
	})
}
