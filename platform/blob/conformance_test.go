package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/testkit"
)

// subject is a store whose signed URLs a test can use, at the time that it says.
type subject struct {
	Store

	clock *clock.Manual
	clean func(t *testing.T) // fails the test if anything is left of what was broken off

	// gullible says that the server takes what came of a body before it broke off for the whole of it, as S3 doesn't. What it is
	// sent then is looked at in TestABodyThatBreaksOffIsNotTakenForWhole. See https://github.com/versity/versitygw/issues/2414.
	gullible bool
}

// subjects are all the stores.
var subjects = map[string]func(t testing.TB) subject{
	"local": func(t testing.TB) subject { return localSubject(t, t.TempDir()) },
	"s3": func(t testing.TB) subject {
		server, now := testkit.S3(t), clock.NewManual(time.Now())
		return subject{Store: NewS3(optionsOf(server), now), clock: now, clean: func(*testing.T) {}, gullible: true}
	},
}

func optionsOf(server *testkit.S3Server) S3Options {
	return S3Options{
		Endpoint: server.Endpoint, Region: server.Region, Bucket: server.Bucket,
		AccessKeyID: config.Secret(server.AccessKeyID), SecretAccessKey: config.Secret(server.SecretAccessKey),
	}
}

// localSubject is a local store behind the product's server, with a body limit that files are over.
func localSubject(t testing.TB, folder string) subject {
	t.Helper()
	now := clock.NewManual(time.Now())
	listening := httptest.NewUnstartedServer(nil)
	base := "http://" + listening.Listener.Addr().String() + "/api/v1/public/files"
	local, err := OpenLocal(folder, keyring.New("a secret of thirty-two characters", ""), base, now)
	if err != nil {
		t.Fatal(err)
	}
	log, _ := testkit.Logger(t)
	server := httpserver.New(httpserver.Options{HTTP: config.HTTP{
		APIPrefix: "/api/v1", BodyLimit: 8, RequestTimeout: 10 * time.Second, CORSOrigins: []string{"https://app.example.com"},
	}}, log)
	server.AddFiles("/public/files", local.Serve)
	listening.Config.Handler = server.Handler()
	listening.Start()
	t.Cleanup(func() {
		listening.Close()
		local.Close()
	})
	clean := func(t *testing.T) {
		t.Helper()
		await(t, "what was broken off to be gone", func() bool {
			left, err := os.ReadDir(filepath.Join(folder, newFolder))
			return err == nil && len(left) == 0
		})
	}
	return subject{Store: local, clock: now, clean: clean}
}

// each runs the test on every store.
func each(t *testing.T, test func(t *testing.T, s subject)) {
	t.Parallel()
	for name, start := range subjects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			test(t, s)
			s.clean(t)
		})
	}
}

func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

const text = "text/plain; charset=utf-8"

func put(t testing.TB, s Store, key, content string) {
	t.Helper()
	if err := s.Put(t.Context(), key, strings.NewReader(content), int64(len(content)), text); err != nil {
		t.Fatalf("putting %s: %v", key, err)
	}
}

// get returns a part of a file, "" when it can't be got.
func get(t testing.TB, s Store, key string, offset, length int64) (string, error) {
	t.Helper()
	file, err := s.Get(t.Context(), key, offset, length)
	if err != nil {
		return "", err
	}
	content, err := io.ReadAll(file)
	return string(content), errors.Join(err, file.Close())
}

func wantFile(t testing.TB, s Store, key, want string) {
	t.Helper()
	if got, err := get(t, s, key, 0, Whole); err != nil || got != want {
		t.Errorf("%s is %.50q, %v, want %.50q", key, got, err, want)
	}
}

func wantNone(t testing.TB, s Store, key string) {
	t.Helper()
	if _, err := s.Stat(t.Context(), key); !errs.Is(err, errs.NotFound) {
		t.Errorf("%s: %v, want none", key, err)
	}
}

func keys(t testing.TB, s Store, prefix string) []string {
	t.Helper()
	var all []string
	for object, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, object.Key)
	}
	return all
}

