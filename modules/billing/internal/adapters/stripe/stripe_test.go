package stripe_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/billing/internal/adapters/stripe"
	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/testkit"
)

const key = "sk_test_nobodys"

var user = id.Of("0190b1d0-0000-7000-8000-000000000001")

// call is a request that arrived.
type call struct {
	line   string // method, path and what was asked for, decoded and in the order of names
	query  url.Values
	header http.Header
}

// double is a server in the place of Stripe.
type double struct {
	url string

	mu    sync.Mutex
	calls []call
}

// newDouble starts a double, which answers as the function does; the number of a call begins with 1.
func newDouble(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, number int)) *double {
	t.Helper()
	d := &double{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		asked, err := url.QueryUnescape(r.Form.Encode())
		if err != nil {
			t.Error(err)
		}
		d.mu.Lock()
		d.calls = append(d.calls, call{strings.TrimSpace(r.Method + " " + r.URL.Path + " " + asked), r.URL.Query(), r.Header})
		number := len(d.calls)
		d.mu.Unlock()
		answer(w, r, number)
	}))
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

// saying returns an answer of that status and text, whatever the call.
func saying(status int, text string) func(http.ResponseWriter, *http.Request, int) {
	return func(w http.ResponseWriter, _ *http.Request, _ int) { say(w, status, text) }
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// problem is how Stripe says what is wrong.
func problem(kind, code, param string) string {
	return fmt.Sprintf(`{"error": {"type": %q, "code": %q, "param": %q, "message": "canary: cus_1", "doc_url": "https://canary.example.com"}}`, kind, code, param)
}

func (d *double) seen() []call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
}

func (d *double) options() stripe.Options {
	return stripe.Options{
		Key: key, APIBase: d.url, Timeout: 20 * time.Second,
		SuccessURL: "https://app.example.com/paid?a=1&b=2", CancelURL: "https://app.example.com/left", ReturnURL: "https://app.example.com/back",
	}
}

// everyCall is each call of the port that is one request, in a form in which all are alike.
var everyCall = map[string]func(ctx context.Context, s *stripe.Stripe) (string, error){
	"create a customer": func(ctx context.Context, s *stripe.Stripe) (string, error) {
		return s.CreateCustomer(ctx, "key 1", user)
	},
	"check out": func(ctx context.Context, s *stripe.Stripe) (string, error) {
		return s.Checkout(ctx, "key 1", app.Checkout{User: user, CustomerID: "cus_1", PriceID: "price_1"})
	},
	"open the portal": func(ctx context.Context, s *stripe.Stripe) (string, error) { return s.Portal(ctx, "cus_1") },
	"fetch": func(ctx context.Context, s *stripe.Stripe) (string, error) {
		said, err := s.Fetch(ctx, "cus_1")
		if err != nil && !reflect.DeepEqual(said, domain.Snapshot{}) {
			return "", errors.New("there are an error and a snapshot")
		}
		return "", err
	},
	"forget": func(ctx context.Context, s *stripe.Stripe) (string, error) { return "", s.Forget(ctx, "cus_1") },
	"report usage": func(ctx context.Context, s *stripe.Stripe) (string, error) {
		return "", s.ReportUsage(ctx, "cus_1", app.Usage{ID: "call 1", User: user, Microdollars: 7, At: now})
	},
	"ask for what was undelivered": func(ctx context.Context, s *stripe.Stripe) (string, error) {
		return "", s.Undelivered(ctx, now, func(app.Post) error { return errors.New("there is none") })
	},
}

