package bus_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/bus"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/module"
)

func TestAnEventExistsIffItsTransactionCommits(t *testing.T) {
	eachRoad(t, func(w *world) {
		w.effects()
		p := w.process(w.writing("tests.write")).start()
		if err := p.Publish(w.t.Context(), placed{OrderID: "outside"}); !errors.Is(err, database.ErrNoTransaction) {
			w.t.Errorf("outside of a transaction: %v", err)
		}
		refused := errors.New("no")
		err := w.db.WithinTx(w.t.Context(), func(ctx context.Context) error {
			return errors.Join(p.Publish(ctx, placed{OrderID: "undone"}), refused)
		})
		if !errors.Is(err, refused) {
			w.t.Fatal(err)
		}
		for what, event := range map[string]events.Event{"an event of nobody's": unheard{}, "an event of nothing": placed{}} {
			err := w.db.WithinTx(w.t.Context(), func(ctx context.Context) error {
				_ = p.Publish(ctx, placed{OrderID: "undone"}, event)
				return nil
			})
			if err == nil {
				w.t.Errorf("%s was published", what)
			}
		}
		p.publish() // of nothing, which is nothing
		p.publish(placed{OrderID: "1"})
		w.await(1, "effects")
		if w.count("events_outbox") != 1 || w.count(done) != 1 {
			w.t.Error("something is left of what was rolled back")
		}
	})
}

func TestTheEnvelopeSaysWhatHappened(t *testing.T) {
	eachRoad(t, func(w *world) {
		got := make(chan events.Envelope, 1)
		p := w.process(events.On(events.Consumer{Name: "tests.look"}, func(_ context.Context, e placed, envelope events.Envelope) error {
			if e.OrderID != "7" || e.Version != 3 {
				w.t.Errorf("the event is %+v", e)
			}
			got <- envelope
			return nil
		})).start()
		before := time.Now().Add(-time.Millisecond)
		p.publish(placed{OrderID: "7", Version: 3})
		e := <-got
		if !id.Valid(e.ID) || e.Name != "orders.order_placed.v1" || e.Aggregate != "7" || e.Version != 3 || e.Origin != (events.Origin{}) ||
			e.Time.Before(before) || e.Time.After(time.Now()) || e.Time.Location() != time.UTC {
			w.t.Errorf("the envelope is %+v", e)
		}
	})
}

// Of several processes, each consumer's work is done once.
func TestEachConsumerHandlesEachEventOnce(t *testing.T) {
	eachRoad(t, func(w *world) {
		w.effects()
		const many = 60
		var p *process
		for range 2 {
			p = w.process(w.writing("tests.one"), w.writing("tests.two")).start()
		}
		p.publish(orders(many)...)
		w.await(2*many, done)
		if got := w.count("effects"); got != 2*many {
			w.t.Errorf("there are %d effects of %d", got, 2*many)
		}
		if got := w.count("(SELECT DISTINCT consumer, order_id FROM effects) AS once"); got != 2*many {
			w.t.Errorf("%d of %d happened", got, 2*many)
		}
	})
}

// A failure leaves nothing behind, and is tried again.
func TestAFailureIsUndoneAndTriedAgain(t *testing.T) {
	for what, fail := range map[string]func(ctx context.Context) error{
		"error":   func(context.Context) error { return errors.New("not now") },
		"panic":   func(context.Context) error { panic("oh") },
		"timeout": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			eachRoad(t, func(w *world) {
				w.effects()
				var tries atomic.Int32
				about := events.Consumer{Name: "tests.fail", Timeout: time.Second, Backoff: 10 * time.Millisecond}
				if what == "timeout" {
					about.Timeout = 100 * time.Millisecond
				}
				p := w.process(events.On(about, func(ctx context.Context, e placed, _ events.Envelope) error {
					if err := w.write(ctx, "tests.fail", e.OrderID); err != nil {
						return err
					}
					if tries.Add(1) < 3 {
						return fail(ctx)
					}
					return nil
				})).start()
				p.publish(placed{OrderID: "1"})
				w.await(1, done)
				if w.count("effects") != 1 || tries.Load() != 3 {
					w.t.Errorf("%d effects after %d tries", w.count("effects"), tries.Load())
				}
			})
		})
	}
}

