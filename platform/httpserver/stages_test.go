package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/testkit"
)

// The chain that a request really runs through, by the names of its functions.
func TestTheStagesRunInTheirOrder(t *testing.T) {
	f := newFixture(t, nil)
	var chain []string
	f.server.raw(Route{Method: http.MethodGet, Path: "/chain"}, func(c *gin.Context) {
		for _, name := range c.HandlerNames() {
			chain = append(chain, strings.TrimSuffix(path.Ext(name), "-fm"))
		}
	})
	f.server.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/chain", nil))
	want := []string{".trace", ".identify", ".accessLog", ".recover", ".securityHeaders", ".cors", ".requireTLS",
		".limitAddress", ".limitBody", ".setDeadline", ".authenticate", ".limitCaller", ".authorize"}
	if len(chain) != len(want)+1 || !reflect.DeepEqual(chain[:len(want)], want) {
		t.Errorf("the stages are %v, want %v", chain, want)
	}
}

// What the order is for. Each case is one request that two stages could both answer, or that one would hide from the
// other.
func TestWhatTheOrderOfTheStagesGives(t *testing.T) {
	const origin = "https://app.example.com"
	f := start(t, func(r *Router) {
		Query(r, Route{Method: http.MethodGet, Path: "/panic", Guard: Public}, func(context.Context, *struct{}) (*Empty, error) { panic("now") })
	}, func(o *Options) { o.HTTP.CORSOrigins = []string{origin}; o.HTTP.RequestTimeout = 50 * time.Millisecond })
	from := testkit.Header("Origin", origin)
	preflight := func(r *http.Request) {
		r.Header.Set("Access-Control-Request-Method", "GET")
		r.Header.Set("X-Request-ID", "before")
	}
	large := testkit.Body(strings.Repeat(" ", 2<<20))

	t.Run("a panic is in the access log, with its status and id", func(t *testing.T) {
		answer := f.anyone.Do(t, "GET", "/api/v1/panic", from).WantError(500, "INTERNAL_ERROR")
		if _, line := f.line(t); line["status"] != int64(500) || line["request_id"] != answer.Header.Get("X-Request-ID") {
			t.Errorf("logged as %v", line)
		}
		answer.WantHeader("X-Content-Type-Options", "nosniff").WantHeader("Access-Control-Allow-Origin", origin)
	})
	t.Run("a preflight is logged, has its id and the security headers, and needs no token", func(t *testing.T) {
		answer := f.anyone.Do(t, "OPTIONS", "/api/v1/app/things", from, preflight).Want(204)
		answer.WantHeader("X-Request-ID", "before").WantHeader("X-Content-Type-Options", "nosniff").WantHeader("Access-Control-Allow-Origin", origin)
		if _, line := f.line(t); line["status"] != int64(204) || line["request_id"] != "before" {
			t.Errorf("logged as %v", line)
		}
	})
	t.Run("a page can read why it was refused", func(t *testing.T) {
		f.anyone.Do(t, "POST", "/api/v1/app/things", from, large).WantError(413, "PAYLOAD_TOO_LARGE").WantHeader("Access-Control-Allow-Origin", origin)
		f.anyone.Do(t, "GET", "/api/v1/app/things", from).WantError(401, "UNAUTHENTICATED").WantHeader("Access-Control-Allow-Origin", origin)
	})
	t.Run("a large body is refused before the token is looked at", func(t *testing.T) {
		f.anyone.As("slow").Do(t, "POST", "/api/v1/app/things", large).WantError(413, "PAYLOAD_TOO_LARGE")
	})
	t.Run("the deadline bounds authentication", func(t *testing.T) {
		f.anyone.As("slow").Do(t, "GET", "/api/v1/app/things").WantError(504, "TIMEOUT")
	})
	t.Run("who is asking comes before what is wrong with it", func(t *testing.T) {
		f.anyone.Do(t, "POST", "/api/v1/app/things?x=1", testkit.Body("{"), testkit.Header("Content-Type", "text/plain")).WantError(401, "UNAUTHENTICATED")
	})
}

func TestRequestIDs(t *testing.T) {
	f := start(t, nil)
	for given, kept := range map[string]bool{
		"a":                      true,
		`!"#$%&'()*+,-./:;<=>?@`: true,
		strings.Repeat("x", 128): true,
		strings.Repeat("x", 129): false,
		"":                       false,
		"a b":                    false,
		"a\tb":                   false,
		"ä":                      false,
	} {
		t.Run(given, func(t *testing.T) {
			got := f.anyone.Do(t, "GET", "/health", testkit.Header("X-Request-ID", given)).Want(200).Header.Get("X-Request-ID")
			if kept && got != given || !kept && !id.Valid(got) {
				t.Errorf("the id %q became %q", given, got)
			}
			if _, line := f.line(t); line["request_id"] != got {
				t.Errorf("the log has the id %v, the answer %q", line["request_id"], got)
			}
		})
	}
	if validRequestID("a\r\nb") || validRequestID("\x7f") || validRequestID("a\x00") {
		t.Error("an id may hold a control character")
	}
}

