package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/testkit"
)

// The conformance suite of app.Store. It runs on both engines.

const (
	november = domain.Month("2026-11")
	december = domain.Month("2026-12")
	noLimit  = domain.Pico(-1)
)

var (
	alice = id.Of("alice")
	bob   = id.Of("bob")
	birth = time.Date(2026, 11, 2, 3, 4, 5, 6000, time.UTC)
	later = birth.Add(time.Hour)
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

// reserve tells whether the hold was reserved.
func (s suite) reserve(t testing.TB, hold domain.Hold, limit domain.Pico) (reserved bool) {
	t.Helper()
	storetest.Commit(t, s.db, func(ctx context.Context) (err error) {
		reserved, err = s.Reserve(ctx, hold, limit)
		return err
	})
	return reserved
}

func (s suite) take(t testing.TB, holdID string) (hold domain.Hold, found bool) {
	t.Helper()
	storetest.Commit(t, s.db, func(ctx context.Context) (err error) {
		hold, found, err = s.Take(ctx, holdID)
		return err
	})
	return hold, found
}

func (s suite) append(t testing.TB, entry domain.Entry, hold domain.Hold) {
	t.Helper()
	storetest.Commit(t, s.db, func(ctx context.Context) error { return s.Append(ctx, entry, hold) })
}

// call keeps a call from its beginning to its end.
func (s suite) call(t testing.TB, entry domain.Entry) {
	t.Helper()
	hold := domain.Hold{Entry: entry, Amount: 5, Month: domain.MonthOf(entry.StartedAt), ExpiresAt: later}
	if !s.reserve(t, hold, noLimit) {
		t.Fatal("it isn't reserved without a limit")
	}
	if _, found := s.take(t, entry.ID); !found {
		t.Fatal("what was reserved can't be taken")
	}
	s.append(t, entry, hold)
}

// stands fails the test unless the user's month stands so.
func (s suite) stands(t testing.TB, user id.Scope, month domain.Month, spent, reserved domain.Pico) {
	t.Helper()
	want := domain.Spent{Spent: spent, Reserved: reserved}
	if got, err := s.SpentIn(t.Context(), user, month); err != nil || got != want {
		t.Errorf("%s of %q stands at %+v, %v, want %+v", month, user.User, got, err, want)
	}
}

func (s suite) usage(t testing.TB, user *id.Scope, from, to domain.Day) []app.Total {
	t.Helper()
	totals, err := s.Usage(t.Context(), user, from, to)
	if err != nil {
		t.Fatal(err)
	}
	return totals
}

// held is a hold of so much.
func held(user id.Scope, holdID string, amount domain.Pico) domain.Hold {
	return domain.Hold{
		Entry: domain.Entry{
			ID: holdID, User: user, Endpoint: domain.Chat, Provider: "one", Model: "m", Attempts: 1,
			Usage: domain.Usage{Input: 7, Source: domain.Estimated}, StartedAt: birth,
		},
		Amount: amount, Month: november, ExpiresAt: later,
	}
}

// ended is a call that ended well at that time.
func ended(user id.Scope, callID string, at time.Time) domain.Entry {
	return domain.Entry{
		ID: callID, User: user, Endpoint: domain.Chat, Provider: "one", Model: "m", Attempts: 1, Status: domain.Completed,
		Usage: domain.Usage{Input: 1, Output: 2, Source: domain.Provided}, Cost: domain.Cost{Amount: 3, Known: true},
		StartedAt: birth, EndedAt: at,
	}
}

func randomUsage(r *rand.Rand) domain.Usage {
	return domain.Usage{
		Input: r.Int(), CachedRead: r.Int(), CachedWrite: r.Int(), Output: r.Int(), Reasoning: r.Int(),
		Source: domain.Source(storetest.Text(r, 10)),
	}
}

func randomHold(r *rand.Rand) domain.Hold {
	return domain.Hold{
		Entry: domain.Entry{
			ID: storetest.Text(r, 20) + id.New(), User: id.Of(storetest.Text(r, 64)), Endpoint: domain.Endpoint(storetest.Text(r, 10)),
			Route: storetest.Text(r, 10), Requested: storetest.Text(r, 200), Stream: r.IntN(2) == 0, Provider: storetest.Text(r, 20),
			Model: storetest.Text(r, 200), Attempts: r.Int(), Usage: randomUsage(r),
			Cost: domain.Cost{Amount: domain.Pico(r.Int64()), Known: r.IntN(2) == 0}, PriceVersion: storetest.Text(r, 20), StartedAt: storetest.Time(r),
		},
		Amount: domain.Pico(r.Int64()), Month: domain.MonthOf(storetest.Time(r)), ExpiresAt: storetest.Time(r),
	}
}

func TestHoldsComeBackAsTheyWere(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		r := storetest.Random(t)
		for range 100 {
			hold := randomHold(r)
			if !s.reserve(t, hold, noLimit) {
				t.Fatal("it isn't reserved without a limit")
			}
			if found, there := s.take(t, hold.ID); !there || !reflect.DeepEqual(found, hold) {
				t.Fatalf("reserved %+v\nfound    %+v", hold, found)
			}
		}
		// Times of another place are the same times.
		hold := held(alice, "far", 1)
		want := hold
		east := time.FixedZone("east", 5*60*60)
		hold.StartedAt, hold.ExpiresAt = hold.StartedAt.In(east), hold.ExpiresAt.In(east)
		s.reserve(t, hold, noLimit)
		if found, there := s.take(t, "far"); !there || !reflect.DeepEqual(found, want) {
			t.Errorf("reserved %+v\nfound    %+v", hold, found)
		}
	})
}

