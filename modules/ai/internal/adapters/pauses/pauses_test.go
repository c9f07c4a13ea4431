package pauses_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/adapters/pauses"
)

func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := (pauses.Timer{}).For(t.Context(), time.Second); err != nil || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		lengths := map[time.Duration]bool{}
		for range 20 {
			began = time.Now()
			if err := (pauses.Timer{}).UpTo(t.Context(), time.Second); err != nil || time.Since(began) > time.Second {
				t.Errorf("%v after %v", err, time.Since(began))
			}
			lengths[time.Since(began)] = true
		}
		if len(lengths) < 10 {
			t.Errorf("the pauses are as long as each other: %v", lengths)
		}
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		began = time.Now()
		if err := (pauses.Timer{}).For(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
