//scaffold:needs billing

package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

const billing = "/api/v1/app/billing"

// shop is the product and the simulator of Stripe in it.
type shop struct{ *apptest.App }

// buy has a user buy a plan, and returns when the plan counts.
func (s shop) buy(t *testing.T, user *testkit.API, plan, interval string) {
	t.Helper()
	s.press(t, s.checkout(t, user, plan, interval), "pay")
	s.awaitPlan(t, user, plan)
}

// checkout returns the page of a checkout.
func (s shop) checkout(t *testing.T, user *testkit.API, plan, interval string) string {
	t.Helper()
	body := fmt.Sprintf(`{"plan": %q, "interval": %q}`, plan, interval)
	return user.Do(t, "POST", billing+"/checkout", testkit.Body(body)).Want(201).Text("url")
}

// press presses a button of a page, and returns where that leads.
func (s shop) press(t *testing.T, page, action string, more ...string) string {
	t.Helper()
	form := url.Values{"action": {action}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return s.post(t, page, form)
}

func (s shop) post(t *testing.T, page string, form url.Values) string {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, page, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusSeeOther {
		t.Fatalf("%s %s: %s", page, form.Encode(), answer.Status)
	}
	return answer.Header.Get("Location")
}

// advance lets time pass at Stripe.
func (s shop) advance(t *testing.T, by time.Duration) {
	t.Helper()
	s.post(t, s.URL+"/dev/stripe/clock", url.Values{"by": {by.String()}})
}

// knobs orders trouble at Stripe, such as {"decline": true}.
func (s shop) knobs(t *testing.T, text string) {
	t.Helper()
	s.Do(t, "POST", "/dev/stripe/knobs", testkit.Body(text)).Want(200)
}

func (s shop) subscription(t *testing.T, user *testkit.API) *testkit.Response {
	t.Helper()
	return user.Do(t, "GET", billing+"/subscription").Want(200)
}

func (s shop) awaitPlan(t *testing.T, user *testkit.API, plan string) {
	t.Helper()
	apptest.Await(t, "the plan "+plan, func() bool { return s.subscription(t, user).Text("plan") == plan })
}

func (s shop) awaitStatus(t *testing.T, user *testkit.API, status string) {
	t.Helper()
	apptest.Await(t, "the status "+status, func() bool { return s.subscription(t, user).JSON("status") == status })
}

// portal returns the page where a user changes the subscription, and the id of that.
func (s shop) portal(t *testing.T, user *testkit.API) (page, subscriptionID string) {
	t.Helper()
	page = user.Do(t, "POST", billing+"/portal").Want(201).Text("url")
	_, rest, found := strings.Cut(s.page(t, page), `name="subscription" value="`)
	if !found {
		t.Fatal("the portal shows no subscription")
	}
	subscriptionID, _, _ = strings.Cut(rest, `"`)
	return page, subscriptionID
}

func (s shop) page(t *testing.T, address string) string {
	t.Helper()
	return string(s.Do(t, "GET", strings.TrimPrefix(strings.TrimPrefix(address, s.URL), s.Settings.Platform.HTTP.LocalURL())).Want(200).Body)
}

// A life: from nothing to a trial, a paid plan, another plan, a late payment, its recovery and the end, as Stripe tells it.
func TestALifeOfASubscription(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		s, alice := shop{app}, app.User(t, "alice")
		s.subscription(t, alice).WantJSON("plan", "free").WantJSON("status", nil)
		alice.Do(t, "POST", billing+"/portal").WantError(409, "CONFLICT")

		page := s.checkout(t, alice, "pro", "monthly")
		if text := s.page(t, page); !strings.Contains(text, "20.00 USD") || !strings.Contains(text, "14 days are free") {
			t.Errorf("the checkout shows %s", text)
		}
		if back := s.press(t, page, "back"); back != "http://localhost:3000/billing?checkout=canceled" {
			t.Errorf("back leads to %s", back)
		}
		if again := s.press(t, page, "decline"); !strings.Contains(again, "declined") {
			t.Errorf("a declined card leads to %s", again)
		}
		if done := s.press(t, page, "pay"); !strings.HasPrefix(done, "http://localhost:3000/billing?checkout=success&session_id=cs_test_") {
			t.Errorf("paying leads to %s", done)
		}
		s.awaitStatus(t, alice, "trialing")
		s.subscription(t, alice).WantJSON("plan", "pro").WantJSON("interval", "monthly").WantJSON("cancel_at_period_end", false)
		alice.Do(t, "POST", billing+"/checkout", testkit.Body(`{"plan": "enterprise", "interval": "yearly"}`)).WantError(409, "CONFLICT")

		s.advance(t, 15*24*time.Hour)
		s.awaitStatus(t, alice, "active")

		portal, subscription := s.portal(t, alice)
		s.press(t, portal, "switch", "subscription", subscription, "about", "price_enterprise_monthly")
		s.awaitPlan(t, alice, "enterprise")
		s.press(t, portal, "cancel", "subscription", subscription)
		apptest.Await(t, "the cancellation", func() bool { return s.subscription(t, alice).JSON("cancel_at_period_end") == true })
		s.press(t, portal, "resume", "subscription", subscription)
		apptest.Await(t, "the resumption", func() bool { return s.subscription(t, alice).JSON("cancel_at_period_end") == false })

		s.knobs(t, `{"decline": true}`)
		s.advance(t, 32*24*time.Hour)
		s.awaitStatus(t, alice, "past_due")
		s.subscription(t, alice).WantJSON("plan", "enterprise") // it is within its days of grace
		s.knobs(t, `{"decline": false}`)
		s.advance(t, 3*24*time.Hour)
		s.awaitStatus(t, alice, "active")

		s.press(t, portal, "end", "subscription", subscription)
		s.awaitStatus(t, alice, "canceled")
		s.subscription(t, alice).WantJSON("plan", "free")

		invoices := alice.Do(t, "GET", billing+"/invoices").Want(200).JSON("items").([]any)
		if len(invoices) != 4 {
			t.Errorf("there are %d invoices, want that of the trial, of the first month, of the switch and of the second month", len(invoices))
		}
		for _, each := range invoices {
			if invoice := each.(map[string]any); invoice["status"] != "paid" || invoice["amount_paid"] != invoice["amount_due"] {
				t.Errorf("an invoice is %v", invoice)
			}
		}
		app.User(t, "bob").Do(t, "GET", billing+"/invoices").Want(200).WantJSON("total", 0.0)

		// Who had a trial gets no other one.
		if text := s.page(t, s.checkout(t, alice, "pro", "yearly")); strings.Contains(text, "are free") {
			t.Error("there is a second trial")
		}
	}, apptest.BuiltInPlans)
}

