package app_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/modules/billing/billingtest"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database/txtest"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/events/eventstest"
	"github.com/omnistack/omnistack/platform/id"
)

var (
	alice = id.Of("alice")
	noon  = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
)

// books are a store in memory. They aren't safe for concurrent use: that many calls at once keep to a budget is the real
// stores' to prove.
type books struct {
	holds   map[string]domain.Hold
	entries []domain.Entry
	budgets map[id.Scope]domain.Spent
	failing string // the method that fails
}

func (b *books) fail(method string) error {
	if b.failing == method {
		return errstest.ErrBoom
	}
	return nil
}

func (b *books) Reserve(_ context.Context, hold domain.Hold, limit domain.Pico) (bool, error) {
	budget := b.budgets[hold.User]
	if limit >= 0 && budget.Spent+budget.Reserved+hold.Amount > limit {
		return false, b.fail("reserve")
	}
	budget.Reserved += hold.Amount
	b.budgets[hold.User], b.holds[hold.ID] = budget, hold
	return true, b.fail("reserve")
}

func (b *books) Take(_ context.Context, holdID string) (domain.Hold, bool, error) {
	hold, found := b.holds[holdID]
	if err := b.fail("take"); err != nil {
		return domain.Hold{}, false, err
	}
	delete(b.holds, holdID)
	return hold, found, nil
}

func (b *books) Append(_ context.Context, entry domain.Entry, hold domain.Hold) error {
	budget := b.budgets[hold.User]
	budget.Spent += entry.Cost.Amount
	budget.Reserved -= hold.Amount
	b.budgets[hold.User] = budget
	b.entries = append(b.entries, entry)
	return b.fail("append")
}

func (b *books) Settle(ctx context.Context, entry domain.Entry, hold domain.Hold) (bool, error) {
	_, found, err := b.Take(ctx, hold.ID)
	if err != nil || !found {
		return false, err
	}
	return true, b.Append(ctx, entry, hold)
}

func (b *books) Expired(_ context.Context, at time.Time, limit int) (expired []string, err error) {
	for holdID, hold := range b.holds {
		if len(expired) < limit && !hold.ExpiresAt.After(at) {
			expired = append(expired, holdID)
		}
	}
	return expired, b.fail("expired")
}

func (b *books) HoldsOf(_ context.Context, user id.Scope) (mine []string, err error) {
	for holdID, hold := range b.holds {
		if hold.User == user {
			mine = append(mine, holdID)
		}
	}
	return mine, b.fail("holds")
}

func (b *books) SpentIn(_ context.Context, user id.Scope, _ domain.Month) (domain.Spent, error) {
	return b.budgets[user], b.fail("spent")
}

func (b *books) Usage(_ context.Context, _ *id.Scope, from, to domain.Day) ([]app.Total, error) {
	return []app.Total{{Day: from, Model: string(to), Calls: int64(len(b.entries))}}, b.fail("usage")
}

func (b *books) Erase(_ context.Context, user id.Scope) (map[string]int64, error) {
	delete(b.budgets, user)
	for i := range b.entries {
		if b.entries[i].User == user {
			b.entries[i].User = id.Scope{}
		}
	}
	return map[string]int64{"ai_budgets": 1}, b.fail("erase")
}

// speaks is a provider whose calls go as a test says.
type speaks func(ctx context.Context, call *domain.Call, sink app.Sink) (domain.Result, error)

func (s speaks) Generate(ctx context.Context, call *domain.Call, sink app.Sink) (domain.Result, error) {
	return s(ctx, call, sink)
}

// house is the use cases over fakes.
type house struct {
	*app.App
	*books
	tx     *txtest.Transactor
	events *eventstest.Recorder
	clock  *clock.Manual
	waits  int
}

func (h *house) For(context.Context, time.Duration) error  { h.waits++; return nil }
func (h *house) UpTo(context.Context, time.Duration) error { h.waits++; return nil }

// catalog has two providers with models of all sorts.
func catalog(t testing.TB) *domain.Catalog {
	t.Helper()
	day := func(text string) time.Time {
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	price := func(input, output domain.Pico) []domain.Price {
		return []domain.Price{{From: day("2020-01-01"), Input: input, Output: output}}
	}
	plain := func(id, provider string, prices []domain.Price) domain.Model {
		return domain.Model{ID: id, Provider: provider, Context: 100_000, MaxOutput: 4096, Prices: prices}
	}
	able := plain("able", "one", price(1e6, 5e6))
	able.Accepts = domain.Accepts{Tools: true, JSONSchema: true, Images: true, Temperature: true}
	able.Aliases = []string{"able-2026"}
	old := plain("old", "one", price(1e6, 1e6))
	old.RetiresOn, old.Replacement = day("2026-01-01"), "able"
	vectors := domain.Model{ID: "vectors", Provider: "one", Context: 8000, Accepts: domain.Accepts{Embeddings: true}, Prices: price(1, 0)}
	made, err := domain.NewCatalog("v7", []domain.Model{
		plain("small", "one", price(1e5, 5e5)), plain("second", "two", price(2e6, 1e7)), able, old, vectors,
		plain("free", "two", nil), plain("away", "nobody", price(1, 1)),
	}, map[string][]string{
		"simple": {"small", "second"}, "moderate": {"away", "small"}, "complex": {"able"}, "search": {"away"}, "embedding": {"vectors"},
	}, map[string]string{"small-": "one"})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// newHouse returns the use cases over two providers. Alice is on the plan free.
func newHouse(t testing.TB, one, two speaks) *house {
	t.Helper()
	h := &house{
		books: &books{holds: map[string]domain.Hold{}, budgets: map[id.Scope]domain.Spent{}}, tx: &txtest.Transactor{}, clock: clock.NewManual(noon),
	}
	h.events = eventstest.New(h.tx, nil)
	plans := billingtest.Entitlements{Plans: []billing.Plan{
		{Name: billing.Free, RateFactor: 1, AIBudget: 100, AIRoutes: []string{"simple"}},
		{Name: "pro", RateFactor: 1, AIBudget: billing.Unlimited, AIRoutes: []string{"*"}},
		{Name: "none", RateFactor: 1},
	}}
	h.App = app.New(app.Ports{
		Providers: map[string]app.Provider{"one": one, "two": two}, Store: h.books, Tx: h.tx, Events: h.events, Plans: plans, Pauses: h, Clock: h.clock,
	}, catalog(t), app.Rules{Fallback: "two/second"})
	return h
}

// asks returns what alice asks on a plan.
func asks(plan, model, route string) *app.Ask {
	return &app.Ask{
		User: alice, Plan: plan, Endpoint: domain.Complete, Model: model, Route: route,
		Call: domain.Call{Messages: []domain.Message{{Role: domain.User, Parts: []domain.Part{{Text: "Hello, who is there?"}}}}, MaxTokens: 100},
	}
}

func names(models []domain.Model) (names []string) {
	for i := range models {
		names = append(names, models[i].ID)
	}
	return slices.Clip(names)
}
