//scaffold:needs notifications

package api

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/platform/webhook/webhooktest"
	"github.com/omnistack/omnistack/test/apptest"
)

// at is a client behind a proxy, which the test is when it is trusted.
func at(address string) testkit.Part { return testkit.Header("X-Forwarded-For", address) }

const trusted = "TRUSTED_PROXIES=127.0.0.0/8"

// nowhereMail is a public route of the group default that finds nothing and says so.
const nowhereMail = api + "/public/unsubscribe/guessed"

// Of 2,000 calls at once, by a user and by an address, exactly the limit passes: in one process, and over two that share a
// Redis. It is 60 an hour, so that none comes back before all are answered, on a busy machine too. There Redis may also be
// too late for some of them, which the process then counts itself, with half of the limit; they say so, and are counted
// apart.
func TestSixtyOfTwoThousandPass(t *testing.T) {
	const calls = 2000
	for name, start := range map[string]func(t *testing.T, settings ...string) []*apptest.App{
		"one process": func(t *testing.T, settings ...string) []*apptest.App {
			return []*apptest.App{apptest.Start(t, database.SQLite, settings...)}
		},
		"two processes": func(t *testing.T, settings ...string) []*apptest.App {
			settings = append(settings, "REDIS_URL="+testkit.Redis(t), "DATA_DIR="+t.TempDir()) // where the key of tokens is
			options := testkit.DatabaseOptions(t, database.SQLite)
			return []*apptest.App{apptest.StartOn(t, options, settings...), apptest.StartOn(t, options, settings...)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			apps := start(t, limitsOn, trusted, "RATE_LIMIT_DEFAULT=60/hour")
			token := apps[0].Token(t, claims("alice"))
			for _, app := range apps { // which have been at work for a while: their connections are there
				together(20, func(number int) { app.Do(t, "GET", nowhereMail, at(fmt.Sprintf("192.0.2.%d", number))).Want(404) })
			}
			for caller, call := range map[string]func(number int) *testkit.Response{
				"a user": func(number int) *testkit.Response { // each from somewhere else, or the ceiling of the address would be met
					return apps[number%len(apps)].As(token).Do(t, "GET", me, at(fmt.Sprintf("203.0.113.%d", number%250)))
				},
				"an address": func(number int) *testkit.Response {
					return apps[number%len(apps)].Do(t, "GET", nowhereMail, at("198.51.100.1"))
				},
			} {
				var passed, refused, late, lateAndPassed atomic.Int64
				together(calls, func(number int) {
					answer := call(number)
					whole := answer.Header.Get("X-RateLimit-Limit") == "60"
					if !whole {
						late.Add(1)
					}
					switch {
					case answer.Status == 429:
						refused.Add(1)
					case answer.Status != 200 && answer.Status != 404:
						t.Errorf("%s: %d %s", caller, answer.Status, answer.Body)
					case whole:
						passed.Add(1)
					default:
						lateAndPassed.Add(1)
					}
				})
				t.Logf("%s: %d passed and %d were refused; for %d Redis was late, %d of them passed", caller, passed.Load(), refused.Load(), late.Load(), lateAndPassed.Load())
				if got := passed.Load(); got > 60 || late.Load() == 0 && got != 60 || lateAndPassed.Load() > int64(30*(len(apps)-1)*2) {
					t.Errorf("%s: want 60", caller)
				}
			}
		})
	}
}

