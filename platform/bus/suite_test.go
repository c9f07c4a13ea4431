package bus_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/bus"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/testkit"
)

// The suite of the bus. It runs on both engines, over both roads.

// placed is what most tests publish.
type placed struct {
	OrderID string `json:"order_id"`
	Version int64  `json:"version"`
}

func (placed) EventName() string                       { return "orders.order_placed.v1" }
func (e placed) Aggregate() (id string, version int64) { return e.OrderID, e.Version }

// placed2 is its next version.
type placed2 struct {
	OrderID string `json:"order_id"`
	Version int64  `json:"version"`
	Express bool   `json:"express"`
}

func (placed2) EventName() string                       { return "orders.order_placed.v2" }
func (e placed2) Aggregate() (id string, version int64) { return e.OrderID, e.Version }

// shipped is what follows from it.
type shipped struct {
	OrderID string `json:"order_id"`
}

func (shipped) EventName() string                       { return "shipping.order_shipped.v1" }
func (e shipped) Aggregate() (id string, version int64) { return e.OrderID, 1 }

// unheard is registered by nobody.
type unheard struct{}

func (unheard) EventName() string                     { return "orders.unheard.v1" }
func (unheard) Aggregate() (id string, version int64) { return "1", 1 }

var published = module.Descriptor{Name: "orders", Publishes: []events.Event{placed{}, placed2{}, shipped{}}}

// world is what the buses of a test share.
type world struct {
	t       *testing.T
	db      *database.DB
	clock   clock.Clock
	options bus.Options
}

// eachRoad runs the test on an empty database of each of testkit.Engines, over both roads.
func eachRoad(t *testing.T, test func(w *world)) {
	t.Helper()
	for road, options := range map[string]func(t *testing.T) bus.Options{
		"jobs":  func(*testing.T) bus.Options { return bus.Options{} },
		"redis": func(t *testing.T) bus.Options { return bus.Options{RedisURL: testkit.Redis(t)} },
	} {
		t.Run(road, func(t *testing.T) {
			t.Parallel()
			testkit.EachWatched(t, func(t *testing.T, db *database.DB) {
				test(&world{t: t, db: db, clock: clock.System{}, options: options(t)})
			})
		})
	}
}

// process is a bus with its jobs, as one process has them. Its methods fail the test instead of returning an error.
type process struct {
	*bus.Bus
	*world
	jobs *jobs.Client
	stop func()
}

// process returns a bus with the consumers, which delivers nothing yet.
func (w *world) process(consumers ...events.Consumer) *process {
	w.t.Helper()
	log, _ := testkit.Logger(w.t)
	background, err := jobs.New(w.db, log)
	if err != nil {
		w.t.Fatal(err)
	}
	carrier, err := bus.New(w.db, background, w.clock, w.options, log)
	if err != nil {
		w.t.Fatal(err)
	}
	kinds, err := carrier.Register([]module.Descriptor{published, {Name: "tests", Consumes: consumers}})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := background.Register(kinds); err != nil {
		w.t.Fatal(err)
	}
	return &process{Bus: carrier, world: w, jobs: background}
}

// start delivers until stop is called, or the test ends.
func (p *process) start() *process {
	p.t.Helper()
	if err := p.Start(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	if err := p.jobs.Start(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	p.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := p.jobs.Stop(ctx); err != nil {
			p.t.Error(err)
		}
		if err := p.Stop(ctx); err != nil {
			p.t.Error(err)
		}
	})
	p.t.Cleanup(p.stop)
	return p
}

// publish publishes in a transaction of its own.
func (p *process) publish(happened ...events.Event) {
	p.t.Helper()
	if err := p.db.WithinTx(p.t.Context(), func(ctx context.Context) error { return p.Publish(ctx, happened...) }); err != nil {
		p.t.Fatal(err)
	}
}

// orders returns so many events.
func orders(count int) []events.Event {
	all := make([]events.Event, count)
	for i := range all {
		all[i] = placed{OrderID: fmt.Sprint(i), Version: 1}
	}
	return all
}

// effects makes the table that handlers write to, without a unique index: it shows what happened twice.
func (w *world) effects() {
	w.t.Helper()
	w.exec("CREATE TABLE effects (consumer text NOT NULL, order_id text NOT NULL)")
}

func (w *world) exec(statement string, args ...any) {
	w.t.Helper()
	if err := w.db.WithinTx(w.t.Context(), func(ctx context.Context) error { return w.db.Tx(ctx).Exec(statement, args...).Error }); err != nil {
		w.t.Fatal(err)
	}
}

// write is a handler's effect.
func (w *world) write(ctx context.Context, consumer, orderID string) error {
	return w.db.Tx(ctx).Exec("INSERT INTO effects (consumer, order_id) VALUES (?, ?)", consumer, orderID).Error
}

// writing returns a consumer whose effect is a row.
func (w *world) writing(name string) events.Consumer {
	return events.On(events.Consumer{Name: name}, func(ctx context.Context, e placed, _ events.Envelope) error {
		return w.write(ctx, name, e.OrderID)
	})
}

// count returns how many rows there are.
func (w *world) count(query string, args ...any) int64 {
	w.t.Helper()
	found, err := database.One(w.db.Read(w.t.Context()).Raw("SELECT count(*) FROM "+query, args...), database.Scalar[int64])
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

// await waits until there are so many rows.
func (w *world) await(want int64, query string, args ...any) {
	w.t.Helper()
	deadline := time.After(time.Minute)
	for tick := time.Tick(10 * time.Millisecond); ; {
		got := w.count(query, args...)
		if got == want {
			return
		}
		select {
		case <-tick:
		case <-deadline:
			w.t.Fatalf("%s %v: there are %d rows, want %d", query, args, got, want)
		}
	}
}

// states is the condition of what consumers made of events.
const (
	done = "events_inbox WHERE state = 'done'"
	dead = "events_inbox WHERE state = 'dead'"
)
