package upstream_test

import (
	"context"
	"errors"
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

// A library's client keeps to the same bounds as ours.
func TestWhatALibraryMayDo(t *testing.T) {
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/hang":
			<-hang
		case "/endless":
			chunk := make([]byte, 1<<20)
			for range 9 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(hang) }) // before the server waits for its handlers

	client := upstream.HTTP(20 * time.Second)
	get := func(client *http.Client, path string) (status, read int, err error) {
		answer, err := client.Get(server.URL + path)
		if err != nil {
			return 0, 0, err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		return answer.StatusCode, len(body), err
	}
	if status, _, err := get(client, "/away"); status != http.StatusFound || err != nil {
		t.Errorf("a redirect: %d, %v", status, err)
	}
	if _, read, err := get(client, "/endless"); read != 8<<20 || err != nil {
		t.Errorf("of nine MiB %d bytes were read, %v", read, err)
	}
	if _, _, err := get(upstream.HTTP(50*time.Millisecond), "/hang"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("what takes too long: %v", err)
	}
}
