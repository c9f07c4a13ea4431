package httpserver

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/ratelimit"
	"github.com/omnistack/omnistack/platform/testkit"
)

// limited has calls limited to 6 a minute, 2 in the group ai and 3 in the group auth, by a clock that stands still.
func limited(now clock.Clock) func(*Options) {
	return func(o *Options) {
		o.Limiter = ratelimit.NewLocal(now)
		rate := func(requests int) config.Rate { return config.Rate{Requests: requests, Per: time.Minute} }
		o.Rates = config.RateLimit{Enabled: true, Default: rate(6), AI: rate(2), Auth: rate(3)}
		o.HTTP.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}
}

// at is a client behind the trusted proxy that the test is.
func at(address string) testkit.Part { return testkit.Header("X-Forwarded-For", address) }

func registerLimited(r *Router) {
	Query(r, Route{Method: http.MethodGet, Path: "/public", Guard: Public}, nothing)
	Query(r, Route{Method: http.MethodGet, Path: "/public/{id}", Guard: Public}, func(context.Context, *ThingInput) (*Empty, error) { return nil, nil })
	Query(r, Route{Method: http.MethodGet, Path: "/public/form", Guard: Public, Rate: RateAuth}, nothing)
	Query(r, Route{Method: http.MethodGet, Path: "/public/exempt", Guard: Public, Rate: RateExempt}, nothing)
	Query(r, Route{Method: http.MethodGet, Path: "/app/ai", Guard: User, Rate: RateAI}, nothing)
	Query(r, Route{Method: http.MethodGet, Path: "/app/dear", Guard: User, Cost: 4}, nothing)
	Mutation(r, Route{Method: http.MethodPost, Path: "/hook", Guard: Signature, Rate: RateWebhook}, func(context.Context, *struct{}) (Commit[Empty], error) {
		return func(context.Context) (*Empty, error) { return &Empty{}, nil }, nil
	})
	Query(r, Route{Method: http.MethodGet, Path: "/app/exempt", Guard: User, Rate: RateExempt}, nothing)
}

// left checks how much the headers say is left of a limit.
func left(t *testing.T, answer *testkit.Response, limit, remaining int) {
	t.Helper()
	answer.WantHeader("X-RateLimit-Limit", strconv.Itoa(limit)).WantHeader("X-RateLimit-Remaining", strconv.Itoa(remaining))
}

func TestTheHeadersOfLimitedRoutes(t *testing.T) {
	now := clock.NewManual(time.Now())
	f := start(t, registerLimited, limited(now))
	for i := range 6 {
		answer := f.user.Do(t, "GET", "/api/v1/app/things/one").Want(200).
			WantHeader("X-RateLimit-Limit", "6").
			WantHeader("X-RateLimit-Remaining", strconv.Itoa(5-i)).
			WantHeader("RateLimit-Policy", `"default";q=6;w=60`).
			WantHeader("RateLimit", `"default";r=`+strconv.Itoa(5-i)+`;t=`+strconv.Itoa(10*(i+1))).
			WantHeader("Retry-After", "")
		reset, err := strconv.ParseInt(answer.Header.Get("X-RateLimit-Reset"), 10, 64)
		if wait := time.Until(time.Unix(reset, 0)); err != nil || wait > time.Duration(10*(i+1)+1)*time.Second || wait < time.Duration(10*(i+1)-60)*time.Second {
			t.Errorf("the reset of call %d is in %s, %v", i, wait, err)
		}
	}
	now.Advance(2500 * time.Millisecond)
	f.user.Do(t, "GET", "/api/v1/app/things/one").WantError(429, "RATE_LIMIT_EXCEEDED").
		WantJSON("error.details", map[string]any{"retry_after": 8}).WantHeader("Retry-After", "8").
		WantHeader("X-RateLimit-Remaining", "0").WantHeader("RateLimit", `"default";r=0;t=58`).WantHeader("RateLimit-Policy", `"default";q=6;w=60`)
	now.Advance(7400 * time.Millisecond) // a tenth of a second is left, and nobody is told to come back in none
	f.user.Do(t, "GET", "/api/v1/app/things/one").Want(429).WantHeader("Retry-After", "1")
	now.Advance(100 * time.Millisecond)
	f.user.Do(t, "GET", "/api/v1/app/things/one").Want(200)
}