func TestRequests(t *testing.T) {
	trial := app.Checkout{User: user, CustomerID: "cus_1", PriceID: "price_1", TrialDays: 14}
	for name, test := range map[string]struct {
		answer  string
		options func(*stripe.Options)
		do      func(ctx context.Context, s *stripe.Stripe) (string, error)
		want    string // the request
		result  string
		key     string // "*" for any
	}{
		"create a customer": {
			answer: `{"id": "cus_1", "object": "customer"}`, do: everyCall["create a customer"],
			want: "POST /v1/customers metadata[user_id]=" + user.User, result: "cus_1", key: "key 1",
		},
		"check out": {
			answer: `{"id": "cs_1", "url": "https://checkout.stripe.com/c/1"}`, do: everyCall["check out"],
			want: "POST /v1/checkout/sessions cancel_url=https://app.example.com/left&client_reference_id=" + user.User + "&customer=cus_1" +
				"&line_items[0][price]=price_1&line_items[0][quantity]=1&metadata[user_id]=" + user.User + "&mode=subscription" +
				"&subscription_data[metadata][user_id]=" + user.User + "&success_url=https://app.example.com/paid?a=1&b=2",
			result: "https://checkout.stripe.com/c/1", key: "key 1",
		},
		"check out with all options": {
			answer:  `{"id": "cs_1", "url": "https://checkout.stripe.com/c/1"}`,
			options: func(o *stripe.Options) { o.PromotionCodes, o.AutomaticTax = true, true },
			do:      func(ctx context.Context, s *stripe.Stripe) (string, error) { return s.Checkout(ctx, "key 1", trial) },
			want: "POST /v1/checkout/sessions allow_promotion_codes=true&automatic_tax[enabled]=true&cancel_url=https://app.example.com/left" +
				"&client_reference_id=" + user.User + "&customer=cus_1&customer_update[address]=auto&line_items[0][price]=price_1" +
				"&line_items[0][quantity]=1&metadata[user_id]=" + user.User + "&mode=subscription&subscription_data[metadata][user_id]=" + user.User +
				"&subscription_data[trial_period_days]=14&success_url=https://app.example.com/paid?a=1&b=2",
			result: "https://checkout.stripe.com/c/1", key: "key 1",
		},
		"open the portal": {
			answer: `{"id": "bps_1", "url": "https://billing.stripe.com/p/1"}`, do: everyCall["open the portal"],
			want: "POST /v1/billing_portal/sessions customer=cus_1&return_url=https://app.example.com/back", result: "https://billing.stripe.com/p/1", key: "*",
		},
		"forget": {
			answer: `{"id": "cus_1", "object": "customer", "deleted": true}`, do: everyCall["forget"], want: "DELETE /v1/customers/cus_1", key: "*",
		},
		"report usage": {
			answer: `{"object": "billing.meter_event", "identifier": "call 1"}`, do: everyCall["report usage"], key: "call 1",
			options: func(o *stripe.Options) { o.Meter = "ai" },
			want:    fmt.Sprintf("POST /v1/billing/meter_events event_name=ai&identifier=call 1&payload[stripe_customer_id]=cus_1&payload[value]=7&timestamp=%d", now.Unix()),
		},
		"ask for what was undelivered": {
			answer: `{"object": "list", "data": [], "has_more": false}`, do: everyCall["ask for what was undelivered"],
			want: fmt.Sprintf("GET /v1/events created[gte]=%d&delivery_success=false&limit=50", now.Unix()),
		},
	} {
		d := newDouble(t, saying(200, test.answer))
		options := d.options()
		options.APIBase += "/"
		if test.options != nil {
			test.options(&options)
		}
		result, err := test.do(t.Context(), stripe.New(options))
		if err != nil || result != test.result || len(d.seen()) != 1 {
			t.Errorf("%s: %q after %d calls, %v", name, result, len(d.seen()), err)
			continue
		}
		got := d.seen()[0]
		if got.line != test.want {
			t.Errorf("%s asks for\n%s\nwant\n%s", name, got.line, test.want)
		}
		checkHeader(t, name, got.header, test.key)
	}
}

func checkHeader(t *testing.T, name string, header http.Header, idempotencyKey string) {
	t.Helper()
	if header.Get("Stripe-Version") != "2024-06-20" || header.Get("Authorization") != "Bearer "+key {
		t.Errorf("%s: %v", name, header)
	}
	if header.Get("X-Stripe-Client-User-Agent") != "" || header.Get("X-Stripe-Client-Telemetry") != "" {
		t.Errorf("%s tells of this machine: %v", name, header)
	}
	if got := header.Get("Idempotency-Key"); got != idempotencyKey && (idempotencyKey != "*" || got == "") {
		t.Errorf("%s has the key %q, want %q", name, got, idempotencyKey)
	}
}

func TestKeysThatStripeWouldNotTake(t *testing.T) {
	d := newDouble(t, saying(200, `{"id": "cus_1", "url": "https://example.com"}`))
	s := stripe.New(d.options())
	for _, bad := range []string{"", strings.Repeat("x", 256), "a\nb", "ü"} {
		if _, err := s.CreateCustomer(t.Context(), bad, user); !errs.Is(err, errs.Invalid) {
			t.Errorf("a customer under %q: %v", bad, err)
		}
		if _, err := s.Checkout(t.Context(), bad, app.Checkout{}); !errs.Is(err, errs.Invalid) {
			t.Errorf("a checkout under %q: %v", bad, err)
		}
	}
	if len(d.seen()) > 0 {
		t.Errorf("Stripe was asked: %v", d.seen())
	}
	if _, err := s.CreateCustomer(t.Context(), strings.Repeat("x", 255), user); err != nil {
		t.Error(err)
	}
}