// An event that can't be handled is out of the way of all others, says why, and comes back when it is asked for.
func TestAPoisonEventStopsNobodyElse(t *testing.T) {
	eachRoad(t, func(w *world) {
		w.effects()
		var cured atomic.Bool
		p := w.process(w.writing("tests.fine"), events.On(events.Consumer{Name: "tests.choke"},
			func(ctx context.Context, e placed, _ events.Envelope) error {
				if e.OrderID == "3" && !cured.Load() {
					return errs.New(errs.Invalid, "It is poison").Because(errors.New("for alice@example.com"))
				}
				return w.write(ctx, "tests.choke", e.OrderID)
			})).start()
		p.publish(orders(10)...)
		w.await(19, done)
		w.await(1, dead)
		w.await(1, dead+" AND consumer = ? AND error = ?", "tests.choke", "VALIDATION_ERROR: It is poison: for ****@****")

		var eventID string
		if err := w.db.Read(w.t.Context()).Raw("SELECT event_id FROM " + dead).Scan(&eventID).Error; err != nil {
			w.t.Fatal(err)
		}
		cured.Store(true)
		replay := func(consumer string) error {
			return w.db.WithinTx(w.t.Context(), func(ctx context.Context) error { return p.Replay(ctx, eventID, consumer) })
		}
		if err := replay(""); err != nil {
			w.t.Fatal(err)
		}
		w.await(20, done)
		if err := replay(""); err != nil || w.count("effects") != 20 {
			w.t.Errorf("replaying what everybody has handled: %v, %d effects", err, w.count("effects"))
		}
		if err := replay("tests.fine"); err != nil {
			w.t.Fatal(err)
		}
		w.await(21, "effects")
		w.await(20, done)
		if err := replay("tests.nobody"); !errs.Is(err, errs.NotFound) {
			w.t.Errorf("replaying for nobody: %v", err)
		}
		eventID = id.New()
		if err := replay(""); !errs.Is(err, errs.NotFound) {
			w.t.Errorf("replaying nothing: %v", err)
		}
	})
}

// After a bug is mended, all that it killed comes back at once.
func TestTheDeadAreReplayedInBulk(t *testing.T) {
	eachRoad(t, func(w *world) {
		w.effects()
		const many = 501 // more than one piece
		p := w.process(w.writing("tests.write"), w.writing("tests.other"))
		p.publish(orders(many)...)
		p.publish(placed2{OrderID: "1"})
		w.exec("DELETE FROM river_job")
		for _, consumer := range []string{"tests.write", "tests.other", "tests.yesterday"} {
			w.exec("INSERT INTO events_inbox (event_id, consumer, state, error, settled_at) SELECT id, ?, 'dead', '', created_at FROM events_outbox", consumer)
		}
		replay := func(which bus.Dead, want int) {
			w.t.Helper()
			if got, err := p.ReplayDead(w.t.Context(), which); err != nil || got != want {
				w.t.Errorf("%+v: %d are replayed, %v, want %d", which, got, err, want)
			}
		}
		for _, unknown := range []bus.Dead{{Consumer: "tests.yesterday"}, {Event: "orders.order_placd.v1"}} {
			if _, err := p.ReplayDead(w.t.Context(), unknown); !errs.Is(err, errs.NotFound) {
				w.t.Errorf("%+v: %v", unknown, err)
			}
		}
		replay(bus.Dead{From: time.Now().Add(time.Minute)}, 0)
		replay(bus.Dead{To: time.Now().Add(-time.Minute)}, 0)
		replay(bus.Dead{Event: "orders.order_placed.v1", Consumer: "tests.write", From: time.Now().Add(-time.Minute), To: time.Now()}, many)
		replay(bus.Dead{Event: "orders.order_placed.v1", Consumer: "tests.write"}, 0)
		p.start()
		w.await(many, "effects WHERE consumer = 'tests.write'")
		replay(bus.Dead{Event: "orders.order_placed.v1"}, many)
		w.await(many, "effects WHERE consumer = 'tests.other'")
		if w.count(dead+" AND consumer = 'tests.yesterday'") != many+1 {
			w.t.Error("another version's were touched")
		}
	})
}

func TestAnEventIsDeadWhenItsAttemptsAreUsedUp(t *testing.T) {
	eachRoad(t, func(w *world) {
		p := w.process(events.On(events.Consumer{Name: "tests.fail", Attempts: 2, Backoff: 10 * time.Millisecond},
			func(context.Context, placed, events.Envelope) error { return errors.New("never") })).start()
		p.publish(placed{OrderID: "1"})
		w.await(1, dead+" AND error = ?", "never")
	})
}

