package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

var (
	birth = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	now   = birth.AddDate(0, 1, 0)
)

const (
	day   = 24 * time.Hour
	grace = 7 * day
)

func plans(t *testing.T) domain.Catalog {
	t.Helper()
	catalog, err := domain.NewCatalog([]domain.Plan{
		{Name: "free", RateFactor: 1, Projects: 3},
		{Name: "pro", RateFactor: 5, Projects: domain.Unlimited, Prices: map[domain.Interval]domain.Price{
			domain.Monthly: {ID: "price_m", Amount: 2000, Currency: "usd"}, domain.Yearly: {ID: "price_y"},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return catalog
}

func TestWhatIsNoCatalog(t *testing.T) {
	free := domain.Plan{Name: "free", RateFactor: 1}
	priced := func(name string, prices map[domain.Interval]domain.Price) domain.Plan {
		return domain.Plan{Name: name, RateFactor: 1, Prices: prices}
	}
	for wrong, all := range map[string][]domain.Plan{
		"no name":          {free, {RateFactor: 1}},
		"that of another":  {free, free},
		"limit below -1":   {free, {Name: "pro", RateFactor: 1, AIBudget: -2}},
		"rate factor":      {free, {Name: "pro", RateFactor: 1001}},
		"trial":            {free, {Name: "pro", RateFactor: 1, TrialDays: 731}},
		"has a price":      {priced("free", map[domain.Interval]domain.Price{domain.Monthly: {ID: "p"}})},
		"interval":         {free, priced("pro", map[domain.Interval]domain.Price{"weekly": {ID: "p"}})},
		"price without id": {free, priced("pro", map[domain.Interval]domain.Price{domain.Monthly: {}})},
		"amount below":     {free, priced("pro", map[domain.Interval]domain.Price{domain.Monthly: {ID: "p", Amount: 5}})},
		"no plan":          {{Name: "pro", RateFactor: 1}},
	} {
		if _, err := domain.NewCatalog(all); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("got %v, want %q in it", err, wrong)
		}
	}
	twice := priced("a", map[domain.Interval]domain.Price{domain.Monthly: {ID: "p"}})
	other := twice
	other.Name = "b"
	if _, err := domain.NewCatalog([]domain.Plan{free, twice, other}); err == nil {
		t.Error("two plans have one price")
	}
}

func TestWhatIsntInTheCatalogIsFree(t *testing.T) {
	catalog := plans(t)
	for name, want := range map[string]string{"pro": "pro", "free": "free", "gold": "free", "": "free"} {
		plan, found := catalog.Plan(name)
		if plan.Name != want || found != (name == want) {
			t.Errorf("%q is %q, found: %t", name, plan.Name, found)
		}
	}
	if plan, found := (domain.Catalog{}).Plan("free"); plan.RateFactor != 1 || found {
		t.Errorf("nothing has the free plan %+v", plan)
	}
	if plan, interval, found := catalog.Sold("price_y"); plan != "pro" || interval != domain.Yearly || !found {
		t.Errorf("price_y is %s %s", plan, interval)
	}
	if _, _, found := catalog.Sold("price_x"); found {
		t.Error("price_x is sold")
	}
}

// subscribed returns a subscription in a state, at the monthly price of pro.
func subscribed(status domain.Status) domain.Subscription {
	return domain.Subscription{
		ID: "sub_1", Status: status, PriceID: "price_m", Amount: 2000, Currency: "usd",
		PeriodStart: now.Add(-day), PeriodEnd: now.Add(29 * day), CreatedAt: birth,
	}
}

// What each state of Stripe's means for the plan, and for whoever wants to buy.
func TestStates(t *testing.T) {
	for status, want := range map[domain.Status]struct {
		plan string
		buys bool
	}{
		domain.Active: {"pro", false}, domain.Trialing: {"pro", false}, domain.PastDue: {"pro", false}, "unpaid": {"free", false},
		"paused": {"free", false}, domain.Incomplete: {"free", true}, domain.IncompleteExpired: {"free", true}, domain.Canceled: {"free", true},
		"something new": {"free", false},
	} {
		account := domain.NewAccount(id.Of("alice"), birth)
		done := account.Apply(1, domain.Snapshot{Subscriptions: []domain.Subscription{subscribed(status)}}, domain.Rules{Catalog: plans(t), Grace: grace}, now)
		if account.Plan != want.plan || !done.Changed || !done.Notable || account.Version != 2 || account.UpdatedAt != now {
			t.Errorf("%s: the plan is %s, %+v", status, account.Plan, done)
		}
		if err := account.MayBuy(); (err == nil) != want.buys || err != nil && !errs.Is(err, errs.Conflict) {
			t.Errorf("%s: buying is %v", status, err)
		}
	}
	fresh := domain.NewAccount(id.Of("alice"), birth)
	if err := fresh.MayBuy(); err != nil || fresh.Plan != "free" {
		t.Errorf("at first: %v, %s", err, fresh.Plan)
	}
}

func TestAFetchThatBeganEarlierChangesNothing(t *testing.T) {
	account := domain.NewAccount(id.Of("alice"), birth)
	first, second := account.Ask(), account.Ask()
	if first != 1 || second != 2 {
		t.Fatalf("the fetches are %d and %d", first, second)
	}
	rules := domain.Rules{Catalog: plans(t)}
	account.Apply(second, domain.Snapshot{Subscriptions: []domain.Subscription{subscribed(domain.Active)}}, rules, now)
	before := account
	for _, late := range []int64{first, second} {
		if done := account.Apply(late, domain.Snapshot{Gone: true}, rules, now.Add(day)); done != (domain.Outcome{Stale: true}) || account != before {
			t.Errorf("the fetch %d: %+v made %+v", late, done, account)
		}
	}
}

// A late payment leaves the plan for the days of grace, from the day on which the oldest open invoice was made.
func TestGrace(t *testing.T) {
	late := subscribed(domain.PastDue)
	invoice := func(subscription string, status domain.InvoiceStatus, age time.Duration) domain.Invoice {
		return domain.Invoice{SubscriptionID: subscription, Status: status, CreatedAt: now.Add(-age)}
	}
	for name, test := range map[string]struct {
		invoices []domain.Invoice
		since    time.Time
		plan     string
	}{
		"in time":                 {[]domain.Invoice{invoice("sub_1", domain.Open, 6*day)}, now.Add(-6 * day), "pro"},
		"to the second":           {[]domain.Invoice{invoice("sub_1", domain.Open, 7*day)}, now.Add(-7 * day), "free"},
		"the oldest counts":       {[]domain.Invoice{invoice("sub_1", domain.Open, day), invoice("sub_1", domain.Open, 8*day)}, now.Add(-8 * day), "free"},
		"paid ones don't":         {[]domain.Invoice{invoice("sub_1", domain.Open, day), invoice("sub_1", domain.Paid, 8*day)}, now.Add(-day), "pro"},
		"nor those of another":    {[]domain.Invoice{invoice("sub_1", domain.Open, day), invoice("sub_2", domain.Open, 8*day)}, now.Add(-day), "pro"},
		"without one, the period": {nil, late.PeriodStart, "pro"},
	} {
		account := domain.NewAccount(id.Of("alice"), birth)
		done := account.Apply(1, domain.Snapshot{Subscriptions: []domain.Subscription{late}, Invoices: test.invoices},
			domain.Rules{Catalog: plans(t), Grace: grace}, now)
		check := time.Time{}
		if test.plan == "pro" {
			check = test.since.Add(grace)
		}
		if account.Plan != test.plan || !account.DueSince.Equal(test.since) || !done.Check.Equal(check) {
			t.Errorf("%s: the plan is %s since %s, to be looked at %s", name, account.Plan, account.DueSince, done.Check)
		}
	}
}

// The end of a trial is told once, three days before, or when Stripe says so by its own clock.
func TestTheEndOfATrialIsToldOnce(t *testing.T) {
	rules := domain.Rules{Catalog: plans(t), Notice: 3 * day}
	trial := subscribed(domain.Trialing)
	trial.TrialEnd = now.Add(10 * day)
	said := domain.Snapshot{Subscriptions: []domain.Subscription{trial}}
	told := said
	told.TrialEnds = true
	for name, steps := range map[string][]struct {
		said domain.Snapshot
		at   time.Duration
		told bool
	}{
		"by our clock": {{said, 0, false}, {said, 7*day - 1, false}, {said, 7 * day, true}, {said, 8 * day, false}, {told, 8 * day, false}},
		"by Stripe's":  {{said, 0, false}, {told, day, true}, {said, 8 * day, false}},
		"of a trial that moved": {{told, day, true}, {func() domain.Snapshot {
			longer := trial
			longer.TrialEnd = now.Add(20 * day)
			return domain.Snapshot{Subscriptions: []domain.Subscription{longer}}
		}(), 17 * day, true}},
	} {
		account := domain.NewAccount(id.Of("alice"), birth)
		for i, step := range steps {
			version := account.Version
			done := account.Apply(int64(i+1), step.said, rules, now.Add(step.at))
			if told := !done.TrialEnding.IsZero(); told != step.told || told && account.Version == version {
				t.Errorf("%s, step %d: told is %t", name, i, told)
			}
			if announced := account.TrialTold.IsZero(); announced && !done.Check.Equal(trial.TrialEnd.Add(-3*day)) {
				t.Errorf("%s, step %d: it is looked at %s", name, i, done.Check)
			}
		}
		if !account.HadTrial {
			t.Errorf("%s: the trial is forgotten", name)
		}
	}
}

// The post that says so is heard also when a newer fetch was faster, which doesn't know of it.
func TestTheEndOfATrialIsToldByAFetchThatIsLate(t *testing.T) {
	rules := domain.Rules{Catalog: plans(t), Notice: 3 * day}
	trial := subscribed(domain.Trialing)
	trial.TrialEnd = now.Add(10 * day)
	account := domain.NewAccount(id.Of("alice"), birth)
	account.Apply(2, domain.Snapshot{Subscriptions: []domain.Subscription{trial}}, rules, now)
	for i, told := range []bool{true, false} {
		version := account.Version
		done := account.Apply(1, domain.Snapshot{TrialEnds: true}, rules, now)
		if !done.Stale || !done.TrialEnding.Equal(trial.TrialEnd) == told || account.Version > version != told || account.Plan != "pro" {
			t.Errorf("step %d: %+v made %+v", i, done, account)
		}
	}
}

// Of several subscriptions the one counts that is worth most, and then the youngest. The others that are paid are told of.
func TestOfSeveralSubscriptionsOneCounts(t *testing.T) {
	of := func(name string, status domain.Status, age time.Duration) domain.Subscription {
		subscription := subscribed(status)
		subscription.ID, subscription.CreatedAt = name, now.Add(-age)
		return subscription
	}
	for name, test := range map[string]struct {
		all   []domain.Subscription
		want  string
		extra int64
	}{
		"the paid one":     {[]domain.Subscription{of("new", domain.Canceled, 0), of("paid", domain.Active, day), of("open", domain.Incomplete, 0)}, "paid", 0},
		"the youngest":     {[]domain.Subscription{of("old", domain.Active, 2*day), of("young", domain.Trialing, day)}, "young", 1},
		"before a late":    {[]domain.Subscription{of("late", domain.PastDue, 0), of("paid", domain.Active, day)}, "paid", 1},
		"the last ended":   {[]domain.Subscription{of("first", domain.Canceled, 2*day), of("last", domain.Canceled, day)}, "last", 0},
		"by id of a tie":   {[]domain.Subscription{of("a", domain.Active, day), of("b", domain.Active, day)}, "b", 1},
		"unpaid over over": {[]domain.Subscription{of("over", domain.Canceled, 0), of("unpaid", "unpaid", day)}, "unpaid", 0},
	} {
		account := domain.NewAccount(id.Of("alice"), birth)
		account.Apply(1, domain.Snapshot{Subscriptions: test.all}, domain.Rules{Catalog: plans(t)}, now)
		if account.Subscription.ID != test.want || account.Extra != test.extra {
			t.Errorf("%s: %s counts, beside %d", name, account.Subscription.ID, account.Extra)
		}
	}
}

// The version rises when others see a difference, and only then. What people must hear of is the state and the plan.
func TestWhatIsSeenRaisesTheVersion(t *testing.T) {
	rules := domain.Rules{Catalog: plans(t)}
	change := func(with func(*domain.Subscription)) domain.Snapshot {
		subscription := subscribed(domain.Active)
		with(&subscription)
		return domain.Snapshot{Subscriptions: []domain.Subscription{subscription}}
	}
	for name, test := range map[string]struct {
		said             domain.Snapshot
		changed, notable bool
	}{
		"nothing":               {change(func(*domain.Subscription) {}), false, false},
		"an amount":             {change(func(s *domain.Subscription) { s.Amount = 1 }), false, false},
		"a period":              {change(func(s *domain.Subscription) { s.PeriodEnd = now.Add(60 * day) }), true, false},
		"the end at its end":    {change(func(s *domain.Subscription) { s.CancelAtPeriodEnd = true }), true, false},
		"the interval":          {change(func(s *domain.Subscription) { s.PriceID = "price_y" }), true, false},
		"a price of no plan":    {change(func(s *domain.Subscription) { s.PriceID = "price_x" }), true, true},
		"the state":             {change(func(s *domain.Subscription) { s.Status = domain.Canceled }), true, true},
		"no subscription":       {domain.Snapshot{}, true, true},
		"a customer who's gone": {domain.Snapshot{Gone: true, Subscriptions: change(func(*domain.Subscription) {}).Subscriptions}, true, false},
	} {
		account := domain.NewAccount(id.Of("alice"), birth)
		account.Adopt("cus_1", birth)
		account.Apply(1, change(func(*domain.Subscription) {}), rules, birth)
		version := account.Version
		done := account.Apply(2, test.said, rules, now)
		if done.Changed != test.changed || done.Notable != test.notable || (account.Version != version) != test.changed {
			t.Errorf("%s: %+v, and the version is %d after %d", name, done, account.Version, version)
		}
		if gone := account.CustomerID == ""; gone != test.said.Gone || gone && account.Customers != 1 {
			t.Errorf("%s: the customer is %q, after %d others", name, account.CustomerID, account.Customers)
		}
	}
}

func TestACustomerIsAdoptedOnce(t *testing.T) {
	account := domain.NewAccount(id.Of("alice"), birth)
	account.Adopt("cus_1", now)
	account.Adopt("cus_2", now)
	if account.CustomerID != "cus_1" || account.Version != 2 || account.UpdatedAt != now {
		t.Errorf("the account is %+v", account)
	}
}

// Each failed attempt is told once, the last one when several came unnoticed, and none that was overtaken by a payment.
func TestSettle(t *testing.T) {
	var invoice domain.Invoice
	for i, step := range []struct {
		status   domain.InvoiceStatus
		attempts int64
		failed   bool
	}{
		{domain.Draft, 0, false}, {domain.Open, 0, false}, {domain.Open, 1, true}, {domain.Open, 1, false}, {domain.Open, 3, true},
		{domain.Open, 2, false}, {domain.Paid, 4, false}, {domain.Open, 4, true},
	} {
		failed := invoice.Settle(domain.Invoice{ID: "in_1", Status: step.status, Attempts: step.attempts})
		if failed != step.failed || invoice.Attempts != step.attempts || invoice.Status != step.status {
			t.Errorf("step %d: failed is %t, the invoice %+v", i, failed, invoice)
		}
	}
}
