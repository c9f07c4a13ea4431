package store_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/testkit"
)

// The conformance suite of app.Store. It runs on both engines.

var (
	alice = id.Of("alice")
	bob   = id.Of("bob")
	noon  = time.Date(2026, 11, 27, 12, 0, 0, 5000, time.UTC)
)

const (
	november = domain.Month("2026-11")
	december = domain.Month("2026-12")
)

// eachStore runs the test on an empty store of both engines.
func eachStore(t *testing.T, test func(t *testing.T, s suite)) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) { test(t, suite{db, store.New(db)}) })
}

// suite is a store under test. Its methods fail the test instead of returning an error.
type suite struct {
	db *database.DB
	*store.Store
}

func hold(user id.Scope, month domain.Month, amount domain.Pico) domain.Hold {
	return domain.Hold{
		Entry: domain.Entry{
			ID: id.New(), User: user, Endpoint: domain.Chat, Route: "simple", Requested: "auto", Stream: true, Provider: "openai", Model: "gpt-6-luna",
			Attempts: 1, Usage: domain.Usage{Input: 12, CachedRead: 3, CachedWrite: 4, Output: 5, Reasoning: 2, Source: domain.Estimated},
			Cost: domain.Cost{Amount: 7, Known: true}, PriceVersion: "v1", StartedAt: noon,
		},
		Month: month, Amount: amount, ExpiresAt: noon.Add(15 * time.Minute),
	}
}

func (s suite) reserve(t testing.TB, h domain.Hold, limit domain.Pico) (reserved bool) {
	t.Helper()
	storetest.Commit(t, s.db, func(ctx context.Context) (err error) {
		reserved, err = s.Reserve(ctx, h, limit)
		return err
	})
	return reserved
}

// settle takes a hold and adds the entry that it becomes.
func (s suite) settle(t testing.TB, h domain.Hold, become func(*domain.Entry)) {
	t.Helper()
	storetest.Commit(t, s.db, func(ctx context.Context) error {
		taken, found, err := s.Take(ctx, h.ID)
		if err != nil || !found {
			t.Fatalf("the hold isn't there: %v", err)
		}
		entry := taken.Entry
		entry.Status, entry.EndedAt = domain.Completed, noon.Add(time.Second)
		become(&entry)
		return s.Append(ctx, entry, taken)
	})
}

func (s suite) spent(t testing.TB, user id.Scope, month domain.Month) domain.Spent {
	t.Helper()
	spent, err := s.SpentIn(t.Context(), user, month)
	if err != nil {
		t.Fatal(err)
	}
	return spent
}

func TestABudgetHasALimit(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		for i, step := range []struct {
			user          id.Scope
			month         domain.Month
			amount, limit domain.Pico
			want          bool
		}{
			{alice, november, 101, 100, false}, // alone it is too much
			{alice, november, 60, 100, true},
			{alice, november, 41, 100, false},
			{alice, november, 40, 100, true}, // to the limit
			{alice, november, 1, 100, false},
			{alice, november, 0, 100, true}, // what costs nothing
			{alice, december, 100, 100, true},
			{bob, november, 100, 100, true},
			{alice, november, 1 << 40, -1, true}, // without a limit
			{alice, november, 1, 100, false},     // the plan is another again
		} {
			if got := s.reserve(t, hold(step.user, step.month, step.amount), step.limit); got != step.want {
				t.Errorf("step %d: reserved %t", i, got)
			}
		}
		if got := s.spent(t, alice, november); got != (domain.Spent{Reserved: 100 + 1<<40}) {
			t.Errorf("alice's month is %+v", got)
		}
		if got := s.spent(t, bob, december); got != (domain.Spent{}) {
			t.Errorf("a month without a call is %+v", got)
		}
		if held := testkit.Rows(t, s.db, "ai_holds", ""); held != 6 {
			t.Errorf("%d holds are there: what isn't reserved isn't held", held)
		}
	})
}

