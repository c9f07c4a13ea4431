package bus_test

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/bus"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
)

func nopLog() *zap.Logger { return zap.NewNop() }

// A consumer that is new while processes that don't know it go on publishing gets what they publish; what happened before
// it was there isn't for it.
func TestWhatANewConsumerMisses(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		now := clock.NewManual(time.Now())
		w := &world{t: t, db: db, clock: now}
		w.effects()
		old := w.process()
		publish := func(orderID string) { // with an id of the time that the clock shows
			t.Helper()
			old.publish(placed{OrderID: orderID})
			w.exec("UPDATE events_outbox SET id = ? WHERE aggregate = ?", bus.FirstID(now.Now().UnixMilli()), orderID)
		}
		publish("before")
		now.Advance(time.Minute)

		p := w.process(w.writing("tests.write"))
		p.start()
		now.Advance(time.Second)
		publish("beside")
		reconcile := func() {
			t.Helper()
			if err := p.Reconcile(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		reconcile() // too early: it may be on its way
		if w.count("river_job WHERE kind = 'tests.write'") != 0 {
			t.Error("it isn't given the time to arrive")
		}
		now.Advance(bus.Patience + time.Second)
		reconcile()
		w.await(1, "effects WHERE order_id = 'beside'")
		w.await(1, done)
		reconcile()
		if got := w.count("river_job WHERE kind = 'tests.write'"); got != 1 {
			t.Errorf("%d jobs deliver it", got)
		}

		// Once all is settled the place moves on, and after the rollout nothing is looked for any more.
		now.Advance(bus.Slack)
		reconcile()
		checked, err := p.Checked(t.Context(), "tests.write")
		if want := bus.FirstID(now.Now().Add(-bus.Slack).UnixMilli()); err != nil || checked != want {
			t.Errorf("all is settled up to %s, %v, want %s", checked, err, want)
		}
		now.Advance(bus.Rollout)
		publish("late")
		now.Advance(bus.Patience + time.Second)
		reconcile()
		if w.count("effects") != 1 || w.count("events_outbox") != 3 || w.count("river_job WHERE kind = 'tests.write'") != 1 {
			t.Error("an event of before, or of long after, was delivered")
		}
	})
}

func TestOldEventsAreRemoved(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		now := clock.NewManual(time.Now())
		w := &world{t: t, db: db, clock: now}
		w.effects()
		p := w.process(w.writing("tests.write")).start()
		p.publish(orders(1100)...)
		w.await(1100, done)
		now.Advance(bus.Retention - time.Hour)
		if err := p.Prune(t.Context()); err != nil || w.count("events_outbox") != 1100 {
			t.Fatalf("%v, %d events are left", err, w.count("events_outbox"))
		}
		now.Advance(2 * time.Hour)
		if err := p.Prune(t.Context()); err != nil || w.count("events_outbox") != 0 || w.count("events_inbox") != 0 {
			t.Errorf("%v, %d events and %d rows of the inbox are left", err, w.count("events_outbox"), w.count("events_inbox"))
		}
	})
}
