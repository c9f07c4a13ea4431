package simulator_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/billing/internal/adapters/simulator"
	"github.com/omnistack/omnistack/platform/clock"
)

const (
	key    = "sk_test_key"
	secret = "whsec_secret"
	day    = 24 * time.Hour
)

var prices = []simulator.Price{
	{ID: "pro", Product: "Pro", Amount: 2800, Currency: "usd"}, {ID: "big", Product: "Big", Amount: 28000, Currency: "usd"},
	{ID: "year", Product: "Pro", Amount: 20000, Currency: "usd", Yearly: true},
}

// fixture is a simulator behind a socket, with a receiver of its events.
type fixture struct {
	t     *testing.T
	clock *clock.Manual
	url   string
	made  *simulator.Simulator
	posts chan post
	fails chan bool // how the next posts fail
}

// post is what the receiver got.
type post struct {
	Type      string `json:"type"`
	ID        string `json:"id"`
	signature string
	body      []byte
}

func start(t *testing.T, file string) *fixture {
	t.Helper()
	f := &fixture{t: t, clock: clock.NewManual(time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)), posts: make(chan post, 1000), fails: make(chan bool, 1000)}
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got := post{signature: r.Header.Get("Stripe-Signature"), body: body}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		select {
		case <-f.fails:
			w.WriteHeader(http.StatusInternalServerError)
		default:
		}
		f.posts <- got
	}))
	t.Cleanup(hook.Close)
	f.open(file, hook.URL)
	return f
}

func (f *fixture) open(file, hook string) {
	f.t.Helper()
	var err error
	if f.made, err = simulator.New(simulator.Options{
		Clock: f.clock, File: file, Base: "/dev", URL: "http://pages/dev", Key: key, Hook: hook, Secret: secret, Prices: prices,
	}); err != nil {
		f.t.Fatal(err)
	}
	served := httptest.NewServer(f.made)
	f.t.Cleanup(served.Close)
	f.url = served.URL + "/dev"
}

// run posts events until the test ends.
func (f *fixture) run() {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		f.made.Run(ctx)
		close(ended)
	}()
	f.t.Cleanup(func() {
		stop()
		<-ended
	})
}

// posted returns the next post. What failed waits for its time, so that goes on while nothing comes.
func (f *fixture) posted() post {
	f.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		select {
		case got := <-f.posts:
			return got
		case <-tick.C:
			f.clock.Advance(time.Second)
		}
	}
	f.t.Fatal("nothing is posted")
	return post{}
}

// do calls, and returns the status, the body and the header.
func (f *fixture) do(method, path string, form url.Values, header ...string) (int, string, http.Header) {
	f.t.Helper()
	request, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		f.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization", "Bearer "+key)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		f.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return answer.StatusCode, string(body), answer.Header
}

// want calls, and returns the answer, which must have the status.
func (f *fixture) want(status int, method, path string, form url.Values, header ...string) map[string]any {
	f.t.Helper()
	got, body, _ := f.do(method, path, form, header...)
	if got != status {
		f.t.Fatalf("%s %s %v: %d %s", method, path, form, got, body)
	}
	var wire map[string]any
	_ = json.Unmarshal([]byte(body), &wire) // a page is none
	return wire
}

func (f *fixture) press(path string, pairs ...string) {
	f.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	f.want(303, "POST", path, form)
}

func session(customer, price, trial string) url.Values {
	form := url.Values{
		"mode": {"subscription"}, "customer": {customer}, "line_items[0][price]": {price}, "line_items[0][quantity]": {"1"},
		"success_url": {"http://app/paid"}, "cancel_url": {"http://app/left"},
	}
	if trial != "" {
		form.Set("subscription_data[trial_period_days]", trial)
	}
	return form
}

// subscribe makes a customer who bought a price.
func (f *fixture) subscribe(price, trial string) (customer, subscription string) {
	f.t.Helper()
	customer = f.want(200, "POST", "/v1/customers", url.Values{"metadata[user_id]": {"<b>alice"}})["id"].(string)
	checkout := f.want(200, "POST", "/v1/checkout/sessions", session(customer, price, trial))["id"].(string)
	f.press("/checkout/"+checkout, "action", "pay")
	f.press("/checkout/"+checkout, "action", "pay") // a second click buys nothing
	all := f.items("/v1/subscriptions?status=all&customer=" + customer)
	if len(all) != 1 {
		f.t.Fatalf("there are %d subscriptions", len(all))
	}
	return customer, all[0]["id"].(string)
}

func (f *fixture) items(path string) []map[string]any {
	f.t.Helper()
	var items []map[string]any
	for _, item := range f.want(200, "GET", path, nil)["data"].([]any) {
		items = append(items, item.(map[string]any))
	}
	return items
}