// The group counts, not the path, the method or what the answer is.
func TestWhatCountsTogether(t *testing.T) {
	f := start(t, registerLimited, limited(clock.NewManual(time.Now())))
	left(t, f.user.Do(t, "GET", "/api/v1/app/things/one").Want(200), 6, 5)
	left(t, f.user.Do(t, "HEAD", "/api/v1/app/things/one").Want(200), 6, 4)
	left(t, f.user.Do(t, "GET", "/api/v1/app/things/two").Want(404), 6, 3)
	left(t, f.user.Do(t, "POST", "/api/v1/app/things", testkit.Body(`{}`)).Want(422), 6, 2)
	left(t, f.user.Do(t, "GET", "/api/v1/admin/things").Want(403), 6, 1)
	left(t, f.user.Do(t, "POST", "/api/v1/app/things", testkit.Body(strings.Repeat(" ", 2<<20))).Want(413), 120, 114) // before it was read who that is
	left(t, f.user.Do(t, "GET", "/api/v1/app/ai").Want(204), 2, 1)
	left(t, f.user.Do(t, "GET", "/api/v1/app/dear").WantError(429, "RATE_LIMIT_EXCEEDED").WantHeader("Retry-After", "30"), 6, 1)
	left(t, f.user.Do(t, "GET", "/api/v1/app/things").Want(200), 6, 0)

	left(t, f.anyone.As("admin").Do(t, "GET", "/api/v1/app/dear").Want(204), 6, 2) // somebody else

	// Where there is no route there is no limit, nor on what is exempt.
	for range 20 {
		for path, status := range map[string]int{"/api/v1/app/exempt": 204, "/api/v1/public/exempt": 204, "/health": 200, "/nowhere": 404} {
			f.user.Do(t, "GET", path).Want(status).WantHeader("X-RateLimit-Limit", "").WantHeader("RateLimit", "")
		}
		f.user.Do(t, "DELETE", "/health").Want(405).WantHeader("X-RateLimit-Limit", "")
	}
}

func TestWhoCountsTogether(t *testing.T) {
	f := start(t, registerLimited, limited(clock.NewManual(time.Now())))
	left(t, f.anyone.Do(t, "GET", "/api/v1/public/one", at("203.0.113.1")).Want(204), 6, 5)
	left(t, f.anyone.Do(t, "GET", "/api/v1/public/two", at("203.0.113.1")).Want(204), 6, 4)
	left(t, f.anyone.Do(t, "GET", "/api/v1/public/two", at("::ffff:203.0.113.1")).Want(204), 6, 3)
	left(t, f.anyone.Do(t, "GET", "/api/v1/public/two", at("6.6.6.6, 203.0.113.1")).Want(204), 6, 2)
	left(t, f.user.Do(t, "GET", "/api/v1/public/two", at("203.0.113.1")).Want(204), 6, 1) // a token that nobody asks for is nobody's
	left(t, f.anyone.Do(t, "GET", "/api/v1/public/two", at("203.0.113.2")).Want(204), 6, 5)
	left(t, f.anyone.Do(t, "GET", "/api/v1/public/form", at("203.0.113.1")).Want(204), 3, 2)
	left(t, f.anyone.Do(t, "GET", "/api/v1/public/two", at("2001:db8:1:2::1")).Want(204), 6, 5)
	left(t, f.anyone.Do(t, "GET", "/api/v1/public/two", at("2001:db8:1:2:3::1")).Want(204), 6, 4)
	left(t, f.anyone.Do(t, "GET", "/api/v1/public/two", at("2001:db8:1:3::1")).Want(204), 6, 5)

	// A user counts wherever he is, and each of his keys for itself.
	left(t, f.user.Do(t, "GET", "/api/v1/app/things", at("203.0.113.1")).Want(200), 6, 5)
	left(t, f.user.Do(t, "GET", "/api/v1/app/things", at("203.0.113.2")).Want(200), 6, 4)
	left(t, f.anyone.As("admin").Do(t, "GET", "/api/v1/app/things").Want(200), 6, 5)
	left(t, f.anyone.As("reads").Do(t, "GET", "/api/v1/app/things").Want(200), 6, 5)
	left(t, f.anyone.As("asks").Do(t, "GET", "/api/v1/app/things").Want(403), 6, 5)
	left(t, f.anyone.As("reads").Do(t, "GET", "/api/v1/app/things").Want(200), 6, 4)
}

