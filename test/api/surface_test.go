package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/platform/webhook/webhooktest"
	"github.com/omnistack/omnistack/test/apptest"
)

// surface is a product and all that it serves, by the path.
type surface struct {
	app   *apptest.App
	whole *testkit.API        // as a superadmin: nothing is refused for who asks
	paths []string            // with ids that nothing has
	serve map[string][]string // by the path, the methods it is served with
}

func newSurface(t *testing.T) *surface {
	t.Helper()
	app := apptest.Start(t, database.SQLite, "RATE_LIMIT_ENABLED=false", `BACKEND_CORS_ORIGINS=["https://app.example.com"]`, "BODY_LIMIT=4KiB",
		"RESEND_WEBHOOK_SECRET="+webhooktest.Secret)
	s := &surface{app: app, whole: app.As(app.Token(t, auth.DevClaims{Subject: "root", Role: "superadmin"})), serve: map[string][]string{}}
	for _, route := range app.Routes {
		if path := filled(route.Full); !slices.Contains(s.serve[path], route.Method) {
			s.serve[path] = append(s.serve[path], route.Method)
		}
	}
	for path := range s.serve {
		if strings.Contains(path, "*") { // a tool, which speaks for itself
			continue
		}
		s.paths = append(s.paths, path)
	}
	slices.Sort(s.paths)
	return s
}

// filled returns the path with something in the place of each parameter.
func filled(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if strings.HasPrefix(segment, "{") {
			segments[i] = "1"
		}
	}
	return strings.Join(segments, "/")
}

// common are headers of every answer, and headers that none has.
var common = map[string]string{
	"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "X-XSS-Protection": "0",
	"Referrer-Policy":            "strict-origin-when-cross-origin",
	"Permissions-Policy":         "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
	"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store", "Vary": "Origin",
	"Strict-Transport-Security": "", "Server": "", "X-Powered-By": "", "Set-Cookie": "",
}

// Whatever is asked for, and however it is refused, the answer has the headers that keep browsers from harm, lets exactly the
// pages of the configured origins read it, and can be named.
func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	s := newSurface(t)
	large := testkit.Body(`{"a": "` + strings.Repeat("x", 5000) + `"}`)
	plain := []testkit.Part{testkit.Body("a"), testkit.Header("Content-Type", "text/plain")}
	seen := map[int]int{}
	for _, path := range append(s.paths, "/nowhere", "/api/v1/app/nothing") {
		for _, api := range []*testkit.API{s.app.API, s.app.As("no.good.token"), s.whole} {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"} {
				for origin, allowed := range map[string]bool{"": false, "https://app.example.com": true, "https://evil.example.com": false, "null": false} {
					from := testkit.Header("Origin", origin)
					answers := []*testkit.Response{api.Do(t, method, path, from)}
					if origin == "https://app.example.com" {
						answers = append(answers, api.Do(t, method, path, from, large), api.Do(t, method, path, append(plain, from)...),
							api.Do(t, method, path+"?x=1&x=2", from, testkit.Body(`{`)))
					}
					for _, answer := range answers {
						seen[answer.Status]++
						s.check(t, answer, fmt.Sprintf("%s %s from %q", method, path, origin), origin, allowed && method != "TRACE")
					}
				}
			}
		}
	}
	t.Logf("answers by status: %v", seen)
	for _, status := range []int{200, 400, 401, 404, 405, 413, 415, 422} {
		if seen[status] == 0 {
			t.Errorf("none was answered %d", status)
		}
	}
}

func (s *surface) check(t *testing.T, answer *testkit.Response, asked, origin string, allowed bool) {
	t.Helper()
	for name, want := range common {
		if got := answer.Header.Get(name); got != want {
			t.Errorf("%s is answered %d with %s %q, want %q", asked, answer.Status, name, got, want)
		}
	}
	if policy := answer.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") ||
		!strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") && !strings.Contains(asked, "/dev/mail") {
		t.Errorf("%s is answered with the policy %q", asked, policy)
	}
	if answer.Header.Get("X-Request-ID") == "" {
		t.Errorf("%s is answered without its id", asked)
	}
	may, credentials := "", ""
	if allowed {
		may, credentials = origin, "true"
	}
	if got := answer.Header.Get("Access-Control-Allow-Origin"); got != may || answer.Header.Get("Access-Control-Allow-Credentials") != credentials {
		t.Errorf("%s is answered with %q in Access-Control-Allow-Origin, want %q", asked, got, may)
	}
	for _, name := range []string{"ETag", "Location", "Retry-After", "X-Request-ID", "WWW-Authenticate"} {
		exposed := strings.Contains(strings.ToLower(answer.Header.Get("Access-Control-Expose-Headers")), strings.ToLower(name))
		if exposed != allowed {
			t.Errorf("%s: a page can read the header %s: %t", asked, name, exposed)
		}
	}
	if answer.Status >= 400 && !strings.HasPrefix(asked, "HEAD ") && !strings.Contains(asked, "/health/ready") {
		answer.WantError(answer.Status, answer.Text("error.code"))
	}
}

