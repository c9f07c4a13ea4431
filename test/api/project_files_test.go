//scaffold:needs projects

package api

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/omnistack/omnistack/platform/blob"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

const filesKey = "SECRET_KEY=dGhlIHNlY3JldCBvZiB0aGlzIHByb2R1Y3Qgb25seQ=="

// cabinet is a product with its files, kept in a folder or in a bucket.
type cabinet struct {
	*apptest.App
	files blob.Store
	s3    *testkit.S3Server // nil for a folder
}

// eachCabinet runs the test over a folder on SQLite, and over a bucket on PostgreSQL.
func eachCabinet(t *testing.T, test func(t *testing.T, c cabinet), settings ...string) {
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		test(t, openCabinet(t, database.SQLite, nil, settings...))
	})
	t.Run("bucket", func(t *testing.T) {
		t.Parallel()
		test(t, openCabinet(t, database.Postgres, testkit.S3(t), settings...))
	})
}

func openCabinet(t *testing.T, engine database.Engine, s3 *testkit.S3Server, settings ...string) cabinet {
	t.Helper()
	settings = append(settings, filesKey)
	if s3 != nil {
		settings = append(settings, "STORAGE_PROVIDER=s3", "S3_ENDPOINT="+s3.Endpoint, "AWS_REGION="+s3.Region, "AWS_S3_BUCKET="+s3.Bucket,
			"AWS_ACCESS_KEY_ID="+s3.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+s3.SecretAccessKey)
	}
	app := apptest.Start(t, engine, settings...)
	files, release, err := wiregen.OpenFiles(app.Settings, keyring.New(strings.TrimPrefix(filesKey, "SECRET_KEY="), ""), clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return cabinet{app, files, s3}
}

// keys returns what is stored.
func (c cabinet) keys(t *testing.T) []string {
	t.Helper()
	var keys []string
	for object, err := range c.files.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, object.Key)
	}
	return keys
}

// put sends a body by the request that uploads a file, and returns the status.
func (c cabinet) put(t *testing.T, file *testkit.Response, body string, change ...func(*http.Request)) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), file.Text("upload.method"), file.Text("upload.url"), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range file.JSON("upload.headers").(map[string]any) {
		request.Header.Set(name, value.(string))
	}
	for _, change := range change {
		change(request)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body) // what it says is the store's
	return answer.StatusCode
}

// project makes a project and returns where its files are.
func projectFiles(t *testing.T, who *testkit.API) string {
	t.Helper()
	return who.Do(t, "POST", projects, testkit.Body(`{"name": "Apollo"}`)).Want(201).Header.Get("Location") + "/files"
}

// described is a body that begins an upload.
func described(t *testing.T, filename, mediaType string, size int) testkit.Part {
	t.Helper()
	return testkit.Body(fmt.Sprintf(`{"filename": %s, "content_type": %q, "size": %d}`, quote(t, filename), mediaType, size))
}

