package txtest_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/omnistack/omnistack/platform/database/txtest"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/testkit"
)

type transactor interface {
	WithinTx(ctx context.Context, fn func(ctx context.Context) error) error
	AfterCommit(ctx context.Context, fn func())
}

// The fake and a database keep one contract.
func TestTheFakeKeepsTheContract(t *testing.T) {
	t.Parallel()
	for name, tx := range map[string]transactor{"the fake": &txtest.Transactor{}, "SQLite": testkit.SQLite(t)} {
		var done []string
		after := func(ctx context.Context, what string) { tx.AfterCommit(ctx, func() { done = append(done, what) }) }
		after(t.Context(), "outside")
		committed := tx.WithinTx(t.Context(), func(ctx context.Context) error {
			after(ctx, "committed")
			if len(done) != 1 {
				t.Errorf("%s: it was done before the commit", name)
			}
			return tx.WithinTx(ctx, func(ctx context.Context) error {
				after(ctx, "joined")
				return nil
			})
		})
		fail := func(ctx context.Context) error {
			after(ctx, "failed")
			return errstest.ErrBoom
		}
		failed := tx.WithinTx(t.Context(), fail)
		broken := tx.WithinTx(t.Context(), func(ctx context.Context) error {
			after(ctx, "broken")
			_ = tx.WithinTx(ctx, fail) // a part that fails breaks the whole, whoever hides its error
			return nil
		})
		if committed != nil || !errors.Is(failed, errstest.ErrBoom) || !errors.Is(broken, errstest.ErrBoom) {
			t.Errorf("%s: got %v, %v and %v", name, committed, failed, broken)
		}
		if want := []string{"outside", "committed", "joined"}; !slices.Equal(done, want) {
			t.Errorf("%s: %q were done, want %q", name, done, want)
		}
	}
}

func TestTheFakesCount(t *testing.T) {
	var tx txtest.Transactor
	recorder := txtest.Recorder{Failing: "save"}
	if err := recorder.Call(t.Context(), "find"); err != nil {
		t.Error(err)
	}
	for _, method := range []string{"lock", "save"} {
		_ = tx.WithinTx(t.Context(), func(ctx context.Context) error { return recorder.Call(ctx, method) })
	}
	recorder.Expect(t, "find", "lock in tx", "save in tx")
	if tx.Committed != 1 || tx.RolledBack != 1 {
		t.Errorf("%d committed and %d rolled back, want 1 of each", tx.Committed, tx.RolledBack)
	}
}