// A browser's question before a request is answered without a token, on every path, and reaches no handler.
func TestAPreflightIsAnsweredEverywhere(t *testing.T) {
	t.Parallel()
	s := newSurface(t)
	for _, path := range append(s.paths, "/nowhere") {
		for origin, allowed := range map[string]string{"https://app.example.com": "https://app.example.com", "https://evil.example.com": "", "null": ""} {
			s.app.Do(t, "OPTIONS", path, testkit.Header("Origin", origin), testkit.Header("Access-Control-Request-Method", "POST")).
				Want(204).WantHeader("Access-Control-Allow-Origin", allowed).WantHeader("Cache-Control", "no-store")
		}
	}
}

// Each path takes the methods it is served with, HEAD where there is GET, and says so for any other.
func TestEveryPathIsStrictAboutMethods(t *testing.T) {
	t.Parallel()
	s := newSurface(t)
	for _, path := range s.paths {
		allowed := slices.Clone(s.serve[path])
		if slices.Contains(allowed, "GET") {
			allowed = append(allowed, "HEAD")
		}
		slices.Sort(allowed)
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "BREW", "get"} {
			if slices.Contains(allowed, method) {
				continue
			}
			for _, api := range []*testkit.API{s.app.API, s.whole} {
				answer := api.Do(t, method, path, testkit.Header("X-HTTP-Method-Override", allowed[0])).Want(405)
				if method != "HEAD" {
					answer.WantError(405, "METHOD_NOT_ALLOWED")
				}
				told := strings.Split(answer.Header.Get("Allow"), ", ")
				slices.Sort(told)
				if !slices.Equal(told, allowed) {
					t.Errorf("%s %s is answered with Allow %q, want %q", method, path, told, allowed)
				}
			}
		}
	}
}

// Each operation takes bodies of the types that the document says, uncompressed, and refuses any other before it looks at it.
func TestEveryOperationIsStrictAboutBodies(t *testing.T) {
	t.Parallel()
	s := newSurface(t)
	documented := s.app.Do(t, "GET", "/openapi.json").Want(200)
	checked := 0
	for _, route := range s.app.Routes {
		paths := documented.JSON("paths").(map[string]any)
		operations, _ := paths[route.Full].(map[string]any)
		operation, _ := operations[strings.ToLower(route.Method)].(map[string]any)
		takes, _ := operation["requestBody"].(map[string]any)
		if takes == nil {
			if operation == nil && route.Method != http.MethodGet && !route.Hidden {
				t.Errorf("%s %s isn't documented", route.Method, route.Full)
			}
			continue
		}
		checked++
		media := takes["content"].(map[string]any)
		for _, kind := range []string{
			"text/plain", "text/html", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
			"application/json-patch+json", "application/octet-stream", "application/json; charset=utf-16",
		} {
			if name, _, _ := strings.Cut(kind, ";"); media[kind] == nil && (media[name] == nil || name == "application/json") {
				answer := s.whole.Do(t, route.Method, filled(route.Full), testkit.Body(`{}`), testkit.Header("Content-Type", kind))
				answer.WantError(415, "UNSUPPORTED_MEDIA_TYPE")
			}
		}
		for kind := range media {
			for _, coding := range []string{"gzip", "br", "deflate", "identity, gzip"} {
				s.whole.Do(t, route.Method, filled(route.Full), testkit.Body("\x1f\x8b"), testkit.Header("Content-Type", kind),
					testkit.Header("Content-Encoding", coding)).WantError(415, "UNSUPPORTED_MEDIA_TYPE")
			}
		}
	}
	if checked < 8 {
		t.Errorf("only %d operations take a body", checked)
	}
}