// TestEntriesAreKeptAsTheyWere proves that each field of an entry is in the row of the ledger.
func TestEntriesAreKeptAsTheyWere(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		r := storetest.Random(t)
		for range 50 {
			hold := randomHold(r)
			want := hold.Entry
			want.Status, want.Finish, want.Reason = domain.Status(storetest.Text(r, 10)), domain.Finish(storetest.Text(r, 10)), domain.Reason(storetest.Text(r, 10))
			want.EndedAt, want.First = storetest.Time(r), time.Duration(r.Int64N(1e9))*time.Microsecond
			s.append(t, want, hold)

			var got domain.Entry
			var day domain.Day
			var first int64
			row := s.db.Read(t.Context()).Raw(`SELECT id, user_id, endpoint, route, requested, stream, provider, model, attempts, status, finish, reason,
				input, cached_read, cached_write, output, reasoning, usage_source, cost, cost_known, price_version, started_at, ended_at, first_us, day
				FROM ai_calls WHERE id = ?`, want.ID).Row()
			err := row.Scan(&got.ID, &got.User.User, &got.Endpoint, &got.Route, &got.Requested, &got.Stream, &got.Provider, &got.Model, &got.Attempts,
				&got.Status, &got.Finish, &got.Reason, &got.Usage.Input, &got.Usage.CachedRead, &got.Usage.CachedWrite, &got.Usage.Output,
				&got.Usage.Reasoning, &got.Usage.Source, &got.Cost.Amount, &got.Cost.Known, &got.PriceVersion, &got.StartedAt, &got.EndedAt, &first, &day)
			got.StartedAt, got.EndedAt, got.First = got.StartedAt.UTC(), got.EndedAt.UTC(), time.Duration(first)*time.Microsecond
			if err != nil || !reflect.DeepEqual(got, want) || day != domain.DayOf(want.EndedAt) {
				t.Fatalf("appended %+v\nfound    %+v of %s, %v", want, got, day, err)
			}
		}
	})
}