func TestTwoCheckoutsAtOnceMakeOneCustomer(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		s, alice := shop{app}, app.User(t, "alice")
		alice.Do(t, "GET", me).Want(200)
		var both sync.WaitGroup
		for range 8 {
			both.Go(func() { s.checkout(t, alice, "pro", "monthly") })
		}
		both.Wait()
		if shown := strings.Count(s.page(t, s.URL+"/dev/stripe/"), "/dev/stripe/portal/cus_"); shown != 1 {
			t.Errorf("there are %d customers", shown)
		}
		if accounts := testkit.Rows(t, app.DB, "billing_accounts", "customer_id IS NOT NULL"); accounts != 1 {
			t.Errorf("there are %d accounts with a customer", accounts)
		}
	})
}

// What can't be bought, and who tries to choose what isn't a client's to choose.
func TestAClientChoosesAPlanAndNothingElse(t *testing.T) {
	t.Parallel()
	app := apptest.Start(t, database.SQLite)
	alice := app.User(t, "alice")
	for body, code := range map[string]string{
		`{"plan": "gold", "interval": "monthly"}`:                                       "VALIDATION_ERROR",
		`{"plan": "free", "interval": "monthly"}`:                                       "VALIDATION_ERROR",
		`{"plan": "pro", "interval": "weekly"}`:                                         "VALIDATION_ERROR",
		`{"plan": "pro"}`:                                                               "VALIDATION_ERROR",
		`{"plan": "pro", "interval": "monthly", "price": "price_enterprise_monthly"}`:   "VALIDATION_ERROR",
		`{"plan": "pro", "interval": "monthly", "customer": "cus_1"}`:                   "VALIDATION_ERROR",
		`{"plan": "pro", "interval": "monthly", "success_url": "https://evil.example"}`: "VALIDATION_ERROR",
	} {
		alice.Do(t, "POST", billing+"/checkout", testkit.Body(body)).WantError(422, code)
	}
	if accounts := testkit.Rows(t, app.DB, "billing_accounts", ""); accounts != 0 {
		t.Errorf("there are %d accounts", accounts)
	}
}

