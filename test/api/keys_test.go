package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

const keys = "/api/v1/app/api-keys"

// made makes a key and returns it with its id.
func made(t *testing.T, owner *testkit.API, scopes string) (key, keyID string) {
	t.Helper()
	answer := owner.Do(t, "POST", keys, testkit.Body(fmt.Sprintf(`{"name": "Deploy", "scopes": [%s]}`, scopes))).Want(201)
	return answer.Text("key"), answer.Text("id")
}

const (
	invalidToken = `Bearer realm="api", error="invalid_token"`
	keyRefused   = `Bearer realm="api", error="insufficient_scope"`
)

func TestAKeyIsShownOnceAndWorksUntilItIsRevoked(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice, bob := app.User(t, "alice"), app.User(t, "bob")
		alice.Do(t, "GET", keys).Want(200).WantJSON("items", []any{}).WantJSON("total", 0)
		expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
		first := alice.Do(t, "POST", keys, testkit.Body(fmt.Sprintf(`{"name": "Deploy", "scopes": ["write", "read"], "expires_at": %q}`,
			expires.In(time.FixedZone("east", 7200)).Format(time.RFC3339)))).Want(201).
			WantJSON("name", "Deploy").WantJSON("scopes", []any{"read", "write"}).WantJSON("expires_at", expires.Format(time.RFC3339)).
			WantJSON("last_used_at", nil).WantHeader("Cache-Control", "no-store")
		key := first.Text("key")
		first.WantHeader("Location", keys+"/"+first.Text("id")).WantJSON("prefix", key[:9])
		if parsed, ok := auth.ParseAPIKey(key); !ok || parsed.Prefix() != key[:9] {
			t.Errorf("%q is no key", key)
		}

		program := app.As(key)
		program.Do(t, "GET", me).Want(200).WantJSON("id", "alice")
		program.Do(t, "PATCH", me, testkit.Body(`{"full_name": "Alice by a program"}`)).Want(200)
		alice.Do(t, "GET", me).Want(200).WantJSON("full_name", "Alice by a program")

		// It is recognised by its beginning, and shown nowhere.
		made(t, alice, `"ai"`)
		listed := alice.Do(t, "GET", keys).Want(200).WantJSON("total", 2).WantJSON("items.1.id", first.Text("id")).WantJSON("items.1.prefix", key[:9])
		if used, err := time.Parse(time.RFC3339Nano, listed.Text("items.1.last_used_at")); err != nil || time.Since(used) > time.Minute {
			t.Errorf("it was used last at %s, %v", used, err)
		}
		if strings.Contains(string(listed.Body), key[9:]) || strings.Contains(string(listed.Body), `"hash`) || strings.Contains(string(listed.Body), `"key"`) {
			t.Errorf("the list holds a key: %s", listed.Body)
		}
		next := alice.Do(t, "GET", keys+"?limit=1").Want(200).Text("next_cursor")
		alice.Do(t, "GET", keys+"?limit=1&cursor="+next).Want(200).WantJSON("items.0.id", first.Text("id"))
		bob.Do(t, "GET", keys+"?cursor="+next).WantError(422, "VALIDATION_ERROR")

		// Another's key isn't there.
		bob.Do(t, "GET", keys).Want(200).WantJSON("total", 0)
		bob.Do(t, "DELETE", keys+"/"+first.Text("id")).WantError(404, "NOT_FOUND")
		bob.Do(t, "DELETE", keys+"/nothing").WantError(404, "NOT_FOUND")
		program.Do(t, "GET", me).Want(200)

		alice.Do(t, "DELETE", keys+"/"+first.Text("id")).Want(204)
		program.Do(t, "GET", me).WantError(401, "UNAUTHENTICATED").WantHeader("WWW-Authenticate", invalidToken)
		alice.Do(t, "DELETE", keys+"/"+first.Text("id")).WantError(404, "NOT_FOUND")
		alice.Do(t, "GET", keys).Want(200).WantJSON("total", 1)
		wantTold(t, app, "alice", "users.user_registered.v1", "users.user_profile_changed.v1")
	})
}