func TestReserveKeepsTheLimit(t *testing.T) {
	const most = domain.Pico(math.MaxInt64)
	eachStore(t, func(t *testing.T, s suite) {
		for i, step := range []struct {
			what         string
			user         id.Scope
			month        domain.Month
			amount       domain.Pico
			limit        domain.Pico
			want         bool
			reservedThen domain.Pico
		}{
			{"more than the limit alone", alice, november, 101, 100, false, 0},
			{"below it", alice, november, 60, 100, true, 60},
			{"over it, together", alice, november, 41, 100, false, 60},
			{"just to it", alice, november, 40, 100, true, 100},
			{"a little over it", alice, november, 1, 100, false, 100},
			{"nothing, at the limit", alice, november, 0, 100, true, 100},
			{"nothing, above a limit that was lowered", alice, november, 0, 99, false, 100},
			{"with a limit that was raised", alice, november, 1, 101, true, 101},
			{"without a limit", alice, november, 1000, noLimit, true, 1101},
			{"another month", alice, december, 100, 100, true, 100},
			{"another user", bob, november, 100, 100, true, 100},
			{"nothing of nothing", bob, december, 0, 0, true, 0},
			{"something of nothing", bob, december, 1, 0, false, 0},
			{"the highest amount", id.Of("carol"), november, most, noLimit, true, most},
			{"the highest amount as a limit", id.Of("dave"), november, most, most, true, most},
			{"all but nothing above", id.Of("dave"), november, 1, most, false, most},
		} {
			hold := held(step.user, fmt.Sprint("h", i), step.amount)
			hold.Month = step.month
			if got := s.reserve(t, hold, step.limit); got != step.want {
				t.Errorf("%s: reserved is %t", step.what, got)
			}
			if rows := testkit.Rows(t, s.db, "ai_holds", "id = ?", hold.ID); (rows == 1) != step.want {
				t.Errorf("%s: there are %d holds", step.what, rows)
			}
			s.stands(t, step.user, step.month, 0, step.reservedThen)
		}
	})
}

// TestWhatIsSpentCounts proves that calls that ended count for the limit as much as those that go on.
func TestWhatIsSpentCounts(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		hold := held(alice, "first", 80)
		s.reserve(t, hold, 100)
		entry := ended(alice, "first", later)
		entry.Cost.Amount = 95 // more than was set aside
		s.append(t, entry, hold)
		s.stands(t, alice, november, 95, 0)
		if s.reserve(t, held(alice, "second", 6), 100) || !s.reserve(t, held(alice, "third", 5), 100) {
			t.Error("the limit isn't that of both together")
		}
		s.stands(t, alice, november, 95, 5)
	})
}

// TestManyReservationsAtOnceKeepTheLimit proves that of 100 reservations of 3 each 33 fit into 100, and never one more.
func TestManyReservationsAtOnceKeepTheLimit(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		var reserved atomic.Int64
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				err := s.db.WithinTx(t.Context(), func(ctx context.Context) error {
					done, err := s.Reserve(ctx, held(alice, fmt.Sprint(i), 3), 100)
					if done {
						reserved.Add(1)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got := reserved.Load(); got != 33 {
			t.Errorf("%d were reserved, want 33", got)
		}
		if got := testkit.Rows(t, s.db, "ai_holds", ""); got != 33 {
			t.Errorf("there are %d holds, want 33", got)
		}
		s.stands(t, alice, november, 0, 99)
	})
}

func TestAHoldIsTakenOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.reserve(t, held(alice, "h1", 3), 100)
		s.reserve(t, held(alice, "h2", 3), 100)
		if _, found := s.take(t, "nothing"); found {
			t.Error("a hold that never was is found")
		}
		if _, found := s.take(t, "h1"); !found {
			t.Error("it isn't found")
		}
		if hold, found := s.take(t, "h1"); found || !reflect.DeepEqual(hold, domain.Hold{}) {
			t.Errorf("it is found twice: %+v", hold)
		}
		var taken atomic.Int64
		storetest.Concurrent(t, 1, func(int) error {
			return s.db.WithinTx(t.Context(), func(ctx context.Context) error {
				_, found, err := s.Take(ctx, "h2")
				if found {
					taken.Add(1)
				}
				return err
			})
		})
		if got := taken.Load(); got != 1 {
			t.Errorf("%d of 16 found it, want one", got)
		}
		s.stands(t, alice, november, 0, 6) // what was set aside is given back by Append
	})
}