// download returns what is at a URL.
func download(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

const report = "%PDF-1.7\n1 0 obj << /Type /Catalog >> endobj\n%%EOF\n"

// A file goes from a client to the store and back, and every trace of it goes when it is deleted.
func TestTheLifeOfAFile(t *testing.T) {
	eachCabinet(t, func(t *testing.T, c cabinet) {
		alice := c.User(t, "alice")
		files := projectFiles(t, alice)
		begun := alice.Do(t, "POST", files, described(t, "Bericht 😀.pdf", "application/pdf", len(report))).Want(201).
			WantHeader("ETag", `"1"`).WantJSON("status", "pending").WantJSON("filename", "Bericht 😀.pdf").WantJSON("size", float64(len(report)))
		one := begun.Header.Get("Location")
		if one != files+"/"+begun.Text("id") {
			t.Errorf("it is at %s", one)
		}
		alice.Do(t, "POST", one+"/complete").WantError(409, "CONFLICT")
		if pending := alice.Do(t, "GET", one).Want(200).WantJSON("status", "pending"); strings.Contains(string(pending.Body), "_url") {
			t.Errorf("what is pending can be downloaded: %s", pending.Body)
		}
		if status := c.put(t, begun, report); status != 200 {
			t.Fatalf("the upload is answered %d", status)
		}
		alice.Do(t, "POST", one+"/complete").Want(200).WantJSON("status", "ready").WantHeader("ETag", `"2"`)
		alice.Do(t, "POST", one+"/complete").Want(200).WantJSON("status", "ready").WantHeader("ETag", `"2"`)
		wantTold(t, c.App, begun.Text("id"), "projects.file_added.v1")

		// What is put there afterwards is nobody's.
		if status := c.put(t, begun, strings.ToLower(report)); status != 200 {
			t.Errorf("another upload is answered %d", status)
		}
		answer, body := download(t, alice.Do(t, "GET", one).Want(200).Text("download_url"))
		if disposition := answer.Header.Get("Content-Disposition"); answer.StatusCode != 200 || body != report ||
			!strings.HasPrefix(disposition, "attachment;") || !strings.Contains(disposition, "Bericht%20%F0%9F%98%80.pdf") {
			t.Errorf("the download is answered %d with %q and %s", answer.StatusCode, body, disposition)
		}
		alice.Do(t, "GET", files).Want(200).WantJSON("total", 1.0).WantJSON("items.0.status", "ready")

		alice.Do(t, "DELETE", one, testkit.Header("If-Match", `"1"`)).WantError(412, "PRECONDITION_FAILED")
		alice.Do(t, "DELETE", one, testkit.Header("If-Match", `"2"`)).Want(204)
		alice.Do(t, "GET", one).WantError(404, "NOT_FOUND")
		wantTold(t, c.App, begun.Text("id"), "projects.file_added.v1", "projects.file_deleted.v1")
		c.Work(t, "blob.remove_due")
		if keys := c.keys(t); len(keys) != 1 || !strings.HasPrefix(keys[0], "uploads/") { // whose URL still works
			t.Errorf("there are %q", keys)
		}
		c.Change(t, "UPDATE blob_removals SET due_at = '2026-01-01 00:00:00+00:00'") // as if that URL had expired long ago
		c.Work(t, "blob.remove_due")
		if keys := c.keys(t); len(keys) != 0 || testkit.Rows(t, c.DB, "blob_removals", "") != 0 {
			t.Errorf("there are %q", keys)
		}
	})
}

// What isn't what it was said to be isn't taken, by the store or by the look at it, and leaves nothing.
func TestFilesAreWhatTheyAreSaidToBe(t *testing.T) {
	const png = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00"
	const html, svg = "<!DOCTYPE html><script>alert(1)</script>", `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`
	eachCabinet(t, func(t *testing.T, c cabinet) {
		alice := c.User(t, "alice")
		files := projectFiles(t, alice)
		for name, test := range map[string]struct {
			mediaType, body string
			status          int
		}{
			"a picture":                   {"image/png", png, 200},
			"a text":                      {"text/plain", "Good morning\n", 200},
			"a CSV":                       {"text/csv", "a,b\n1,2\n3,4\n", 200},
			"a CSV of one column":         {"text/csv", "a\n", 200},
			"JSON":                        {"application/json", `{"a": [1, 2]}`, 200},
			"a CSV called a text":         {"text/plain", "a,b\n1,2\n3,4\n", 200},
			"HTML called a picture":       {"image/png", html, 422},
			"HTML called a text":          {"text/plain", html, 422},
			"SVG called a picture":        {"image/png", svg, 422},
			"SVG called a text":           {"text/plain", svg, 422},
			"a picture called a PDF":      {"application/pdf", png, 422},
			"a program called an archive": {"application/zip", "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00", 422},
			"a text called a picture":     {"image/gif", "GIF of a cat", 422},
		} {
			begun := alice.Do(t, "POST", files, described(t, "a", test.mediaType, len(test.body))).Want(201)
			if status := c.put(t, begun, test.body); status != 200 {
				t.Fatalf("%s: the upload is answered %d", name, status)
			}
			completed := alice.Do(t, "POST", begun.Header.Get("Location")+"/complete")
			if completed.Status != test.status {
				t.Errorf("%s: completing is answered %d %s", name, completed.Status, completed.Body)
			}
			if test.status != 200 {
				completed.WantError(422, "VALIDATION_ERROR").WantJSON("error.details.errors.0.field", "content_type")
				alice.Do(t, "GET", begun.Header.Get("Location")).WantError(404, "NOT_FOUND")
			}
		}
		begun := alice.Do(t, "POST", files, described(t, "a.txt", "text/plain", 5)).Want(201)
		for name, change := range map[string]func(*http.Request){
			"longer":       func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("123456")), 6 },
			"shorter":      func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("1234")), 4 },
			"another type": func(r *http.Request) { r.Header.Set("Content-Type", "text/html") },
			"another file": func(r *http.Request) { r.URL.Path = strings.Replace(r.URL.Path, "uploads", "projects", 1) },
			"altered": func(r *http.Request) {
				r.URL.RawQuery = strings.NewReplacer("ignature=", "ignature=00").Replace(r.URL.RawQuery)
			},
		} {
			if status := c.put(t, begun, "12345", change); status < 400 || status >= 500 {
				t.Errorf("%s: the upload is answered %d", name, status)
			}
		}
		alice.Do(t, "POST", begun.Header.Get("Location")+"/complete").WantError(409, "CONFLICT")
		alice.Do(t, "GET", files).Want(200).WantJSON("total", 7.0)
	})
}

