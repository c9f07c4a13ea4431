package eventstest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/txtest"
	"github.com/omnistack/omnistack/platform/events/eventstest"
	"github.com/omnistack/omnistack/platform/testkit"
)

type happened struct{ ID string }

func (happened) EventName() string            { return "tests.happened.v1" }
func (e happened) Aggregate() (string, int64) { return e.ID, 1 }

// transactor is what both kinds of transactions have.
type transactor interface {
	eventstest.Transactor
	WithinTx(ctx context.Context, fn func(ctx context.Context) error) error
}

func TestRecorder(t *testing.T) {
	t.Run("over a fake", func(t *testing.T) { remembersCommits(t, &txtest.Transactor{}) })
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) { remembersCommits(t, db) })
}

func remembersCommits(t *testing.T, tx transactor) {
	boom := errors.New("boom")
	recorder := eventstest.New(tx, nil)
	publish := func(id string, then error) error {
		return tx.WithinTx(t.Context(), func(ctx context.Context) error {
			return errors.Join(recorder.Publish(ctx, happened{id}, happened{id + "b"}), recorder.Publish(ctx, happened{id + "c"}), then)
		})
	}
	recorder.Expect(t)
	if err := recorder.Publish(t.Context(), happened{"outside"}); !errors.Is(err, eventstest.ErrNoTransaction) {
		t.Errorf("outside of a transaction: got %v", err)
	}
	if err := publish("1", boom); !errors.Is(err, boom) {
		t.Error(err)
	}
	recorder.Expect(t)
	if err := publish("2", nil); err != nil {
		t.Error(err)
	}
	recorder.Expect(t, happened{"2"}, happened{"2b"}, happened{"2c"})

	failing := eventstest.New(tx, boom)
	err := tx.WithinTx(t.Context(), func(ctx context.Context) error { return failing.Publish(ctx, happened{"3"}) })
	if !errors.Is(err, boom) || len(failing.Published()) != 0 {
		t.Errorf("got %v, and published is %v", err, failing.Published())
	}
}