// What costs money counts for the user, with whatever key; and many keys aren't as good as no limit.
func TestTheKeysOfAUserCountTogether(t *testing.T) {
	f := start(t, registerLimited, limited(clock.NewManual(time.Now())), func(o *Options) { o.Auth = manyKeys{} })
	left(t, f.anyone.As("1").Do(t, "GET", "/api/v1/app/ai").Want(204), 2, 1)
	left(t, f.anyone.As("2").Do(t, "GET", "/api/v1/app/ai").Want(204), 2, 0)
	f.anyone.As("3").Do(t, "GET", "/api/v1/app/ai").WantError(429, "RATE_LIMIT_EXCEEDED").WantHeader("RateLimit-Policy", `"ai";q=2;w=60`)

	passed := 0
	for key := range 50 {
		answer := f.anyone.As(strconv.Itoa(key)).Do(t, "GET", "/api/v1/app/things")
		if answer.Status == 200 {
			left(t, answer, 6, 5)
			passed++
			continue
		}
		answer.WantError(429, "RATE_LIMIT_EXCEEDED").WantHeader("RateLimit-Policy", `"default-keys";q=30;w=60`)
	}
	if passed < 30 || passed > 32 { // and what the real clock gave back meanwhile
		t.Errorf("%d calls with as many keys passed", passed)
	}
}

// manyKeys takes any token for the key of that name, all of one user.
type manyKeys struct{}

func (manyKeys) Authenticate(_ context.Context, authorization []string) (auth.Principal, error) {
	return auth.Principal{UserID: "u1", Role: auth.RoleUser, KeyID: authorization[0], Scopes: auth.ScopeRead | auth.ScopeAI}, nil
}

// Webhooks come in bursts. What one address may post of them is bounded, and far away.
func TestWebhooksHaveALimitOfTheirOwn(t *testing.T) {
	f := newFixture(t, registerLimited, limited(clock.NewManual(time.Now())))
	refused := 0
	for i := range webhookRate.Requests * 2 {
		answer := httptest.NewRecorder()
		f.server.Handler().ServeHTTP(answer, httptest.NewRequest("POST", "/api/v1/hook", nil))
		switch {
		case answer.Code == 429 && answer.Header().Get("Retry-After") != "":
			refused++
		case answer.Code != 204:
			t.Fatalf("post %d is answered %d %s", i, answer.Code, answer.Body)
		}
		if i == 1000 && refused != 0 {
			t.Fatalf("%d of a thousand are refused", refused)
		}
	}
	if refused == 0 {
		t.Error("there is no limit")
	}
}

// A stranger's bad tokens end in 429, and shut nobody out who has a good one.
func TestFailedAuthenticationsCount(t *testing.T) {
	now := clock.NewManual(time.Now())
	f := start(t, registerLimited, limited(now))
	here, path := at("203.0.113.1"), "/api/v1/app/things"
	for range 5 { // who has no token hasn't failed yet
		f.anyone.Do(t, "GET", path, here).WantError(401, "UNAUTHENTICATED").WantHeader("X-RateLimit-Limit", "120")
	}
	for i, bad := range []string{"guessed", "another", "omni_guessed"} {
		left(t, f.anyone.As(bad).Do(t, "GET", path, here).WantError(401, "UNAUTHENTICATED"), 3, 2-i)
	}
	f.anyone.As("guessed").Do(t, "GET", path, here).WantError(429, "RATE_LIMIT_EXCEEDED").
		WantHeader("Retry-After", "20").WantHeader("WWW-Authenticate", "").WantHeader("RateLimit-Policy", `"auth";q=3;w=60`)
	f.anyone.Do(t, "GET", path, here, testkit.Header("Authorization", "Bearer a b")).WantError(429, "RATE_LIMIT_EXCEEDED")
	f.anyone.Do(t, "GET", "/api/v1/public/form", here).WantError(429, "RATE_LIMIT_EXCEEDED") // it is of the same group
	f.anyone.As("guessed").Do(t, "GET", "/api/v1/app/exempt", here).WantError(401, "UNAUTHENTICATED")

	f.user.Do(t, "GET", path, here).Want(200)
	f.anyone.As("suspended").Do(t, "GET", path, here).WantError(403, "FORBIDDEN")
	f.anyone.As("unknowable").Do(t, "GET", path, here).WantError(503, "SERVICE_UNAVAILABLE")
	f.anyone.Do(t, "GET", path, here).WantError(401, "UNAUTHENTICATED")
	f.anyone.As("guessed").Do(t, "GET", path, at("203.0.113.2")).WantError(401, "UNAUTHENTICATED")
	now.Advance(20 * time.Second)
	f.anyone.As("guessed").Do(t, "GET", path, here).WantError(401, "UNAUTHENTICATED")
}