func TestAFileComesBackAsItWasPut(t *testing.T) {
	each(t, func(t *testing.T, s subject) {
		wantNone(t, s, "a/b.txt")
		for _, content := range []string{"first", "", "the second, which is longer", "3", strings.Repeat("\x00\xff\r\n", 100_000), "OSF1"} {
			put(t, s, "a/b.txt", content)
			wantFile(t, s, "a/b.txt", content)
			known, err := s.Stat(t.Context(), "a/b.txt")
			age := time.Since(known.Modified)
			if err != nil || known.Key != "a/b.txt" || known.Size != int64(len(content)) || known.ContentType != text || known.ETag == "" ||
				strings.Contains(known.ETag, `"`) || age < -time.Minute || age > time.Minute {
				t.Errorf("%+v, %v", known, err)
			}
		}
		first, _ := s.Stat(t.Context(), "a/b.txt")
		put(t, s, "a/b.txt", "another")
		if second, _ := s.Stat(t.Context(), "a/b.txt"); second.ETag == first.ETag {
			t.Errorf("another content has the same ETag %s", first.ETag)
		}
		// A body that can't be read twice is put as well.
		if err := s.Put(t.Context(), "once", io.MultiReader(strings.NewReader("on"), strings.NewReader("ce")), 4, "image/png"); err != nil {
			t.Error(err)
		}
		wantFile(t, s, "once", "once")
		if err := Check(t.Context(), s); err != nil {
			t.Error(err)
		}
		if got := keys(t, s, ""); !slices.Equal(got, []string{"a/b.txt", "once"}) {
			t.Errorf("there are %q", got)
		}
	})
}