// A payload that the consumer's type can't hold is dead, and not tried for ever.
func TestAnUnreadableEventIsDead(t *testing.T) {
	eachRoad(t, func(w *world) {
		w.effects()
		p := w.process(w.writing("tests.write"))
		p.publish(placed{OrderID: "1"})
		w.exec("UPDATE events_outbox SET payload = ?", `{"order_id": 1}`)
		p.start()
		w.await(1, dead)
	})
}

// What a handler publishes is part of its transaction, and comes from where the event came from.
func TestAnEventLeadsToAnother(t *testing.T) {
	eachRoad(t, func(w *world) {
		var p *process
		var failed atomic.Bool
		got := make(chan events.Envelope, 2)
		p = w.process(
			events.On(events.Consumer{Name: "tests.ship", Backoff: 10 * time.Millisecond}, func(ctx context.Context, e placed, _ events.Envelope) error {
				err := p.Publish(ctx, shipped{OrderID: e.OrderID})
				if failed.CompareAndSwap(false, true) {
					err = errors.Join(err, errors.New("not at first"))
				}
				return err
			}),
			events.On(events.Consumer{Name: "tests.follow"}, func(_ context.Context, _ shipped, envelope events.Envelope) error {
				got <- envelope
				return nil
			}),
		)
		p.publish(placed{OrderID: "1"})
		w.exec("UPDATE events_outbox SET correlation = 'request', actor = 'alice', trace = '00-1-2-00'")
		p.start()
		if e := <-got; e.Origin != (events.Origin{Correlation: "request", Actor: "alice", Trace: "00-1-2-00"}) {
			w.t.Errorf("it comes from %+v", e.Origin)
		}
		w.await(2, done)
		if w.count("events_outbox") != 2 {
			w.t.Error("what was rolled back was published")
		}
	})
}

func TestTwoVersionsAtOnce(t *testing.T) {
	eachRoad(t, func(w *world) {
		w.effects()
		p := w.process(w.writing("tests.old"), events.On(events.Consumer{Name: "tests.new"},
			func(ctx context.Context, e placed2, _ events.Envelope) error {
				if !e.Express {
					return errs.New(errs.Invalid, "A field is lost")
				}
				return w.write(ctx, "tests.new", e.OrderID)
			})).start()
		p.publish(placed{OrderID: "1", Version: 1}, placed2{OrderID: "1", Version: 1, Express: true})
		w.await(1, "effects WHERE consumer = 'tests.old'")
		w.await(1, "effects WHERE consumer = 'tests.new'")
	})
}

// Whoever is stopped in the middle of it loses nothing and does nothing twice.
func TestRestartsLoseNothing(t *testing.T) {
	eachRoad(t, func(w *world) {
		w.effects()
		const rounds, many = 5, 20
		for range rounds {
			p := w.process(w.writing("tests.write")).start()
			p.publish(orders(many)...)
			p.stop()
		}
		w.process(w.writing("tests.write")).start()
		w.await(rounds*many, done)
		if got := w.count("effects"); got != rounds*many {
			w.t.Errorf("there are %d effects of %d", got, rounds*many)
		}
	})
}

func TestARegistrationThatMakesNoSense(t *testing.T) {
	handler := events.On(events.Consumer{Name: "tests.a"}, func(context.Context, placed, events.Envelope) error { return nil })
	for what, modules := range map[string][]module.Descriptor{
		"an event twice":    {published, published},
		"a consumer twice":  {published, {Consumes: []events.Consumer{handler, handler}}},
		"nobody's event":    {{Consumes: []events.Consumer{handler}}},
		"no handler":        {published, {Consumes: []events.Consumer{{Name: "tests.a", Event: placed{}.EventName()}}}},
		"a name of no form": {{Publishes: []events.Event{badlyCalled{}}}},
	} {
		carrier, err := bus.New(nil, nil, nil, bus.Options{}, nopLog())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := carrier.Register(modules); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
}

// badlyCalled has a name that says no version.
type badlyCalled struct{}

func (badlyCalled) EventName() string                     { return "orders.order_placed" }
func (badlyCalled) Aggregate() (id string, version int64) { return "1", 1 }

// A long text of an error is cut, and stays UTF-8.
func TestAnErrorIsStoredShort(t *testing.T) {
	eachRoad(t, func(w *world) {
		p := w.process(events.On(events.Consumer{Name: "tests.fail"}, func(context.Context, placed, events.Envelope) error {
			return errs.New(errs.Invalid, "x").Because(errors.New(strings.Repeat("é", 5000) + "\x00"))
		})).start()
		p.publish(placed{OrderID: "1"})
		w.await(1, dead+" AND length(error) BETWEEN 900 AND 2000")
	})
}
