package store_test

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/omnistack/omnistack/modules/ai/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit"
)

// settle tells whether the hold was there.
func (s suite) settle(t testing.TB, entry domain.Entry, hold domain.Hold) (settled bool) {
	t.Helper()
	storetest.Commit(t, s.db, func(ctx context.Context) (err error) {
		settled, err = s.Settle(ctx, entry, hold)
		return err
	})
	return settled
}

// row returns the row of a call in the ledger.
func (s suite) row(t testing.TB, callID string) map[string]any {
	t.Helper()
	var rows []map[string]any
	if err := s.db.Read(t.Context()).Table("ai_calls").Where("id = ?", callID).Find(&rows).Error; err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	return rows[0]
}

// settlesLikeBoth proves that Settle leaves behind what Take and Append do, column by column.
func settlesLikeBoth(t *testing.T, s suite) {
	t.Helper()
	r := storetest.Random(t)
	for range 20 {
		hold := randomHold(r)
		entry := hold.Entry
		entry.Status, entry.Finish, entry.Reason = domain.Truncated, domain.FinishLength, domain.Late
		entry.Usage, entry.EndedAt, entry.Provider = randomUsage(r), storetest.Time(r), storetest.Text(r, 20)
		entry.Cost.Amount /= 2 // it is counted twice here
		s.reserve(t, hold, noLimit)
		if !s.settle(t, entry, hold) {
			t.Fatal("the hold isn't found")
		}
		s.stands(t, hold.User, hold.Month, entry.Cost.Amount, 0)
		settled := s.row(t, entry.ID)
		storetest.Commit(t, s.db, func(ctx context.Context) error {
			return s.db.Tx(ctx).Exec("DELETE FROM ai_calls WHERE id = ?", entry.ID).Error
		})
		if s.settle(t, entry, hold) {
			t.Fatal("the hold is found twice")
		}
		if rows := testkit.Rows(t, s.db, "ai_calls", "id = ?", entry.ID); rows > 0 {
			t.Error("without a hold something is in the ledger")
		}
		s.stands(t, hold.User, hold.Month, entry.Cost.Amount, 0)
		s.append(t, entry, domain.Hold{Entry: hold.Entry, Month: hold.Month})
		if appended := s.row(t, entry.ID); !reflect.DeepEqual(settled, appended) {
			t.Fatalf("settled  %v\nappended %v", settled, appended)
		}
	}
}

func TestSettleIsTakeAndAppend(t *testing.T) {
	eachStore(t, settlesLikeBoth)
}

func TestSettleWorksBehindAPooler(t *testing.T) {
	t.Parallel()
	opts := testkit.DatabaseOptions(t, database.Postgres)
	opts.Pooled = true
	db := testkit.OpenDatabase(t, opts)
	settlesLikeBoth(t, suite{db, store.New(db)})
}

// TestACallIsSettledOnce proves that of many who settle a call, or take its hold as the sweep does, one does it.
func TestACallIsSettledOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		hold := held(alice, "h", 5)
		s.reserve(t, hold, noLimit)
		s.reserve(t, held(alice, "other", 7), noLimit)
		var done atomic.Int64
		storetest.Concurrent(t, 1, func(i int) error {
			return s.db.WithinTx(t.Context(), func(ctx context.Context) error {
				var found bool
				var err error
				if i%2 == 0 {
					found, err = s.Settle(ctx, ended(alice, "h", later), hold)
				} else if _, found, err = s.Take(ctx, "h"); found {
					err = errors.Join(err, s.Append(ctx, ended(alice, "h", later), hold))
				}
				if found {
					done.Add(1)
				}
				return err
			})
		})
		if rows := testkit.Rows(t, s.db, "ai_calls", ""); rows != 1 || done.Load() != 1 {
			t.Errorf("%d did it, and %d rows are in the ledger", done.Load(), rows)
		}
		s.stands(t, alice, november, 3, 7)
	})
}

// TestCallsOfOneUserSettleAtOnce proves that no sum is lost when many calls of a user end together.
func TestCallsOfOneUserSettleAtOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		const calls = 40
		holds := make([]domain.Hold, calls)
		for i := range holds {
			holds[i] = held(alice, string(rune('A'+i)), 5)
			s.reserve(t, holds[i], noLimit)
		}
		var next atomic.Int64
		storetest.Concurrent(t, 1, func(int) error {
			for i := next.Add(1) - 1; i < calls; i = next.Add(1) - 1 {
				err := s.db.WithinTx(t.Context(), func(ctx context.Context) error {
					settled, err := s.Settle(ctx, ended(alice, holds[i].ID, later), holds[i])
					if err == nil && !settled {
						err = errors.New("the hold isn't found")
					}
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		s.stands(t, alice, november, 3*calls, 0)
	})
}

func TestSettleKeepsToItsTransaction(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		hold := held(alice, "h", 5)
		s.reserve(t, hold, noLimit)
		if _, err := s.Settle(t.Context(), ended(alice, "h", later), hold); !errors.Is(err, database.ErrNoTransaction) {
			t.Errorf("outside of a transaction: got %v", err)
		}
		undone := errors.New("undone")
		err := s.db.WithinTx(t.Context(), func(ctx context.Context) error {
			if settled, err := s.Settle(ctx, ended(alice, "h", later), hold); err != nil || !settled {
				t.Errorf("settled is %t, %v", settled, err)
			}
			return undone
		})
		if !errors.Is(err, undone) || testkit.Rows(t, s.db, "ai_calls", "") > 0 || testkit.Rows(t, s.db, "ai_holds", "") != 1 {
			t.Errorf("after a rollback: %v", err)
		}
		s.stands(t, alice, november, 0, 5)

		// The user's budgets were erased meanwhile: the ledger has the call all the same.
		storetest.Commit(t, s.db, func(ctx context.Context) error {
			return s.db.Tx(ctx).Exec("DELETE FROM ai_budgets").Error
		})
		if !s.settle(t, ended(alice, "h", later), hold) || testkit.Rows(t, s.db, "ai_calls", "") != 1 {
			t.Error("without a budget it isn't settled")
		}
	})
}

func TestSettleClassifiesItsErrors(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	s := suite{db, store.New(db)}
	hold := held(alice, "h", 1)
	s.reserve(t, hold, noLimit)
	for _, table := range []string{"ai_holds", "ai_calls", "ai_budgets"} {
		storetest.Commit(t, db, func(ctx context.Context) error {
			if err := db.Tx(ctx).Exec("LOCK TABLE " + table + " IN ACCESS EXCLUSIVE MODE").Error; err != nil {
				return err
			}
			// The outer transaction isn't in this context: another one runs beside it.
			_ = db.WithinTx(t.Context(), func(ctx context.Context) error {
				if err := db.Tx(ctx).Exec("SET LOCAL statement_timeout = 20").Error; err != nil {
					t.Error(err)
				}
				_, err := s.Settle(ctx, ended(alice, "h", later), hold)
				if !errs.Is(err, errs.Timeout) {
					t.Errorf("while %s is locked: got %v, want a timeout", table, err)
				}
				return err
			})
			return nil
		})
	}
}