func TestBadFilesAreRefused(t *testing.T) {
	t.Parallel()
	c := openCabinet(t, database.SQLite, nil, "UPLOAD_MAX_BYTES=1MiB")
	alice, bob := c.User(t, "alice"), c.User(t, "bob")
	files := projectFiles(t, alice)
	for name, test := range map[string]struct {
		filename, mediaType string
		size, status        int
		field               string
	}{
		"a path":                {"a/b.txt", "text/plain", 1, 422, "filename"},
		"a path of Windows":     {`..\b.txt`, "text/plain", 1, 422, "filename"},
		"the folder above":      {"..", "text/plain", 1, 422, "filename"},
		"blank":                 {" \u200b", "text/plain", 1, 422, "filename"},
		"two lines":             {"a\nb", "text/plain", 1, 422, "filename"},
		"too long":              {strings.Repeat("é", 256), "text/plain", 1, 422, "filename"},
		"a type not taken":      {"a.html", "text/html", 1, 422, "content_type"},
		"a type in capitals":    {"a.txt", "Text/Plain", 1, 422, "content_type"},
		"a type with a charset": {"a.txt", "text/plain; charset=utf-8", 1, 422, "content_type"},
		"nothing":               {"a.txt", "text/plain", 0, 422, "size"},
		"negative":              {"a.txt", "text/plain", -1, 422, "size"},
		"too large":             {"a.txt", "text/plain", 1<<20 + 1, 422, "size"},
	} {
		answer := alice.Do(t, "POST", files, described(t, test.filename, test.mediaType, test.size))
		if answer.Status != test.status {
			t.Errorf("%s: answered %d %s", name, answer.Status, answer.Body)
			continue
		}
		if test.field != "" {
			answer.WantJSON("error.details.errors.0.field", test.field)
		}
	}
	alice.Do(t, "POST", files, testkit.Body("{\"filename\": \"a\\u0000b\", \"content_type\": \"text/plain\", \"size\": 1}")).Want(400)

	// Another's project and files aren't there, and neither are those of a project that was deleted.
	one := alice.Do(t, "POST", files, described(t, "a.txt", "text/plain", 1<<20)).Want(201).Header.Get("Location")
	bob.Do(t, "POST", files, described(t, "a.txt", "text/plain", 1)).WantError(404, "NOT_FOUND")
	bob.Do(t, "GET", files).WantError(404, "NOT_FOUND")
	bob.Do(t, "GET", one).WantError(404, "NOT_FOUND")
	bob.Do(t, "POST", one+"/complete").WantError(404, "NOT_FOUND")
	bob.Do(t, "DELETE", one).WantError(404, "NOT_FOUND")
	other := projectFiles(t, alice)
	alice.Do(t, "GET", other+"/"+lastOf(one)).WantError(404, "NOT_FOUND")
	alice.Do(t, "DELETE", strings.TrimSuffix(files, "/files")).Want(204)
	alice.Do(t, "GET", one).WantError(404, "NOT_FOUND")
	alice.Do(t, "GET", files).WantError(404, "NOT_FOUND")
}

