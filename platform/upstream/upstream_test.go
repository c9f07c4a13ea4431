package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/platform/upstream"
)

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func TestPost(t *testing.T) {
	given := http.Header{"Authorization": {"Bearer key"}}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != "POST" || string(body) != "{}" || r.Header.Get("Authorization") != "Bearer key" ||
			r.Header.Get("Content-Type") != "application/json" || r.UserAgent() == "" {
			t.Errorf("%s %s %v", r.Method, body, r.Header)
		}
		w.Header().Set("X-Id", "7")
		w.WriteHeader(202)
		_, _ = io.WriteString(w, "fine")
	})
	answer, err := upstream.New("it", 10*time.Second).Post(t.Context(), url, given, []byte("{}"))
	if err != nil || answer.Status != 202 || answer.Header.Get("X-Id") != "7" || string(answer.Body) != "fine" || !answer.OK() {
		t.Errorf("%+v, %v", answer, err)
	}
	if len(given) != 1 {
		t.Errorf("the caller's header was changed: %v", given)
	}
}

func TestGet(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodGet || len(body) > 0 || r.Header.Get("Authorization") != "Bearer key" ||
			r.Header.Get("Content-Type") != "" || r.Header.Get("Accept") != "application/json" {
			t.Errorf("%s %q %v", r.Method, body, r.Header)
		}
		w.WriteHeader(404)
		_, _ = io.WriteString(w, "none")
	})
	client := upstream.New("it", 10*time.Second)
	answer, err := client.Get(t.Context(), url, http.Header{"Authorization": {"Bearer key"}})
	if err != nil || answer.Status != 404 || string(answer.Body) != "none" || answer.OK() {
		t.Errorf("%+v, %v", answer, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Get(ctx, url, nil); !errs.Is(err, errs.Unavailable) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") })
	for _, status := range []int{301, 302, 303, 307, 308} {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, status) })
		answer, err := upstream.New("it", 10*time.Second).Post(t.Context(), url, nil, nil)
		if err != nil || answer.Status != status || answer.OK() {
			t.Errorf("%+v, %v", answer, err)
		}
	}
}

// The status has said what happened: an endless or broken body doesn't make a failure of it.
func TestBodiesAreBounded(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			for range 4096 {
				if _, err := io.WriteString(w, strings.Repeat("x", 1024)); err != nil {
					return
				}
			}
		},
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		answer, err := upstream.New("it", 10*time.Second).Post(t.Context(), serve(t, handler), nil, nil)
		if err != nil || !answer.OK() || len(answer.Body) > 64<<10 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoAnswer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	silent := "http://" + testkit.Silence(t, "127.0.0.1:0")
	reached := make(chan struct{}, 1)
	waiting := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server doesn't see the client leave
		reached <- struct{}{}
		<-r.Context().Done()
	})
	leaving, leave := context.WithCancel(t.Context())
	go func() {
		<-reached
		leave()
	}()
	gone, cancel := context.WithCancel(t.Context())
	cancel()

	for name, test := range map[string]struct {
		ctx     context.Context // nil for one that soon ends
		url     string
		timeout time.Duration
		want    errs.Kind
		done    bool // or not: nobody knows
	}{
		"nobody there":          {t.Context(), nobody, 10 * time.Second, errs.Unavailable, false},
		"our timeout":           {t.Context(), silent, 500 * time.Millisecond, errs.Timeout, true},
		"the caller's deadline": {nil, silent, 10 * time.Second, errs.Timeout, true},
		"cancelled before":      {gone, silent, 10 * time.Second, errs.Unavailable, false},
		"cancelled meanwhile":   {leaving, waiting, 10 * time.Second, errs.Unavailable, true},
		"no TLS":                {t.Context(), "https" + strings.TrimPrefix(waiting, "http"), 10 * time.Second, errs.Unavailable, false},
		"an endless header":     {t.Context(), serve(t, endlessHeader), 10 * time.Second, errs.Unavailable, true},
	} {
		if test.ctx == nil {
			late, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			test.ctx = late
		}
		_, err := upstream.New("it", test.timeout).Post(test.ctx, test.url, http.Header{"Authorization": {"canary"}}, []byte("canary"))
		if !errs.Is(err, test.want) || strings.Contains(err.Error(), "canary") || errs.From(err).Details["service"] != "it" {
			t.Errorf("%s: %v, want %s", name, err, test.want.Code())
		}
		if errors.Is(err, errs.ErrUnanswered) != test.done {
			t.Errorf("%s: it may have been done: %t, %v", name, !test.done, err)
		}
	}
	// Whether the request had left by then is chance.
	_, err = upstream.New("it", 10*time.Second).Post(t.Context(), garbage(t), nil, []byte("canary"))
	if !errs.Is(err, errs.Unavailable) || strings.Contains(err.Error(), "canary") {
		t.Errorf("an answer in no HTTP: %v", err)
	}
}

