package billingmod_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/modules/billing/internal/adapters/catalog"
	"github.com/omnistack/omnistack/modules/billing/internal/adapters/simulator"
	"github.com/omnistack/omnistack/modules/billing/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/billing/internal/adapters/stripe"
	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/events/eventstest"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/testkit"
)

// A whole life of a subscription, over and over, its webhooks each time in another order: some at once, some days late, some
// twice, some never, with crashes in between and several worked at a time. However they come, in the end the account and the
// invoices are what Stripe has, and nothing was told twice. BILLING_ORDERS says how many orders there are on each database.
func TestAnyOrderEndsInTheSameState(t *testing.T) {
	orders := 250
	if testkit.Raced() || testing.Short() {
		orders = 20
	}
	if given, err := strconv.Atoi(os.Getenv("BILLING_ORDERS")); err == nil {
		orders = given
	}
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db, 8)
		for order := range orders {
			w.live(t, id.Of(fmt.Sprintf("user-%d", order)))
		}
	})
}

// key is Stripe's for the simulator.
const key = "sk_test_orders"

// world is billing over a database, and a Stripe of its own. Both have one clock.
type world struct {
	*app.App
	random *rand.Rand
	clock  *clock.Manual
	stripe string // where it is
	db     *database.DB
	told   *eventstest.Recorder

	known   map[string]bool // the events of Stripe's that were looked at
	pending []app.Post      // those that are on their way, some of them twice
	heard   int             // how many of what was told are checked
	held    []held          // fetches that have an answer and sit on it
}

// newWorld returns a world in which one of so many transactions crashes, or none for 0.
func newWorld(t *testing.T, db *database.DB, crashes int) *world {
	t.Helper()
	plans, err := catalog.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{random: storetest.Random(t), clock: clock.NewManual(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)), db: db, known: map[string]bool{}}
	var double *simulator.Simulator
	served := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) { double.ServeHTTP(answer, request) }))
	t.Cleanup(served.Close)
	w.stripe = served.URL
	var prices []simulator.Price
	for _, plan := range plans.Plans() {
		for interval, price := range plan.Prices {
			prices = append(prices, simulator.Price{
				ID: price.ID, Product: plan.Name, Amount: price.Amount, Currency: price.Currency, Yearly: interval == domain.Yearly,
			})
		}
	}
	if double, err = simulator.New(simulator.Options{Clock: w.clock, URL: served.URL, Key: key, Prices: prices}); err != nil {
		t.Fatal(err)
	}
	const grace = 7 * 24 * time.Hour
	w.told = eventstest.New(db, nil)
	w.App = app.New(app.Ports{
		Store: store.New(db), Tx: &crashing{db: db, random: w.random, every: crashes}, Events: w.told, Queue: queue{},
		Stripe: &slow{Stripe: stripe.New(stripe.Options{
			Key: key, APIBase: served.URL, SuccessURL: "http://localhost/paid", CancelURL: "http://localhost/left", ReturnURL: "http://localhost",
		})},
		Cursors: page.NewCursors(keyring.New(strings.Repeat("k", 32), "")), Clock: w.clock,
	}, plans, grace)
	return w
}

// errCrash is what a transaction ends with that a crash cut off.
var errCrash = errors.New("crashed before the commit")

// crashing loses one transaction of so many.
type crashing struct {
	db    *database.DB
	every int

	mu     sync.Mutex
	random *rand.Rand
}

func (c *crashing) WithinTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return c.db.WithinTx(ctx, func(ctx context.Context) error {
		if err := fn(ctx); err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.every > 0 && c.random.IntN(c.every) == 0 {
			return errCrash
		}
		return nil
	})
}

// queue forgets what it is told: the test does the work.
type queue struct{}

func (queue) ProcessWebhook(context.Context, string) error      { return nil }
func (queue) Sync(context.Context, ...id.Scope) error           { return nil }
func (queue) SyncAt(context.Context, id.Scope, time.Time) error { return nil }
func (queue) Forget(context.Context, string) error              { return nil }
func (queue) ReportUsage(context.Context, app.Usage) error      { return nil }

// slow is a Stripe whose answers are on their way for long, to whoever asks for that.
type slow struct {
	app.Stripe
	fetches atomic.Int64 // how many were asked for
}

// held is a fetch whose answer is on its way.
type held struct {
	answered chan struct{} // closed by Stripe
	arrive   chan struct{} // closed by the test
	done     chan error    // what became of the webhook that it is for
}