func TestAppendCountsAndGivesBack(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		mine, other, his := held(alice, "mine", 10), held(alice, "other", 20), held(bob, "his", 40)
		other.Month = december
		for _, hold := range []domain.Hold{mine, other, his} {
			s.reserve(t, hold, noLimit)
		}
		entry := ended(alice, "mine", later.AddDate(0, 1, 0)) // that it ended in another month changes nothing
		s.append(t, entry, mine)
		s.stands(t, alice, november, 3, 0)
		s.stands(t, alice, december, 0, 20)
		s.stands(t, bob, november, 0, 40)
		s.stands(t, bob, december, 0, 0)
		s.stands(t, id.Of("nobody"), november, 0, 0)

		unknown := ended(alice, "other", later)
		unknown.Cost = domain.Cost{}
		s.append(t, unknown, other)
		s.stands(t, alice, december, 0, 0)

		err := s.db.WithinTx(t.Context(), func(ctx context.Context) error { return s.Append(ctx, entry, mine) })
		if err == nil {
			t.Error("a call is in the ledger twice")
		}
		s.stands(t, alice, november, 3, 0)
	})
}

func TestUsageAddsUp(t *testing.T) {
	const huge = 1 << 61 // of which three make more than 32 bits and floats can hold exactly
	eachStore(t, func(t *testing.T, s suite) {
		midnight := time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)
		if got := s.usage(t, nil, "2026-11-01", "2026-11-30"); len(got) != 0 {
			t.Errorf("of nothing: %+v", got)
		}
		number := 0
		add := func(user id.Scope, at time.Time, change func(*domain.Entry)) {
			t.Helper()
			number++
			entry := ended(user, fmt.Sprint("c", number), at)
			change(&entry)
			s.call(t, entry)
		}
		plain := func(*domain.Entry) {}
		add(alice, midnight.Add(-time.Microsecond), plain)                                      // the last of the 2nd
		add(alice, midnight.In(time.FixedZone("west", -9*60*60)), plain)                        // the first of the 3rd, in UTC
		add(alice, midnight, func(e *domain.Entry) { e.Status = domain.Failed })                // without a whole answer
		add(alice, midnight, func(e *domain.Entry) { e.Status = domain.Killed })                //
		add(alice, midnight, func(e *domain.Entry) { e.Cost = domain.Cost{} })                  // nobody knows what it cost
		add(alice, midnight, func(e *domain.Entry) { e.Model = "n" })                           //
		add(alice, midnight, func(e *domain.Entry) { e.Provider, e.Model = "another", "z" })    //
		add(alice, midnight, func(e *domain.Entry) { e.Provider, e.Model = "", "" })            // nobody was asked
		add(alice, midnight.Add(24*time.Hour-time.Microsecond), plain)                          // the last of the 3rd
		add(alice, midnight.Add(24*time.Hour), func(e *domain.Entry) { e.Usage.Reasoning = 1 }) // the first of the 4th
		add(bob, midnight, plain)
		for range 3 {
			add(bob, midnight.AddDate(0, 0, 7), func(e *domain.Entry) {
				e.Usage = domain.Usage{Input: huge + 1, CachedRead: huge + 2, CachedWrite: huge - 1, Output: huge, Reasoning: huge - 2}
				e.Cost.Amount = huge + 1
			})
		}

		total := func(day domain.Day, provider, model string, calls, failed, unknown int64, cost domain.Pico, reasoning int) app.Total {
			return app.Total{
				Day: day, Provider: provider, Model: model, Calls: calls, Failed: failed, Unknown: unknown, Cost: cost,
				Usage: domain.Usage{Input: int(calls), Output: 2 * int(calls), Reasoning: reasoning},
			}
		}
		third := []app.Total{
			total("2026-11-03", "", "", 1, 0, 0, 3, 0), total("2026-11-03", "another", "z", 1, 0, 0, 3, 0),
			total("2026-11-03", "one", "m", 5, 2, 1, 12, 0), total("2026-11-03", "one", "n", 1, 0, 0, 3, 0),
		}
		second, fourth := total("2026-11-02", "one", "m", 1, 0, 0, 3, 0), total("2026-11-04", "one", "m", 1, 0, 0, 3, 1)
		vast := app.Total{
			Day: "2026-11-10", Provider: "one", Model: "m", Calls: 3, Cost: 3*huge + 3,
			Usage: domain.Usage{Input: 3*huge + 3, CachedRead: 3*huge + 6, CachedWrite: 3*huge - 3, Output: 3 * huge, Reasoning: 3*huge - 6},
		}
		everybody := slices.Clone(third)
		everybody[2] = total("2026-11-03", "one", "m", 6, 2, 1, 15, 0)
		for _, test := range []struct {
			what     string
			user     *id.Scope
			from, to domain.Day
			want     []app.Total
		}{
			{"a day", &alice, "2026-11-03", "2026-11-03", third},
			{"three days", &alice, "2026-11-02", "2026-11-04", slices.Concat([]app.Total{second}, third, []app.Total{fourth})},
			{"the days before", &alice, "2026-11-01", "2026-11-02", []app.Total{second}},
			{"the days after", &alice, "2026-11-04", "2027-11-04", []app.Total{fourth}},
			{"days without a call", &alice, "2026-11-05", "2026-12-31", nil},
			{"no day", &alice, "2026-11-04", "2026-11-03", nil},
			{"another's day", &bob, "2026-11-03", "2026-11-09", []app.Total{total("2026-11-03", "one", "m", 1, 0, 0, 3, 0)}},
			{"large sums", &bob, "2026-11-04", "2026-11-10", []app.Total{vast}},
			{"everybody's day", nil, "2026-11-03", "2026-11-03", everybody},
			{"all", nil, "0000-00-00", "9999-99-99", slices.Concat([]app.Total{second}, everybody, []app.Total{fourth, vast})},
			{"nobody's", new(id.Of("")), "2026-11-01", "2026-11-30", nil},
			{"another spelling's", new(id.Of("ALICE")), "2026-11-01", "2026-11-30", nil},
		} {
			if got := s.usage(t, test.user, test.from, test.to); !reflect.DeepEqual(got, test.want) {
				t.Errorf("%s:\ngot  %+v\nwant %+v", test.what, got, test.want)
			}
		}
	})
}

