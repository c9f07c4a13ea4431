package api

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

const (
	me      = api + "/app/users/me"
	exports = me + "/exports"
	people  = api + "/admin/users"
)

func claims(subject string) auth.DevClaims { return auth.DevClaims{Subject: subject} }

// as returns the API as somebody with a role that the token names.
func as(t *testing.T, app *apptest.App, subject, role string) *testkit.API {
	t.Helper()
	return app.As(app.Token(t, auth.DevClaims{Subject: subject, Role: role}))
}

func quote(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

// TestEveryRouteKeepsItsGuard walks what the server serves, so no route can be left out.
func TestEveryRouteKeepsItsGuard(t *testing.T) {
	t.Parallel()
	app := apptest.Start(t, database.SQLite)
	if len(app.Routes) < 10 {
		t.Fatalf("only %d routes are known", len(app.Routes))
	}
	walked := map[string]bool{}
	for _, route := range app.Routes {
		walked[strings.ToLower(route.Method)+" "+route.Full] = true
		t.Run(route.Method+" "+route.Full, func(t *testing.T) {
			path := placeholder.ReplaceAllString(route.Full, "x")
			switch route.Guard {
			case httpserver.User, httpserver.Admin:
				refusesStrangers(t, app, route.Method, path)
			case httpserver.Public, httpserver.Signature:
				if status := app.Do(t, route.Method, path).Status; status == 401 || status == 403 {
					t.Errorf("a public route answers %d", status)
				}
			case httpserver.SignedURL:
				for _, api := range []*testkit.API{app.API, app.User(t, "alice")} {
					api.Do(t, route.Method, path).WantError(403, "FORBIDDEN")
				}
			default:
				t.Errorf("there is no case for the guard %q", route.Guard)
			}
			if route.Guard == httpserver.Admin {
				app.User(t, "alice").Do(t, route.Method, path).WantError(403, "FORBIDDEN")
				for _, role := range []string{"admin", "superadmin"} {
					token := app.Token(t, auth.DevClaims{Subject: role, Role: role})
					if status := app.As(token).Do(t, route.Method, path).Status; status == 401 || status == 403 {
						t.Errorf("role %s: %d", role, status)
					}
				}
			}
		})
	}
	if users := testkit.Rows(t, app.DB, "users", "id NOT IN ('alice', 'admin', 'superadmin')"); users != 0 {
		t.Errorf("strangers made %d users", users)
	}

	documented := app.Do(t, "GET", "/openapi.json").Want(200).JSON("paths").(map[string]any)
	for path, methods := range documented {
		for method := range methods.(map[string]any) {
			if !walked[method+" "+path] {
				t.Errorf("%s %s is documented and was not walked", method, path)
			}
		}
	}
}

// refusesStrangers checks that the route answers 401, and how, whoever comes without a valid token.
func refusesStrangers(t *testing.T, app *apptest.App, method, path string) {
	t.Helper()
	good := app.Token(t, claims("mallory"))
	head, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	const invalid = `Bearer realm="api", error="invalid_token"`

	app.Do(t, method, path).WantError(401, "UNAUTHENTICATED").WantHeader("WWW-Authenticate", `Bearer realm="api"`)
	if method == "GET" {
		app.Do(t, "HEAD", path).Want(401).WantHeader("WWW-Authenticate", `Bearer realm="api"`)
	}
	for what, authorization := range map[string]string{
		"no token at all":       "Bearer ",
		"no JWT":                "Bearer abc",
		"an unsigned token":     "Bearer " + head + "." + payload + ".",
		"somebody's signature":  "Bearer " + head + "." + payload + "." + strings.Repeat("A", len(signature)),
		"two tokens":            "Bearer " + good + " " + good,
		"a token in quotes":     `Bearer "` + good + `"`,
		"something behind it":   "Bearer " + good + ".x",
		"an expired token":      "Bearer " + app.TokenAt(t, time.Now().Add(-2*time.Hour), claims("mallory")),
		"a token of tomorrow's": "Bearer " + app.TokenAt(t, time.Now().Add(24*time.Hour), claims("mallory")),
	} {
		answer := app.Do(t, method, path, testkit.Header("Authorization", authorization))
		if answer.WantError(401, "UNAUTHENTICATED"); answer.Header.Get("WWW-Authenticate") != invalid {
			t.Errorf("%s: WWW-Authenticate is %q", what, answer.Header.Get("WWW-Authenticate"))
		}
	}
	app.Do(t, method, path, testkit.Header("Authorization", "Basic bWFsbG9yeTp4")).
		WantError(401, "UNAUTHENTICATED").WantHeader("WWW-Authenticate", `Bearer realm="api"`)
	app.Do(t, method, path+"?access_token="+good).WantError(401, "UNAUTHENTICATED")
}

// program is the body that makes an API key.
const program = `{"name": "Apollo", "scopes": ["read"]}`

func TestASuspendedAccountIsShutOutAndComesBackWhole(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice, bob := app.User(t, "alice"), app.User(t, "bob")
		mine := alice.Do(t, "POST", keys, testkit.Body(program)).Want(201).Header.Get("Location")
		bob.Do(t, "GET", me).Want(200)

		app.Change(t, "UPDATE users SET is_active = ? WHERE id = ?", false, "alice")
		apptest.Await(t, "the suspension to count", func() bool { return alice.Do(t, "GET", me).Status == 403 })
		before := contents(t, app)
		for _, request := range []struct{ method, path, body string }{
			{"GET", me, ""}, {"PATCH", me, `{"full_name": "Ada"}`}, {"GET", keys, ""}, {"POST", keys, program}, {"DELETE", mine, ""},
		} {
			alice.Do(t, request.method, request.path, testkit.Body(request.body)).WantError(403, "FORBIDDEN")
		}
		if after := contents(t, app); quote(t, before) != quote(t, after) {
			t.Errorf("a suspended user changed rows\nfrom %v\nto   %v", before, after)
		}
		bob.Do(t, "GET", me).Want(200)

		app.Change(t, "UPDATE users SET is_active = ? WHERE id = ?", true, "alice")
		apptest.Await(t, "the end of the suspension", func() bool { return alice.Do(t, "GET", me).Status == 200 })
		alice.Do(t, "GET", keys).Want(200).WantJSON("total", 1).WantJSON("items.0.name", "Apollo")
		alice.Do(t, "DELETE", mine).Want(204)
	})
}