// state returns the state of a customer's subscription, and what its invoices say, the oldest first.
func (f *fixture) state(customer string) (status string, invoices []string) {
	f.t.Helper()
	for _, invoice := range f.items("/v1/invoices?limit=100&customer=" + customer) {
		invoices = append(invoices, fmt.Sprint(invoice["status"], " ", invoice["amount_due"]))
	}
	slices.Reverse(invoices)
	return f.items("/v1/subscriptions?status=all&customer=" + customer)[0]["status"].(string), invoices
}

func (f *fixture) check(what, customer, status string, invoices ...string) {
	f.t.Helper()
	gotStatus, got := f.state(customer)
	if gotStatus != status || !slices.Equal(got, invoices) {
		f.t.Errorf("%s: it is %s with %q, want %s with %q", what, gotStatus, got, status, invoices)
	}
}

func (f *fixture) pass(days int) { f.clock.Advance(time.Duration(days) * day) }

func TestWhatTheAPIRefuses(t *testing.T) {
	f := start(t, "")
	customer, subscription := f.subscribe("pro", "")
	gone := f.want(200, "POST", "/v1/customers", nil)["id"].(string)
	f.want(200, "DELETE", "/v1/customers/"+gone, nil)
	for name, test := range map[string]struct {
		status       int
		method, path string
		form         url.Values
		header       []string
	}{
		"another key":          {401, "GET", "/v1/events", nil, []string{"Authorization", "Bearer sk_test_other"}},
		"an unknown path":      {404, "GET", "/v1/nothing", nil, nil},
		"an unknown customer":  {404, "GET", "/v1/customers/cus_0", nil, nil},
		"one who is gone":      {404, "DELETE", "/v1/customers/" + gone, nil, nil},
		"selling to nobody":    {400, "POST", "/v1/checkout/sessions", session("cus_0", "pro", ""), nil},
		"selling to the gone":  {400, "POST", "/v1/checkout/sessions", session(gone, "pro", ""), nil},
		"selling nothing":      {400, "POST", "/v1/checkout/sessions", session(customer, "none", ""), nil},
		"a trial of no length": {400, "POST", "/v1/checkout/sessions", session(customer, "pro", "0"), nil},
		"a portal for nobody":  {400, "POST", "/v1/billing_portal/sessions", url.Values{"customer": {"cus_0"}}, nil},
		"a page of 101":        {400, "GET", "/v1/subscriptions?limit=101", nil, nil},
		"a page behind none":   {400, "GET", "/v1/subscriptions?starting_after=sub_0", nil, nil},
		"an unknown price":     {400, "POST", "/v1/subscriptions/" + subscription, url.Values{"items[0][price]": {"none"}}, nil},
		"a refund of nothing":  {400, "POST", "/v1/refunds", url.Values{"charge": {"ch_0"}}, nil},
		"a large form":         {400, "POST", "/v1/customers", url.Values{"metadata[x]": {strings.Repeat("x", 2<<20)}}, nil},
		"no such time":         {400, "POST", "/clock", url.Values{"by": {"-1h"}}, nil},
		"no such button":       {400, "POST", "/portal/" + customer, url.Values{"action": {"win"}}, nil},
		"a form of another":    {403, "POST", "/clock", url.Values{"by": {"1h"}}, []string{"Sec-Fetch-Site", "cross-site"}},
		"no such checkout":     {404, "GET", "/checkout/cs_0", nil, nil},
		"no such portal":       {404, "GET", "/portal/" + gone, nil, nil},
	} {
		status, body, _ := f.do(test.method, test.path, test.form, test.header...)
		if status != test.status || strings.HasPrefix(test.path, "/v1/") && !strings.Contains(body, `"error"`) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if deleted := f.want(200, "GET", "/v1/customers/"+gone, nil); deleted["deleted"] != true {
		t.Errorf("who is gone is %v", deleted)
	}
}

func TestAKeyIsGoodForOneCall(t *testing.T) {
	f := start(t, "")
	once := []string{"Idempotency-Key", "k"}
	first := f.want(200, "POST", "/v1/customers", url.Values{"metadata[a]": {"1"}}, once...)
	_, again, header := f.do("POST", "/v1/customers", url.Values{"metadata[a]": {"1"}}, once...)
	if !strings.Contains(again, first["id"].(string)) || header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("again it is %s", again)
	}
	f.want(400, "POST", "/v1/customers", url.Values{"metadata[a]": {"2"}}, once...)
	f.pass(1)
	if later := f.want(200, "POST", "/v1/customers", url.Values{"metadata[a]": {"1"}}, once...); later["id"] == first["id"] {
		t.Error("after a day it is still the same")
	}
}