func endlessHeader(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-Long", strings.Repeat("x", 128<<10))
}

// garbage is the address of a server that says something else than HTTP.
func garbage(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "220 canary\r\n\r\n")
		_ = conn.Close()
	}()
	return "http://" + listener.Addr().String()
}

func TestFailedTellsWhetherToTryAgain(t *testing.T) {
	client := upstream.New("it", time.Second)
	for status, want := range map[int]errs.Kind{
		400: errs.Invalid, 413: errs.Invalid, 422: errs.Invalid, 401: errs.External, 403: errs.External, 404: errs.External,
		408: errs.Timeout, 409: errs.External, 429: errs.RateLimited, 500: errs.External, 502: errs.External,
		503: errs.Unavailable, 504: errs.Timeout, 301: errs.External,
	} {
		err := client.Failed(&upstream.Answer{Status: status}, "a_name")
		if err.Kind != want || !strings.HasSuffix(err.Error(), "a_name") || strings.Contains(err.Message, "a_name") {
			t.Errorf("%d: %v", status, err)
		}
		if errors.Is(err, errs.ErrUnanswered) != (status == 504) {
			t.Errorf("%d: it may have been done, or not: %v", status, err)
		}
	}
	for _, reason := range []string{"", "a sentence", "canary@example.org", strings.Repeat("x", 65), "line\nbreak", "ü"} {
		if err := client.Failed(&upstream.Answer{Status: 500}, reason); !strings.HasSuffix(err.Error(), "it answered 500") {
			t.Errorf("%q is repeated: %v", reason, err)
		}
	}
}