// Of uploads begun at once no more are let in than the plan includes, and what is deleted makes room.
func TestAPlanLimitsStorage(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := app.User(t, "alice")
		files := projectFiles(t, alice)
		var let, refused atomic.Int64
		together(20, func(int) {
			switch answer := alice.Do(t, "POST", files, described(t, "a.txt", "text/plain", 8<<20)); answer.Status {
			case http.StatusCreated:
				let.Add(1)
			case http.StatusPaymentRequired:
				refused.Add(1)
			default:
				t.Errorf("answered %d %s", answer.Status, answer.Body)
			}
		})
		if let.Load() != 12 || refused.Load() != 8 {
			t.Fatalf("%d are let in and %d refused", let.Load(), refused.Load())
		}
		alice.Do(t, "POST", files, described(t, "a.txt", "text/plain", 5<<20)).WantError(402, "PAYMENT_REQUIRED").
			WantJSON("error.details.limit", float64(100<<20)).WantJSON("error.details.used", float64(96<<20))
		alice.Do(t, "POST", files, described(t, "a.txt", "text/plain", 10<<20+1)).WantError(402, "PAYMENT_REQUIRED").
			WantJSON("error.details.limit_bytes", float64(10<<20))
		alice.Do(t, "DELETE", files+"/"+alice.Do(t, "GET", files).Want(200).Text("items.0.id")).Want(204)
		alice.Do(t, "POST", files, described(t, "a.txt", "text/plain", 5<<20)).Want(201)
	}, apptest.BuiltInPlans)
}

// Nothing is left of the files of somebody whose account is deleted, but what a URL that still works may bring, for a while.
func TestErasedFilesAreGone(t *testing.T) {
	eachCabinet(t, func(t *testing.T, c cabinet) {
		alice, bob := c.User(t, "alice"), c.User(t, "bob")
		for _, who := range []*testkit.API{alice, bob} {
			files := projectFiles(t, who)
			begun := who.Do(t, "POST", files, described(t, "secret plan.pdf", "application/pdf", len(report))).Want(201)
			c.put(t, begun, report)
			who.Do(t, "POST", begun.Header.Get("Location")+"/complete").Want(200)
			who.Do(t, "POST", files, described(t, "later.pdf", "application/pdf", len(report))).Want(201)
		}
		alice.Do(t, "DELETE", me).Want(202)
		apptest.Await(t, "the erasure", func() bool { return testkit.Rows(t, c.DB, "projects_files", "owner_id = 'alice'") == 0 })
		c.Change(t, "UPDATE blob_removals SET due_at = '2026-01-01 00:00:00+00:00'")
		c.Work(t, "blob.remove_due")
		if keys := c.keys(t); len(keys) != 1 || testkit.Rows(t, c.DB, "projects_files", "owner_id = 'bob'") != 2 {
			t.Errorf("there are %q", keys)
		}
	})
}

// Uploads that never came are forgotten, with what came of them too late.
func TestUploadsThatNeverCameAreForgotten(t *testing.T) {
	eachCabinet(t, func(t *testing.T, c cabinet) {
		alice := c.User(t, "alice")
		files := projectFiles(t, alice)
		begun := alice.Do(t, "POST", files, described(t, "a.pdf", "application/pdf", len(report))).Want(201)
		c.put(t, begun, report)
		c.Work(t, "projects.forget_expired")
		c.Work(t, "blob.remove_due")
		alice.Do(t, "GET", begun.Header.Get("Location")).Want(200)
		c.Change(t, "UPDATE projects_files SET expires_at = '2026-01-01 00:00:00+00:00'")
		c.Change(t, "UPDATE blob_removals SET due_at = '2026-01-01 00:00:00+00:00'")
		c.Work(t, "projects.forget_expired")
		c.Work(t, "blob.remove_due")
		alice.Do(t, "GET", begun.Header.Get("Location")).WantError(404, "NOT_FOUND")
		if keys := c.keys(t); len(keys) != 0 {
			t.Errorf("there are %q", keys)
		}
	})
}

