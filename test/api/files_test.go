package api

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

// A file goes to the product and comes back by signed URLs, without a token, over the body limit and from a page of ours, and
// no log shows what would let somebody else do it.
func TestLocalFilesByTheProduct(t *testing.T) {
	t.Parallel()
	const secret = "dGhlIHNlY3JldCBvZiB0aGlzIHByb2R1Y3Qgb25seQ=="
	app := apptest.Start(t, database.SQLite, "SECRET_KEY="+secret, "BODY_LIMIT=1KiB", `BACKEND_CORS_ORIGINS=["https://app.example.com"]`)
	files, release, err := wiregen.OpenFiles(app.Settings, keyring.New(secret, ""), clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	content := strings.Repeat("content ", 10_000)
	upload, err := files.PresignUpload(t.Context(), "a/b.txt", int64(len(content)), "text/plain", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	download, err := files.PresignDownload(t.Context(), "a/b.txt", "b.txt", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	base := strings.Replace(app.URL, "127.0.0.1", "localhost", 1)
	if !strings.HasPrefix(upload.URL, base+api+"/public/files/a/b.txt?") {
		t.Fatalf("it goes to %s", upload.URL)
	}
	send := func(method, target, body string) (*http.Response, string) {
		request, err := http.NewRequestWithContext(t.Context(), method, app.URL+strings.TrimPrefix(target, base), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "text/plain")
		request.Header.Set("Origin", "https://app.example.com")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		got, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer, string(got)
	}
	if answer, body := send("PUT", upload.URL, content); answer.StatusCode != 200 || answer.Header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("putting is answered %d %s", answer.StatusCode, body)
	}
	if answer, body := send("GET", download, ""); answer.StatusCode != 200 || body != content || answer.Header.Get("X-Request-Id") == "" ||
		!strings.HasPrefix(answer.Header.Get("Content-Disposition"), "attachment;") {
		t.Errorf("getting is answered %d with %d bytes", answer.StatusCode, len(body))
	}
	if answer, body := send("PUT", strings.Replace(upload.URL, "b.txt", "c.txt", 1), content); answer.StatusCode != 403 || !strings.Contains(body, `"code":"FORBIDDEN"`) {
		t.Errorf("another key is answered %d %s", answer.StatusCode, body)
	}
	apptest.Await(t, "the log", func() bool { return app.Logs.FilterMessage("request").Len() >= 3 })
	for _, line := range app.Logs.All() {
		for name, value := range line.ContextMap() {
			if text, is := value.(string); is && (strings.Contains(text, "signature=") || strings.Contains(text, "b.txt")) {
				t.Errorf("%s is logged with %s: %s", line.Message, name, text)
			}
		}
	}
}

// Where files are in a bucket, the product has no route for them, and says by the doctor whether it can use the bucket.
func TestFilesInABucket(t *testing.T) {
	t.Parallel()
	server := testkit.S3(t)
	app := apptest.Start(t, database.SQLite, "STORAGE_PROVIDER=s3", "S3_ENDPOINT="+server.Endpoint, "AWS_S3_BUCKET="+server.Bucket, "AWS_REGION="+server.Region,
		"AWS_ACCESS_KEY_ID="+server.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+server.SecretAccessKey)
	app.Do(t, "GET", api+"/public/files/a").WantError(404, "NOT_FOUND")
	log, _ := testkit.Logger(t)
	diagnose := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, finding := range wiregen.Diagnose(ctx, app.Settings, log) {
			if finding.Name == "files" {
				return finding.Err
			}
		}
		t.Error("nobody looks after files")
		return nil
	}
	if err := diagnose(); err != nil {
		t.Error(err)
	}
	app.Settings.Platform.Storage.AWSSecretAccessKey = config.Secret("wrong" + server.SecretAccessKey)
	if err := diagnose(); err == nil || strings.Contains(err.Error(), server.SecretAccessKey) || !strings.Contains(err.Error(), "SignatureDoesNotMatch") {
		t.Errorf("with a wrong key: %v", err)
	}
}