func TestManyAtOnceKeepToTheLimit(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		var reserved atomic.Int64
		storetest.Concurrent(t, 10, func(int) error {
			return s.db.WithinTx(t.Context(), func(ctx context.Context) error {
				ok, err := s.Reserve(ctx, hold(alice, november, 3), 20)
				if ok {
					reserved.Add(1)
				}
				return err
			})
		})
		if got := s.spent(t, alice, november); got.Reserved != 18 {
			t.Errorf("of 20 are set aside %d, by %d calls", got.Reserved, reserved.Load())
		}
	})
}

func TestAHoldComesBackAsItWas(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		want := hold(alice, november, 50)
		s.reserve(t, want, 100)
		storetest.Commit(t, s.db, func(ctx context.Context) error {
			got, found, err := s.Take(ctx, want.ID)
			if err != nil || !found || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %t, %v\nwant %+v", got, found, err, want)
			}
			return nil
		})
		storetest.Commit(t, s.db, func(ctx context.Context) error {
			if _, found, err := s.Take(ctx, want.ID); found || err != nil {
				t.Errorf("a hold is taken twice: %v", err)
			}
			return nil
		})
	})
}

// TestOneTakesAHold proves that of many who account for a call at once one does.
func TestOneTakesAHold(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		h := hold(alice, november, 50)
		s.reserve(t, h, 100)
		var taken atomic.Int64
		storetest.Concurrent(t, 3, func(int) error {
			return s.db.WithinTx(t.Context(), func(ctx context.Context) error {
				one, found, err := s.Take(ctx, h.ID)
				if err != nil || !found {
					return err
				}
				taken.Add(1)
				return s.Append(ctx, one.Lost(noon), one)
			})
		})
		if calls := testkit.Rows(t, s.db, "ai_calls", "status = 'killed'"); taken.Load() != 1 || calls != 1 {
			t.Errorf("%d took it, and %d rows are there", taken.Load(), calls)
		}
		if got := s.spent(t, alice, november); got != (domain.Spent{Spent: 7}) {
			t.Errorf("the month is %+v", got)
		}
	})
}

func TestTheStoreIsTransactional(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		storetest.Transactional(t, s.db,
			func(ctx context.Context, name string) error {
				h := hold(id.Of(name), november, 1)
				if _, err := s.Reserve(ctx, h, 1); err != nil {
					return err
				}
				taken, _, err := s.Take(ctx, h.ID)
				if err != nil {
					return err
				}
				return s.Append(ctx, taken.Lost(noon), taken)
			},
			func(ctx context.Context, name string) bool {
				spent, err := s.SpentIn(ctx, id.Of(name), november)
				return err == nil && spent.Spent == 7
			})
	})
}

