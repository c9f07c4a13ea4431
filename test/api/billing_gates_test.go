//scaffold:needs ai billing notifications projects

package api

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// Of ten projects at once those are made that the plan includes. Paying makes room at once, and a downgrade takes none away.
func TestAPlanLimitsProjects(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		s, alice := shop{app}, app.User(t, "alice")
		alice.Do(t, "GET", me).Want(200)
		var made, refused atomic.Int64
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				answer := alice.Do(t, "POST", projects, testkit.Body(fmt.Sprintf(`{"name": "Project %d"}`, i)))
				switch answer.Status {
				case http.StatusCreated:
					made.Add(1)
				case http.StatusPaymentRequired:
					answer.WantError(402, "PAYMENT_REQUIRED").WantJSON("error.details.limit", 3.0)
					refused.Add(1)
				default:
					t.Errorf("a project is answered %d", answer.Status)
				}
			})
		}
		all.Wait()
		if made.Load() != 3 || refused.Load() != 7 {
			t.Fatalf("%d were made and %d refused", made.Load(), refused.Load())
		}

		s.buy(t, alice, "pro", "monthly")
		var fourth *testkit.Response
		apptest.Await(t, "room for a fourth", func() bool {
			fourth = alice.Do(t, "POST", projects, testkit.Body(`{"name": "Project 4"}`))
			return fourth.Status == http.StatusCreated
		})

		portal, subscription := s.portal(t, alice)
		s.press(t, portal, "end", "subscription", subscription)
		apptest.Await(t, "the end of it", func() bool {
			answer := alice.Do(t, "POST", projects, testkit.Body(`{"name": "Another"}`))
			if answer.Status == http.StatusCreated { // it was too early
				alice.Do(t, "DELETE", answer.Header.Get("Location")).Want(204)
			}
			return answer.Status == http.StatusPaymentRequired
		})
		alice.Do(t, "GET", projects).Want(200).WantJSON("total", 4.0)
		alice.Do(t, "PATCH", fourth.Header.Get("Location"), testkit.Body(`{"name": "Still mine"}`)).Want(200)
	}, apptest.BuiltInPlans)
}

// A plan counts wherever a user is known, for API keys too, within seconds: in the copy of users, and in the limit of calls.
func TestAPlanCountsEverywhere(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		s, alice := shop{app}, app.User(t, "alice")
		limit := func(who *testkit.API) string { return who.Do(t, "GET", me).Want(200).Header.Get("X-RateLimit-Limit") }
		if got := limit(alice); got != "1000" {
			t.Errorf("on the free plan the limit is %s", got)
		}
		key := app.As(alice.Do(t, "POST", "/api/v1/app/api-keys", testkit.Body(`{"name": "ci", "scopes": ["read"]}`)).Want(201).Text("key"))

		s.buy(t, alice, "pro", "monthly")
		apptest.Await(t, "the new limit", func() bool { return limit(alice) == "5000" && limit(key) == "5000" })
		alice.Do(t, "GET", me).Want(200).WantJSON("subscription_plan", "pro").WantJSON("subscription_status", "trialing")
		if rows := testkit.Rows(t, app.DB, "users", "stripe_customer_id LIKE 'cus_%'"); rows != 1 {
			t.Errorf("%d users have a customer", rows)
		}

		portal, subscription := s.portal(t, alice)
		s.press(t, portal, "end", "subscription", subscription)
		apptest.Await(t, "the old limit", func() bool { return limit(alice) == "1000" && limit(key) == "1000" })
		alice.Do(t, "GET", me).Want(200).WantJSON("subscription_plan", "free").WantJSON("subscription_status", "canceled")
	}, apptest.BuiltInPlans, "RATE_LIMIT_ENABLED=true", "RATE_LIMIT_DEFAULT=1000/second")
}

