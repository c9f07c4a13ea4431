package bus_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/bus"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/testkit"
)

func nopLog() *zap.Logger { return zap.NewNop() }

// What happened before a consumer was there isn't for it; what it should have had since then comes, whoever published it and
// whatever became of its job.
func TestWhatAConsumerHasntGotComes(t *testing.T) {
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
		now.Advance(bus.Skew + time.Second)

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
		now.Advance(p.Patience() + time.Second)
		reconcile()
		w.await(1, "effects WHERE order_id = 'beside'")
		w.await(1, done)
		reconcile()
		if got := w.count("river_job WHERE kind = 'tests.write'"); got != 1 {
			t.Errorf("%d jobs deliver it", got)
		}

		// Once all is settled the place moves on.
		now.Advance(bus.Slack)
		reconcile()
		checked, err := p.Checked(t.Context(), "tests.write")
		if want := bus.FirstID(now.Now().Add(-bus.Slack).UnixMilli()); err != nil || checked != want {
			t.Errorf("all is settled up to %s, %v, want %s", checked, err, want)
		}

		// A day later the consumer is rolled back for a while, and comes again.
		now.Advance(24 * time.Hour)
		publish("late")
		now.Advance(p.Patience() + time.Second)
		reconcile()
		w.await(1, "effects WHERE order_id = 'late'")
		if w.count("effects") != 2 || w.count("events_outbox") != 3 {
			t.Error("an event of before was delivered")
		}
	})
}

// When the process of the last attempt is killed, its job is dead and says nothing to the event.
func TestADeliveryThatDiesWithoutAWordComesAgain(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		now := clock.NewManual(time.Now())
		w := &world{t: t, db: db, clock: now}
		w.effects()
		p := w.process(w.writing("tests.write"))
		p.publish(orders(2)...)
		w.exec("UPDATE river_job SET state = 'discarded', attempt = max_attempts, finalized_at = created_at")
		p.start()
		now.Advance(p.Patience() + time.Second)
		if err := p.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.await(2, "effects")
	})
}

// Who leaves Redis, because it is broken say, loses nothing that was on its way.
func TestTheRoadMayChangeUnderWay(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		w := &world{t: t, db: db, clock: clock.System{}, options: bus.Options{RedisURL: "redis://127.0.0.1:1/0"}}
		w.effects()
		w.process(w.writing("tests.write")).publish(orders(5)...)
		w.options = bus.Options{}
		w.process(w.writing("tests.write")).start()
		w.await(5, "effects")
		w.await(5, done)
	})
}

// An event that can't even be given up stays where it is.
func TestGivingUpMayFail(t *testing.T) {
	w := &world{t: t, db: testkit.SQLite(t), clock: clock.System{}}
	w.exec("CREATE TRIGGER full BEFORE INSERT ON events_inbox WHEN NEW.state = 'dead' BEGIN SELECT RAISE(ABORT, 'no room'); END")
	p := w.process(events.On(events.Consumer{Name: "tests.choke", Backoff: 10 * time.Millisecond},
		func(context.Context, placed, events.Envelope) error { return errs.New(errs.Invalid, "It is poison") })).start()
	p.publish(placed{OrderID: "1"})
	w.await(1, "river_job WHERE kind = 'tests.choke' AND attempt > 2 AND state <> 'cancelled'")
	w.exec("DROP TRIGGER full")
	w.await(1, dead)
}

// While two versions run side by side, a process may get a delivery of an event that its own consumer of that name doesn't
// wait for. It leaves it to the other.
func TestAConsumerOfAnotherVersion(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		w := &world{t: t, db: db, clock: clock.System{}}
		w.effects()
		again := events.Consumer{Name: "tests.write", Backoff: 10 * time.Millisecond}
		fresh := w.process(events.On(again, func(ctx context.Context, e placed2, _ events.Envelope) error {
			return w.write(ctx, "tests.write", e.OrderID)
		}))
		fresh.publish(placed2{OrderID: "1"})
		old := w.process(w.writing("tests.write")).start()
		w.await(1, "river_job WHERE kind = 'tests.write' AND attempt > 0 AND state <> 'running'")
		old.stop()
		w.exec("UPDATE river_job SET state = 'available', scheduled_at = created_at WHERE kind = 'tests.write'")
		fresh.start()
		w.await(1, "effects")
	})
}

// A consumer that is new doesn't get the history with a replay.
func TestAReplayIsForThoseWhoWereThere(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		now := clock.NewManual(time.Now())
		w := &world{t: t, db: db, clock: now}
		w.effects()
		w.process(w.writing("tests.old")).publish(placed{OrderID: "1"})
		now.Advance(time.Hour)
		p := w.process(w.writing("tests.old"), w.writing("tests.new")).start()
		w.await(1, "effects")
		var eventID string
		if err := db.Read(t.Context()).Raw("SELECT id FROM events_outbox").Scan(&eventID).Error; err != nil {
			t.Fatal(err)
		}
		if err := db.WithinTx(t.Context(), func(ctx context.Context) error { return p.Replay(ctx, eventID, "") }); err != nil {
			t.Fatal(err)
		}
		if w.count("river_job WHERE kind = 'tests.new'") != 0 {
			t.Error("history was delivered to who came later")
		}
		if err := db.WithinTx(t.Context(), func(ctx context.Context) error { return p.Replay(ctx, eventID, "tests.new") }); err != nil {
			t.Fatal(err)
		}
		w.await(1, "effects WHERE consumer = 'tests.new'")
	})
}

// What dies again while the dead are replayed isn't replayed for ever.
func TestAReplayOfTheDeadEnds(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		const many = 600
		w := &world{t: t, db: db, clock: clock.System{}}
		p := w.process(events.On(events.Consumer{Name: "tests.choke"}, func(context.Context, placed, events.Envelope) error {
			return errs.New(errs.Invalid, "It is broken still")
		})).start()
		p.publish(orders(many)...)
		w.await(many, dead)
		if replayed, err := p.ReplayDead(t.Context(), bus.Dead{}); replayed != many || err != nil {
			t.Errorf("%d of %d are replayed, %v", replayed, many, err)
		}
	})
}

func TestOldEventsAreRemoved(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		now := clock.NewManual(time.Now())
		w := &world{t: t, db: db, clock: now}
		w.effects()
		p := w.process(w.writing("tests.write")).start()
		p.publish(orders(600)...)
		w.await(600, done)
		w.exec("INSERT INTO river_job (kind, queue, args, state, max_attempts, created_at) VALUES ('tests.gone', 'events', '{}', 'available', 25, ?)",
			now.Now().Add(-bus.Retention))
		now.Advance(bus.Retention - time.Hour)
		if err := p.Prune(t.Context()); err != nil || w.count("events_outbox") != 600 {
			t.Fatalf("%v, %d events are left", err, w.count("events_outbox"))
		}
		now.Advance(2 * time.Hour)
		if err := p.Prune(t.Context()); err != nil || w.count("events_outbox") != 0 || w.count("events_inbox") != 0 || w.count("river_job WHERE kind = 'tests.gone'") != 0 {
			t.Errorf("%v, %d events and %d rows of the inbox are left, or a job that nobody works", err, w.count("events_outbox"), w.count("events_inbox"))
		}
	})
}