func TestWhatNoKeyMayDo(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		root := as(t, app, "root", "superadmin")
		root.Do(t, "GET", me).Want(200)
		app.Change(t, "UPDATE users SET role = 'superadmin' WHERE id = ?", "root")
		key, keyID := made(t, root, `"read", "write", "ai"`)
		before := contents(t, app)
		program := app.As(key)
		for _, route := range app.Routes {
			if !route.People && route.Guard != "admin" {
				continue
			}
			path := placeholder.ReplaceAllString(route.Full, keyID)
			program.Do(t, route.Method, path, testkit.Body(`{}`)).WantError(403, "FORBIDDEN").WantHeader("WWW-Authenticate", keyRefused)
		}
		for method, path := range map[string]string{"GET": keys, "POST": keys, "DELETE": me} {
			program.Do(t, method, path, testkit.Body(`{"name": "More", "scopes": ["read"]}`)).WantError(403, "FORBIDDEN")
		}
		program.Do(t, "DELETE", keys+"/"+keyID).WantError(403, "FORBIDDEN")
		program.Do(t, "GET", people).WantError(403, "FORBIDDEN")
		program.Do(t, "GET", me).Want(200).WantJSON("role", "user") // what counts for the request

		reads, _ := made(t, root, `"read"`)
		app.As(reads).Do(t, "GET", me).Want(200)
		app.As(reads).Do(t, "HEAD", me).Want(200)
		app.As(reads).Do(t, "PATCH", me, testkit.Body(`{"full_name": "Root"}`)).WantError(403, "FORBIDDEN").
			WantHeader("WWW-Authenticate", keyRefused+`, scope="write"`)
		writes, _ := made(t, root, `"write"`)
		app.As(writes).Do(t, "GET", me).WantError(403, "FORBIDDEN").WantHeader("WWW-Authenticate", keyRefused+`, scope="read"`)
		app.As(writes).Do(t, "PATCH", me, testkit.Body(`{"full_name": "Root"}`)).Want(200)
		asks, _ := made(t, root, `"ai"`)
		app.As(asks).Do(t, "GET", me).WantError(403, "FORBIDDEN")
		if after := contents(t, app); quote(t, before[3:]) != quote(t, after[3:]) || len(after[0]) != 1 || len(after[2]) != 4 {
			t.Errorf("rows changed from %v to %v", before, after)
		}
	})
}

func TestKeysThatAreNotGood(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := app.User(t, "alice")
		key, keyID := made(t, alice, `"read"`)
		refuses := func(what, key string) {
			t.Helper()
			answer := app.As(key).Do(t, "GET", me).WantError(401, "UNAUTHENTICATED").WantHeader("WWW-Authenticate", invalidToken).
				WantJSON("error.message", "The access token is not valid").WantJSON("error.details", map[string]any{})
			if strings.Contains(string(answer.Body), key[5:]) {
				t.Errorf("%s: the answer repeats the key: %s", what, answer.Body)
			}
		}
		hash := sha256.Sum256([]byte(key))
		refuses("one that never was", string(auth.NewAPIKey()))
		refuses("a mistyped one", key[:20]+"0"+key[20:len(key)-1])
		refuses("one in upper case", "omni_"+strings.ToUpper(key[5:]))
		refuses("its hash", "omni_"+hex.EncodeToString(hash[:]))
		refuses("its beginning", key[:9])
		app.Do(t, "GET", me+"?access_token="+key).WantError(401, "UNAUTHENTICATED")
		app.Do(t, "GET", me, testkit.Header("X-Api-Key", key)).WantError(401, "UNAUTHENTICATED")
		app.Do(t, "GET", me, testkit.Header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(key+":")))).WantError(401, "UNAUTHENTICATED")
		app.Do(t, "GET", me, testkit.Header("Authorization", "bearer  "+key)).Want(200)

		app.Change(t, "UPDATE users_api_keys SET expires_at = ? WHERE id = ?", time.Now().UTC(), keyID)
		apptest.Await(t, "the end of the key", func() bool { return app.As(key).Do(t, "GET", me).Status == 401 })
		refuses("an expired one", key)
		alice.Do(t, "GET", keys).Want(200).WantJSON("total", 1)

		// A suspension and its end count at once, and the end of the account for good.
		key, _ = made(t, alice, `"read"`)
		app.As(key).Do(t, "GET", me).Want(200)
		admin := as(t, app, "ann", "admin")
		admin.Do(t, "PATCH", people+"/alice", testkit.Body(`{"is_active": false}`)).Want(200)
		app.As(key).Do(t, "GET", me).WantError(403, "FORBIDDEN").WantHeader("WWW-Authenticate", "")
		admin.Do(t, "PATCH", people+"/alice", testkit.Body(`{"is_active": true}`)).Want(200)
		app.As(key).Do(t, "GET", me).Want(200)
		alice.Do(t, "DELETE", me).Want(202)
		refuses("one of who is gone", key)
		if testkit.Rows(t, app.DB, "users_api_keys", "") != 0 {
			t.Error("who is gone has keys")
		}
	})
}