func TestTheLimitsOfTheSettings(t *testing.T) {
	app := apptest.Start(t, database.SQLite, limitsOn, "RATE_LIMIT_DEFAULT=7/hour", "RATE_LIMIT_AUTH=2/day")
	alice := app.User(t, "alice")
	for i := range 7 {
		answer := alice.Do(t, "GET", me).Want(200).WantHeader("X-RateLimit-Limit", "7").
			WantHeader("X-RateLimit-Remaining", strconv.Itoa(6-i)).WantHeader("RateLimit-Policy", `"default";q=7;w=3600`)
		if !strings.HasPrefix(answer.Header.Get("RateLimit"), fmt.Sprintf(`"default";r=%d;t=`, 6-i)) {
			t.Errorf("RateLimit is %q", answer.Header.Get("RateLimit"))
		}
		reset, err := strconv.ParseInt(answer.Header.Get("X-RateLimit-Reset"), 10, 64)
		if wait := time.Until(time.Unix(reset, 0)); err != nil || wait <= 0 || wait > time.Duration(i+1)*515*time.Second+time.Second {
			t.Errorf("the reset of call %d is in %s, %v", i, wait, err)
		}
	}
	answer := alice.Do(t, "PATCH", me, testkit.Body(`{"full_name": "One too many"}`)).WantError(429, "RATE_LIMIT_EXCEEDED")
	wait, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	if err != nil || wait < 400 || wait > 515 { // an hour for seven is 514.3 s for one
		t.Errorf("Retry-After is %q", answer.Header.Get("Retry-After"))
	}
	answer.WantJSON("error.details", map[string]any{"retry_after": wait})
	if rows := testkit.Rows(t, app.DB, "users", "full_name IS NOT NULL"); rows != 0 {
		t.Error("what was refused is done")
	}
	app.User(t, "bob").Do(t, "GET", me).Want(200)

	// Failed sign-ins have a limit of their own, and shut nobody out.
	for range 2 {
		app.As("guessed").Do(t, "GET", me).WantError(401, "UNAUTHENTICATED")
	}
	app.As("guessed").Do(t, "GET", me).WantError(429, "RATE_LIMIT_EXCEEDED")
	app.User(t, "cat").Do(t, "GET", me).Want(200)
	for range 10 {
		app.Do(t, "GET", me).WantError(401, "UNAUTHENTICATED")
	}
}

// Each of a user's API keys has a limit of its own, as the user has.
func TestEachKeyHasItsLimit(t *testing.T) {
	app := apptest.Start(t, database.SQLite, limitsOn, "RATE_LIMIT_DEFAULT=5/day")
	alice := app.User(t, "alice")
	one, _ := made(t, alice, quote(t, "read"))
	two, _ := made(t, alice, quote(t, "read"))
	for _, who := range []struct {
		api  *testkit.API
		left int
	}{{app.As(one), 5}, {app.As(two), 5}, {alice, 3}} {
		for range who.left {
			who.api.Do(t, "GET", me).Want(200)
		}
		who.api.Do(t, "GET", me).WantError(429, "RATE_LIMIT_EXCEEDED")
	}
}

func TestAClientCannotChooseItsAddress(t *testing.T) {
	t.Run("no proxy is trusted", func(t *testing.T) {
		app := apptest.Start(t, database.SQLite, limitsOn, "RATE_LIMIT_DEFAULT=5/day")
		for i := range 5 {
			app.Do(t, "GET", nowhereMail, at(fmt.Sprintf("203.0.113.%d", i))).Want(404)
		}
		for i := range 5 {
			app.Do(t, "GET", nowhereMail, at(fmt.Sprintf("198.51.100.%d", i))).WantError(429, "RATE_LIMIT_EXCEEDED")
		}
	})
	t.Run("behind a proxy", func(t *testing.T) {
		app := apptest.Start(t, database.SQLite, limitsOn, "RATE_LIMIT_DEFAULT=5/day", trusted)
		for i := range 5 {
			app.Do(t, "GET", nowhereMail, at(fmt.Sprintf("1.1.1.%d, 203.0.113.1", i))).Want(404)
			app.Do(t, "GET", nowhereMail, at(fmt.Sprintf("2001:db8:1:2:%d::1", i))).Want(404)
		}
		app.Do(t, "GET", nowhereMail, at("203.0.113.1")).Want(429)
		app.Do(t, "GET", nowhereMail, at("::ffff:203.0.113.1")).Want(429)
		app.Do(t, "GET", nowhereMail, at("2001:db8:1:2:ffff::1")).Want(429)
		app.Do(t, "GET", nowhereMail, at("203.0.113.2")).Want(404)
		app.Do(t, "GET", nowhereMail, at("2001:db8:1:3::1")).Want(404)
	})
}

// Every route is called until it must be limited, and is unless its name is above.
func TestWhatIsExemptIsNamed(t *testing.T) {
	app := apptest.Start(t, database.SQLite, limitsOn, trusted, "RATE_LIMIT_DEFAULT=1/day", "RATE_LIMIT_AI=1/day", "RATE_LIMIT_AUTH=1/day",
		"CONTACT_TO_ADDRESS=team@example.com", "RESEND_WEBHOOK_SECRET="+webhooktest.Secret)
	var free []string
	for i, route := range app.Routes {
		name := route.Method + " " + route.Full
		client := at(fmt.Sprintf("10.%d.0.1", i))
		limited := false
		for range 22 { // the ceiling of an address, before anybody is known, is 20
			answer := app.Do(t, route.Method, strings.NewReplacer("{", "", "}", "").Replace(route.Full), client, testkit.Header("Content-Type", "application/json"))
			limited = limited || answer.Status == http.StatusTooManyRequests
			if announced := answer.Header.Get("X-RateLimit-Limit") != ""; announced != (route.Rate != httpserver.RateExempt) {
				t.Errorf("%s: the limit is announced: %t", name, announced)
			}
		}
		if !limited {
			free = append(free, name)
		}
	}
	var exempt []string
	for _, c := range accesses {
		if c.free {
			exempt = append(exempt, c.route)
		}
	}
	slices.Sort(free)
	slices.Sort(exempt)
	if !slices.Equal(free, exempt) {
		t.Errorf("without a limit are\n%s\nwant\n%s", strings.Join(free, "\n"), strings.Join(exempt, "\n"))
	}
}