func TestExpiredHolds(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		at := func(microseconds int) time.Time { return birth.Add(time.Duration(microseconds) * time.Microsecond) }
		for holdID, expires := range map[string]int{"c": 0, "a": 2, "b": 2, "e": 1, "d": 3} {
			hold := held(alice, holdID, 1)
			hold.ExpiresAt = at(expires)
			s.reserve(t, hold, noLimit)
		}
		for _, test := range []struct {
			at    int
			limit int
			want  string
		}{
			{-1, 10, ""}, {0, 10, "c"}, {1, 10, "ce"}, {2, 10, "ceab"}, {2, 3, "cea"}, {3, 1, "c"}, {3, 5, "ceabd"}, {3, 0, ""},
		} {
			got, err := s.Expired(t.Context(), at(test.at), test.limit)
			if err != nil || strings.Join(got, "") != test.want {
				t.Errorf("%d of them at %d: %v, %v, want %q", test.limit, test.at, got, err, test.want)
			}
		}
	})
}

func TestHoldsOfAUser(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.reserve(t, held(alice, "2", 1), noLimit)
		s.reserve(t, held(bob, "3", 1), noLimit)
		s.reserve(t, held(alice, "1", 1), noLimit)
		for user, want := range map[id.Scope][]string{alice: {"1", "2"}, bob: {"3"}, id.Of(""): nil, id.Of("ALICE"): nil, id.Of("%"): nil} {
			if got, err := s.HoldsOf(t.Context(), user); err != nil || !slices.Equal(got, want) {
				t.Errorf("%q has %v, %v, want %v", user.User, got, err, want)
			}
		}
	})
}