const (
	aCustomer       = `{"id": "cus_1", "object": "customer"}`
	aSubscription   = `{"id": "sub_1", "object": "subscription", "status": "active", "created": 100, "current_period_start": 200, "current_period_end": 300}`
	noList          = `{"object": "list", "data": [], "has_more": false}`
	noSuchCustomer  = "resource_missing"
	someInvoices    = `{"object": "list", "has_more": false, "data": [{"id": "in_1", "status": "paid"}]}`
	oneSubscription = `{"object": "list", "has_more": false, "data": [` + aSubscription + `]}`
)

// answers says what a double answers to each path.
type answers map[string]func(http.ResponseWriter, *http.Request, int)

func (a answers) answer(w http.ResponseWriter, r *http.Request, number int) {
	if one, ok := a[r.URL.Path]; ok {
		one(w, r, number)
		return
	}
	say(w, 404, problem("invalid_request_error", "", ""))
}

func account(customer, subscriptions, invoices func(http.ResponseWriter, *http.Request, int)) answers {
	return answers{"/v1/customers/cus_1": customer, "/v1/subscriptions": subscriptions, "/v1/invoices": invoices}
}

func TestFetch(t *testing.T) {
	d := newDouble(t, account(
		saying(200, aCustomer),
		saying(200, `{"object": "list", "has_more": false, "data": [
			{"id": "sub_2", "status": "trialing", "currency": "usd", "created": 1767225600, "current_period_start": 1767225601, "current_period_end": 1767225602,
				"cancel_at_period_end": true, "trial_end": 1767225603, "customer": "cus_1",
				"items": {"data": [{"quantity": 3, "price": {"id": "price_1", "unit_amount": 990, "currency": "eur"}}, {"price": {"id": "price_2"}}]}},
			{"id": "sub_1", "status": "something_new", "currency": "usd", "trial_end": null, "items": {"data": [{"quantity": 1, "price": {"id": "price_3", "unit_amount": null}}]}},
			{"id": "sub_0", "status": "canceled", "currency": "usd", "items": {"data": []}}
		]}`),
		saying(200, `{"object": "list", "has_more": false, "data": [
			{"id": "in_3", "status": "open", "amount_due": 2970, "amount_paid": 0, "currency": "eur", "attempt_count": 2, "next_payment_attempt": 1767225700,
				"hosted_invoice_url": "https://invoice.stripe.com/i/3", "number": "A-3", "subscription": "sub_2", "created": 1767225604, "charge": null},
			{"id": "in_2", "status": "paid", "amount_due": 2970, "amount_paid": 2970, "currency": "eur", "attempt_count": 1, "next_payment_attempt": null,
				"hosted_invoice_url": "https://invoice.stripe.com/i/2", "number": "A-2", "subscription": {"id": "sub_2"}, "created": 1767225605,
				"charge": {"id": "ch_1", "amount_refunded": 100}},
			{"id": "in_1", "status": "draft", "amount_due": 5, "currency": "usd", "hosted_invoice_url": null, "number": null, "subscription": null}
		]}`),
	).answer)
	said, err := stripe.New(d.options()).Fetch(t.Context(), "cus_1")
	if err != nil {
		t.Fatal(err)
	}
	want := domain.Snapshot{
		Subscriptions: []domain.Subscription{
			{
				ID: "sub_2", Status: domain.Trialing, PriceID: "price_1", Amount: 2970, Currency: "eur", PeriodStart: unix(1767225601), PeriodEnd: unix(1767225602),
				CancelAtPeriodEnd: true, TrialEnd: unix(1767225603), CreatedAt: unix(1767225600),
			},
			{ID: "sub_1", Status: "something_new", PriceID: "price_3", Currency: "usd"},
			{ID: "sub_0", Status: domain.Canceled, Currency: "usd"},
		},
		Invoices: []domain.Invoice{
			{
				ID: "in_3", SubscriptionID: "sub_2", Number: "A-3", Status: domain.Open, Due: 2970, Currency: "eur", Attempts: 2, NextAttemptAt: unix(1767225700),
				URL: "https://invoice.stripe.com/i/3", CreatedAt: unix(1767225604),
			},
			{
				ID: "in_2", SubscriptionID: "sub_2", Number: "A-2", Status: domain.Paid, Due: 2970, Paid: 2970, Refunded: 100, Currency: "eur", Attempts: 1,
				URL: "https://invoice.stripe.com/i/2", CreatedAt: unix(1767225605),
			},
			{ID: "in_1", Status: domain.Draft, Due: 5, Currency: "usd"},
		},
	}
	if !reflect.DeepEqual(said, want) {
		t.Errorf("got\n%+v\nwant\n%+v", said, want)
	}
	var lines []string
	for _, call := range d.seen() {
		lines = append(lines, call.line)
		checkHeader(t, call.line, call.header, "")
	}
	wantLines := []string{
		"GET /v1/customers/cus_1", "GET /v1/subscriptions customer=cus_1&limit=100&status=all",
		"GET /v1/invoices customer=cus_1&expand[0]=data.charge&limit=100",
	}
	if !reflect.DeepEqual(lines, wantLines) {
		t.Errorf("it asks for %q, want %q", lines, wantLines)
	}
}

