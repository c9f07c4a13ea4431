package billingmod_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/testkit"
)

var alice = id.Of("alice")

// buy has alice buy pro, and returns her customer.
func (w *world) buy(t *testing.T) string {
	t.Helper()
	address, err := w.Checkout(t.Context(), alice, "checkout", "pro", domain.Monthly)
	if err != nil {
		t.Fatal(err)
	}
	w.press(t, address, "pay")
	account, err := w.Account(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	return account.CustomerID
}

func (w *world) plan(t *testing.T) string {
	t.Helper()
	plan, err := w.Of(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Name
}

// Where no payments are taken everybody is on the free plan, and nothing breaks but what needs Stripe.
func TestWithoutPayments(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db, 0)
		w.Stripe = nil
		_, checkout := w.Checkout(t.Context(), alice, "key", "pro", domain.Monthly)
		_, portal := w.Portal(t.Context(), alice)
		for name, err := range map[string]error{
			"checkout": checkout, "portal": portal, "sync": w.Sync(t.Context(), alice), "forget": w.Forget(t.Context(), "cus_1"),
			"report": w.ReportUsage(t.Context(), app.Usage{}),
		} {
			if !errs.Is(err, errs.Unavailable) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := w.Verify("t=1", nil); !errs.Is(err, errs.NotFound) {
			t.Errorf("a webhook: %v", err)
		}
		if err := w.Reconcile(t.Context()); err != nil || w.plan(t) != billing.Free {
			t.Errorf("the reconciliation: %v; the plan: %s", err, w.plan(t))
		}
	})
}

// A burst of posts about one customer costs a few fetches, and one that is replayed costs one more.
func TestABurstCostsAFewFetches(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db, 0)
		customer := w.buy(t)
		for i := range 100 {
			if err := w.Receive(t.Context(), app.Post{ID: fmt.Sprint("evt_", i), Type: "invoice.paid", CustomerID: customer}); err != nil {
				t.Fatal(err)
			}
		}
		asked := &w.Stripe.(*slow).fetches
		before := asked.Load()
		w.work(t, w.waiting(t))
		if fetches := asked.Load() - before; fetches > 3 || w.plan(t) != "pro" {
			t.Errorf("there were %d fetches; the plan is %s", fetches, w.plan(t))
		}
		before = asked.Load()
		if err := errors.Join(w.ReplayWebhook(t.Context(), "evt_7"), w.ProcessWebhook(t.Context(), "evt_7"), w.ProcessWebhook(t.Context(), "evt_7")); err != nil {
			t.Fatal(err)
		}
		if fetches := asked.Load() - before; fetches != 1 {
			t.Errorf("a replay took %d fetches", fetches)
		}
		if err := w.ReplayWebhook(t.Context(), "evt_none"); !errs.Is(err, errs.NotFound) {
			t.Errorf("replaying nothing: %v", err)
		}
	})
}

// What is about nobody we know is kept and does nothing.
func TestPostsAboutNobody(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db, 0)
		for name, customer := range map[string]string{"evt_1": "", "evt_2": "cus_unknown"} {
			for range 2 {
				if err := w.Receive(t.Context(), app.Post{ID: name, Type: "some.news", CustomerID: customer}); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.ProcessWebhook(t.Context(), name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		found, err := w.Webhooks(t.Context(), page.Request{Limit: 10})
		if err != nil || found.Total != 2 || slices.ContainsFunc(found.Items, func(webhook app.Webhook) bool { return webhook.ProcessedAt.IsZero() }) {
			t.Errorf("kept are %+v, %v", found, err)
		}
		if fetches := w.Stripe.(*slow).fetches.Load(); fetches != 0 {
			t.Errorf("Stripe was asked %d times", fetches)
		}
	})
}

// An answer that arrives when the account is gone, or has another customer, changes nothing.
func TestAnAnswerThatComesTooLate(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db, 0)
		customer := w.buy(t)
		hold := func(name string) {
			if err := w.Receive(t.Context(), app.Post{ID: name, Type: "invoice.paid", CustomerID: customer}); err != nil {
				t.Fatal(err)
			}
			w.hold(t, name)
		}
		hold("evt_1")
		if err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			return db.Tx(ctx).Exec("UPDATE billing_accounts SET customer_id = 'cus_other'").Error
		}); err != nil {
			t.Fatal(err)
		}
		w.arrive(t, 0)
		if got := w.plan(t); got != billing.Free {
			t.Errorf("another customer's plan is %s", got)
		}
		if err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			return db.Tx(ctx).Exec("UPDATE billing_accounts SET customer_id = ?", customer).Error
		}); err != nil {
			t.Fatal(err)
		}
		hold("evt_2")
		if _, err := w.Erase(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		w.arrive(t, 0)
		if left := testkit.Rows(t, db, "billing_accounts", "") + testkit.Rows(t, db, "billing_invoices", ""); left != 0 {
			t.Errorf("%d rows of an erased user came back", left)
		}
		_, err := w.Erase(t.Context(), alice)
		if err := errors.Join(err, w.Sync(t.Context(), alice), w.Forget(t.Context(), customer), w.Forget(t.Context(), customer)); err != nil {
			t.Errorf("once more: %v", err)
		}
	})
}

