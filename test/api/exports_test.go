//scaffold:needs ai billing notifications projects

package api

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// exported waits until an export has ended, and returns what is said of it.
func exported(t *testing.T, who *testkit.API, one string) *testkit.Response {
	t.Helper()
	var answer *testkit.Response
	apptest.Await(t, "the export", func() bool {
		answer = who.Do(t, "GET", one).Want(200)
		return answer.Text("status") == "ready" || answer.Text("status") == "failed"
	})
	return answer
}

// unzip returns the files of the archive at a URL by their names.
func unzip(t *testing.T, url string) map[string]string {
	t.Helper()
	answer, body := download(t, url)
	if disposition := answer.Header.Get("Content-Disposition"); answer.StatusCode != 200 || !strings.HasPrefix(disposition, "attachment;") {
		t.Fatalf("the archive is answered %d, as %s", answer.StatusCode, disposition)
	}
	archive, err := zip.NewReader(strings.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, file := range archive.File {
		text, err := readZipped(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := files[file.Name]; twice {
			t.Errorf("%s is there twice", file.Name)
		}
		files[file.Name] = string(text)
	}
	return files
}

// archived returns the keys of archives.
func (c cabinet) archived(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(c.keys(t), func(key string) bool { return !strings.HasPrefix(key, "exports/") })
}

// uploaded makes a project with a file, and returns the id of the file.
func (c cabinet) uploaded(t *testing.T, who *testkit.API, filename, body string) string {
	t.Helper()
	begun := who.Do(t, "POST", projectFiles(t, who), described(t, filename, "text/plain", len(body))).Want(201)
	if status := c.put(t, begun, body); status != 200 {
		t.Fatalf("the upload is answered %d", status)
	}
	who.Do(t, "POST", begun.Header.Get("Location")+"/complete").Want(200)
	return begun.Text("id")
}

// An export has everything of who asked for it and nothing of anybody else, is told of by mail, and is gone after a week.
func TestTheLifeOfAnExport(t *testing.T) {
	eachCabinet(t, func(t *testing.T, c cabinet) {
		alice := newcomer(t, c.App, "alice")
		bob := c.As(c.Token(t, auth.DevClaims{Subject: "bob", Email: "bob@example.com", Name: "Secretive Bob"}))
		fileID := c.uploaded(t, alice, `Notes: "a|b" 😀.txt`, "what Alice wrote\n")
		c.uploaded(t, bob, "bobs.txt", "what Bob wrote\n")
		gone := alice.Do(t, "POST", projects, testkit.Body(`{"name": "Regretted"}`)).Want(201).Header.Get("Location")
		alice.Do(t, "DELETE", gone).Want(204)
		mailed := func(template string) func() bool {
			return func() bool {
				return testkit.Rows(t, c.DB, "notifications_mails", "user_id = 'alice' AND template = '"+template+"' AND state = 'sent'") == 1
			}
		}
		apptest.Await(t, "the mail about the deletion", mailed("project_deleted"))
		key := alice.Do(t, "POST", api+"/app/api-keys", testkit.Body(`{"name": "My script", "scopes": ["read"]}`)).Want(201)

		asked := alice.Do(t, "POST", exports).Want(202).WantJSON("status", "queued")
		one := asked.Header.Get("Location")
		if one != exports+"/"+asked.Text("id") {
			t.Errorf("it is at %s", one)
		}
		ready := exported(t, alice, one).WantJSON("status", "ready").WantJSON("id", asked.Text("id"))
		expires, err := time.Parse(time.RFC3339, ready.Text("expires_at"))
		if left := time.Until(expires); err != nil || left < 6*24*time.Hour || left > 7*24*time.Hour {
			t.Errorf("it expires at %s", ready.Text("expires_at"))
		}

		files := unzip(t, ready.Text("url"))
		want := []string{
			"README.txt", "ai/budgets.json", "ai/calls.json", "billing/account.json", "billing/invoices.json", "notifications/mails.json",
			"notifications/notifications.json", "notifications/preferences.json", "projects/files.json",
			"projects/files/" + fileID + "-Notes_ _a_b_ 😀.txt", "projects/plan.json", "projects/projects.json", "users/api_keys.json",
			"users/exports.json", "users/identities.json", "users/profile.json",
		}
		got := slices.DeleteFunc(slices.Sorted(maps.Keys(files)), func(name string) bool { // of modules that came later
			home, _, _ := strings.Cut(name, "/")
			return !slices.ContainsFunc(want, func(known string) bool { return strings.HasPrefix(known, home) })
		})
		if !slices.Equal(got, want) {
			t.Errorf("the archive has %q, want %q", got, want)
		}
		for name, content := range files {
			if strings.HasSuffix(name, ".json") && !json.Valid([]byte(content)) {
				t.Errorf("%s is no JSON: %s", name, content)
			}
			for _, secret := range []string{"ob wrote", "bob@example.com", "Secretive", "bobs.txt", key.Text("key"), `"hash"`} {
				if strings.Contains(content, secret) {
					t.Errorf("%s gives %q away", name, secret)
				}
			}
		}
		for name, holds := range map[string][]string{
			"users/profile.json":                               {"alice@example.com", "New alice"},
			"users/api_keys.json":                              {"My script"},
			"projects/projects.json":                           {"Apollo", "Regretted"},
			"projects/files.json":                              {fileID, `Notes: \"a|b\" 😀.txt`},
			"projects/files/" + fileID + "-Notes_ _a_b_ 😀.txt": {"what Alice wrote\n"},
			"notifications/mails.json":                         {"welcome"},
			"README.txt":                                       {"projects/", "billing/"},
		} {
			for _, part := range holds {
				if !strings.Contains(files[name], part) {
					t.Errorf("%s lacks %q: %s", name, part, files[name])
				}
			}
		}

		apptest.Await(t, "the mail about the export", mailed("data_export_ready"))
		sent := mails(t, c.App)
		if mail := sent[len(sent)-1]; !strings.Contains(mail, "/exports/"+asked.Text("id")) || !strings.Contains(mail, "alice@example.com") ||
			strings.Contains(mail, c.archived(t)[0]) {
			t.Errorf("the mail says %s", mail)
		}
		alice.Do(t, "GET", notified).Want(200).WantJSON("items.0.kind", "data.export").WantJSON("items.0.data.export_id", asked.Text("id"))

		bob.Do(t, "GET", one).WantError(404, "NOT_FOUND")
		alice.Do(t, "GET", exports+"/nothing").WantError(404, "NOT_FOUND")

		c.Change(t, "UPDATE users_exports SET expires_at = ?, due_at = ?", time.Now().UTC(), time.Now().UTC())
		alice.Do(t, "GET", one).WantError(404, "NOT_FOUND")
		c.Work(t, "users.remove_exports")
		if keys := c.archived(t); len(keys) != 0 || testkit.Rows(t, c.DB, "users_exports", "") != 0 {
			t.Errorf("after a week there are %q", keys)
		}
	})
}

// However often one asks at once there is one export, and there are three a day.
func TestExportsAreBounded(t *testing.T) {
	eachCabinet(t, func(t *testing.T, c cabinet) {
		alice := c.User(t, "alice")
		alice.Do(t, "GET", me).Want(200)
		for range 3 {
			before := testkit.Rows(t, c.DB, "users_exports", "")
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					if answer := alice.Do(t, "POST", exports); answer.Status != 202 && answer.Status != 409 && answer.Status != 429 {
						t.Errorf("got %d", answer.Status)
					}
				})
			}
			all.Wait()
			if testkit.Rows(t, c.DB, "users_exports", "") == before && before < 3 {
				t.Error("nobody got an export")
			}
			apptest.Await(t, "the exports", func() bool { return testkit.Rows(t, c.DB, "users_exports", "status <> 'ready'") == 0 })
		}
		refused := alice.Do(t, "POST", exports).WantError(429, "RATE_LIMIT_EXCEEDED")
		if refused.Header.Get("Retry-After") == "" {
			t.Error("it isn't said when to ask again")
		}
		if rows := testkit.Rows(t, c.DB, "users_exports", ""); rows != 3 {
			t.Errorf("there are %d exports, want three", rows)
		}
		c.Change(t, "UPDATE users_exports SET created_at = ?", time.Now().UTC().Add(-25*time.Hour))
		exported(t, alice, alice.Do(t, "POST", exports).Want(202).Header.Get("Location")).WantJSON("status", "ready")
	})
}