// TestEraseKeepsWhatWasPaid proves that an erased user's rows stay, as nobody's, and that another's aren't touched.
func TestEraseKeepsWhatWasPaid(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		for i, user := range []id.Scope{alice, alice, bob} {
			s.call(t, ended(user, fmt.Sprint("c", i), later))
		}
		s.reserve(t, held(bob, "his", 7), noLimit)
		before := s.usage(t, nil, "2026-11-01", "2026-11-30")
		his := s.usage(t, &bob, "2026-11-01", "2026-11-30")
		for range 2 { // doing it twice is the same as doing it once
			storetest.Commit(t, s.db, func(ctx context.Context) error { _, err := s.Erase(ctx, alice); return err })
			if after := s.usage(t, nil, "2026-11-01", "2026-11-30"); !reflect.DeepEqual(after, before) {
				t.Errorf("all was %+v, and is %+v", before, after)
			}
			if got := s.usage(t, &alice, "2026-11-01", "2026-11-30"); len(got) != 0 {
				t.Errorf("she still has %+v", got)
			}
			if got := s.usage(t, &bob, "2026-11-01", "2026-11-30"); !reflect.DeepEqual(got, his) {
				t.Errorf("his was %+v, and is %+v", his, got)
			}
			if got := testkit.Rows(t, s.db, "ai_calls", "user_id IS NULL"); got != 2 {
				t.Errorf("%d calls are nobody's, want 2", got)
			}
			if got := testkit.Rows(t, s.db, "ai_budgets", ""); got != 1 {
				t.Errorf("there are %d budgets, want his", got)
			}
			s.stands(t, alice, november, 0, 0)
			s.stands(t, bob, november, 3, 7)
		}
		if _, found := s.take(t, "his"); !found {
			t.Error("his hold is gone")
		}
	})
}

func TestTheStoreIsTransactional(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		storetest.Transactional(t, s.db,
			func(ctx context.Context, name string) error {
				_, err := s.Reserve(ctx, held(alice, name, 1), noLimit)
				return err
			},
			func(ctx context.Context, name string) bool {
				holds, err := s.HoldsOf(ctx, alice)
				if err != nil {
					t.Error(err)
				}
				return slices.Contains(holds, name)
			})
		s.stands(t, alice, november, 0, 1) // of the one that was committed

		for name, write := range map[string]func(ctx context.Context) error{
			"take":   func(ctx context.Context) error { _, _, err := s.Take(ctx, "committed"); return err },
			"append": func(ctx context.Context) error { return s.Append(ctx, ended(alice, "c", later), held(alice, "c", 1)) },
			"erase":  func(ctx context.Context) error { _, err := s.Erase(ctx, alice); return err },
		} {
			if err := write(t.Context()); !errors.Is(err, database.ErrNoTransaction) {
				t.Errorf("%s outside of a transaction: got %v, want ErrNoTransaction", name, err)
			}
		}
	})
}

func TestReadsInATransactionSeeItsWrites(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		storetest.Commit(t, s.db, func(ctx context.Context) error {
			reserved, err := s.Reserve(ctx, held(alice, "h", 5), 10)
			if err = errors.Join(err, s.Append(ctx, ended(alice, "c", later), held(alice, "c", 0))); err != nil || !reserved {
				t.Fatalf("reserved is %t, %v", reserved, err)
			}
			if spent, err := s.SpentIn(ctx, alice, november); err != nil || spent != (domain.Spent{Spent: 3, Reserved: 5}) {
				t.Errorf("spent: %+v, %v", spent, err)
			}
			if holds, err := s.Expired(ctx, later, 10); err != nil || len(holds) != 1 {
				t.Errorf("expired: %v, %v", holds, err)
			}
			if totals, err := s.Usage(ctx, &alice, "2026-11-02", "2026-11-02"); err != nil || len(totals) != 1 {
				t.Errorf("usage: %+v, %v", totals, err)
			}
			return nil
		})
	})
}