func TestParts(t *testing.T) {
	each(t, func(t *testing.T, s subject) {
		put(t, s, "digits", "0123456789")
		put(t, s, "empty", "")
		for _, c := range []struct {
			offset, length int64
			want           string
		}{
			{0, Whole, "0123456789"}, {0, 1, "0"}, {0, 10, "0123456789"}, {0, 1 << 62, "0123456789"}, {3, 4, "3456"}, {9, 1, "9"},
			{9, 100, "9"}, {5, Whole, "56789"}, {9, Whole, "9"},
		} {
			if got, err := get(t, s, "digits", c.offset, c.length); err != nil || got != c.want {
				t.Errorf("%d from %d on: %q, %v", c.length, c.offset, got, err)
			}
		}
		for _, c := range [][2]int64{{10, Whole}, {10, 1}, {1 << 40, 5}, {1<<63 - 1, 1}, {1<<63 - 1, 1<<63 - 1}, {-1, 5}, {0, 0}, {0, -2}, {3, -1 << 63}} {
			if got, err := get(t, s, "digits", c[0], c[1]); !errs.Is(err, errs.Invalid) {
				t.Errorf("%d from %d on: %q, %v", c[1], c[0], got, err)
			}
		}
		wantFile(t, s, "empty", "")
		if got, err := get(t, s, "empty", 0, 1); !errs.Is(err, errs.Invalid) {
			t.Errorf("of nothing: %q, %v", got, err)
		}
		for _, part := range [][2]int64{{0, Whole}, {0, 1}} {
			if got, err := get(t, s, "none", part[0], part[1]); !errs.Is(err, errs.NotFound) {
				t.Errorf("of none: %q, %v", got, err)
			}
		}
		// Who reads no more, closes.
		file, err := s.Get(t.Context(), "digits", 0, Whole)
		if err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestBodiesOfAnotherLengthLeaveNothing(t *testing.T) {
	each(t, func(t *testing.T, s subject) {
		broken := errors.New("the body broke off")
		large := strings.Repeat("x", 3<<20)
		for name, c := range map[string]struct {
			body io.Reader
			size int64
			want error
			sent bool // some of it
		}{
			"short":             {strings.NewReader("123"), 4, errLength, false},
			"long":              {strings.NewReader("12345"), 4, errLength, false},
			"none":              {strings.NewReader(""), 4, errLength, false},
			"some, not none":    {strings.NewReader("1"), 0, errLength, false},
			"short, once":       {onlyReader(strings.NewReader("123")), 4, errLength, false},
			"long, once":        {onlyReader(strings.NewReader("12345")), 4, errLength, false},
			"large and short":   {onlyReader(strings.NewReader(large)), int64(len(large)) + 1, errLength, true},
			"large and long":    {onlyReader(strings.NewReader(large)), int64(len(large)) - 1, errLength, true},
			"broken":            {io.MultiReader(strings.NewReader("12"), failing{broken}), 4, broken, false},
			"broken at the end": {io.MultiReader(strings.NewReader("1234"), failing{broken}), 4, broken, false},
			"broken late":       {io.MultiReader(strings.NewReader(large), failing{broken}), int64(len(large)) + 1, broken, true},
			"negative":          {strings.NewReader(""), -1, errSize, false},
			"too large":         {strings.NewReader(""), MaxSize + 1, errSize, false},
		} {
			if c.sent && s.gullible {
				if err := s.Put(t.Context(), "gullible", c.body, c.size, text); !errors.Is(err, c.want) {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			put(t, s, "old", "old")
			for _, key := range []string{"new", "old"} {
				if seeker, is := c.body.(io.Seeker); is {
					_, _ = seeker.Seek(0, io.SeekStart)
				}
				err := s.Put(t.Context(), key, c.body, c.size, text)
				if err == nil || key == "new" && !errors.Is(err, c.want) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if known, err := s.Stat(t.Context(), "new"); !errs.Is(err, errs.NotFound) {
				t.Errorf("%s: left is %+v, %v", name, known, err)
			}
			wantFile(t, s, "old", "old")
		}
	})
}

func onlyReader(r io.Reader) io.Reader { return struct{ io.Reader }{r} }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestListsAreInOrder(t *testing.T) {
	each(t, func(t *testing.T, s subject) {
		const many = 1_100 // more than S3 tells with one answer
		want := []string{"a-b", "a.b", "a/b", "a0/x", "b/c/d/e", "b/c/d0", "b/c0"}
		for i := range many {
			want = append(want, fmt.Sprintf("many/%04d/file", i))
		}
		var running sync.WaitGroup
		numbers := make(chan int)
		for range 8 {
			running.Go(func() {
				for i := range numbers {
					if err := s.Put(t.Context(), want[i], strings.NewReader("x"), 1, text); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for i := range want {
			numbers <- i
		}
		close(numbers)
		running.Wait()

		slices.Sort(want)
		for prefix, begins := range map[string]int{"": len(want), "many/": many, "many/05": 100, "a": 4, "a/": 1, "b/c": 3, "b/c/": 2, "b/c/d": 2, "none": 0, "none/": 0, "a/b/c/d": 0} {
			got := keys(t, s, prefix)
			fit := slices.DeleteFunc(slices.Clone(want), func(key string) bool { return !strings.HasPrefix(key, prefix) })
			if !slices.Equal(got, fit) || len(got) != begins {
				t.Errorf("below %q are %d, want %d of %d: %.300q", prefix, len(got), len(fit), begins, got)
			}
		}
		for object, err := range s.List(t.Context(), "") {
			if err != nil || object.Size != 1 || object.ETag == "" || object.Modified.IsZero() || object.ContentType != "" {
				t.Errorf("%+v, %v", object, err)
			}
			break // whoever has enough stops
		}
		for _, prefix := range []string{"/", "../", "a//b", "..", "\x00", "a\\", strings.Repeat("x", 600)} {
			for _, err := range s.List(t.Context(), prefix) {
				if !errs.Is(err, errs.Invalid) {
					t.Errorf("below %q: %v", prefix, err)
				}
			}
		}
		over, leave := context.WithCancel(t.Context())
		leave()
		var ended error
		for _, err := range s.List(over, "") {
			ended = err
		}
		if !errs.Is(ended, errs.Unavailable) {
			t.Errorf("after its end: %v", ended)
		}
	})
}

func TestCopiesAndDeletions(t *testing.T) {
	each(t, func(t *testing.T, s subject) {
		ctx := t.Context()
		if err := s.Put(ctx, "from/a", strings.NewReader("content"), 7, "image/png"); err != nil {
			t.Fatal(err)
		}
		put(t, s, "there", "before")
		for _, to := range []string{"to/some/where", "there", "from/a", "to/some/where"} {
			if err := s.Copy(ctx, "from/a", to); err != nil {
				t.Errorf("to %s: %v", to, err)
			}
			wantFile(t, s, to, "content")
			if known, err := s.Stat(ctx, to); err != nil || known.ContentType != "image/png" {
				t.Errorf("to %s: %+v, %v", to, known, err)
			}
		}
		for _, to := range []string{"none", "other", "there"} {
			if err := s.Copy(ctx, "none", to); !errs.Is(err, errs.NotFound) {
				t.Errorf("of none to %s: %v", to, err)
			}
		}
		wantFile(t, s, "there", "content")
		for range 2 {
			if err := s.Delete(ctx, "from/a"); err != nil {
				t.Error(err)
			}
			wantNone(t, s, "from/a")
		}
		for _, key := range []string{"from", "to", "to/some", "never", "there/never"} {
			if err := s.Delete(ctx, key); err != nil {
				t.Errorf("%s: %v", key, err)
			}
		}
		if got := keys(t, s, ""); !slices.Equal(got, []string{"there", "to/some/where"}) {
			t.Errorf("left are %q", got)
		}
		put(t, s, "from/a", "again")
		wantFile(t, s, "from/a", "again")
	})
}

// badKeys are keys that would lead elsewhere, or be another for somebody else.
var badKeys = []string{
	"", "/", "a/", "/a", "/etc/passwd", "a//b", ".", "..", "../a", "a/../b", "a/..", "a/./b", ".new/a", "a/.b", "a.", "a./b", `a\b`, `..\a`,
	`C:\a`, "c:a", "a\x00", "a\x00b", "a\nb", "a\tb", "a\x7fb", "\xff", "a\xc0\xaeb", "a b", "A", "ä", "a\u2215b", "\uff0e\uff0e/a", "a\u202eb",
	"a\u200bb", "%2e%2e/a", "a%2fb", "a@", "a?b", "a#b", "a&b", "a+b", "a;b", "a:b", "a*b", "~a", "-\u00a0", strings.Repeat("x", 513),
	strings.Repeat("x", 201), strings.Repeat("xxxxxxx/", 64) + "x",
}

func TestBadKeysAreRefused(t *testing.T) {
	each(t, func(t *testing.T, s subject) {
		ctx := t.Context()
		put(t, s, "good", "good")
		for _, key := range badKeys {
			_, gotten := s.Get(ctx, key, 0, Whole)
			_, known := s.Stat(ctx, key)
			_, uploaded := s.PresignUpload(ctx, key, 1, text, time.Minute)
			_, downloaded := s.PresignDownload(ctx, key, "a", time.Minute)
			for call, err := range map[string]error{
				"Put": s.Put(ctx, key, strings.NewReader("x"), 1, text), "Get": gotten, "Stat": known, "Copy from": s.Copy(ctx, key, "to"),
				"Copy to": s.Copy(ctx, "good", key), "Delete": s.Delete(ctx, key), "PresignUpload": uploaded, "PresignDownload": downloaded,
			} {
				if !errs.Is(err, errs.Invalid) || key != "" && len(key) > 2 && strings.Contains(err.Error(), key) {
					t.Errorf("%s %q: %v", call, key, err)
				}
			}
		}
		for _, kind := range []string{"", "text", "text/", "/plain", "text/plain\r\nX-Evil: 1", "text/plain\x00", "téxt/plain", strings.Repeat("x", 300) + "/plain", "a/b; c"} {
			_, uploaded := s.PresignUpload(ctx, "a", 1, kind, time.Minute)
			for _, err := range []error{s.Put(ctx, "a", strings.NewReader("x"), 1, kind), uploaded} {
				if !errs.Is(err, errs.Invalid) {
					t.Errorf("the type %q: %v", kind, err)
				}
			}
		}
		for _, expires := range []time.Duration{0, -time.Hour, time.Millisecond, MaxExpiry + 1} {
			_, uploaded := s.PresignUpload(ctx, "a", 1, text, expires)
			_, downloaded := s.PresignDownload(ctx, "a", "a", expires)
			if !errs.Is(uploaded, errs.Invalid) || !errs.Is(downloaded, errs.Invalid) {
				t.Errorf("for %s: %v, %v", expires, uploaded, downloaded)
			}
		}
		for _, size := range []int64{0, -1, MaxSize + 1} {
			if _, err := s.PresignUpload(ctx, "a", size, text, time.Minute); !errs.Is(err, errs.Invalid) {
				t.Errorf("of %d bytes: %v", size, err)
			}
		}
		if got := keys(t, s, ""); !slices.Equal(got, []string{"good"}) {
			t.Errorf("there are %q", got)
		}
		longest := strings.Repeat("xxxxxxx/", 63) + "xxxxxxxx"
		for _, key := range []string{longest, "a-1_b.c/0", strings.Repeat("x", 200), "a..b"} {
			put(t, s, key, "x")
			wantFile(t, s, key, "x")
		}
	})
}

// answer is what a signed URL is answered.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

// call makes a request with what was signed, after it was changed.
func call(t testing.TB, method, target, body string, header map[string]string, change func(*http.Request)) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	if change != nil {
		change(request)
	}
	got, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	return answer{status: got.StatusCode, header: got.Header, body: string(content), err: err}
}

func upload(t testing.TB, s subject, key, content string) Upload {
	t.Helper()
	signed, err := s.PresignUpload(t.Context(), key, int64(len(content)), text, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestSignedUploads(t *testing.T) {
	each(t, func(t *testing.T, s subject) {
		const content = "what was agreed upon"
		signed := upload(t, s, "up/load.txt", content)
		if signed.Method != "PUT" || !signed.ExpiresAt.Equal(s.clock.Now().Add(time.Hour)) || len(signed.Headers) != 2 ||
			signed.Headers["Content-Type"] != text || signed.Headers["Content-Length"] != fmt.Sprint(len(content)) {
			t.Errorf("%+v", signed)
		}
		refused := func(name, target, body string, change func(*http.Request)) {
			t.Helper()
			got := call(t, signed.Method, target, body, signed.Headers, change)
			if got.err == nil && (got.status < 400 || got.status >= 500) {
				t.Errorf("%s is answered %d %s", name, got.status, got.body)
			}
			for _, key := range []string{"up/load.txt", "up/other.txt"} {
				if known, err := s.Stat(t.Context(), key); !errs.Is(err, errs.NotFound) {
					t.Fatalf("%s stored %+v, %v", name, known, err)
				}
			}
		}
		for _, other := range []string{content + "!", content[1:], "", strings.Repeat(content, 1000)} {
			refused(fmt.Sprintf("a body of %d bytes", len(other)), signed.URL, other, nil)
		}
		refused("a body without a length", signed.URL, content, func(r *http.Request) { r.ContentLength = -1 })
		if !s.gullible {
			refused("a body that breaks off", signed.URL, content[:5], func(r *http.Request) { r.ContentLength = int64(len(content)) })
		}
		for _, other := range []string{"text/html", "text/plain", "text/plain;charset=utf-8", ""} {
			refused("the type "+other, signed.URL, content, func(r *http.Request) { r.Header.Set("Content-Type", other) })
		}
		refused("no type", signed.URL, content, func(r *http.Request) { r.Header.Del("Content-Type") })
		for name, target := range altered(t, signed.URL) {
			refused(name, target, content, nil)
		}
		refused("another key", strings.Replace(signed.URL, "load.txt", "other.txt", 1), content, nil)
		for _, method := range []string{"POST", "DELETE", "PATCH"} {
			refused(method, signed.URL, content, func(r *http.Request) { r.Method = method })
		}
		refused("GET", signed.URL, "", func(r *http.Request) { r.Method = "GET" })

		s.clock.Advance(-2 * time.Hour)
		late := upload(t, s, "up/load.txt", content)
		download, err := s.PresignDownload(t.Context(), "up/load.txt", "a", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		s.clock.Advance(2 * time.Hour)
		refused("what has expired", late.URL, content, nil)

		// The right one works, again too, and the last one wins.
		for _, body := range []string{content, strings.ToUpper(content)} {
			if got := call(t, signed.Method, signed.URL, body, signed.Headers, nil); got.status != 200 {
				t.Fatalf("it is answered %+v", got)
			}
			wantFile(t, s, "up/load.txt", body)
		}
		if known, err := s.Stat(t.Context(), "up/load.txt"); err != nil || known.ContentType != text {
			t.Errorf("%+v, %v", known, err)
		}
		if got := call(t, "GET", download, "", nil, nil); got.status != 403 || strings.Contains(got.body, content) {
			t.Errorf("a download that has expired is answered %+v", got)
		}
		// A browser does it from a page of ours.
		if _, isLocal := s.Store.(*Local); isLocal {
			got := call(t, "OPTIONS", signed.URL, "", map[string]string{"Origin": "https://app.example.com", "Access-Control-Request-Method": "PUT",
				"Access-Control-Request-Headers": "content-type"}, nil)
			if got.status != 204 || got.header.Get("Access-Control-Allow-Methods") != "PUT" {
				t.Errorf("the question before it is answered %+v", got)
			}
			got = call(t, signed.Method, signed.URL, content, signed.Headers, func(r *http.Request) { r.Header.Set("Origin", "https://app.example.com") })
			if got.status != 200 || got.header.Get("Access-Control-Allow-Origin") != "https://app.example.com" || !strings.Contains(got.header.Get("Access-Control-Expose-Headers"), "Etag") {
				t.Errorf("it is answered %+v", got)
			}
		}
	})
}

// altered returns the URL in many ways that weren't signed.
func altered(t testing.TB, target string) map[string]string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	change := func(name string, do func(url.Values)) {
		query := u.Query()
		do(query)
		other := *u
		other.RawQuery = query.Encode()
		all[name] = other.String()
	}
	change("one more parameter", func(q url.Values) { q.Set("x", "1") })
	for param := range u.Query() {
		change("without "+param, func(q url.Values) { q.Del(param) })
		change("another "+param, func(q url.Values) { q.Set(param, flipped(q.Get(param))) })
		change("a longer "+param, func(q url.Values) { q.Set(param, q.Get(param)+"0") })
	}
	return all
}

// flipped returns the text with another last character.
func flipped(text string) string {
	last := byte('0')
	if strings.HasSuffix(text, "0") {
		last = '1'
	}
	return text[:max(0, len(text)-1)] + string(last)
}

func TestSignedDownloads(t *testing.T) {
	each(t, func(t *testing.T, s subject) {
		put(t, s, "down/load.html", "0123456789")
		put(t, s, "down/other.html", "secret")
		long := strings.Repeat("x", 300)
		for filename, want := range map[string]string{
			"report.pdf": "report.pdf", `"quoted" 'name'.txt`: `"quoted" 'name'.txt`, "line\r\nX-Evil: 1.txt": "lineX-Evil_ 1.txt",
			"Übersicht – 2026.pdf": "Übersicht – 2026.pdf", "日本語.txt": "日本語.txt", "a/../../etc/passwd": "a_.._.._etc_passwd", `..\evil.bat`: ".._evil.bat",
			"": "file", "..": "file", "\xff\xfe.txt": "_.txt", "nul\x00.txt": "nul.txt", "txt\u202egpj.exe": "txtgpj.exe", "100% sure;.txt": "100% sure;.txt",
			long + ".txt": long[:maxName-4] + ".txt", strings.Repeat("ü", 300): strings.Repeat("ü", maxName), " . ": "file", "😀.gif": "😀.gif",
		} {
			target, err := s.PresignDownload(t.Context(), "down/load.html", filename, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			got := call(t, "GET", target, "", nil, nil)
			disposition, params, err := mime.ParseMediaType(got.header.Get("Content-Disposition"))
			if got.status != 200 || got.body != "0123456789" || disposition != "attachment" || params["filename"] != want || err != nil ||
				got.header.Get("X-Evil") != "" || got.header.Get("Content-Type") != text {
				t.Errorf("%q is answered %d %q as %s %q, %v", filename, got.status, got.body, disposition, params["filename"], err)
			}
			if _, isLocal := s.Store.(*Local); isLocal {
				for name, value := range map[string]string{
					"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
					"Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "cross-origin",
				} {
					if got.header.Get(name) != value {
						t.Errorf("%s is %q", name, got.header.Get(name))
					}
				}
			}
		}
		target, err := s.PresignDownload(t.Context(), "down/load.html", "a.html", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		for asked, want := range map[string]answer{
			"bytes=2-4": {status: 206, body: "234"}, "bytes=-3": {status: 206, body: "789"}, "bytes=7-": {status: 206, body: "789"},
			"bytes=0-99999999": {status: 206, body: "0123456789"}, "bytes=10-": {status: 416}, "bytes=99999999999999999999-": {status: 416},
			"bytes=0-0,2-2": {status: 200, body: "0123456789"}, "bytes=0-" + strings.Repeat(",0-", 500): {status: 200, body: "0123456789"},
		} {
			got := call(t, "GET", target, "", map[string]string{"Range": asked}, nil)
			ignored := want.status == 416 && got.status == 200 // as whoever serves may (RFC 9110, section 14.2)
			if got.status != want.status && !ignored || want.body != "" && got.body != want.body || got.err != nil {
				t.Errorf("%s is answered %d %.100q, %v", asked, got.status, got.body, got.err)
			}
		}
		for name, other := range altered(t, target) {
			if got := call(t, "GET", other, "", nil, nil); got.status < 400 || got.status >= 500 || strings.Contains(got.body, "0123456789") {
				t.Errorf("%s is answered %d %s", name, got.status, got.body)
			}
		}
		if got := call(t, "GET", strings.Replace(target, "load", "other", 1), "", nil, nil); got.status != 403 || strings.Contains(got.body, "secret") {
			t.Errorf("another file is answered %d %s", got.status, got.body)
		}
		if got := call(t, "PUT", target, "x", nil, nil); got.status < 400 {
			t.Errorf("a PUT is answered %d", got.status)
		}
		wantFile(t, s, "down/load.html", "0123456789")
		target, err = s.PresignDownload(t.Context(), "down/none", "a", time.Hour)
		if got := call(t, "GET", target, "", nil, nil); got.status != 404 || err != nil {
			t.Errorf("none is answered %d, %v", got.status, err)
		}
	})
}

func TestPutsOfOneKeyEndAsOneOfThem(t *testing.T) {
	each(t, func(t *testing.T, s subject) {
		const writers, size = 8, 300_000
		var running sync.WaitGroup
		stop := make(chan struct{})
		for i := range writers {
			content := bytes.Repeat([]byte{byte('a' + i)}, size)
			running.Go(func() {
				for range 10 {
					if err := s.Put(t.Context(), "one/key", onlyReader(bytes.NewReader(content)), size, text); err != nil {
						t.Error(err)
					}
				}
			})
		}
		var reading sync.WaitGroup
		reading.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got, err := get(t, s, "one/key", 0, Whole)
				if errs.Is(err, errs.NotFound) {
					continue
				}
				if err != nil || len(got) != size || strings.Count(got, got[:1]) != size {
					t.Errorf("it is half of one: %d bytes, %v", len(got), err)
					return
				}
			}
		})
		running.Wait()
		close(stop)
		reading.Wait()
		if got := keys(t, s, ""); !slices.Equal(got, []string{"one/key"}) {
			t.Errorf("there are %q", got)
		}
	})
}

// A folder that is emptied while something is put into it is there again.
func TestPutsAndDeletionsSideBySide(t *testing.T) {
	each(t, func(t *testing.T, s subject) {
		var running sync.WaitGroup
		for i := range 6 {
			key := fmt.Sprintf("a/b/c/%d", i)
			running.Go(func() {
				for range 40 {
					if err := s.Put(t.Context(), key, strings.NewReader("x"), 1, text); err != nil {
						t.Errorf("putting: %v", err)
					}
					if _, err := s.Stat(t.Context(), key); err != nil {
						t.Errorf("looking: %v", err)
					}
					if err := s.Delete(t.Context(), key); err != nil {
						t.Errorf("deleting: %v", err)
					}
				}
			})
		}
		running.Wait()
		if got := keys(t, s, ""); got != nil {
			t.Errorf("left are %q", got)
		}
	})
}

func TestWhoLeavesLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, s subject) {
		put(t, s, "old", "old")
		gone, leave := context.WithCancel(t.Context())
		leave()
		_, gotten := s.Get(gone, "old", 0, Whole)
		_, known := s.Stat(gone, "old")
		for call, err := range map[string]error{
			"Put": s.Put(gone, "new", strings.NewReader("x"), 1, text), "Get": gotten, "Stat": known,
			"Copy": s.Copy(gone, "old", "new"), "Delete": s.Delete(gone, "old"),
		} {
			if !errs.Is(err, errs.Unavailable) {
				t.Errorf("%s: %v", call, err)
			}
		}
		for _, key := range []string{"new", "old"} {
			if s.gullible {
				key = "gullible"
			}
			ctx, cancel := context.WithCancel(t.Context())
			const size = 4 << 20
			body := io.MultiReader(strings.NewReader(strings.Repeat("x", size/2)), doing{cancel}, strings.NewReader(strings.Repeat("x", size/2)))
			if err := s.Put(ctx, key, body, size, text); !errs.Is(err, errs.Unavailable) {
				t.Errorf("a Put that was left: %v", err)
			}
		}
		late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		if err := s.Put(late, "new", strings.NewReader("x"), 1, text); !errs.Is(err, errs.Timeout) {
			t.Errorf("out of time: %v", err)
		}
		wantFile(t, s, "old", "old")
		wantNone(t, s, "new")
	})
}

// doing does something when it is read, and is empty.
type doing struct{ do func() }

func (d doing) Read([]byte) (int, error) {
	d.do()
	return 0, io.EOF
}