func TestKeysThatCannotBeMade(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := app.User(t, "alice")
		alice.Do(t, "GET", me).Want(200)
		before := contents(t, app)
		for body, field := range map[string]string{
			`{"scopes": ["read"]}`:                                                    "name",
			`{"name": "", "scopes": ["read"]}`:                                        "name",
			`{"name": "  ", "scopes": ["read"]}`:                                      "name",
			`{"name": "` + strings.Repeat("ü", 101) + `", "scopes": ["read"]}`:        "name",
			`{"name": "a\nb", "scopes": ["read"]}`:                                    "name",
			`{"name": "x"}`:                                                           "scopes",
			`{"name": "x", "scopes": null}`:                                           "scopes",
			`{"name": "x", "scopes": []}`:                                             "scopes",
			`{"name": "x", "scopes": "read"}`:                                         "scopes",
			`{"name": "x", "scopes": [["read"]]}`:                                     "scopes[0]",
			`{"name": "x", "scopes": ["admin"]}`:                                      "scopes[0]",
			`{"name": "x", "scopes": ["read"], "expires_at": "tomorrow"}`:             "expires_at",
			`{"name": "x", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}`: "expires_at",
			`{"name": "x", "scopes": ["read"], "expires_at": 1900000000}`:             "expires_at",
			`{"name": "x", "scopes": ["read"], "key": "omni_mine"}`:                   "key",
			`{"name": "x", "scopes": ["read"], "hash": "00"}`:                         "hash",
			`{"name": "x", "scopes": ["read"], "user_id": "bob"}`:                     "user_id",
		} {
			if answer := alice.Do(t, "POST", keys, testkit.Body(body)).WantError(422, "VALIDATION_ERROR"); !namesField(answer, field) {
				t.Errorf("%s: details.errors doesn't name %s\n%s", body, field, answer.Body)
			}
		}
		if after := contents(t, app); quote(t, before) != quote(t, after) {
			t.Errorf("what was refused changed rows\nfrom %v\nto   %v", before, after)
		}
		alice.Do(t, "POST", keys, testkit.Body(`{"name": "x", "scopes": ["read", "read"]}`)).Want(201).WantJSON("scopes", []any{"read"})
		alice.Do(t, "POST", keys, testkit.Body(`{"name": "x", "scopes": ["read"], "expires_at": null}`)).Want(201).WantJSON("expires_at", nil)
		alice.Do(t, "POST", keys, testkit.Body(`{"name": "x", "scopes": ["read"], "expires_at": "9999-12-31T23:59:59Z"}`)).Want(201)

		// Fifty at most, however many are made at once.
		var more, refused atomic.Int64
		together(60, func(int) {
			switch answer := alice.Do(t, "POST", keys, testkit.Body(`{"name": "x", "scopes": ["read"]}`)); answer.Status {
			case http.StatusCreated:
				more.Add(1)
			case http.StatusConflict:
				answer.WantJSON("error.message", "You have 50 API keys, and can't have more: revoke one first")
				refused.Add(1)
			}
		})
		if more.Load() != 47 || refused.Load() != 13 {
			t.Errorf("%d more keys were made and %d refused", more.Load(), refused.Load())
		}
		alice.Do(t, "DELETE", keys+"/"+alice.Do(t, "GET", keys).Text("items.0.id")).Want(204)
		made(t, alice, `"read"`)
	})
}

