package blob

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit"
)

// seen is a request as a server got it.
type seen struct {
	*http.Request
	read int64
	err  error // of reading the body
}

// server stands in for S3 where what is asked of it counts. It gives the answers one after the other, and the last one again.
func server(t testing.TB, answers ...http.HandlerFunc) (endpoint string, requests func() []seen) {
	t.Helper()
	var mu sync.Mutex
	var all []seen
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		read, err := io.Copy(io.Discard, r.Body)
		mu.Lock()
		all = append(all, seen{r, read, err})
		answer := answers[min(len(all), len(answers))-1]
		mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(listening.Close)
	return listening.URL, func() []seen {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const canary = "canaryKEY"

func storeAt(endpoint string) *S3 {
	return NewS3(S3Options{
		Endpoint: endpoint, Region: "us-east-1", Bucket: "canary-bucket", AccessKeyID: canary, SecretAccessKey: canary + "secret", Idle: 500 * time.Millisecond,
	}, clock.System{})
}

// R2 is where its account says, in the one region that it has, and is sent nothing that it doesn't know.
func TestWhatR2IsAsked(t *testing.T) {
	t.Parallel()
	settings := config.Storage{Provider: config.StorageR2, R2AccountID: "acc0", R2AccessKeyID: "id", R2SecretAccessKey: "secret", R2Bucket: "bucket", AWSRegion: "us-east-1", AWSBucket: "no"}
	store, release, err := Open(settings, "", nil, "", clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	for _, of := range []func() (string, error){
		func() (string, error) {
			signed, err := store.PresignUpload(t.Context(), "a/b", 5, "image/png", time.Minute)
			return signed.URL, err
		},
		func() (string, error) { return store.PresignDownload(t.Context(), "a/b", "b.png", time.Minute) },
	} {
		signed, err := of()
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(signed)
		if u.Scheme != "https" || u.Host != "acc0.r2.cloudflarestorage.com" || u.Path != "/bucket/a/b" || !strings.HasSuffix(u.Query().Get("X-Amz-Credential"), "/auto/s3/aws4_request") {
			t.Errorf("signed is %s", signed)
		}
		for name := range u.Query() {
			if lower := strings.ToLower(name); strings.Contains(lower, "checksum") || strings.Contains(lower, "trailer") {
				t.Errorf("signed is %s", signed)
			}
		}
	}

	settings.S3Endpoint, _ = server(t, says(200, ""))
	endpoint, requests := server(t, says(200, ""))
	settings.S3Endpoint = endpoint
	if store, _, err = Open(settings, "", nil, "", clock.System{}); err != nil {
		t.Fatal(err)
	}
	for _, body := range []io.Reader{strings.NewReader("12345"), onlyReader(strings.NewReader("12345"))} {
		if err := store.Put(t.Context(), "a/b", body, 5, "image/png"); err != nil {
			t.Fatal(err)
		}
	}
	wantFile(t, store, "a/b", "")
	if err := store.Delete(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	for _, r := range requests() {
		if r.URL.Path != "/bucket/a/b" || !strings.Contains(r.Header.Get("Authorization"), "/auto/s3/aws4_request") {
			t.Errorf("%s %s by %s", r.Method, r.URL, r.Header.Get("Authorization"))
		}
		for name, value := range r.Header {
			lower := strings.ToLower(name)
			if strings.Contains(lower, "checksum") || strings.Contains(lower, "trailer") || strings.Contains(lower, "decoded-content") || strings.Contains(strings.Join(value, ""), "aws-chunked") {
				t.Errorf("%s is sent with %s: %s", r.Method, name, value)
			}
		}
		if r.Method == "PUT" && (r.ContentLength != 5 || r.read != 5 || len(r.TransferEncoding) > 0 || r.Header.Get("Content-Type") != "image/png" || r.Header.Get("X-Amz-Content-Sha256") != "UNSIGNED-PAYLOAD") {
			t.Errorf("a PUT of %d bytes in %v, %v", r.ContentLength, r.TransferEncoding, r.Header)
		}
	}
	if got := len(requests()); got != 4 {
		t.Errorf("%d requests", got)
	}
}

func TestAmazonIsWhereItsRegionSays(t *testing.T) {
	t.Parallel()
	settings := config.Storage{Provider: config.StorageS3, AWSAccessKeyID: "id", AWSSecretAccessKey: "secret", AWSBucket: "bucket", AWSRegion: "eu-central-1"}
	store, _, err := Open(settings, "", nil, "", clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := store.PresignDownload(t.Context(), "a/b", "b.png", time.Minute)
	if err != nil || !strings.HasPrefix(signed, "https://bucket.s3.eu-central-1.amazonaws.com/a/b?") {
		t.Errorf("signed is %s, %v", signed, err)
	}
	if _, _, err := Open(config.Storage{Provider: "tape"}, "", nil, "", clock.System{}); err == nil {
		t.Error("there is a storage on tape")
	}
}

// What fails at the server has a kind that says what to do, and tells nothing of where, what and by whom.
func TestFailuresTellNoSecrets(t *testing.T) {
	t.Parallel()
	const text = `<?xml version="1.0"?><Error><Code>%CODE%</Code><Message>canary</Message><Key>canary</Key><Endpoint>canary.example.com</Endpoint></Error>`
	coded := func(code string) string { return strings.Replace(text, "%CODE%", code, 1) }
	for name, c := range map[string]struct {
		status int
		body   string
		want   errs.Kind
		says   string
	}{
		"no file": {404, coded("NoSuchKey"), errs.NotFound, "NoSuchKey"}, "no bucket": {404, coded("NoSuchBucket"), errs.External, "NoSuchBucket"},
		"a wrong key pair": {403, coded("InvalidAccessKeyId"), errs.External, "InvalidAccessKeyId"}, "another region": {301, coded("PermanentRedirect"), errs.External, "PermanentRedirect"},
		"a bad request": {400, coded("BadDigest"), errs.External, "BadDigest"}, "too much": {503, coded("SlowDown"), errs.Unavailable, "SlowDown"},
		"too many": {429, coded("TooManyRequests"), errs.Unavailable, ""}, "its own trouble": {500, coded("InternalError"), errs.External, "InternalError"},
		"a proxy's": {502, "<html>canary</html>", errs.External, ""}, "a slow one's": {504, "canary", errs.Timeout, ""},
		"a code that says more": {400, coded("see canary.example.com for more"), errs.External, ""}, "no XML": {400, "canary \x00", errs.External, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			endpoint, requests := server(t, says(c.status, c.body))
			s := storeAt(endpoint)
			calls := everyCall(t.Context(), s)
			if c.status == 404 {
				delete(calls, "Delete") // of none, which is no error
				delete(calls, "Stat")   // is answered without a body
			}
			for call, do := range calls {
				before := len(requests())
				err := do()
				if !errs.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), endpoint[7:]) {
					if call != "Stat" || !errs.Is(err, c.want) { // a HEAD has no body that says more
						t.Errorf("%s: %v", call, err)
					}
				}
				if made := len(requests()) - before; made > attempts || c.status < 429 && made > 1 {
					t.Errorf("%s is tried %d times", call, made)
				}
			}
		})
	}
}

func everyCall(ctx context.Context, s Store) map[string]func() error {
	return map[string]func() error{
		"Put":  func() error { return s.Put(ctx, "canary", strings.NewReader("canary"), 6, text) },
		"once": func() error { return s.Put(ctx, "canary", onlyReader(strings.NewReader("canary")), 6, text) },
		"Get": func() error {
			file, err := s.Get(ctx, "canary", 0, Whole)
			if err != nil {
				return err
			}
			defer file.Close()
			_, err = io.Copy(io.Discard, file)
			return err
		},
		"Stat": func() error { _, err := s.Stat(ctx, "canary"); return err },
		"List": func() error {
			for _, err := range s.List(ctx, "") {
				return err
			}
			return nil
		},
		"Copy":   func() error { return s.Copy(ctx, "canary", "other") },
		"Delete": func() error { return s.Delete(ctx, "canary") },
	}
}

// What can be tried again is, and what can't isn't.
func TestWhatIsTriedAgain(t *testing.T) {
	t.Parallel()
	endpoint, requests := server(t, says(500, ""), says(503, ""), says(200, ""))
	if err := storeAt(endpoint).Put(t.Context(), "a", strings.NewReader("12345"), 5, text); err != nil {
		t.Error(err)
	}
	for i, r := range requests() {
		if r.read != 5 || r.err != nil {
			t.Errorf("of attempt %d came %d bytes, %v", i, r.read, r.err)
		}
	}
	if got := len(requests()); got != attempts {
		t.Errorf("%d attempts", got)
	}
	endpoint, requests = server(t, says(500, ""), says(200, ""))
	if err := storeAt(endpoint).Put(t.Context(), "a", onlyReader(strings.NewReader("12345")), 5, text); !errs.Is(err, errs.External) || len(requests()) != 1 {
		t.Errorf("what can't be read again was tried %d times: %v", len(requests()), err)
	}
	endpoint, requests = server(t, says(500, ""))
	began := time.Now()
	if _, err := storeAt(endpoint).Stat(t.Context(), "a"); !errs.Is(err, errs.External) || len(requests()) != attempts || time.Since(began) > 10*time.Second {
		t.Errorf("%d attempts in %s: %v", len(requests()), time.Since(began), err)
	}
}

// A server that keeps to HTTP can't take what came of a body for the whole of it: the connection ends before as much has come
// as was announced (RFC 9112, section 6.3).
func TestABodyThatBreaksOffIsNotTakenForWhole(t *testing.T) {
	t.Parallel()
	const size = 3 << 20
	broken := errors.New("it broke off")
	for name, c := range map[string]struct {
		body func(leave func()) io.Reader
		want func(error) bool
	}{
		"short": {func(func()) io.Reader { return strings.NewReader(strings.Repeat("x", size-1)) }, func(err error) bool { return errors.Is(err, errLength) }},
		"long":  {func(func()) io.Reader { return strings.NewReader(strings.Repeat("x", size+1)) }, func(err error) bool { return errors.Is(err, errLength) }},
		"broken": {func(func()) io.Reader {
			return io.MultiReader(strings.NewReader(strings.Repeat("x", size)), failing{broken})
		},
			func(err error) bool { return errors.Is(err, broken) }},
		"left": {func(leave func()) io.Reader {
			return io.MultiReader(strings.NewReader(strings.Repeat("x", size/2)), doing{leave}, strings.NewReader(strings.Repeat("x", size/2)))
		}, func(err error) bool { return errs.Is(err, errs.Unavailable) }},
	} {
		endpoint, requests := server(t, says(200, ""))
		ctx, leave := context.WithCancel(t.Context())
		err := storeAt(endpoint).Put(ctx, "a", onlyReader(c.body(leave)), size, text)
		leave()
		if !c.want(err) {
			t.Errorf("%s: %v", name, err)
		}
		await(t, "the server to see it", func() bool { return len(requests()) > 0 || ctx.Err() != nil })
		for _, r := range requests() {
			if r.ContentLength != size || r.read >= size || r.err == nil {
				t.Errorf("%s: of %d bytes came %d, %v", name, r.ContentLength, r.read, r.err)
			}
		}
	}
}

// A file that breaks off on its way isn't taken for the whole of it.
func TestAnAnswerThatBreaksOffIsAnError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after func(*http.Request)
		want  errs.Kind
	}{
		"cut off": {func(*http.Request) { panic(http.ErrAbortHandler) }, errs.Unavailable},
		"stalled": {func(r *http.Request) { <-r.Context().Done() }, errs.Timeout},
	} {
		endpoint, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			c.after(r)
		})
		got, err := get(t, storeAt(endpoint), "a", 0, Whole)
		if got != "half" || !errs.Is(err, c.want) || strings.Contains(err.Error(), endpoint[7:]) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// Whoever can't be reached, or says nothing, is given up in time, and nothing is told of where that was.
func TestAServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	silent := testkit.Silence(t, "127.0.0.1:0")
	for name, c := range map[string]struct {
		endpoint string
		want     errs.Kind
	}{
		"nobody": {"http://127.0.0.1:1", errs.Unavailable}, "silence": {"http://" + silent, errs.Timeout},
		"no TLS": {"https://" + silent, errs.Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var running sync.WaitGroup
			for call, do := range everyCall(t.Context(), storeAt(c.endpoint)) {
				running.Go(func() {
					began := time.Now()
					err := do()
					if !errs.Is(err, c.want) || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "127.0.0.1") || time.Since(began) > 15*time.Second {
						t.Errorf("%s: %v after %s", call, err, time.Since(began))
					}
				})
			}
			running.Wait()
		})
	}
}

func TestAnErrorOfTheNetworkNamesNobody(t *testing.T) {
	for _, cause := range []error{
		&net.DNSError{Name: "canary.example.com", Server: "canary"}, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED, Addr: &net.UnixAddr{Name: "canary"}},
		&url.Error{Op: "Put", URL: "http://canary", Err: io.EOF}, &url.Error{Op: "Put", URL: "http://canary", Err: errors.New("canary")},
	} {
		if err := unanswered(cause); !errs.Is(err, errs.Unavailable) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%v", err)
		}
	}
}