// A library's calls keep to the same bounds.
func TestWhatALibraryMayDo(t *testing.T) {
	get := func(url string, timeout time.Duration) (status, read int, err error) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := upstream.HTTP(timeout).Do(request)
		if err != nil {
			return 0, 0, err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		return answer.StatusCode, len(body), err
	}

	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") })
	away := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, http.StatusFound) })
	if status, _, err := get(away, 10*time.Second); status != http.StatusFound || err != nil {
		t.Errorf("a redirect: %d, %v", status, err)
	}
	if _, _, err := get(serve(t, endlessHeader), 10*time.Second); err == nil {
		t.Error("an endless header is read")
	}

	sized := func(size int) string {
		return serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", size)) })
	}
	if _, read, err := get(sized(4<<20), 10*time.Second); read != 4<<20 || err != nil {
		t.Errorf("of 4 MiB it reads %d bytes: %v", read, err)
	}
	_, read, err := get(sized(4<<20+1), 10*time.Second)
	if _, isLong := errors.AsType[*http.MaxBytesError](err); read != 4<<20 || !isLong {
		t.Errorf("of more than 4 MiB it reads %d bytes: %v", read, err)
	}

	half := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	silent := "http://" + testkit.Silence(t, "127.0.0.1:0")
	for name, url := range map[string]string{"no answer": silent, "half an answer": half} {
		_, _, err := get(url, 500*time.Millisecond)
		if late, _ := upstream.Cause(err); !late {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCausesTellNoSecrets(t *testing.T) {
	var timeout net.Error = &net.DNSError{IsTimeout: true}
	for name, test := range map[string]struct {
		err  error
		said string // in the cause
		late bool
	}{
		"a deadline":            {fmt.Errorf("get: %w", context.DeadlineExceeded), "deadline exceeded", true},
		"a slow resolver":       {timeout, "lookup", true},
		"a reset connection":    {&net.OpError{Op: "read", Err: errors.New("reset")}, "reset", false},
		"a closed connection":   {io.EOF, "EOF", false},
		"half an answer":        {io.ErrUnexpectedEOF, "unexpected EOF", false},
		"a caller that left":    {context.Canceled, "canceled", false},
		"too long an answer":    {&http.MaxBytesError{Limit: 1}, "too long", false},
		"an answer that's junk": {errors.New("malformed HTTP response canary"), "can't be read", false},
	} {
		late, cause := upstream.Cause(test.err)
		if late != test.late || !strings.Contains(cause.Error(), test.said) || strings.Contains(cause.Error(), "canary") {
			t.Errorf("%s: %v, late: %t", name, cause, late)
		}
	}
}

// TestStream proves that an answer is there bit by bit, for as long as whoever asked wants it, and is no other server's.
func TestStream(t *testing.T) {
	left := make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/", http.StatusTemporaryRedirect)
			return
		}
		defer close(left)
		_, _ = io.WriteString(w, "first")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	send := upstream.Stream(nil)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	ask := func(path string) *http.Response {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := send(request)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = answer.Body.Close() })
		return answer
	}
	if answer := ask("/away"); answer.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("a redirect was followed to %d", answer.StatusCode)
	}
	answer := ask("/")
	first := make([]byte, 5)
	if _, err := io.ReadFull(answer.Body, first); err != nil || string(first) != "first" {
		t.Errorf("%q, %v", first, err)
	}
	leave()
	if _, err := answer.Body.Read(first); !errors.Is(err, context.Canceled) {
		t.Errorf("whoever left reads on: %v", err)
	}
	<-left
}

// What moves may take longer than what doesn't, in either direction, and nothing waits for ever.
func TestFilesMayTakeTheirTimeWhileTheyMove(t *testing.T) {
	const idle = 400 * time.Millisecond
	client := upstream.Files(idle)
	send := func(url string, body io.Reader) (*http.Response, error) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, body)
		if err != nil {
			t.Fatal(err)
		}
		return client.Do(request)
	}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/", http.StatusTemporaryRedirect)
			return
		}
		read, err := io.Copy(io.Discard, r.Body)
		if err != nil || read != 6 {
			t.Errorf("the server reads %d bytes, %v", read, err)
		}
		_ = slowly(6, idle/2, func() error {
			_, err := io.WriteString(w, "x")
			return errors.Join(err, http.NewResponseController(w).Flush())
		})
	})
	began := time.Now()
	body, sending := io.Pipe()
	go func() {
		err := slowly(6, idle/2, func() error {
			_, err := io.WriteString(sending, "x")
			return err
		})
		sending.CloseWithError(err)
	}()
	answer, err := send(url, body)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if read, err := io.Copy(io.Discard, answer.Body); read != 6 || err != nil || time.Since(began) < 2*idle {
		t.Errorf("of 6 bytes came %d, %v, in %s", read, err, time.Since(began))
	}
	away, err := send(url+"/away", nil)
	if err != nil || away.StatusCode != http.StatusTemporaryRedirect {
		t.Fatalf("a redirect: %v", err)
	}
	away.Body.Close()

	half := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	silent := "http://" + testkit.Silence(t, "127.0.0.1:0")
	for name, c := range map[string]struct {
		url  string
		body io.Reader
	}{
		"no answer": {silent, nil}, "a body that isn't taken": {silent, io.LimitReader(endless{}, 64<<20)},
		"half an answer": {half, nil},
	} {
		began := time.Now()
		answer, err := send(c.url, c.body)
		if err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		if late, _ := upstream.Cause(err); !late || time.Since(began) > 20*idle {
			t.Errorf("%s: %v after %s", name, err, time.Since(began))
		}
	}
}

// slowly does something a few times, with a pause before each.
func slowly(times int, pause time.Duration, do func() error) error {
	for range times {
		<-time.After(pause)
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