// Before anybody is asked who calls, an address has a ceiling.
func TestAnAddressHasACeiling(t *testing.T) {
	asked := &asking{Authenticator: accounts{}}
	f := start(t, registerLimited, limited(clock.NewManual(time.Now())), func(o *Options) { o.Auth = asked })
	refused := 0
	for range 60 { // 20 times 2, and what the real clock gave back meanwhile
		if answer := f.anyone.Do(t, "GET", "/api/v1/app/ai", at("203.0.113.1")); answer.Status == 429 {
			answer.WantHeader("X-RateLimit-Limit", "40").WantHeader("RateLimit-Policy", `"ai-address";q=40;w=60`)
			refused++
		}
	}
	if refused == 0 || refused > 20 || asked.times != 60-refused {
		t.Errorf("%d of 60 were refused, and it was asked %d times who calls", refused, asked.times)
	}
	f.user.Do(t, "GET", "/api/v1/app/ai", at("203.0.113.2")).Want(204)
	f.user.Do(t, "GET", "/api/v1/app/things", at("203.0.113.1")).Want(200)
}

type asking struct {
	Authenticator
	times int
}

func (a *asking) Authenticate(ctx context.Context, authorization []string) (auth.Principal, error) {
	a.times++
	return a.Authenticator.Authenticate(ctx, authorization)
}

func TestPreflightsAreNotCounted(t *testing.T) {
	const origin = "https://app.example.com"
	f := start(t, registerLimited, limited(clock.NewManual(time.Now())), func(o *Options) { o.HTTP.CORSOrigins = []string{origin} })
	ours := testkit.Header("Origin", origin)
	for range 50 {
		f.anyone.Do(t, "OPTIONS", "/api/v1/public", ours, testkit.Header("Access-Control-Request-Method", "GET")).Want(204).WantHeader("X-RateLimit-Limit", "")
	}
	left(t, f.anyone.Do(t, "GET", "/api/v1/public", ours).Want(204).WantHeader("Access-Control-Allow-Origin", origin), 6, 5)
	for range 6 {
		f.anyone.Do(t, "GET", "/api/v1/public", ours)
	}
	f.anyone.Do(t, "GET", "/api/v1/public", ours).Want(429).WantHeader("Access-Control-Allow-Origin", origin)
}

func TestWithoutALimiterNothingIsLimited(t *testing.T) {
	f := start(t, registerLimited)
	for range 100 {
		f.user.Do(t, "GET", "/api/v1/app/things").Want(200).WantHeader("X-RateLimit-Limit", "").WantHeader("RateLimit", "")
		f.anyone.As("guessed").Do(t, "GET", "/api/v1/app/things").Want(401)
	}
}

// halved counts as a limiter does when Redis is gone; broken doesn't even do that.
type (
	halved struct{}
	broken struct{}
)

func (halved) Take(_ context.Context, _ string, q ratelimit.Quota, _ int) (ratelimit.Decision, error) {
	return ratelimit.Decision{Allowed: true, Limit: q.Rate.Requests / 2, Remaining: 1}, nil
}

func (broken) Take(context.Context, string, ratelimit.Quota, int) (ratelimit.Decision, error) {
	return ratelimit.Decision{}, errors.New("nobody knows")
}

func TestAnotherLimitIsAnnounced(t *testing.T) {
	f := start(t, registerLimited, limited(nil), func(o *Options) { o.Limiter = halved{} })
	f.user.Do(t, "GET", "/api/v1/app/things").Want(200).WantHeader("X-RateLimit-Limit", "3").
		WantHeader("RateLimit-Policy", `"default";q=3;w=60`).WantHeader("RateLimit", `"default";r=1;t=0`)
}