// TestErrorsAreClassified proves that each statement of the store says by its error that the database took too long: another
// transaction keeps the statement's table to itself, and PostgreSQL gives up waiting for it.
func TestErrorsAreClassified(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	s := store.New(db)
	for _, test := range []struct {
		method, table string
		do            func(ctx context.Context) error
	}{
		{"reserve", "ai_budgets", func(ctx context.Context) error { _, err := s.Reserve(ctx, held(alice, "h", 1), 10); return err }},
		{"reserve", "ai_holds", func(ctx context.Context) error { _, err := s.Reserve(ctx, held(alice, "h", 1), 10); return err }},
		{"take", "ai_holds", func(ctx context.Context) error { _, _, err := s.Take(ctx, "h"); return err }},
		{"append", "ai_calls", func(ctx context.Context) error { return s.Append(ctx, ended(alice, "c", later), held(alice, "c", 1)) }},
		{"append", "ai_budgets", func(ctx context.Context) error { return s.Append(ctx, ended(alice, "c", later), held(alice, "c", 1)) }},
		{"expired", "ai_holds", func(ctx context.Context) error { _, err := s.Expired(ctx, later, 1); return err }},
		{"holds", "ai_holds", func(ctx context.Context) error { _, err := s.HoldsOf(ctx, alice); return err }},
		{"spent", "ai_budgets", func(ctx context.Context) error { _, err := s.SpentIn(ctx, alice, november); return err }},
		{"usage", "ai_calls", func(ctx context.Context) error { _, err := s.Usage(ctx, nil, "", ""); return err }},
		{"erase", "ai_budgets", func(ctx context.Context) error { _, err := s.Erase(ctx, alice); return err }},
		{"erase", "ai_calls", func(ctx context.Context) error { _, err := s.Erase(ctx, alice); return err }},
	} {
		storetest.Commit(t, db, func(ctx context.Context) error {
			if err := db.Tx(ctx).Exec("LOCK TABLE " + test.table + " IN ACCESS EXCLUSIVE MODE").Error; err != nil {
				return err
			}
			// The outer transaction isn't in this context: another one runs beside it.
			_ = db.WithinTx(t.Context(), func(ctx context.Context) error {
				if err := db.Tx(ctx).Exec("SET LOCAL statement_timeout = 20").Error; err != nil {
					t.Error(err)
				}
				err := test.do(ctx)
				if !errs.Is(err, errs.Timeout) {
					t.Errorf("%s, while %s is locked: got %v, want a timeout", test.method, test.table, err)
				}
				return err
			})
			return nil
		})
	}
}

// The store works behind a transaction pooler, where the driver writes the values into the SQL.
func TestTheStoreWorksBehindAPooler(t *testing.T) {
	t.Parallel()
	opts := testkit.DatabaseOptions(t, database.Postgres)
	opts.Pooled = true
	db := testkit.OpenDatabase(t, opts)
	s := suite{db, store.New(db)}
	r := storetest.Random(t)
	for range 20 {
		hold := randomHold(r)
		hold.Amount, hold.Cost.Amount = 5, 7
		if !s.reserve(t, hold, 5) {
			t.Fatal("it isn't reserved")
		}
		if found, err := s.HoldsOf(t.Context(), hold.User); err != nil || !slices.Equal(found, []string{hold.ID}) {
			t.Fatalf("holds: %v, %v", found, err)
		}
		if found, there := s.take(t, hold.ID); !there || !reflect.DeepEqual(found, hold) {
			t.Fatalf("reserved %+v\nfound    %+v", hold, found)
		}
		s.append(t, hold.Lost(later), hold)
		s.stands(t, hold.User, hold.Month, 7, 0)
		if totals := s.usage(t, &hold.User, "2026-11-02", "2026-11-02"); len(totals) != 1 || totals[0].Cost != 7 {
			t.Fatalf("usage: %+v", totals)
		}
		if _, err := s.Expired(t.Context(), later, 5); err != nil {
			t.Fatal(err)
		}
		storetest.Commit(t, db, func(ctx context.Context) error { _, err := s.Erase(ctx, hold.User); return err })
	}
}