// Without Stripe nothing breaks but the checkout and the portal, and what happened meanwhile is right when it is back.
func TestLosingStripe(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		s, alice, bob := shop{app}, app.User(t, "alice"), app.User(t, "bob")
		s.buy(t, alice, "pro", "monthly")
		s.knobs(t, `{"outage": true}`)
		bob.Do(t, "POST", billing+"/checkout", testkit.Body(`{"plan": "pro", "interval": "monthly"}`)).WantError(502, "EXTERNAL_SERVICE_ERROR").
			WantJSON("error.details.service", "stripe")
		alice.Do(t, "POST", billing+"/portal").WantError(502, "EXTERNAL_SERVICE_ERROR")
		s.subscription(t, alice).WantJSON("plan", "pro")
		alice.Do(t, "GET", billing+"/invoices").Want(200).WantJSON("total", 1.0)
		alice.Do(t, "GET", billing+"/plans").Want(200)
		alice.Do(t, "PATCH", me, testkit.Body(`{"full_name": "Alice"}`)).Want(200)
		s.knobs(t, `{"outage": false}`)
		s.buy(t, bob, "pro", "monthly")
	})
}

// secret is what webhooks are signed with here.
const secret = "whsec_0123456789abcdef0123456789abcdef"

// signed returns a post with its signature of that time.
func signed(with string, at time.Time, body string) []testkit.Part {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(with))
	mac.Write([]byte(timestamp + "." + body))
	return []testkit.Part{testkit.Body(body), testkit.Header("Stripe-Signature", "t="+timestamp+",v1="+hex.EncodeToString(mac.Sum(nil)))}
}

func hint(number int) string {
	return fmt.Sprintf(`{"id": "evt_%d", "type": "some.news", "data": {"object": {"object": "thing"}}}`, number)
}

// A webhook is believed with a good signature only. A thousand at once are all kept, and none is turned away.
func TestWebhooksOfStripe(t *testing.T) {
	const hook = "/api/v1/public/webhooks/stripe"
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		now := time.Now()
		for name, parts := range map[string][]testkit.Part{
			"no signature":            {testkit.Body(hint(1))},
			"another secret":          signed("whsec_of_somebody_else", now, hint(1)),
			"an empty secret":         signed("", now, hint(1)),
			"old":                     signed(secret, now.Add(-6*time.Minute), hint(1)),
			"from the future":         signed(secret, now.Add(6*time.Minute), hint(1)),
			"another body":            {signed(secret, now, hint(1))[1], testkit.Body(hint(2))},
			"the same, encoded again": {signed(secret, now, hint(1))[1], testkit.Body(strings.ReplaceAll(hint(1), " ", ""))},
			"no event":                signed(secret, now, `{"id": 7}`),
		} {
			if answer := app.Do(t, "POST", hook, parts...); answer.Status != 400 {
				t.Errorf("%s: %d", name, answer.Status)
			}
		}
		app.Do(t, "POST", hook, signed(secret, now, strings.Repeat(" ", 1<<20)+hint(1))...).WantError(413, "PAYLOAD_TOO_LARGE")
		if kept := testkit.Rows(t, app.DB, "billing_webhooks", ""); kept != 0 {
			t.Fatalf("%d were kept", kept)
		}
		var all sync.WaitGroup
		for worker := range 8 {
			all.Go(func() {
				for i := range 125 {
					app.Do(t, "POST", hook, signed([]string{secret, secret + "_new"}[i%2], now, hint(worker*125+i))...).Want(200).WantJSON("received", true)
				}
			})
		}
		all.Wait()
		app.Do(t, "POST", hook, signed(secret, now, hint(1))...).Want(200) // again
		apptest.Await(t, "all of them to be processed", func() bool {
			return testkit.Rows(t, app.DB, "billing_webhooks", "processed_at IS NOT NULL") == 1000
		})
	}, "STRIPE_SECRET_KEY=sk_test_1", "STRIPE_WEBHOOK_SECRET="+secret+","+secret+"_new", "STRIPE_API_BASE=http://127.0.0.1:1", "RATE_LIMIT_ENABLED=true")
}