// A server that dies while it is sent a file is an error at once, has nothing of it when it is back, and then all is well.
func TestAServerThatDies(t *testing.T) {
	t.Parallel()
	running := testkit.S3(t)
	s := NewS3(optionsOf(running), clock.System{})
	put(t, s, "old", "old")
	const size = 64 << 20
	half := strings.Repeat("x", size/2)
	for _, key := range []string{"new", "old"} {
		var killed atomic.Int64
		die := doing{func() {
			running.Kill()
			killed.Store(time.Now().UnixNano())
		}}
		err := s.Put(t.Context(), key, io.MultiReader(strings.NewReader(half), die, strings.NewReader(half)), size, text)
		if took := time.Since(time.Unix(0, killed.Load())); !errs.Is(err, errs.Unavailable) || took > 10*time.Second {
			t.Errorf("%s: %v after %s", key, err, took)
		}
		if err := running.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantFile(t, s, "old", "old")
		wantNone(t, s, "new")
		if got := keys(t, s, ""); len(got) != 1 {
			t.Errorf("there are %q", got)
		}
	}
	put(t, s, "new", "new")
	wantFile(t, s, "new", "new")
}

// A network on which nothing moves any more is given up, while a file is sent and while one is fetched.
func TestANetworkThatStalls(t *testing.T) {
	t.Parallel()
	running := testkit.S3(t)
	network := testkit.NewNetwork(t, running.Endpoint)
	options := optionsOf(running)
	options.Endpoint, options.Idle = network.URL, time.Second
	s := NewS3(options, clock.System{})
	const size = 64 << 20
	half := strings.Repeat("x", size/2)
	stall := doing{func() {
		if err := network.Turn(testkit.Weather{Stalled: true}); err != nil {
			t.Error(err)
		}
	}}
	if err := s.Put(t.Context(), "a", io.MultiReader(strings.NewReader(half), stall, strings.NewReader(half)), size, text); !errs.Is(err, errs.Timeout) {
		t.Errorf("a Put: %v", err)
	}
	if err := network.Turn(testkit.Weather{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "b", strings.NewReader(half), size/2, text); err != nil {
		t.Fatal(err)
	}
	file, err := s.Get(t.Context(), "b", 0, Whole)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := io.ReadFull(file, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	stall.do()
	if _, err := io.Copy(io.Discard, file); !errs.Is(err, errs.Timeout) {
		t.Errorf("a Get: %v", err)
	}
}