// What people must know of they are told, once: that a trial begins, that it ends, that a payment failed, that all is over.
func TestPeopleAreToldOfTheirSubscription(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		s, alice := shop{app}, app.As(app.Token(t, auth.DevClaims{Subject: "alice", Email: "alice@example.com"}))
		alice.Do(t, "GET", me).Want(200)
		s.knobs(t, `{"duplicate": 2}`) // Stripe tells everything three times
		s.buy(t, alice, "pro", "monthly")
		s.advance(t, 12*24*time.Hour)
		s.awaitTold(t, "trial_ending", 1)
		s.advance(t, 3*24*time.Hour)
		s.awaitStatus(t, alice, "active")
		s.knobs(t, `{"decline": true}`)
		admin := app.As(app.Token(t, auth.DevClaims{Subject: "admin", Role: "admin"}))
		admin.Do(t, "GET", "/api/v1/admin/billing/revenue").Want(200).WantJSON("active", 1.0).WantJSON("monthly.0.amount", 2000.0).WantJSON("churn_30_days", 0.0)
		s.advance(t, 27*24*time.Hour)
		for range 12 { // a day at a time: of attempts that nobody notices in between one is told
			s.advance(t, 24*time.Hour)
			s.settle(t)
		}
		s.awaitStatus(t, alice, "canceled")
		s.awaitTold(t, "payment_failed", 4)
		s.awaitTold(t, "subscription_changed", 3) // the trial, the first payment, the end
		s.awaitTold(t, "trial_ending", 1)
		mails := s.page(t, s.URL+"/dev/mail")
		for _, subject := range []string{"Your trial ends soon", "Your payment didn", "Your subscription has ended"} {
			if !strings.Contains(mails, subject) {
				t.Errorf("no mail says %q", subject)
			}
		}
	}, apptest.BuiltInPlans)
}

// settle waits until all that happened at Stripe has led to what it leads to.
func (s shop) settle(t *testing.T) {
	t.Helper()
	apptest.Await(t, "the news of Stripe to be dealt with", func() bool {
		return s.Do(t, "GET", "/dev/stripe/knobs").Want(200).JSON("waiting") == 0.0 &&
			testkit.Rows(t, s.DB, "river_job", "state IN ('available', 'running', 'retryable')") == 0
	})
}

// awaitTold waits until so many notices of a topic are there.
func (s shop) awaitTold(t *testing.T, topic string, times int) {
	t.Helper()
	apptest.Await(t, fmt.Sprint(times, " of ", topic), func() bool {
		return testkit.Rows(t, s.DB, "notifications", "topic = '"+topic+"'") == times
	})
}

// TestWhatAICostsIsReported proves that Stripe hears, once, what the calls of a customer cost, and nothing of others'.
func TestWhatAICostsIsReported(t *testing.T) {
	t.Parallel()
	app := apptest.Start(t, database.SQLite, apptest.BuiltInPlans, "STRIPE_AI_METER=ai_cost")
	s, alice, bob := shop{app}, app.User(t, "alice"), app.User(t, "bob")
	s.buy(t, alice, "pro", "monthly")
	var cost int64 // in microdollars, each call's rounded up
	for range 3 {
		answer := alice.Do(t, "POST", ai+"/complete", testkit.Body(`{"prompt": "Say hello", "model": "sim-small"}`)).Want(200)
		usd, err := strconv.ParseFloat(answer.Text("cost.amount_usd"), 64)
		if err != nil {
			t.Fatal(err)
		}
		cost += int64(math.Ceil(math.Round(usd*1e12) / 1e6))
	}
	bob.Do(t, "POST", ai+"/complete", testkit.Body(`{"prompt": "Say hello", "model": "sim-small"}`)).Want(200)
	apptest.Await(t, "the usage to be reported", func() bool {
		page := string(app.Do(t, "GET", "/dev/stripe/").Want(200).Body)
		return strings.Contains(page, fmt.Sprintf("ai_cost: %d ", cost)) && strings.Count(page, "ai_cost") == 1
	})
	apptest.Await(t, "the rest of the reports", func() bool {
		return testkit.Rows(t, app.DB, "river_job", "kind = 'billing.report_usage' AND state <> 'completed'") == 0
	})
	if page := string(app.Do(t, "GET", "/dev/stripe/").Want(200).Body); !strings.Contains(page, fmt.Sprintf("ai_cost: %d ", cost)) {
		t.Errorf("something is reported twice: %s", page)
	}
}

// What a plan includes is known here, so that it counts while Stripe is away.
func TestPlansCountWithoutStripe(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		s, alice := shop{app}, app.User(t, "alice")
		s.buy(t, alice, "pro", "monthly")
		s.knobs(t, `{"outage": true}`)
		alice.Do(t, "POST", projects, testkit.Body(`{"name": "Apollo"}`)).Want(201)
	}, apptest.BuiltInPlans)
}