// Where a key is revoked it is refused at once, whoever is using it, and within five seconds everywhere else.
func TestARevokedKeyIsRefusedEverywhere(t *testing.T) {
	for _, engine := range testkit.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			options := testkit.DatabaseOptions(t, engine)
			here, there := apptest.StartOn(t, options), apptest.StartOn(t, options)
			alice := here.User(t, "alice")
			key, keyID := made(t, alice, `"read"`)
			here.As(key).Do(t, "GET", me).Want(200)
			there.As(key).Do(t, "GET", me).Want(200)

			var revoked atomic.Bool
			done := make(chan struct{})
			go func() {
				defer close(done)
				together(8, func(int) {
					for range 200 {
						after := revoked.Load()
						if status := here.As(key).Do(t, "GET", me).Status; after && status != 401 {
							t.Errorf("a revoked key is answered %d", status)
						} else if status == 401 {
							return
						}
					}
				})
			}()
			alice.Do(t, "DELETE", keys+"/"+keyID).Want(204)
			revoked.Store(true)
			since := time.Now()
			here.As(key).Do(t, "GET", me).WantError(401, "UNAUTHENTICATED")
			<-done
			apptest.Await(t, "the other process to know", func() bool { return there.As(key).Do(t, "GET", me).Status == 401 })
			if took := time.Since(since); took > 5*time.Second {
				t.Errorf("the other process knew after %s", took)
			}
		})
	}
}

// A key is in the answer that made it, and nowhere else: in no row of any table, and in no line of the log.
func TestAKeyIsKeptNowhere(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := app.User(t, "alice")
		key, keyID := made(t, alice, `"read", "write"`)
		revoked, revokedID := made(t, alice, `"read"`)
		program := app.As(key)
		program.Do(t, "GET", me).Want(200)
		program.Do(t, "PATCH", me, testkit.Body(`{"full_name": "Alice by a program"}`)).Want(200)
		program.Do(t, "PATCH", me, testkit.Body(`{"full_name": 1}`)).Want(422)
		program.Do(t, "GET", people).Want(403)
		program.Do(t, "GET", me+"?key="+key).WantError(422, "VALIDATION_ERROR")
		alice.Do(t, "DELETE", keys+"/"+revokedID).Want(204)
		app.As(revoked).Do(t, "GET", me).Want(401)
		app.As(key[:len(key)-1]+"-").Do(t, "GET", me).Want(401)

		texts := map[string]string{"the log": logged(app)}
		for _, table := range tables(t, app) {
			texts[table] = whole(t, app, "SELECT * FROM "+table)
		}
		for _, table := range []string{"users_api_keys", "events_outbox", "river_job"} {
			if len(texts[table]) < len("[{}]") {
				t.Errorf("nothing is in %s, so this test sees nothing", table)
			}
		}
		for where, text := range texts {
			for _, key := range []string{key, revoked} {
				if strings.Contains(text, key[9:]) || strings.Contains(text, key[9:len(key)-6]) {
					t.Errorf("%s: it holds a key", where)
				}
			}
		}
		if !strings.Contains(texts["the log"], keyID) {
			t.Error("the log doesn't name the key by its id")
		}
	})
}