func TestTraceIDs(t *testing.T) {
	const trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for header, kept := range map[string]bool{
		"00-" + trace + "-" + span + "-01":                    true,
		"00-" + trace + "-" + span + "-ff":                    true,
		"cc-" + trace + "-" + span + "-01":                    true, // a version yet to come
		"cc-" + trace + "-" + span + "-01-more":               true,
		"cc-" + trace + "-" + span + "-01more":                false,
		"00-" + trace + "-" + span + "-01-more":               false,
		"00-" + trace + "-" + span + "-01-":                   false,
		"ff-" + trace + "-" + span + "-01":                    false,
		"00-" + strings.Repeat("0", 32) + "-" + span + "-1":   false,
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01":  false,
		"00-" + trace + "-" + strings.Repeat("0", 16) + "-01": false,
		"00-" + strings.ToUpper(trace) + "-" + span + "-01":   false,
		"00-" + trace + "-" + span:                            false,
		"00_" + trace + "-" + span + "-01":                    false,
		trace:                                                 false,
		"":                                                    false,
		strings.Repeat("-", 30_000):                           false,
	} {
		got := traceID(header)
		if kept && got != trace || !kept && !regexp.MustCompile("^[0-9a-f]{32}$").MatchString(got) || !kept && got == trace {
			t.Errorf("%.80q gives the trace id %q", header, got)
		}
	}
	f := start(t, nil)
	f.anyone.Do(t, "GET", "/health", testkit.Header("traceparent", "00-"+trace+"-"+span+"-01"))
	if _, line := f.line(t); line["trace_id"] != trace {
		t.Errorf("logged as %v", line)
	}
}

// One line a request says what happened, and nothing of what the client sent.
func TestTheAccessLog(t *testing.T) {
	f := start(t, nil)
	const mail = "jane@example.com"
	f.user.Do(t, "GET", "/api/v1/app/things/one?email="+mail, testkit.Header("User-Agent", sent))
	answer := f.user.Do(t, "PATCH", "/api/v1/app/things/one", testkit.Body(`{"note":"`+sent+`"}`)).Want(200)
	f.line(t)
	level, line := f.line(t)
	if took, ok := line["took"].(time.Duration); !ok || took <= 0 {
		t.Errorf("took is %v", line["took"])
	}
	delete(line, "took")
	delete(line, "trace_id")
	want := map[string]any{
		"method": "PATCH", "route": "/api/v1/app/things/{id}", "status": int64(200), "bytes": int64(len(answer.Body)),
		"request_id": answer.Header.Get("X-Request-ID"), "user": "u1",
	}
	if level != zap.InfoLevel || !reflect.DeepEqual(line, want) {
		t.Errorf("logged at %s as %v, want %v", level, line, want)
	}

	for _, call := range [][2]string{
		{"GET", "/api/v1/app/things?cursor=" + sent}, {"GET", "/api/v1/app/things/" + sent}, {"GET", "/" + sent}, {"DELETE", "/health?" + sent},
	} {
		f.anyone.As(sent).Do(t, call[0], call[1])
		f.user.Do(t, call[0], call[1])
	}
	f.user.Do(t, "POST", "/api/v1/app/things", testkit.Body(`{"name":"`+sent+` and on"}`)).Want(422)
	f.user.Do(t, "POST", "/api/v1/app/things", testkit.Body(sent)).Want(400)
	for _, entry := range f.logs.All() {
		if text := fmt.Sprint(entry.Message, entry.ContextMap()); strings.Contains(text, sent) || strings.Contains(text, mail) {
			t.Errorf("the log holds what was sent: %s", text)
		}
	}
}