func TestADeletedAccountDoesNotComeBackByItsToken(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := app.User(t, "alice")
		alice.Do(t, "GET", me).Want(200)

		app.Change(t, "UPDATE users SET deleted_at = ? WHERE id = ?", time.Now().UTC(), "alice")
		for method, body := range map[string]string{"GET": "", "PATCH": `{"full_name": "Ada"}`, "DELETE": ""} { // it is not "not found"
			alice.Do(t, method, me, testkit.Body(body)).WantError(403, "FORBIDDEN")
		}
		apptest.Await(t, "the deletion to count", func() bool { return alice.Do(t, "GET", keys).Status == 403 })
		alice.Do(t, "POST", keys, testkit.Body(program)).WantError(403, "FORBIDDEN")
		app.User(t, "alice").Do(t, "GET", me).WantError(403, "FORBIDDEN") // a new token of the same person
		if users, living := testkit.Rows(t, app.DB, "users", ""), testkit.Rows(t, app.DB, "users", "deleted_at IS NULL"); users != 1 || living != 0 {
			t.Errorf("there are %d users, %d of them alive", users, living)
		}
	})
}

func TestTheDevelopmentIssuer(t *testing.T) {
	t.Parallel()
	app := apptest.Start(t, database.SQLite)
	given := app.Do(t, "POST", "/api/v1/public/auth/dev-token",
		testkit.Body(`{"sub": "carol", "email": "carol@example.com", "name": "Carol", "role": "admin"}`)).
		Want(200).WantJSON("token_type", "Bearer")
	if seconds := given.JSON("expires_in").(float64); seconds < 3590 || seconds > 3600 {
		t.Errorf("it expires in %v seconds, want about an hour", seconds)
	}
	app.As(given.Text("access_token")).Do(t, "GET", me).Want(200).
		WantJSON("id", "carol").WantJSON("email", "carol@example.com").WantJSON("full_name", "Carol").WantJSON("role", "admin")

	for _, body := range []string{`{}`, `{"sub": ""}`, `{"sub": "a\nb"}`, `{"sub": "dave", "role": "king"}`, `{"sub": "dave", "admin": true}`} {
		app.Do(t, "POST", "/api/v1/public/auth/dev-token", testkit.Body(body)).WantError(422, "VALIDATION_ERROR")
	}

	keys := app.Do(t, "GET", "/.well-known/jwks.json").Want(200)
	key := keys.JSON("keys.0").(map[string]any)
	for _, secret := range []string{"d", "k", "p", "q", "dp", "dq", "qi"} {
		if key[secret] != nil {
			t.Errorf("the key set holds the private part %s", secret)
		}
	}
	if key["kid"] == nil || key["alg"] == nil || key["use"] != "sig" {
		t.Errorf("a verifier can't tell what the key is for: %s", keys.Body)
	}
}