// While the store is away completing says so, downloads are signed, everything else works, and nothing is lost.
func TestTheStoreOfFilesMayGoAndComeBack(t *testing.T) {
	t.Parallel()
	c := openCabinet(t, database.Postgres, testkit.S3(t))
	alice := c.User(t, "alice")
	files := projectFiles(t, alice)
	begun := alice.Do(t, "POST", files, described(t, "a.pdf", "application/pdf", len(report))).Want(201)
	c.put(t, begun, report)

	c.s3.Kill()
	answer := alice.Do(t, "POST", begun.Header.Get("Location")+"/complete")
	if answer.Status != 502 && answer.Status != 503 {
		t.Errorf("answered %d %s", answer.Status, answer.Body)
	}
	answer.WantJSON("error.details.service", "storage")
	if found := detail.Find(answer.Body); found != nil {
		t.Errorf("the answer tells %q\n%s", found, answer.Body)
	}
	alice.Do(t, "GET", me).Want(200)
	alice.Do(t, "GET", files).Want(200).WantJSON("items.0.status", "pending")
	other := alice.Do(t, "POST", files, described(t, "b.pdf", "application/pdf", 1)).Want(201)
	alice.Do(t, "DELETE", other.Header.Get("Location")).Want(204)

	if err := c.s3.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	alice.Do(t, "POST", begun.Header.Get("Location")+"/complete").Want(200).WantJSON("status", "ready")
	if _, body := download(t, alice.Do(t, "GET", begun.Header.Get("Location")).Want(200).Text("download_url")); body != report {
		t.Errorf("the download is %q", body)
	}
}

// Two who complete at once end with one file, and what the other copied is removed.
func TestCompletingAtOnce(t *testing.T) {
	eachCabinet(t, func(t *testing.T, c cabinet) {
		alice := c.User(t, "alice")
		begun := alice.Do(t, "POST", projectFiles(t, alice), described(t, "a.pdf", "application/pdf", len(report))).Want(201)
		c.put(t, begun, report)
		together(8, func(int) {
			if answer := alice.Do(t, "POST", begun.Header.Get("Location")+"/complete"); answer.Status != 200 {
				t.Errorf("answered %d %s", answer.Status, answer.Body)
			}
		})
		wantTold(t, c.App, begun.Text("id"), "projects.file_added.v1")
		c.Change(t, "UPDATE blob_removals SET due_at = '2026-01-01 00:00:00+00:00'")
		c.Work(t, "blob.remove_due")
		if keys := c.keys(t); len(keys) != 1 {
			t.Errorf("there are %q", keys)
		}
		if _, body := download(t, alice.Do(t, "GET", begun.Header.Get("Location")).Want(200).Text("download_url")); body != report {
			t.Errorf("the download is %q", body)
		}
	})
}

// With a scanner nothing is ready that it finds something in, and nothing while it is away.
func TestFilesAreSearchedForMalware(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c := openCabinet(t, database.SQLite, nil, "CLAMAV_ADDR="+listener.Addr().String())
	alice := c.User(t, "alice")
	files := projectFiles(t, alice)
	const eicar = "this stands for the EICAR test file"
	begin := func(body string) string {
		begun := alice.Do(t, "POST", files, described(t, "a.txt", "text/plain", len(body))).Want(201)
		c.put(t, begun, body)
		return begun.Header.Get("Location")
	}
	served := make(chan struct{})
	go func() { // clamd, which has what it is sent, but for the lengths of the chunks, at the end of the connection's first part
		defer close(served)
		for range 2 {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			var got []byte
			for !bytes.HasSuffix(got, []byte{0, 0, 0, 0}) {
				part := make([]byte, 1024)
				n, err := conn.Read(part)
				if err != nil {
					break
				}
				got = append(got, part[:n]...)
			}
			verdict := "stream: OK\x00"
			if bytes.Contains(got, []byte(eicar)) {
				verdict = "stream: Eicar-Test-Signature FOUND\x00"
			}
			_, _ = io.WriteString(conn, verdict)
			_ = conn.Close()
		}
	}()
	infected := begin(eicar)
	alice.Do(t, "POST", infected+"/complete").WantError(422, "VALIDATION_ERROR").WantJSON("error.details.errors.0.field", "file")
	alice.Do(t, "GET", infected).WantError(404, "NOT_FOUND")
	alice.Do(t, "POST", begin("nothing bad")+"/complete").Want(200).WantJSON("status", "ready")
	<-served
	_ = listener.Close()
	waiting := begin("nobody looks")
	alice.Do(t, "POST", waiting+"/complete").WantError(503, "SERVICE_UNAVAILABLE").WantJSON("error.details.service", "clamav")
	alice.Do(t, "GET", waiting).Want(200).WantJSON("status", "pending")
}