func TestAYearOfMonths(t *testing.T) {
	f := start(t, "")
	f.subscribe("pro", "")
	customer, _ := f.subscribe("year", "")
	var ends []string
	for range 395 {
		f.pass(1)
		for _, subscription := range f.items("/v1/subscriptions") {
			end := time.Unix(int64(subscription["current_period_end"].(float64)), 0).UTC().Format("2006-01-02")
			if !slices.Contains(ends, end) {
				ends = append(ends, end)
			}
		}
	}
	slices.Sort(ends)
	want := "2026-02-28 2026-03-31 2026-04-30 2026-05-31 2026-06-30 2026-07-31 2026-08-31 2026-09-30 2026-10-31 2026-11-30 2026-12-31 2027-01-31 2027-02-28 2027-03-31 2028-01-31"
	if got := strings.Join(ends, " "); got != want {
		t.Errorf("the periods end at\n%s, want\n%s", got, want)
	}
	f.check("the year", customer, "active", "paid 20000", "paid 20000")
}

func TestATrialAndItsEnd(t *testing.T) {
	f := start(t, "")
	customer, _ := f.subscribe("pro", "14")
	f.check("at first", customer, "trialing", "paid 0")
	f.pass(13)
	f.check("a day before", customer, "trialing", "paid 0")
	f.pass(1)
	f.check("then", customer, "active", "paid 0", "paid 2800")
}

func TestPaymentsThatFail(t *testing.T) {
	for name, test := range map[string]struct {
		days     int
		status   string
		invoice  string
		attempts float64
	}{
		"at once":          {1, "past_due", "open 2800", 1},
		"on the third day": {3, "past_due", "open 2800", 2},
		"on the fifth":     {5, "past_due", "open 2800", 3},
		"on the seventh":   {7, "canceled", "open 2800", 4},
		"long after":       {300, "canceled", "open 2800", 4},
	} {
		f := start(t, "")
		customer, _ := f.subscribe("pro", "")
		f.press("/portal/"+customer, "action", "bad")
		f.pass(28) // from the 31st of January to the 28th of February
		f.pass(test.days)
		f.check(name, customer, test.status, "paid 2800", test.invoice)
		if got := f.items("/v1/invoices?customer=" + customer)[0]["attempt_count"]; got != test.attempts {
			t.Errorf("%s: it was tried %v times", name, got)
		}
	}
	f := start(t, "")
	customer, _ := f.subscribe("pro", "")
	f.press("/portal/"+customer, "action", "bad")
	f.pass(28)
	f.press("/portal/"+customer, "action", "good")
	f.pass(3)
	f.check("tried again with a good card", customer, "active", "paid 2800", "paid 2800")
	open := f.items("/v1/invoices?customer=" + customer)[0]["id"].(string)
	f.want(400, "POST", "/v1/invoices/"+open+"/pay", nil)
}

func TestAnotherPlan(t *testing.T) {
	f := start(t, "")
	customer, subscription := f.subscribe("pro", "")
	f.pass(14) // half of February
	f.press("/portal/"+customer, "action", "switch", "subscription", subscription, "about", "big")
	f.check("more", customer, "active", "paid 2800", "paid 12600")
	f.press("/portal/"+customer, "action", "switch", "subscription", subscription, "about", "pro")
	f.pass(14)
	f.check("less, of which the next month is paid", customer, "active", "paid 2800", "paid 12600", "paid 0")
	f.press("/portal/"+customer, "action", "switch", "subscription", subscription, "about", "year")
	if _, invoices := f.state(customer); len(invoices) != 4 || invoices[3] == "paid 0" {
		t.Errorf("for a year there are %q", invoices)
	}
	f.want(200, "POST", "/v1/subscriptions/"+subscription, url.Values{"cancel_at_period_end": {"true"}})
	f.pass(366)
	if status, _ := f.state(customer); status != "canceled" {
		t.Errorf("at its end it is %s", status)
	}
	f.want(404, "DELETE", "/v1/subscriptions/"+subscription, nil)
}

func TestRefunds(t *testing.T) {
	f := start(t, "")
	customer, _ := f.subscribe("pro", "")
	charge := f.items("/v1/invoices?customer=" + customer)[0]["charge"].(string)
	f.want(200, "POST", "/v1/refunds", url.Values{"charge": {charge}, "amount": {"800"}})
	f.want(400, "POST", "/v1/refunds", url.Values{"charge": {charge}, "amount": {"2001"}})
	f.want(200, "POST", "/v1/refunds", url.Values{"charge": {charge}})
	f.want(400, "POST", "/v1/refunds", url.Values{"charge": {charge}})
	expanded := f.items("/v1/invoices?expand[]=data.charge&customer=" + customer)[0]["charge"].(map[string]any)
	if expanded["amount_refunded"] != 2800.0 || expanded["refunded"] != true {
		t.Errorf("the charge is %v", expanded)
	}
}