func TestStrangersLearnNothingFromHealth(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		for _, path := range []string{"/health", "/api/v1/public/health"} {
			live := app.Do(t, "GET", path).Want(200).WantJSON("status", "ok")
			if found := live.JSON("").(map[string]any); len(found) != 2 || live.Text("version") == "" {
				t.Errorf("%s: %s", path, live.Body)
			}
			app.Do(t, "GET", path+"/ready").Want(200).
				WantJSON("", map[string]any{"status": "ok", "checks": map[string]any{"database": "ok", "jobs": "ok", "migrations": "ok"}})
		}
	})
}

// The product does without Redis when it has to, so a Redis that is down takes nobody out of service.
func TestReadinessTellsOfRedisWhereThereIsOne(t *testing.T) {
	t.Parallel()
	with := apptest.Start(t, database.SQLite, "REDIS_URL="+testkit.Redis(t))
	with.Do(t, "GET", "/health/ready").Want(200).WantJSON("checks.redis", "ok")

	without := apptest.Start(t, database.SQLite, "REDIS_URL=redis://127.0.0.1:1")
	without.Do(t, "GET", "/health/ready").Want(200).WantJSON("status", "ok").WantJSON("checks.redis", "failing")
	without.User(t, "alice").Do(t, "GET", me).Want(200)
}

func TestAnotherPrefix(t *testing.T) {
	t.Parallel()
	app := apptest.Start(t, database.SQLite, "API_V1_STR=/backend/v9")
	alice := app.User(t, "alice")

	made := alice.Do(t, "POST", "/backend/v9/app/api-keys", testkit.Body(program)).Want(201)
	made.WantHeader("Location", "/backend/v9/app/api-keys/"+made.Text("id"))
	alice.Do(t, "DELETE", made.Header.Get("Location")).Want(204)
	app.Do(t, "GET", "/backend/v9/public/health").Want(200)
	app.Do(t, "POST", "/backend/v9/public/auth/dev-token", testkit.Body(`{"sub": "alice"}`)).Want(200)

	app.Do(t, "GET", "/health").Want(200)
	app.Do(t, "GET", "/docs").Want(200)
	for path := range app.Do(t, "GET", "/openapi.json").Want(200).JSON("paths").(map[string]any) {
		if path != "/health" && path != "/health/ready" && !strings.HasPrefix(path, "/v1/") && !strings.HasPrefix(path, "/backend/v9/") {
			t.Errorf("the document has %s", path)
		}
	}
	for _, path := range []string{keys, me, "/api/v1/public/health"} {
		alice.Do(t, "GET", path).WantError(404, "NOT_FOUND")
	}
}