func unix(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }

// A server that speaks a newer version of the API says when the items' periods end, and not when the subscription's does.
func TestPeriodsOfItems(t *testing.T) {
	d := newDouble(t, account(saying(200, aCustomer), saying(200, `{"object": "list", "has_more": false, "data": [
		{"id": "sub_3", "items": {"data": [{"current_period_start": 10, "current_period_end": 90}, {"current_period_start": 20, "current_period_end": 80}, {}]}},
		{"id": "sub_2", "current_period_start": 1, "current_period_end": 2, "items": {"data": [{"current_period_start": 10, "current_period_end": 90}]}},
		{"id": "sub_1", "items": {"data": []}}
	]}`), saying(200, noList)).answer)
	said, err := stripe.New(d.options()).Fetch(t.Context(), "cus_1")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][2]time.Time{}
	for _, found := range said.Subscriptions {
		got[found.ID] = [2]time.Time{found.PeriodStart, found.PeriodEnd}
	}
	if want := map[string][2]time.Time{"sub_3": {unix(20), unix(80)}, "sub_2": {unix(1), unix(2)}, "sub_1": {}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCustomersWhoAreGone(t *testing.T) {
	deleted := saying(200, `{"id": "cus_1", "object": "customer", "deleted": true}`)
	missing := saying(404, problem("invalid_request_error", noSuchCustomer, "id"))
	unlisted := saying(400, problem("invalid_request_error", noSuchCustomer, "customer"))
	kept := []domain.Subscription{{ID: "sub_1", Status: domain.Active, CreatedAt: unix(100), PeriodStart: unix(200), PeriodEnd: unix(300)}}
	paid := []domain.Invoice{{ID: "in_1", Status: domain.Paid}}
	for name, test := range map[string]struct {
		account answers
		want    domain.Snapshot
	}{
		"deleted":                  {account(deleted, saying(200, oneSubscription), saying(200, someInvoices)), domain.Snapshot{Gone: true, Subscriptions: kept, Invoices: paid}},
		"deleted, with nothing":    {account(deleted, saying(200, noList), saying(200, noList)), domain.Snapshot{Gone: true}},
		"deleted, lists refused":   {account(deleted, unlisted, unlisted), domain.Snapshot{Gone: true}},
		"there, and bought nought": {account(saying(200, aCustomer), saying(200, noList), saying(200, noList)), domain.Snapshot{}},
	} {
		said, err := stripe.New(newDouble(t, test.account.answer).options()).Fetch(t.Context(), "cus_1")
		if err != nil || !reflect.DeepEqual(said, test.want) {
			t.Errorf("%s: %+v, %v", name, said, err)
		}
	}
	for name, account := range map[string]answers{
		"unknown":               account(missing, unlisted, unlisted),
		"unknown, with lists":   account(missing, saying(200, oneSubscription), saying(200, someInvoices)),
		"unknown to both lists": account(saying(200, aCustomer), unlisted, unlisted),
		"unknown to one list":   account(saying(200, aCustomer), saying(200, oneSubscription), unlisted),
	} {
		said, err := stripe.New(newDouble(t, account.answer).options()).Fetch(t.Context(), "cus_1")
		if !errs.Is(err, errs.NotFound) || !reflect.DeepEqual(said, domain.Snapshot{}) {
			t.Errorf("%s: %+v, %v, want it not found", name, said, err)
		}
	}
	if err := stripe.New(newDouble(t, missing).options()).Forget(t.Context(), "cus_1"); err != nil {
		t.Errorf("forgetting whom Stripe doesn't know: %v", err)
	}
}

// What a list can't tell must not pass for a list of nothing: it would end what people paid for.
func TestHalfAFetchIsNone(t *testing.T) {
	down := saying(503, problem("api_error", "", ""))
	for name, account := range map[string]answers{
		"no customer":               account(saying(200, `{}`), saying(200, noList), saying(200, noList)),
		"another customer":          account(saying(200, `{"id": "cus_2"}`), saying(200, noList), saying(200, noList)),
		"no subscriptions":          account(saying(200, aCustomer), saying(200, `{}`), saying(200, noList)),
		"no invoices":               account(saying(200, aCustomer), saying(200, oneSubscription), saying(200, `{"data": null}`)),
		"failing for the customer":  account(down, saying(200, noList), saying(200, noList)),
		"failing for subscriptions": account(saying(200, aCustomer), down, saying(200, noList)),
		"failing for invoices":      account(saying(200, aCustomer), saying(200, oneSubscription), down),
		"failing on the second page": account(saying(200, aCustomer), func(w http.ResponseWriter, r *http.Request, number int) {
			if r.URL.Query().Has("starting_after") {
				down(w, r, number)
				return
			}
			say(w, 200, `{"has_more": true, "data": [`+aSubscription+`]}`)
		}, saying(200, noList)),
	} {
		if _, err := everyCall["fetch"](t.Context(), stripe.New(newDouble(t, account.answer).options())); !errs.Is(err, errs.External) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"create a customer", "check out", "open the portal", "ask for what was undelivered"} {
		if _, err := everyCall[name](t.Context(), stripe.New(newDouble(t, saying(200, `{}`)).options())); !errs.Is(err, errs.External) {
			t.Errorf("%s, and get nothing: %v", name, err)
		}
	}
}

// pages answers with pages of a list, each of so many items, and says after each of them but the last that there is more.
func pages(prefix string, size, count int) func(http.ResponseWriter, *http.Request, int) {
	return func(w http.ResponseWriter, r *http.Request, _ int) {
		first := 0
		if after := r.URL.Query().Get("starting_after"); after != "" {
			_, _ = fmt.Sscanf(after, prefix+"%d", &first)
			first++
		}
		items := make([]map[string]any, size)
		for i := range items {
			items[i] = map[string]any{"id": fmt.Sprintf("%s%d", prefix, first+i), "type": "a.type", "data": map[string]any{"object": map[string]any{}}}
		}
		text, _ := json.Marshal(map[string]any{"object": "list", "data": items, "has_more": first/size+1 < count})
		say(w, 200, string(text))
	}
}

func TestFetchesAreBounded(t *testing.T) {
	d := newDouble(t, account(saying(200, aCustomer), pages("sub_", 40, 1000), pages("in_", 50, 1000)).answer)
	said, err := stripe.New(d.options()).Fetch(t.Context(), "cus_1")
	if err != nil || len(said.Subscriptions) != 100 || len(said.Invoices) != 100 {
		t.Fatalf("%d subscriptions, %d invoices, %v", len(said.Subscriptions), len(said.Invoices), err)
	}
	seen := map[string]bool{}
	for _, found := range said.Subscriptions {
		seen[found.ID] = true
	}
	if len(seen) != 100 || !seen["sub_0"] || !seen["sub_99"] {
		t.Errorf("there are %d subscriptions of 100: %v", len(seen), seen)
	}
	if calls := d.seen(); len(calls) != 6 { // the customer, three pages of subscriptions, two of invoices
		t.Errorf("it asked %d times: %v", len(calls), calls)
	}
}

func TestUndelivered(t *testing.T) {
	d := newDouble(t, pages("evt_", 50, 3))
	s := stripe.New(d.options())
	var ids []string
	err := s.Undelivered(t.Context(), now, func(post app.Post) error {
		ids = append(ids, post.ID)
		return nil
	})
	if err != nil || len(ids) != 150 || ids[0] != "evt_0" || ids[149] != "evt_149" {
		t.Errorf("%d events: %v, %v", len(ids), ids, err)
	}
	for i, after := range []string{"", "evt_49", "evt_99"} {
		query := d.seen()[i].query
		if query.Get("starting_after") != after || query.Get("delivery_success") != "false" || query.Get("created[gte]") != fmt.Sprint(now.Unix()) {
			t.Errorf("for page %d it asks %v", i+1, query)
		}
	}

	ours := errors.New("ours")
	calls := len(d.seen())
	if err := s.Undelivered(t.Context(), now, func(app.Post) error { return ours }); !errors.Is(err, ours) || len(d.seen()) != calls+1 {
		t.Errorf("after an error of ours: %v, and %d calls", err, len(d.seen())-calls)
	}

	d = newDouble(t, saying(200, `{"has_more": false, "data": [
		{"id": "evt_1", "type": "customer.deleted", "data": {"object": {"object": "customer", "id": "cus_1"}}},
		{"id": "evt_2", "type": "invoice.paid", "data": {"object": {"object": "invoice", "id": "in_1", "customer": "cus_2"}}},
		{"id": "evt_3", "type": "odd"}
	]}`))
	var got []app.Post
	err = stripe.New(d.options()).Undelivered(t.Context(), now, func(post app.Post) error {
		got = append(got, post)
		return nil
	})
	want := []app.Post{{ID: "evt_1", Type: "customer.deleted", CustomerID: "cus_1"}, {ID: "evt_2", Type: "invoice.paid", CustomerID: "cus_2"}, {ID: "evt_3", Type: "odd"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}

	d = newDouble(t, saying(200, `{"data": [{"id": "in_1", "type": "a"}]}`))
	if err := stripe.New(d.options()).Undelivered(t.Context(), now, func(app.Post) error { return nil }); !errs.Is(err, errs.External) {
		t.Errorf("what is no event: %v", err)
	}
}

// checkFailure checks the kind of an error, and that it repeats nothing of what Stripe said, and no secret.
func checkFailure(t *testing.T, name string, err error, want errs.Kind) {
	t.Helper()
	if !errs.Is(err, want) || errs.From(err).Details["service"] != "stripe" {
		t.Errorf("%s: %v, want %s", name, err, want.Code())
		return
	}
	shown, _ := json.Marshal(errs.From(err))
	for _, secret := range []string{"canary", "cus_1", key, user.User, "127.0.0.1/v1"} {
		if strings.Contains(err.Error()+string(shown), secret) {
			t.Errorf("%s: the error tells too much: %v %s", name, err, shown)
		}
	}
}

func TestFailuresThatStripeTells(t *testing.T) {
	for name, test := range map[string]struct {
		status            int
		kind, code, param string
		want              errs.Kind
		gone              bool // which is no error for who forgets or fetches
	}{
		"a wrong parameter":       {400, "invalid_request_error", "parameter_unknown", "canary", errs.Invalid, false},
		"no such price":           {400, "invalid_request_error", "resource_missing", "line_items[0][price]", errs.Invalid, false},
		"no such customer":        {400, "invalid_request_error", "resource_missing", "customer", errs.NotFound, true},
		"nothing there":           {404, "invalid_request_error", "resource_missing", "id", errs.NotFound, true},
		"no such address":         {404, "invalid_request_error", "", "", errs.Invalid, false},
		"a declined card":         {402, "card_error", "card_declined", "", errs.Invalid, false},
		"a key for another thing": {400, "idempotency_error", "", "", errs.Invalid, false},
		"a wrong key":             {401, "invalid_request_error", "", "", errs.External, false},
		"a restricted key":        {403, "invalid_request_error", "", "", errs.External, false},
		"a twin on its way":       {409, "idempotency_error", "idempotency_key_in_use", "", errs.External, false},
		"a conflict":              {409, "invalid_request_error", "lock_timeout", "", errs.External, false},
		"a locked object":         {429, "invalid_request_error", "lock_timeout", "", errs.External, false},
		"too many calls":          {429, "invalid_request_error", "rate_limit", "", errs.External, false},
		"a fault of theirs":       {500, "api_error", "", "", errs.External, false},
		"a gateway of theirs":     {502, "api_error", "", "", errs.External, false},
		"out of order":            {503, "api_error", "", "", errs.External, false},
		"a kind that's new":       {400, "new_error", "", "", errs.External, false},
		"a kind that's a text":    {400, "canary is wrong", "", "", errs.External, false},
	} {
		d := newDouble(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Request-Id", "req_1")
			say(w, test.status, problem(test.kind, test.code, test.param))
		})
		for call, do := range everyCall {
			result, err := do(t.Context(), stripe.New(d.options()))
			if test.gone && call == "forget" {
				if err != nil {
					t.Errorf("%s, %s: %v", name, call, err)
				}
				continue
			}
			checkFailure(t, name+", "+call, err, test.want)
			if said := fmt.Sprint(err); result != "" || !strings.Contains(said, fmt.Sprint(test.status)) || !strings.Contains(said, "req_1") ||
				!strings.Contains(test.kind, " ") && !strings.Contains(said, test.kind) || !strings.Contains(said, test.code) {
				t.Errorf("%s, %s: the log doesn't learn what it was: %v", name, call, err)
			}
		}
	}
}

func TestFailuresThatNobodyTells(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	elsewhere := newDouble(t, saying(200, aCustomer))
	for name, test := range map[string]struct {
		ctx  context.Context
		url  string
		want string // in the cause
	}{
		"nobody there":           {t.Context(), nobody, "refused"},
		"a caller who left":      {gone, elsewhere.url, "canceled"},
		"a page of a gateway's":  {t.Context(), newDouble(t, saying(502, "<html>canary</html>")).url, "502"},
		"a page for an answer":   {t.Context(), newDouble(t, saying(200, "<html>canary</html>")).url, "can't be read"},
		"an error that's none":   {t.Context(), newDouble(t, saying(500, `{"message": "canary"}`)).url, "500"},
		"an error that's a text": {t.Context(), newDouble(t, saying(404, `{"error": "canary"}`)).url, "404"},
		"a redirect": {t.Context(), newDouble(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Location", elsewhere.url+"/canary")
			say(w, 302, aCustomer)
		}).url, "302"},
		"half an answer": {t.Context(), newDouble(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"canary`)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}).url, "EOF"},
		"an endless answer": {t.Context(), newDouble(t, saying(200, strings.Repeat(" ", 5<<20))).url, "too long"},
	} {
		for call, do := range everyCall {
			options := elsewhere.options()
			options.APIBase = test.url
			_, err := do(test.ctx, stripe.New(options))
			checkFailure(t, name+", "+call, err, errs.External)
			if !strings.Contains(fmt.Sprint(err), test.want) {
				t.Errorf("%s, %s: the log doesn't learn what it was: %v", name, call, err)
			}
		}
	}
	if len(elsewhere.seen()) > 0 {
		t.Errorf("the redirect was followed: %v", elsewhere.seen())
	}
}

func TestEveryCallEndsInTime(t *testing.T) {
	silent := "http://" + testkit.Silence(t, "127.0.0.1:0")
	for call, do := range everyCall {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			_, err := do(t.Context(), stripe.New(stripe.Options{Key: key, APIBase: silent, Timeout: 200 * time.Millisecond, Retries: 2}))
			checkFailure(t, "our timeout", err, errs.Timeout)
			late, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			_, err = do(late, stripe.New(stripe.Options{Key: key, APIBase: silent, Retries: 2}))
			checkFailure(t, "the caller's deadline", err, errs.Timeout)
		})
	}
}