// Whatever is refused is in the log, with who it was as far as that is known, and why.
func TestRefusalsAreLogged(t *testing.T) {
	f := start(t, nil)
	for _, test := range []struct {
		who, method, path, body string
		status                  int
		user                    any
		cause                   string
	}{
		{"", "GET", "/api/v1/app/things", "", 401, nil, string(auth.MissingToken)},
		{"forged", "GET", "/api/v1/app/things", "", 401, nil, string(auth.InvalidSignature)},
		{"suspended", "GET", "/api/v1/app/things", "", 403, nil, "suspended"},
		{"user", "GET", "/api/v1/admin/things", "", 403, "u1", "admin"},
		{"user", "POST", "/api/v1/app/things", `{"name": 7}`, 422, "u1", "not valid"},
		{"user", "POST", "/api/v1/app/things", `{`, 400, "u1", "can't be read"},
	} {
		api := f.anyone
		if test.who != "" {
			api = api.As(test.who)
		}
		var parts []testkit.Part
		if test.body != "" {
			parts = append(parts, testkit.Body(test.body))
		}
		api.Do(t, test.method, test.path, parts...).Want(test.status)
		_, line := f.line(t)
		cause, _ := line["cause"].(string)
		if line["status"] != int64(test.status) || line["user"] != test.user || !strings.Contains(cause, test.cause) {
			t.Errorf("%s %s of %q is logged as %v", test.method, test.path, test.who, line)
		}
	}
}

func TestNoRouteIsLoggedAsNone(t *testing.T) {
	f := start(t, nil)
	f.anyone.Do(t, "GET", "/nowhere").Want(404)
	level, line := f.line(t)
	if _, hasCause := line["cause"]; level != zap.InfoLevel || line["route"] != "none" || hasCause {
		t.Errorf("logged at %s as %v", level, line)
	}
}

// An answer that fails when half of it is out is cut off, so that nobody takes the half for the whole.
func TestHalfAnAnswerIsCutOff(t *testing.T) {
	f := newFixture(t, nil)
	f.server.raw(Route{Method: http.MethodGet, Path: "/half"}, func(c *gin.Context) {
		c.Header("Content-Length", "10")
		_, _ = c.Writer.WriteString("half")
		panic("in the middle")
	})
	listening := httptest.NewServer(f.server.Handler())
	defer listening.Close()
	answer, err := http.Get(listening.URL + "/half")
	if err == nil {
		defer answer.Body.Close()
		_, err = answer.Body.Read(make([]byte, 10))
	}
	if err == nil {
		t.Error("half an answer came through")
	}
	if level, line := f.line(t); level != zap.ErrorLevel || line["status"] != int64(500) || line["cause"] != "panic: in the middle" {
		t.Errorf("logged at %s as %v", level, line)
	}
}

func TestSecurityHeaders(t *testing.T) {
	want := map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "X-Xss-Protection": "0",
		"Referrer-Policy":            "strict-origin-when-cross-origin",
		"Permissions-Policy":         "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
		"Strict-Transport-Security": "", // not without TLS
	}
	f := start(t, func(r *Router) {
		Query(r, Route{Method: http.MethodGet, Path: "/panic", Guard: Public}, func(context.Context, *struct{}) (*Empty, error) { panic("now") })
		Query(r, Route{Method: http.MethodGet, Path: "/fail", Guard: Public}, failing(errors.New("now")))
	}, func(o *Options) { o.HTTP.DocsEnabled = true })

	calls := []Route{{Method: "GET", Full: "/nowhere"}, {Method: "TRACE", Full: "/health"}, {Method: "OPTIONS", Full: "/health"}}
	calls = append(calls, f.server.Routes()...)
	for _, route := range calls {
		for _, api := range []*testkit.API{f.anyone, f.user} {
			answer := api.Do(t, route.Method, strings.ReplaceAll(route.Full, "{id}", "one"))
			for header, value := range want {
				answer.WantHeader(header, value)
			}
			policy := "default-src 'none'; frame-ancestors 'none'"
			if strings.HasPrefix(route.Full, "/docs") {
				policy = docsCSP
			}
			answer.WantHeader("Content-Security-Policy", policy)
			if answer.Header.Get("X-Request-ID") == "" {
				t.Errorf("%s %s has no request id", route.Method, route.Full)
			}
		}
	}
}

// HSTS is for clients that came by TLS: to us, or to a proxy we believe.
func TestHSTS(t *testing.T) {
	s := newFixture(t, nil, func(o *Options) { o.HTTP.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }).server
	for name, test := range map[string]struct {
		tls   bool
		proto string
		peer  string
		want  bool
	}{
		"plain":                   {false, "", "10.0.0.1:1", false},
		"TLS":                     {true, "", "1.2.3.4:1", true},
		"TLS, denied by a header": {true, "http", "10.0.0.1:1", true},
		"a proxy says so":         {false, "https", "10.0.0.1:1", true},
		"a proxy, by IPv6":        {false, "https", "[::ffff:10.0.0.1]:1", true},
		"a proxy says no":         {false, "http", "10.0.0.1:1", false},
		"a stranger says so":      {false, "https", "1.2.3.4:1", false},
		"nobody knows who":        {false, "https", "@", false},
	} {
		r, w := httptest.NewRequest(http.MethodGet, "/health", nil), httptest.NewRecorder()
		r.RemoteAddr = test.peer
		if test.tls {
			r.TLS = &tls.ConnectionState{}
		}
		if test.proto != "" {
			r.Header.Set("X-Forwarded-Proto", test.proto)
		}
		s.Handler().ServeHTTP(w, r)
		if got := w.Header().Get("Strict-Transport-Security") != ""; got != test.want {
			t.Errorf("%s: HSTS is %t, want %t", name, got, test.want)
		}
	}
}