// Who leaves takes the exports along, the one that is being made too.
func TestExportsOfWhoIsErasedGo(t *testing.T) {
	eachCabinet(t, func(t *testing.T, c cabinet) {
		alice := c.User(t, "alice")
		exported(t, alice, alice.Do(t, "POST", exports).Want(202).Header.Get("Location")).WantJSON("status", "ready")
		if len(c.archived(t)) != 1 {
			t.Fatal("there is no archive")
		}
		c.Change(t, `INSERT INTO users_exports (id, user_id, status, done, total, object, created_at, due_at)
			VALUES ('underway', 'alice', 'running', 1, 5, 'exports/underway.zip', ?, ?)`, time.Now().UTC(), time.Now().UTC().Add(time.Hour))
		const archive = "an archive on its way"
		if err := c.files.Put(t.Context(), "exports/underway.zip", bytes.NewReader([]byte(archive)), int64(len(archive)), "application/zip"); err != nil {
			t.Fatal(err)
		}
		alice.Do(t, "DELETE", me).Want(202)
		if rows := testkit.Rows(t, c.DB, "users_exports", "user_id IS NOT NULL"); rows != 0 {
			t.Errorf("%d exports are still hers", rows)
		}
		c.Work(t, "users.remove_exports")
		if keys := c.archived(t); !slices.Equal(keys, []string{"exports/underway.zip"}) {
			t.Errorf("there are %q, want what may still be written", keys)
		}
		c.Change(t, "UPDATE users_exports SET due_at = ?", time.Now().UTC()) // as if its attempt had ended long ago
		c.Work(t, "users.remove_exports")
		if keys := c.archived(t); len(keys) != 0 || testkit.Rows(t, c.DB, "users_exports", "") != 0 {
			t.Errorf("there are %q", keys)
		}
	})
}