func TestUsageAddsUp(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		const large = 1 << 52
		for _, call := range []struct {
			user  id.Scope
			day   int
			model string
			cost  domain.Cost
			ended domain.Status
		}{
			{alice, 1, "a", domain.Cost{Amount: large, Known: true}, domain.Completed},
			{alice, 1, "a", domain.Cost{Amount: large, Known: true}, domain.Canceled},
			{alice, 1, "b", domain.Cost{}, domain.Completed},
			{alice, 2, "a", domain.Cost{Amount: 1, Known: true}, domain.Failed},
			{bob, 2, "a", domain.Cost{Amount: 2, Known: true}, domain.Completed},
			{alice, 3, "a", domain.Cost{Amount: 3, Known: true}, domain.Completed},
		} {
			h := hold(call.user, november, 10)
			s.reserve(t, h, -1)
			s.settle(t, h, func(e *domain.Entry) {
				e.Model, e.Cost, e.Status = call.model, call.cost, call.ended
				e.EndedAt = time.Date(2026, 11, call.day, 23, 59, 59, 999999000, time.UTC)
			})
		}
		usage := func(user *id.Scope, from, to domain.Day) (lines []string) {
			t.Helper()
			totals, err := s.Usage(t.Context(), user, from, to)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range totals {
				if n := int(x.Calls); x.Usage != (domain.Usage{Input: 12 * n, CachedRead: 3 * n, CachedWrite: 4 * n, Output: 5 * n, Reasoning: 2 * n}) || x.Provider != "openai" {
					t.Errorf("%+v", x)
				}
				lines = append(lines, fmt.Sprint(x.Day, " ", x.Model, " ", x.Calls, " ", x.Failed, " ", x.Unknown, " ", int64(x.Cost)))
			}
			return lines
		}
		twice := fmt.Sprint("2026-11-01 a 2 1 0 ", 2*large)
		for what, test := range map[string]struct {
			user     *id.Scope
			from, to domain.Day
			want     []string
		}{
			"alice":       {&alice, "2026-11-01", "2026-11-03", []string{twice, "2026-11-01 b 1 0 1 0", "2026-11-02 a 1 1 0 1", "2026-11-03 a 1 0 0 3"}},
			"one day":     {&alice, "2026-11-02", "2026-11-02", []string{"2026-11-02 a 1 1 0 1"}},
			"bob":         {&bob, "2026-01-01", "2026-12-31", []string{"2026-11-02 a 1 0 0 2"}},
			"all":         {nil, "2026-11-01", "2026-11-02", []string{twice, "2026-11-01 b 1 0 1 0", "2026-11-02 a 2 1 0 3"}},
			"none so far": {&alice, "2026-11-04", "2026-12-01", nil},
		} {
			if got := usage(test.user, test.from, test.to); !slices.Equal(got, test.want) {
				t.Errorf("%s: got %q, want %q", what, got, test.want)
			}
		}
		if got := s.spent(t, alice, november); got != (domain.Spent{Spent: 2*large + 4}) {
			t.Errorf("the month is %+v", got)
		}
	})
}

func TestExpiredHolds(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		var ids []string
		for i := range 5 {
			h := hold(alice, november, 1)
			h.ExpiresAt = noon.Add(time.Duration(i) * time.Minute)
			s.reserve(t, h, -1)
			ids = append(ids, h.ID)
		}
		other := hold(bob, november, 1)
		other.ExpiresAt = noon.Add(time.Hour)
		s.reserve(t, other, -1)
		expired := func(at time.Time, limit int) []string {
			t.Helper()
			found, err := s.Expired(t.Context(), at, limit)
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		if got := expired(noon.Add(2*time.Minute), 10); !slices.Equal(got, ids[:3]) {
			t.Errorf("expired are %v, want %v", got, ids[:3])
		}
		if got := expired(noon.Add(2*time.Minute), 2); !slices.Equal(got, ids[:2]) {
			t.Errorf("of those two are %v", got)
		}
		if got := expired(noon.Add(-time.Microsecond), 10); len(got) > 0 {
			t.Errorf("before their time %v are expired", got)
		}
		mine, err := s.HoldsOf(t.Context(), alice)
		if slices.Sort(ids); err != nil || !slices.Equal(mine, ids) {
			t.Errorf("alice's are %v, %v", mine, err)
		}
	})
}

func TestAnErasedUsersCallsAreNobodys(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		for _, user := range []id.Scope{alice, bob} {
			h := hold(user, november, 10)
			s.reserve(t, h, -1)
			s.settle(t, h, func(*domain.Entry) {})
		}
		for range 2 { // twice is the same as once
			storetest.Commit(t, s.db, func(ctx context.Context) error { return s.Erase(ctx, alice) })
		}
		totals, err := s.Usage(t.Context(), nil, "2026-11-27", "2026-11-27")
		if err != nil || len(totals) != 1 || totals[0].Calls != 2 {
			t.Errorf("all calls are %+v, %v", totals, err)
		}
		if mine, err := s.Usage(t.Context(), &alice, "2026-11-27", "2026-11-27"); err != nil || len(mine) > 0 || s.spent(t, alice, november) != (domain.Spent{}) {
			t.Errorf("alice's are %+v, %v", mine, err)
		}
		if got := s.spent(t, bob, november); got.Spent != 7 {
			t.Errorf("bob's month is %+v", got)
		}
	})
}

var _ app.Store = (*store.Store)(nil)