// Each request of a fetch is in time, all of them together aren't.
func TestAFetchAsAWholeEndsInTime(t *testing.T) {
	t.Parallel()
	d := newDouble(t, account(saying(200, aCustomer), saying(200, noList), saying(200, noList)).answer)
	network := testkit.NewNetwork(t, d.url)
	if err := network.Turn(testkit.Weather{Delay: 300 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	options := d.options()
	options.APIBase, options.Timeout = network.URL, time.Second
	_, err := stripe.New(options).Fetch(t.Context(), "cus_1")
	checkFailure(t, "fetch", err, errs.Timeout)
}

func TestRetries(t *testing.T) {
	const asked = "POST /v1/customers metadata[user_id]="
	failing := func(status int, code, should string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			if should != "" {
				w.Header().Set("Stripe-Should-Retry", should)
			}
			say(w, status, problem("api_error", code, ""))
		}
	}
	breaking := func(http.ResponseWriter) { panic(http.ErrAbortHandler) }
	half := func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"id": "cus_2"`)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	for name, test := range map[string]struct {
		fail     func(http.ResponseWriter)
		failures int
		retries  int
		calls    int
		works    bool
	}{
		"out of order twice":      {failing(503, "", ""), 2, 2, 3, true},
		"out of order thrice":     {failing(503, "", ""), 3, 2, 3, false},
		"never again":             {failing(503, "", ""), 1, 0, 1, false},
		"a twin on its way":       {failing(409, "idempotency_key_in_use", ""), 1, 2, 2, true},
		"a locked object":         {failing(429, "lock_timeout", ""), 1, 2, 2, true},
		"too many calls":          {failing(429, "rate_limit", ""), 1, 2, 1, false},
		"Stripe wants it":         {failing(400, "", "true"), 1, 2, 2, true},
		"Stripe doesn't want it":  {failing(500, "", "false"), 1, 2, 1, false},
		"a wrong parameter":       {failing(400, "", ""), 1, 2, 1, false},
		"a lost connection":       {breaking, 1, 2, 2, true},
		"an answer breaking off":  {half, 1, 2, 2, true},
		"a page of a gateway's":   {func(w http.ResponseWriter) { say(w, 502, "<html>") }, 1, 2, 2, true},
		"a page for no such page": {func(w http.ResponseWriter) { say(w, 404, "<html>") }, 1, 2, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t, func(w http.ResponseWriter, _ *http.Request, number int) {
				if number <= test.failures {
					test.fail(w)
					return
				}
				say(w, 200, aCustomer)
			})
			options := d.options()
			options.Retries = test.retries
			customerID, err := stripe.New(options).CreateCustomer(t.Context(), "key 1", user)
			if calls := len(d.seen()); (err == nil) != test.works || (customerID == "cus_1") != test.works || calls != test.calls {
				t.Errorf("%q after %d calls, %v", customerID, calls, err)
			}
			for _, call := range d.seen() {
				if call.line != asked+user.User {
					t.Errorf("it asks for %s", call.line)
				}
				checkHeader(t, "the call", call.header, "key 1")
			}
		})
	}
}

// Keys that nobody chose stay the same, too.
func TestRetriesOfAPortal(t *testing.T) {
	t.Parallel()
	d := newDouble(t, func(w http.ResponseWriter, _ *http.Request, number int) {
		if number == 1 {
			say(w, 500, problem("api_error", "", ""))
			return
		}
		say(w, 200, `{"url": "https://billing.stripe.com/p/1"}`)
	})
	options := d.options()
	options.Retries = 1
	if _, err := stripe.New(options).Portal(t.Context(), "cus_1"); err != nil {
		t.Fatal(err)
	}
	first, second := d.seen()[0].header.Get("Idempotency-Key"), d.seen()[1].header.Get("Idempotency-Key")
	if first == "" || first != second {
		t.Errorf("the keys are %q and %q", first, second)
	}
}

// The library has a logger of its own, which writes what Stripe said to the terminal.
func TestNothingIsWrittenToTheTerminal(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, complaints := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = write, write
	d := newDouble(t, saying(400, problem("invalid_request_error", "", "")))
	for _, do := range everyCall {
		if _, err := do(t.Context(), stripe.New(d.options())); err == nil {
			t.Error("there is no error")
		}
	}
	os.Stdout, os.Stderr = out, complaints
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(read)
	if err != nil || len(text) > 0 {
		t.Errorf("%s, %v", text, err)
	}
}

// Every request is in the shape of Stripe's own OpenAPI document. That one is newer than the version we ask for, so
// what it answers shows that newer accounts can be read, too.
func TestStripeMockTakesEveryCall(t *testing.T) {
	options := stripe.Options{
		Key: key, APIBase: testkit.StripeMock(t), PromotionCodes: true, Meter: "ai", AutomaticTax: true,
		SuccessURL: "https://app.example.com/paid", CancelURL: "https://app.example.com/left", ReturnURL: "https://app.example.com/back",
	}
	s := stripe.New(options)
	customerID, err := s.CreateCustomer(t.Context(), "key 1", user)
	if err != nil || !strings.HasPrefix(customerID, "cus_") {
		t.Fatalf("a customer: %q, %v", customerID, err)
	}
	for _, days := range []int{0, 14} {
		checkout := app.Checkout{User: user, CustomerID: customerID, PriceID: "price_1", TrialDays: days}
		if page, err := s.Checkout(t.Context(), "key 2", checkout); err != nil || !strings.HasPrefix(page, "https://") {
			t.Errorf("a checkout: %q, %v", page, err)
		}
	}
	if page, err := s.Portal(t.Context(), customerID); err != nil || !strings.HasPrefix(page, "https://") {
		t.Errorf("a portal: %q, %v", page, err)
	}
	said, err := s.Fetch(t.Context(), customerID)
	if err != nil || said.Gone || len(said.Subscriptions) != 1 || len(said.Invoices) != 1 {
		t.Fatalf("a fetch: %+v, %v", said, err)
	}
	if got := said.Subscriptions[0]; got.ID == "" || got.Status != domain.Active || !strings.HasPrefix(got.PriceID, "price_") || got.Amount != 2000 ||
		got.Currency != "usd" || got.PeriodEnd.IsZero() || got.CreatedAt.IsZero() {
		t.Errorf("a subscription: %+v", got)
	}
	if got := said.Invoices[0]; got.ID == "" || got.Status != domain.Draft || got.Due != 1000 || got.Currency != "usd" || got.CreatedAt.IsZero() {
		t.Errorf("an invoice: %+v", got)
	}
	if err := s.ReportUsage(t.Context(), customerID, app.Usage{ID: "call 1", User: user, Microdollars: 7, At: now}); err != nil {
		t.Errorf("usage: %v", err)
	}
	events := 0
	if err := s.Undelivered(t.Context(), now, func(app.Post) error {
		events++
		return nil
	}); err != nil || events != 1 {
		t.Errorf("%d events, %v", events, err)
	}
	if err := s.Forget(t.Context(), customerID); err != nil {
		t.Errorf("forgetting: %v", err)
	}

	options.Key = "none"
	if _, err := stripe.New(options).CreateCustomer(t.Context(), "key 3", user); !errs.Is(err, errs.External) {
		t.Errorf("with a wrong key: %v", err)
	}
}