func TestPreflightsAreNotCounted(t *testing.T) {
	app := apptest.Start(t, database.SQLite, limitsOn, "RATE_LIMIT_DEFAULT=2/day", `BACKEND_CORS_ORIGINS=["https://app.example.com"]`)
	ours := testkit.Header("Origin", "https://app.example.com")
	for range 60 {
		app.Do(t, "OPTIONS", me, ours, testkit.Header("Access-Control-Request-Method", "GET")).Want(204).WantHeader("X-RateLimit-Limit", "")
	}
	answer := app.User(t, "alice").Do(t, "GET", me, ours).Want(200).WantHeader("X-RateLimit-Remaining", "1")
	for _, name := range []string{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "Ratelimit", "Ratelimit-Policy", "Retry-After"} {
		if exposed := answer.Header.Get("Access-Control-Expose-Headers"); !slices.Contains(strings.Split(exposed, ", "), name) {
			t.Errorf("a page can't read %s: %s", name, exposed)
		}
	}
}

// Redis freezes, goes on, dies and comes back empty, under the load of many clients, and not one of them gets an error.
func TestClientsDoNotNoticeThatRedisIsGone(t *testing.T) {
	t.Parallel()
	server := testkit.NewRedisServer(t)
	app := apptest.Start(t, database.SQLite, limitsOn, measured, "RATE_LIMIT_DEFAULT=1000000/minute", "REDIS_URL="+server.URL)
	var load sync.WaitGroup
	ended := make(chan struct{})
	var answered atomic.Int64
	for number := range 4 {
		client := app.User(t, fmt.Sprintf("user-%d", number))
		load.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				if answer := client.Do(t, "GET", me); answer.Status != 200 {
					t.Errorf("%d %s", answer.Status, answer.Body)
				}
				answered.Add(1)
			}
		})
	}
	told := func(text string) int { return app.Logs.FilterMessageSnippet(text).Len() }
	const gone, back = "Redis can't count calls", "counted in Redis again"
	away := func(what string, leave, comeBack func()) {
		left, returned := told(gone), told(back)
		leave()
		apptest.Await(t, what+" to be noticed", func() bool { return told(gone) > left && metrics(t, app, "omnistack_ratelimit_redis_up 0") })
		before := answered.Load()
		apptest.Await(t, "clients to be served meanwhile", func() bool { return answered.Load() > before+20 })
		comeBack()
		apptest.Await(t, "the end of that", func() bool { return told(back) > returned && metrics(t, app, "omnistack_ratelimit_redis_up 1") })
	}
	away("the frost", server.Freeze, server.Thaw)
	away("the death", server.Kill, func() {
		if err := server.Restart(); err != nil {
			t.Error(err)
		}
	})
	close(ended)
	load.Wait()
	alice := app.User(t, "alice")
	apptest.Await(t, "the whole limit", func() bool { return alice.Do(t, "GET", me).Want(200).Header.Get("X-RateLimit-Limit") == "1000000" })
}

// A quota that is used up stays so when Redis goes: what is let through then is counted too.
func TestLimitsDoNotEndWithRedis(t *testing.T) {
	t.Parallel()
	server := testkit.NewRedisServer(t)
	app := apptest.Start(t, database.SQLite, limitsOn, "RATE_LIMIT_DEFAULT=10/day", "RATE_LIMIT_AUTH=4/day", "REDIS_URL="+server.URL)
	server.Kill()
	passed := map[string]int{}
	alice := app.User(t, "alice")
	for range 12 {
		if alice.Do(t, "GET", me).Status == 200 {
			passed["default"]++
		}
		if app.As("guessed").Do(t, "GET", me).Status == 401 {
			passed["auth"]++
		}
	}
	if passed["default"] != 5 || passed["auth"] != 2 {
		t.Errorf("passed: %v, want half of 10 and of 4", passed)
	}
}