// When the store of files is down an export waits for it; when that was the last attempt it has failed, and another one may be asked
// for.
func TestExportsOutliveAnOutage(t *testing.T) {
	t.Run("bucket", func(t *testing.T) {
		t.Parallel()
		c := openCabinet(t, "postgres", testkit.S3(t))
		alice := c.User(t, "alice")
		alice.Do(t, "GET", me).Want(200)
		again := func(last bool) {
			t.Helper()
			attempts := 14
			if last {
				attempts = 1
			}
			c.Change(t, `UPDATE river_job SET state = 'available', scheduled_at = now(), max_attempts = attempt + ?
				WHERE kind = 'users.export_user_data' AND state = 'retryable'`, attempts)
		}
		failed := func() bool {
			return testkit.Rows(t, c.DB, "river_job", "kind = 'users.export_user_data' AND state = 'retryable'") == 1
		}

		c.s3.Kill()
		one := alice.Do(t, "POST", exports).Want(202).Header.Get("Location")
		apptest.Await(t, "the first attempt to fail", failed)
		underway := alice.Do(t, "GET", one).Want(200).WantJSON("status", "running")
		underway.WantJSON("progress.done", underway.JSON("progress.total"))
		alice.Do(t, "POST", exports).WantError(409, "CONFLICT")
		again(true)
		exported(t, alice, one).WantJSON("status", "failed")

		two := alice.Do(t, "POST", exports).Want(202).Header.Get("Location")
		apptest.Await(t, "the attempt to fail", failed)
		if err := c.s3.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		again(false)
		unzip(t, exported(t, alice, two).WantJSON("status", "ready").Text("url"))
		if keys := c.archived(t); len(keys) != 1 {
			t.Errorf("there are %q", keys)
		}
	})
}

// An API key exports nothing: one that leaks must not give everything away.
func TestOnlyPeopleExport(t *testing.T) {
	eachCabinet(t, func(t *testing.T, c cabinet) {
		alice := c.User(t, "alice")
		key := alice.Do(t, "POST", api+"/app/api-keys", testkit.Body(`{"name": "x", "scopes": ["read", "write"]}`)).Want(201).Text("key")
		c.As(key).Do(t, "POST", exports).WantError(403, "FORBIDDEN")
		c.As(key).Do(t, "GET", exports+"/x").WantError(403, "FORBIDDEN")
	})
}