func (s *slow) Fetch(ctx context.Context, customerID string) (domain.Snapshot, error) {
	s.fetches.Add(1)
	said, err := s.Stripe.Fetch(ctx, customerID)
	if h, is := ctx.Value(held{}).(held); is {
		close(h.answered)
		<-h.arrive
	}
	return said, err
}

// hold begins to process a webhook with a fetch that stays on its way, for some steps of the life.
func (w *world) hold(t *testing.T, webhookID string) {
	t.Helper()
	h := held{make(chan struct{}), make(chan struct{}), make(chan error, 1)}
	ctx := context.WithValue(t.Context(), held{}, h)
	go func() { h.done <- w.ProcessWebhook(ctx, webhookID) }()
	select {
	case <-h.answered:
		w.held = append(w.held, h)
	case err := <-h.done: // it crashed before, or had nothing to ask
		if err != nil && !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
	}
}

// arrive lets the answers arrive that were held, the oldest last, but for so many.
func (w *world) arrive(t *testing.T, but int) {
	t.Helper()
	for len(w.held) > but {
		last := w.held[len(w.held)-1]
		w.held = w.held[:len(w.held)-1]
		close(last.arrive)
		if err := <-last.done; err != nil && !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
	}
}

// again does it until it doesn't crash, as whoever calls does.
func again(t *testing.T, do func() error) {
	t.Helper()
	for range 100 {
		err := do()
		if err == nil {
			return
		}
		if !errors.Is(err, errCrash) {
			t.Error(err)
			return
		}
	}
	t.Error("it crashes for ever")
}

// live lives a life, and checks what is left of it.
func (w *world) live(t *testing.T, user id.Scope) {
	t.Helper()
	ctx := t.Context()
	var page string
	again(t, func() (err error) {
		page, err = w.Checkout(ctx, user, "checkout of "+user.User, "pro", domain.Monthly)
		return err
	})
	w.press(t, page, "pay")
	account, err := w.Account(ctx, user)
	if err != nil {
		t.Fatal(err)
	}
	portal := w.stripe + "/portal/" + account.CustomerID
	subscription := w.snapshot(t, account.CustomerID).Subscriptions[0].ID
	act := func(action, about string) func() {
		return func() { w.press(t, portal, action, "subscription", subscription, "about", about) }
	}
	for _, step := range []struct {
		days int
		do   func()
	}{
		{0, nil}, {12, nil}, {3, nil}, // the trial, its last days, the first payment
		{5, act("switch", "price_enterprise_monthly")},
		{1, act("bad", "")}, {23, nil}, // a renewal fails
		{1, act("good", "")}, {4, nil}, // and goes well when it is tried again
		{1, act("cancel", "")}, {1, act("resume", "")}, {1, act("cancel", "")},
		{31, nil}, // the end of the period, and of all
		{0, func() { w.refund(t, account.CustomerID) }},
	} {
		w.clock.Advance(time.Duration(step.days) * 24 * time.Hour)
		if step.do != nil {
			step.do()
		}
		w.gather(t)
		w.deliver(t, w.random.IntN(len(w.pending)+1))
		w.arrive(t, w.random.IntN(len(w.held)+1))
	}
	w.deliver(t, len(w.pending))
	w.arrive(t, 0)
	again(t, func() error { return w.Reconcile(ctx) }) // which takes in what was never posted
	w.work(t, w.waiting(t))
	w.check(t, user, account.CustomerID)
}