// A client that came to a proxy in the clear is sent to PUBLIC_URL, whatever it says that we are called.
func TestClientsInTheClearAreSentToHTTPS(t *testing.T) {
	const public = "https://api.example.com/base"
	trusting := func(o *Options) {
		o.HTTPS, o.HTTP.TrustedProxies = public, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		o.HTTP.CORSOrigins = []string{"https://app.example.com"}
	}
	ask := func(s *Server, peer, proto, method, target string, headers ...string) *httptest.ResponseRecorder {
		r, w := httptest.NewRequest(method, "/", nil), httptest.NewRecorder()
		var err error
		if r.URL, err = url.ParseRequestURI(target); err != nil {
			t.Fatal(err)
		}
		r.RemoteAddr, r.Host = peer, "evil.example.com"
		r.Header.Set("X-Forwarded-Host", "evil.example.com")
		if proto != "" {
			r.Header.Set("X-Forwarded-Proto", proto)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		s.Handler().ServeHTTP(w, r)
		return w
	}
	const proxy, stranger, one = "10.0.0.1:1", "192.0.2.1:1", "/api/v1/app/things/one"
	s := newFixture(t, nil, trusting).server

	t.Run("redirected", func(t *testing.T) {
		for asked, goes := range map[string]string{
			one:                           public + one,
			one + "?a=b&c=%20d":           public + one + "?a=b&c=%20d",
			"/nowhere":                    public + "/nowhere",
			"/a%2fb%0d%0aX-Evil:%201":     public + "/a%2fb%0d%0aX-Evil:%201",
			"//evil.example.com/x":        public + "//evil.example.com/x",
			"/\\evil.example.com":         public + "/%5Cevil.example.com",
			"http://evil.example.com/x":   public + "/x",
			"http://evil.example.com":     public + "/",
			"http://a@evil.example.com/?": public + "/",
			"*":                           public + "/",
		} {
			for _, method := range []string{"GET", "HEAD"} {
				w := ask(s, proxy, "http", method, asked)
				if w.Code != 308 || w.Header().Get("Location") != goes || w.Body.Len() != 0 || w.Header().Get("X-Frame-Options") == "" {
					t.Errorf("%s %s is answered %d, to %q: %s", method, asked, w.Code, w.Header().Get("Location"), w.Body)
				}
			}
		}
	})
	t.Run("refused", func(t *testing.T) {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
			w := ask(s, proxy, "http", method, one)
			if w.Code != 403 || w.Header().Get("Location") != "" || !strings.HasPrefix(w.Body.String(), `{"error":{"code":"FORBIDDEN",`) {
				t.Errorf("%s is answered %d: %s", method, w.Code, w.Body)
			}
		}
		w := ask(s, proxy, "http", "POST", one, "Origin", "https://app.example.com")
		if w.Header().Get("Access-Control-Allow-Origin") == "" {
			t.Error("a page can't read why it was refused")
		}
	})
	t.Run("served", func(t *testing.T) {
		for name, w := range map[string]*httptest.ResponseRecorder{
			"by TLS":                ask(s, proxy, "https", "GET", one),
			"to a silent proxy":     ask(s, proxy, "", "GET", one),
			"without a proxy":       ask(s, stranger, "http", "GET", one),
			"nobody knows who":      ask(s, "@", "http", "GET", one),
			"no https to send to":   ask(newFixture(t, nil, trusting, func(o *Options) { o.HTTPS = "" }).server, proxy, "http", "GET", one),
			"nobody is trusted":     ask(newFixture(t, nil, func(o *Options) { o.HTTPS = public }).server, proxy, "http", "GET", one),
			"a preflight's own 204": ask(s, proxy, "http", "OPTIONS", one, "Origin", "https://app.example.com", "Access-Control-Request-Method", "GET"),
		} {
			if w.Code != 401 && w.Code != 204 {
				t.Errorf("%s: answered %d %s", name, w.Code, w.Header().Get("Location"))
			}
		}
		for _, probe := range []string{"/health", "/health/ready", "/api/v1/public/health", "/api/v1/public/health/ready"} {
			if w := ask(s, proxy, "http", "GET", probe); w.Code != 200 {
				t.Errorf("%s is answered %d", probe, w.Code)
			}
		}
	})
}

