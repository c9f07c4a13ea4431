package testkit

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

// failures stands in for the test that an assertion ends.
type failures struct {
	testing.TB
	text string
}

func (f *failures) Helper() {}

func (f *failures) Fatalf(format string, args ...any) {
	f.text = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (f *failures) Skip(args ...any) {
	f.text = "skipped: " + fmt.Sprint(args...)
	runtime.Goexit()
}

// outcome returns how the check ended the test it was given, "" if it passed.
func outcome(t *testing.T, check func(t testing.TB)) string {
	f := &failures{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		check(f)
	}()
	<-done
	return f.text
}

func TestAPISendsWhatItIsTold(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s|%s|%s|%s|%s|%d", r.Method, r.URL, r.Header.Get("Authorization"), r.Header.Get("Content-Type"),
			r.Header.Get("If-Match"), body, r.ContentLength)
	}))
	defer server.Close()
	nobody := NewAPI(t, server.URL+"/")
	ada := nobody.As("token")

	for _, test := range []struct {
		got  *Response
		want string
	}{
		{nobody.Do(t, "GET", "/a?b=c"), "GET /a?b=c|||||0"},
		{ada.Do(t, "GET", "/a"), "GET /a|Bearer token||||0"},
		{ada.Do(t, "POST", "/a", Body(`{}`), Header("If-Match", `"1"`)), `POST /a|Bearer token|application/json|"1"|{}|2`},
		{ada.Do(t, "POST", "/a", Header("Content-Type", "text/plain"), Body("x")), "POST /a|Bearer token|text/plain||x|1"},
		{ada.Do(t, "POST", "/a", Body("x"), Header("Content-Type", "")), "POST /a|Bearer token|||x|1"},
	} {
		if string(test.got.Body) != test.want {
			t.Errorf("the server saw %s, want %s", test.got.Body, test.want)
		}
	}
}

const list = `{"items":[{"id":"p1","size":3}],"total":1,"next_cursor":null}`

func TestResponseChecks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		body  string
		check func(*Response)
		fails string // a part of the failure; "" means that the check passes
	}{
		{"status", list, func(r *Response) { r.Want(200) }, ""},
		{"wrong status", list, func(r *Response) { r.Want(404) }, "want status 404\nGET /x\n200\n" + list},
		{"header", list, func(r *Response) { r.WantHeader("X-Request-ID", "r1").WantHeader("ETag", "") }, ""},
		{"wrong header", list, func(r *Response) { r.WantHeader("ETag", `"1"`) }, `header ETag is "", want "\"1\""`},
		{"text", list, func(r *Response) { r.WantJSON("items.0.id", "p1") }, ""},
		{"number", list, func(r *Response) { r.WantJSON("items.0.size", 3) }, ""},
		{"null", list, func(r *Response) { r.WantJSON("next_cursor", nil) }, ""},
		{"object", list, func(r *Response) { r.WantJSON("items", []map[string]any{{"id": "p1", "size": 3}}) }, ""},
		{"wrong value", list, func(r *Response) { r.WantJSON("total", 2) }, `"total" is 1, want 2`},
		{"missing value", list, func(r *Response) { r.JSON("items.1.id") }, `there is no "items.1.id"`},
		{"not a text", list, func(r *Response) { _ = r.Text("total") }, `"total" is 1, want a string`},
		{"not JSON", "<html>", func(r *Response) { r.JSON("total") }, "the body isn't JSON"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(answer(200, test.body))
			defer server.Close()
			got := outcome(t, func(tb testing.TB) { test.check(NewAPI(t, server.URL).Do(tb, "GET", "/x")) })
			if (test.fails == "") != (got == "") || !strings.Contains(got, test.fails) {
				t.Errorf("it failed with %q, want %q", got, test.fails)
			}
		})
	}
}

func TestWantError(t *testing.T) {
	t.Parallel()
	for body, fails := range map[string]string{
		`{"error":{"code":"NOT_FOUND","message":"No","details":{"id":"1"},"request_id":"r1"}}`:        "",
		`{"error":{"code":"CONFLICT","message":"No","details":{},"request_id":"r1"}}`:                 "want code NOT_FOUND",
		`{"error":{"code":"NOT_FOUND","message":"No","details":{},"request_id":"r2"}}`:                "request id",
		`{"error":{"code":"NOT_FOUND","message":"","details":{},"request_id":"r1"}}`:                  "no message",
		`{"error":{"code":"NOT_FOUND","message":"No","details":null,"request_id":"r1"}}`:              `want {"error"`,
		`{"error":{"code":"NOT_FOUND","message":"No","request_id":"r1"}}`:                             `want {"error"`,
		`{"error":{"code":"NOT_FOUND","message":"No","details":{},"request_id":"r1"},"status":404}`:   "wrong form",
		`{"error":{"code":"NOT_FOUND","message":"No","details":{},"request_id":"r1","stack":"main"}}`: "wrong form",
		`{"error":{"code":"NOT_FOUND","message":"No","details":"none","request_id":"r1"}}`:            "wrong form",
		`{"title":"Not Found","status":404}`:                                                          "wrong form",
		`404 page not found`:                                                                          "wrong form",
	} {
		t.Run(body, func(t *testing.T) {
			server := httptest.NewServer(answer(404, body))
			defer server.Close()
			got := outcome(t, func(tb testing.TB) {
				NewAPI(t, server.URL).Do(tb, "GET", "/x").WantError(404, "NOT_FOUND")
			})
			if (fails == "") != (got == "") || !strings.Contains(got, fails) {
				t.Errorf("it failed with %q, want %q", got, fails)
			}
		})
	}
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("X-Request-ID", "r1")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestSkippingFailsInCI(t *testing.T) {
	for ci, want := range map[string]string{"": "skipped: no camera", "true": "this test may not be skipped when CI=true: no camera"} {
		t.Setenv("CI", ci)
		if got := outcome(t, func(tb testing.TB) { SkipOrFail(tb, "no camera") }); got != want {
			t.Errorf("with CI=%q: %q, want %q", ci, got, want)
		}
	}
}

func TestQuickRunSkipsOnlyWhatNeedsServers(t *testing.T) {
	t.Setenv("CI", "")
	t.Setenv("TESTKIT_QUICK", "1")
	for name, use := range map[string]func(testing.TB){
		"Postgres":          func(t testing.TB) { Postgres(t) },
		"Redis":             func(t testing.TB) { Redis(t) },
		"NewPostgresServer": func(t testing.TB) { NewPostgresServer(t) },
		"NewRedisServer":    func(t testing.TB) { NewRedisServer(t) },
	} {
		if got := outcome(t, use); got != "skipped: a quick run has no servers" {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := outcome(t, func(tb testing.TB) { SQLite(tb) }); got != "" {
		t.Errorf("SQLite: %q", got)
	}
}