func TestPages(t *testing.T) {
	f := start(t, "")
	for range 5 {
		f.want(200, "POST", "/v1/customers", nil)
	}
	customer, _ := f.subscribe("pro", "")
	for path, want := range map[string]string{"/": "&lt;b&gt;alice", "/portal/" + customer + "?return_url=javascript:alert(1)": "#ZgotmplZ"} {
		if _, body, header := f.do("GET", path, nil); !strings.Contains(body, want) || strings.Contains(body, "<script") || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s is %s with %s", path, body, header.Get("Content-Security-Policy"))
		}
	}
	walked, after := 0, ""
	for {
		page := f.want(200, "GET", "/v1/events?limit=3"+after, nil)
		items := page["data"].([]any)
		walked += len(items)
		if page["has_more"] != true {
			break
		}
		after = "&starting_after=" + items[len(items)-1].(map[string]any)["id"].(string)
	}
	if all := len(f.items("/v1/events?limit=100")); walked != all || all < 10 {
		t.Errorf("by pages there are %d events, at once %d", walked, all)
	}
}

// Events come signed and in their order, again when they were refused, and with the trouble that is ordered.
func TestEvents(t *testing.T) {
	f := start(t, "")
	f.fails <- true // the first post
	f.run()
	f.subscribe("pro", "")
	var types []string
	for range 9 {
		got := f.posted()
		types = append(types, got.Type)
		mac := hmac.New(sha256.New, []byte(secret))
		timestamp, _, _ := strings.Cut(strings.TrimPrefix(got.signature, "t="), ",")
		mac.Write([]byte(timestamp + "." + string(got.body)))
		if want := fmt.Sprintf("t=%s,v1=%s", timestamp, hex.EncodeToString(mac.Sum(nil))); got.signature != want {
			t.Errorf("the signature is %s, want %s", got.signature, want)
		}
	}
	slices.Sort(types)
	want := "charge.succeeded checkout.session.completed customer.created customer.created customer.subscription.created invoice.created invoice.finalized invoice.paid invoice.payment_succeeded"
	if got := strings.Join(types, " "); got != want {
		t.Errorf("the events are\n%s, want\n%s", got, want)
	}
}

func TestTrouble(t *testing.T) {
	f := start(t, "")
	knobs := func(form url.Values) { f.want(303, "POST", "/knobs", form) }
	knobs(url.Values{"hold": {"on"}, "duplicate": {"2"}, "drop": {"1"}})
	f.run()
	for range 2 { // of which the first is lost
		f.want(200, "POST", "/v1/customers", nil)
	}
	undelivered := f.items("/v1/events?delivery_success=false")
	if len(undelivered) != 2 || len(f.posts) != 0 {
		t.Fatalf("%d events wait, and %d came", len(undelivered), len(f.posts))
	}
	knobs(url.Values{"shuffle": {"on"}})
	for range 3 {
		if got := <-f.posts; got.ID != undelivered[0]["id"] {
			t.Errorf("what was lost came: %s", got.ID)
		}
	}
	if left := f.items("/v1/events?delivery_success=false"); len(left) > 1 && left[0]["id"] != undelivered[1]["id"] {
		t.Errorf("undelivered are %v", left)
	}
	knobs(url.Values{"outage": {"on"}, "slow_ms": {"1"}})
	f.want(503, "POST", "/v1/customers", nil)
	if shown := f.want(200, "GET", "/knobs", nil); shown["outage"] != true || shown["slow_ms"] != 1.0 || shown["hold"] != false {
		t.Errorf("the knobs are %v", shown)
	}
	knobs(nil)
	f.want(200, "POST", "/v1/customers", nil)
}

func TestARestartGoesOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data", "stripe.json")
	f := start(t, file)
	customer, _ := f.subscribe("pro", "14")
	f.press("/clock", "by", "48h")
	before := f.items("/v1/events?limit=100&delivery_success=false")
	f.open(file, "http://127.0.0.1:1")
	if after := f.items("/v1/events?limit=100&delivery_success=false"); len(after) != len(before) {
		t.Errorf("of %d events %d are left", len(before), len(after))
	}
	f.pass(12)
	f.check("after a restart", customer, "active", "paid 0", "paid 2800")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := simulator.New(simulator.Options{Clock: f.clock, File: file}); err == nil {
		t.Error("half a file was read")
	}
}

func TestManyAtOnce(t *testing.T) {
	f := start(t, filepath.Join(t.TempDir(), "stripe.json"))
	f.run()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			f.subscribe("pro", "")
			f.want(200, "GET", "/", nil)
			f.press("/clock", "by", "1h")
		})
	}
	all.Wait()
	if made := len(f.items("/v1/subscriptions?limit=100")); made != 8 {
		t.Errorf("there are %d subscriptions", made)
	}
}