// lingering looks at what it was given for longer than it takes, as the timer of a call to a Redis that is late does.
type lingering struct {
	halved
	t       *testing.T
	looking *sync.WaitGroup
}

func (l lingering) Take(ctx context.Context, key string, q ratelimit.Quota, cost int) (ratelimit.Decision, error) {
	if _, changes := ctx.(*call); changes {
		l.t.Error("the limiter is asked with the call, whose context the deadline stage replaces")
	}
	l.looking.Go(func() {
		for range 100 {
			_ = ctx.Done()
			runtime.Gosched()
		}
	})
	return l.halved.Take(ctx, key, q, cost)
}

func TestALimiterMayLinger(t *testing.T) {
	var looking sync.WaitGroup
	f := start(t, registerLimited, limited(nil), func(o *Options) { o.Limiter = lingering{t: t, looking: &looking} })
	f.anyone.Do(t, "GET", "/api/v1/public").Want(204) // limited before there is a deadline
	f.user.Do(t, "GET", "/api/v1/app/things").Want(200)
	looking.Wait()
}

// A limiter that fails lets nobody in.
func TestALimiterThatFails(t *testing.T) {
	f := start(t, registerLimited, limited(nil), func(o *Options) { o.Limiter = broken{} })
	f.user.Do(t, "GET", "/api/v1/app/things").WantError(500, "INTERNAL_ERROR")
	f.anyone.Do(t, "GET", "/api/v1/public").WantError(500, "INTERNAL_ERROR")
	f.anyone.As("guessed").Do(t, "GET", "/api/v1/app/things").WantError(500, "INTERNAL_ERROR")
}

func TestLimitsThatDoNotExist(t *testing.T) {
	for name, route := range map[string]Route{
		"a group that doesn't exist": {Method: "GET", Path: "/x", Guard: Public, Rate: "often"},
		"a cost below nothing":       {Method: "GET", Path: "/x", Guard: Public, Cost: -1},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it is registered")
				}
			}()
			Query(newFixture(t, nil).server.Router("things"), route, nothing)
		})
	}
}

func TestLimitsAreDocumented(t *testing.T) {
	f := start(t, registerLimited, withDocs)
	doc := read(t, f)
	for _, route := range f.server.Routes() {
		if route.Hidden {
			continue
		}
		operation := doc.Paths[route.Full][strings.ToLower(route.Method)]
		tooMany, documented := operation.Responses["429"]
		if limited := route.Rate != RateExempt; documented != limited {
			t.Errorf("%s %s: 429 documented is %t", route.Method, route.Full, documented)
			continue
		} else if !limited {
			continue
		}
		described := doc.Components.Responses[strings.TrimPrefix(tooMany.Ref, "#/components/responses/")]
		if described.Headers["Retry-After"] == nil {
			t.Errorf("%s %s: 429 has the headers %v", route.Method, route.Full, described.Headers)
		}
		for status, response := range operation.Responses {
			switch {
			case status == "429":
				response = described
			case status[0] != '2':
				continue
			}
			for _, name := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "RateLimit", "RateLimit-Policy"} {
				header, _ := response.Headers[name].(map[string]any)
				if header["$ref"] != "#/components/headers/"+name || doc.Components.Headers[name]["schema"] == nil {
					t.Errorf("%s %s: it documents %s as %v", route.Method, route.Full, name, header)
				}
			}
		}
	}
}

// What every limited answer has costs two allocations.
func TestAnnouncingIsCheap(t *testing.T) {
	of, header := newQuota("default", config.Rate{Requests: 60, Per: time.Minute}), http.Header{}
	decision := ratelimit.Decision{Allowed: true, Limit: 60, Remaining: 59, Reset: time.Second}
	announce(header, of, decision)
	if got := testing.AllocsPerRun(100, func() { announce(header, of, decision) }); got > 2 {
		t.Errorf("%v allocations", got)
	}
	// A value that is appended to, as by a proxy of somebody's, doesn't run into the next.
	w := httptest.NewRecorder()
	announce(w.Header(), of, decision)
	w.Header().Add("RateLimit", "more")
	w.Header().Add("X-RateLimit-Limit", "more")
	if got := w.Header().Get("X-RateLimit-Remaining"); got != "59" || of.limit[0] != "60" || len(of.limit) != 1 {
		t.Errorf("the headers are %v", w.Header())
	}
}