func TestCORS(t *testing.T) {
	const ours = "https://app.example.com"
	preflight := func(method, headers string) testkit.Part {
		return func(r *http.Request) {
			r.Header.Set("Access-Control-Request-Method", method)
			if headers != "" {
				r.Header.Set("Access-Control-Request-Headers", headers)
			}
		}
	}
	f := start(t, nil, func(o *Options) { o.HTTP.CORSOrigins = []string{ours, "http://localhost:3000"} })

	t.Run("ours may call, with credentials, and read our headers", func(t *testing.T) {
		answer := f.user.Do(t, "GET", "/api/v1/app/things/one", testkit.Header("Origin", ours)).Want(200)
		answer.WantHeader("Access-Control-Allow-Origin", ours).WantHeader("Access-Control-Allow-Credentials", "true")
		answer.WantHeader("Access-Control-Expose-Headers", "Etag, Location, Retry-After, X-Request-Id, Www-Authenticate, "+
			"X-Ratelimit-Limit, X-Ratelimit-Remaining, X-Ratelimit-Reset, Ratelimit, Ratelimit-Policy, Idempotent-Replayed, X-Ai-Route-Reason")
		f.user.Do(t, "HEAD", "/api/v1/app/things/one", testkit.Header("Origin", ours)).WantHeader("Access-Control-Allow-Origin", ours)
	})
	t.Run("ours may ask before, without a token", func(t *testing.T) {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
			answer := f.anyone.Do(t, "OPTIONS", "/api/v1/app/things", testkit.Header("Origin", ours), preflight(method, "authorization,content-type,if-match"))
			answer.Want(204).WantHeader("Access-Control-Allow-Origin", ours).WantHeader("Access-Control-Allow-Methods", method)
			answer.WantHeader("Access-Control-Allow-Headers", "authorization,content-type,if-match")
			answer.WantHeader("Access-Control-Allow-Credentials", "true").WantHeader("Access-Control-Max-Age", "600")
		}
	})
	t.Run("but not for anything", func(t *testing.T) {
		for _, asked := range []testkit.Part{preflight("TRACE", ""), preflight("GET", "x-other")} {
			f.anyone.Do(t, "OPTIONS", "/api/v1/app/things", testkit.Header("Origin", ours), asked).Want(204).WantHeader("Access-Control-Allow-Origin", "")
		}
	})
	t.Run("others get no permission", func(t *testing.T) {
		for _, origin := range []string{"https://evil.example.com", "null", "*", ours + ".evil.com", "http://app.example.com", ours + ":444",
			"HTTPS://APP.EXAMPLE.COM", "http://localhost:3001", "https://evil.com, " + ours} {
			for _, answer := range []*testkit.Response{
				f.anyone.Do(t, "OPTIONS", "/api/v1/app/things", testkit.Header("Origin", origin), preflight("GET", "")).Want(204),
				f.user.Do(t, "GET", "/api/v1/app/things/one", testkit.Header("Origin", origin)).Want(200),
			} {
				for header := range answer.Header {
					if strings.HasPrefix(header, "Access-Control-") {
						t.Errorf("%s got the header %s", origin, header)
					}
				}
			}
		}
	})
	t.Run("caches are told that it depends on the origin", func(t *testing.T) {
		for _, origin := range []string{"", ours, "https://evil.example.com"} {
			answer := f.user.Do(t, "GET", "/api/v1/app/things/one", testkit.Header("Origin", origin))
			if !slices.Contains(answer.Header.Values("Vary"), "Origin") {
				t.Errorf("for the origin %q Vary is %q", origin, answer.Header.Values("Vary"))
			}
		}
	})
	t.Run("what looks like a preflight but has no origin is no preflight", func(t *testing.T) {
		f.anyone.Do(t, "OPTIONS", "/api/v1/app/things", preflight("GET", "")).WantError(405, "METHOD_NOT_ALLOWED")
	})
	t.Run("an empty list allows nobody", func(t *testing.T) {
		f := start(t, nil)
		for _, origin := range []string{ours, "http://localhost:3000", "null"} {
			f.anyone.Do(t, "GET", "/health", testkit.Header("Origin", origin)).Want(200).WantHeader("Access-Control-Allow-Origin", "")
		}
	})
}