// press presses a button of a page of Stripe's.
func (w *world) press(t *testing.T, page, action string, more ...string) {
	t.Helper()
	form := url.Values{"action": {action}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, page, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultTransport.RoundTrip(request) // which follows nothing
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusSeeOther {
		t.Fatalf("%s %v: %s", page, form, answer.Status)
	}
}

// refund gives back what was paid last.
func (w *world) refund(t *testing.T, customerID string) {
	t.Helper()
	invoices := w.snapshot(t, customerID).Invoices
	paid := slices.IndexFunc(invoices, func(invoice domain.Invoice) bool { return invoice.Paid > 0 })
	w.press(t, w.stripe+"/portal/"+customerID, "refund", "about", invoices[paid].ID)
}

func (w *world) snapshot(t *testing.T, customerID string) domain.Snapshot {
	t.Helper()
	said, err := w.Stripe.Fetch(t.Context(), customerID)
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// gather puts what is new on its way: one in eight is lost, and one in eight comes twice.
func (w *world) gather(t *testing.T) {
	t.Helper()
	var all []app.Post
	err := w.Stripe.Undelivered(t.Context(), w.clock.Now().Add(-40*24*time.Hour), func(post app.Post) error {
		all = append(all, post)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b app.Post) int { return cmp.Compare(a.ID, b.ID) })
	for _, post := range all {
		if w.known[post.ID] {
			continue
		}
		w.known[post.ID] = true
		for range []int{0, 2, 1, 1, 1, 1, 1, 1}[w.random.IntN(8)] {
			w.pending = append(w.pending, post)
		}
	}
}

// deliver delivers so many of what is on its way, in any order, and works some of it at once.
func (w *world) deliver(t *testing.T, count int) {
	t.Helper()
	w.random.Shuffle(len(w.pending), func(i, j int) { w.pending[i], w.pending[j] = w.pending[j], w.pending[i] })
	for _, post := range w.pending[:count] {
		again(t, func() error { return w.Receive(t.Context(), post) })
	}
	w.pending = w.pending[count:]
	waiting := w.waiting(t)
	if len(waiting) > 0 && w.random.IntN(2) == 0 {
		w.hold(t, waiting[0])
		waiting = waiting[1:]
	}
	w.work(t, waiting[:w.random.IntN(len(waiting)+1)])
}

// waiting returns the webhooks that aren't processed, in any order.
func (w *world) waiting(t *testing.T) []string {
	t.Helper()
	waiting, err := database.All(w.db.Read(t.Context()).Raw("SELECT id FROM billing_webhooks WHERE processed_at IS NULL ORDER BY id"), database.Scalar[string])
	if err != nil {
		t.Fatal(err)
	}
	w.random.Shuffle(len(waiting), func(i, j int) { waiting[i], waiting[j] = waiting[j], waiting[i] })
	return waiting
}

// work processes webhooks, three at a time.
func (w *world) work(t *testing.T, webhooks []string) {
	t.Helper()
	var workers sync.WaitGroup
	for worker := range 3 {
		workers.Go(func() {
			for i := worker; i < len(webhooks); i += 3 {
				again(t, func() error { return w.ProcessWebhook(t.Context(), webhooks[i]) })
			}
		})
	}
	workers.Wait()
}

// check compares what is here with what Stripe has, and looks for what was told twice.
func (w *world) check(t *testing.T, user id.Scope, customerID string) {
	t.Helper()
	account, err := w.Account(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	said := w.snapshot(t, customerID)
	if account.Subscription == nil || !reflect.DeepEqual(*account.Subscription, said.Subscriptions[0]) || account.Plan != domain.Free ||
		account.Subscription.Status != domain.Canceled {
		t.Fatalf("%s: the account is %+v with %+v, Stripe has %+v", user.User, account, account.Subscription, said.Subscriptions)
	}
	invoices, err := w.Invoices(t.Context(), user, page.Request{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for i := range invoices.Items {
		invoices.Items[i].Told = 0
	}
	if !reflect.DeepEqual(invoices.Items, said.Invoices) {
		t.Fatalf("%s: the invoices are\n%+v\nStripe has\n%+v", user.User, invoices.Items, said.Invoices)
	}
	if !slices.ContainsFunc(said.Invoices, func(invoice domain.Invoice) bool { return invoice.Refunded > 0 }) {
		t.Fatal("nothing was refunded")
	}
	w.checkTold(t, user, account)
}

// checkTold looks at the events that were published.
func (w *world) checkTold(t *testing.T, user id.Scope, account domain.Account) {
	t.Helper()
	var last *billing.SubscriptionChanged
	trials, failures, versions := 0, map[string]int{}, map[int64]bool{}
	all := w.told.Published()
	for _, happened := range all[w.heard:] {
		switch event := happened.(type) {
		case billing.SubscriptionChanged:
			before := last
			last = &event
			if versions[event.Version] {
				t.Errorf("%s: the version %d is told twice", user.User, event.Version)
			}
			versions[event.Version] = true
			if before != nil {
				same := *before
				same.Version, same.Notable = event.Version, event.Notable
				if reflect.DeepEqual(same, event) {
					t.Errorf("%s: it is told twice that it is %+v", user.User, event)
				}
			}
		case billing.TrialEnding:
			trials++
		case billing.PaymentFailed:
			failures[fmt.Sprint(event.InvoiceID, " ", event.Attempt)]++
		}
	}
	w.heard = len(all)
	if last == nil || last.Status != string(domain.Canceled) || last.Plan != domain.Free || last.Version != account.Version {
		t.Errorf("%s: what was told last is %+v, and the account has the version %d", user.User, last, account.Version)
	}
	if trials > 1 || slices.ContainsFunc(slices.Collect(maps.Values(failures)), func(times int) bool { return times > 1 }) {
		t.Errorf("%s: the end of the trial is told %d times, failed payments %v", user.User, trials, failures)
	}
}