// A customer who was deleted at Stripe has no plan, and is another one at the next checkout.
func TestACustomerWhoWasDeleted(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db, 0)
		first := w.buy(t)
		if err := errors.Join(w.Forget(t.Context(), first), w.Sync(t.Context(), alice)); err != nil {
			t.Fatal(err)
		}
		if got := w.plan(t); got != billing.Free {
			t.Errorf("the plan is %s", got)
		}
		if _, err := w.Portal(t.Context(), alice); !errs.Is(err, errs.Conflict) {
			t.Errorf("the portal of nobody: %v", err)
		}
		if _, err := w.Checkout(t.Context(), alice, "checkout 2", "pro", domain.Yearly); err != nil {
			t.Fatal(err)
		}
		account, err := w.Account(t.Context(), alice)
		if err != nil || account.CustomerID == first || account.CustomerID == "" {
			t.Errorf("the customer is %q, %v", account.CustomerID, err)
		}
	})
}

// A customer whom Stripe doesn't know is a wrong key, and nobody's plan ends by it.
func TestTheKeyOfAnotherAccount(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		w, other := newWorld(t, db, 0), newWorld(t, db, 0)
		w.buy(t)
		if err := w.Sync(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		w.Stripe = other.Stripe
		_, portal := w.Portal(t.Context(), alice)
		for name, err := range map[string]error{"sync": w.Sync(t.Context(), alice), "portal": portal} {
			if !errs.Is(err, errs.External) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := w.plan(t); got != "pro" {
			t.Errorf("the plan is %s", got)
		}
	})
}

// listing is a queue that remembers whom it was told to bring up to date, and when.
type listing struct {
	queue
	users []string
	at    []time.Time
}

func (l *listing) Sync(_ context.Context, users ...id.Scope) error {
	for _, user := range users {
		l.users = append(l.users, user.User)
	}
	return nil
}

func (l *listing) SyncAt(_ context.Context, _ id.Scope, at time.Time) error {
	l.at = append(l.at, at)
	return nil
}

// The reconciliation looks at every account whose subscription isn't over, however many there are.
func TestTheReconciliationMissesNobody(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		w, told := newWorld(t, db, 0), &listing{}
		w.Queue = told
		err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			for i := range 1003 {
				account := domain.NewAccount(id.Of(fmt.Sprintf("user-%04d", i)), w.clock.Now())
				account.Subscription = &domain.Subscription{ID: "sub", Status: []domain.Status{domain.Active, domain.PastDue, domain.Canceled}[min(i/500, 2)]}
				if err := w.Store.AddAccount(ctx, account); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		slices.Sort(told.users)
		if len(told.users) != 1000 || len(slices.Compact(told.users)) != 1000 || told.users[999] != "user-0999" {
			t.Errorf("%d accounts are looked at", len(told.users))
		}
	})
}

// Time alone ends a trial's quiet and the days of grace, so the account is looked at again then.
func TestTimeAloneIsWaitedFor(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		w, told := newWorld(t, db, 0), &listing{}
		w.Queue = told
		customer := w.buy(t)
		begun := w.clock.Now()
		sync := func() {
			t.Helper()
			if err := w.Sync(t.Context(), alice); err != nil {
				t.Fatal(err)
			}
		}
		sync()
		w.press(t, w.stripe+"/portal/"+customer, "bad")
		w.clock.Advance(14 * 24 * time.Hour)
		sync()
		want := []time.Time{begun.Add(11 * 24 * time.Hour), begun.Add(21 * 24 * time.Hour)}
		if !slices.EqualFunc(told.at, want, time.Time.Equal) || w.plan(t) != "pro" {
			t.Errorf("it is looked at %v, want %v; the plan is %s", told.at, want, w.plan(t))
		}
		w.clock.Advance(7 * 24 * time.Hour)
		if sync(); w.plan(t) != billing.Free {
			t.Errorf("after the days of grace the plan is %s", w.plan(t))
		}
	})
}

func TestRevenue(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db, 0)
		for user, bought := range map[string]domain.Subscription{
			"a": {Status: domain.Active, PriceID: "price_pro_monthly", Amount: 2000, Currency: "usd"},
			"b": {Status: domain.Active, PriceID: "price_pro_yearly", Amount: 24000, Currency: "usd"},
			"c": {Status: domain.Active, PriceID: "price_pro_yearly", Amount: 12000, Currency: "eur"},
			"d": {Status: domain.Active, PriceID: "price_unknown", Amount: 1, Currency: "usd"},
			"e": {Status: domain.Trialing, PriceID: "price_pro_monthly", Amount: 2000, Currency: "usd"},
			"f": {Status: domain.Canceled, PriceID: "price_pro_monthly", Amount: 2000, Currency: "usd", EndedAt: w.clock.Now().AddDate(0, 0, -29)},
			"g": {Status: domain.Canceled, PriceID: "price_pro_monthly", Amount: 2000, Currency: "usd", EndedAt: w.clock.Now().AddDate(0, 0, -31)},
		} {
			bought.ID = "sub_" + user
			account := domain.NewAccount(id.Of(user), w.clock.Now())
			account.Subscription = &bought
			if err := db.WithinTx(t.Context(), func(ctx context.Context) error { return w.Store.AddAccount(ctx, account) }); err != nil {
				t.Fatal(err)
			}
		}
		got, err := w.Revenue(t.Context())
		if err != nil || got.Active != 4 || got.Trial != 1 || got.Unknown != 1 || got.Churn != 0.2 ||
			!slices.Equal(got.Monthly, []app.Money{{Amount: 1000, Currency: "eur"}, {Amount: 4000, Currency: "usd"}}) {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}