// Administrators see what came, and have it processed again.
func TestWebhooksAreReplayed(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		s, alice := shop{app}, app.User(t, "alice")
		admin := app.As(app.Token(t, auth.DevClaims{Subject: "admin", Role: "admin"}))
		s.buy(t, alice, "pro", "monthly")
		const list = "/api/v1/admin/billing/webhooks"
		apptest.Await(t, "all of them to be processed", func() bool { return testkit.Rows(t, app.DB, "billing_webhooks", "processed_at IS NULL") == 0 })
		found := admin.Do(t, "GET", list+"?limit=1").Want(200)
		if found.JSON("next_cursor") == nil {
			t.Error("there is one page")
		}
		id := found.Text("items.0.id")
		app.Change(t, "UPDATE billing_accounts SET plan = 'free'") // as if something had gone wrong
		admin.Do(t, "POST", list+"/"+id+"/replay").Want(202)
		s.awaitPlan(t, alice, "pro")
		admin.Do(t, "POST", list+"/evt_none/replay").WantError(404, "NOT_FOUND")
	})
}

// Whoever is erased here is erased at Stripe, and pays nothing any more.
func TestAnErasedUserPaysNothing(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		s, alice := shop{app}, app.User(t, "alice")
		s.buy(t, alice, "pro", "monthly")
		alice.Do(t, "DELETE", me).Want(202)
		apptest.Await(t, "the erasure", func() bool {
			return testkit.Rows(t, app.DB, "billing_accounts", "")+testkit.Rows(t, app.DB, "billing_invoices", "") == 0 &&
				!strings.Contains(s.page(t, s.URL+"/dev/stripe/"), "portal/cus_")
		})
	})
}

// The key and the secret are in no answer and in no log, also when Stripe repeats what it was sent.
func TestStripesKeyStaysSecret(t *testing.T) {
	const key, hook = "sk_test_quokka_numbat", "whsec_bilby_dibbler"
	stripe := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said := r.Header.Get("Authorization") + " " + r.URL.Path
		w.Header().Set("Request-Id", said)
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprintf(w, `{"error": {"type": %q, "code": %[1]q, "message": %[1]q}}`, said)
	}))
	t.Cleanup(stripe.Close)
	app := apptest.Start(t, database.SQLite, "STRIPE_SECRET_KEY="+key, "STRIPE_WEBHOOK_SECRET="+hook, "STRIPE_API_BASE="+stripe.URL)
	answer := app.User(t, "alice").Do(t, "POST", billing+"/checkout", testkit.Body(purchase)).WantError(502, "EXTERNAL_SERVICE_ERROR")
	refused := app.Do(t, "POST", "/api/v1/public/webhooks/stripe", testkit.Body(hint(1))).WantError(400, "BAD_REQUEST")
	said := string(answer.Body) + string(refused.Body)
	for _, line := range app.Logs.All() {
		said += fmt.Sprint(line.Message, line.ContextMap())
	}
	if !strings.Contains(said, "stripe answered 401") {
		t.Error("the log doesn't say what is wrong")
	}
	for _, part := range []string{"quokka", "numbat", "bilby", "dibbler"} {
		if strings.Contains(said, part) {
			t.Errorf("%s is told", part)
		}
	}
}
