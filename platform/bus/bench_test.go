package bus_test

import (
	"context"
	"fmt"
	"slices"
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

// course is a bus over an empty database, with one consumer whose effect is a row, and the times at which events were
// committed and handled.
type course struct {
	db      *database.DB
	bus     *bus.Bus
	mu      sync.Mutex
	sent    map[string]time.Time
	took    []time.Duration // from one commit to the other
	handled chan struct{}
}

func newCourse(b *testing.B, engine database.Engine, options bus.Options) *course {
	b.Helper()
	c := &course{db: testkit.OpenDatabase(b, testkit.DatabaseOptions(b, engine)), sent: map[string]time.Time{}, handled: make(chan struct{}, 1<<20)}
	background, err := jobs.New(c.db, nopLog())
	if err != nil {
		b.Fatal(err)
	}
	if c.bus, err = bus.New(c.db, background, clock.System{}, options, nopLog()); err != nil {
		b.Fatal(err)
	}
	consumer := events.On(events.Consumer{Name: "tests.write"}, func(ctx context.Context, e placed, _ events.Envelope) error {
		c.db.AfterCommit(ctx, func() { c.arrived(e.OrderID) })
		return c.db.Tx(ctx).Exec("INSERT INTO effects (consumer, order_id) VALUES (?, ?)", "tests.write", e.OrderID).Error
	})
	kinds, err := c.bus.Register([]module.Descriptor{published, {Name: "tests", Consumes: []events.Consumer{consumer}}})
	if err == nil {
		err = background.Register(kinds)
	}
	if err == nil {
		err = c.db.WithinTx(b.Context(), func(ctx context.Context) error {
			return c.db.Tx(ctx).Exec("CREATE TABLE effects (consumer text NOT NULL, order_id text NOT NULL)").Error
		})
	}
	if err == nil {
		err = c.bus.Start(b.Context())
	}
	if err == nil {
		err = background.Start(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), jobs.Patience)
		defer cancel()
		if err := background.Stop(ctx); err != nil {
			b.Error(err)
		}
		if err := c.bus.Stop(ctx); err != nil {
			b.Error(err)
		}
	})
	return c
}

// arrived notes that an event was handled.
func (c *course) arrived(orderID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.took = append(c.took, time.Since(c.sent[orderID]))
	c.handled <- struct{}{}
}

// order commits a row and an event.
func (c *course) order(ctx context.Context, orderID string) error {
	return c.db.WithinTx(ctx, func(ctx context.Context) error {
		err := c.db.Tx(ctx).Exec("INSERT INTO effects (consumer, order_id) VALUES (?, ?)", "order", orderID).Error
		if err != nil {
			return err
		}
		c.db.AfterCommit(ctx, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.sent[orderID] = time.Now()
		})
		return c.bus.Publish(ctx, placed{OrderID: orderID})
	})
}

// percentile returns what so many of a hundred didn't exceed, in milliseconds.
func (c *course) percentile(of int) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.took)
	return c.took[(len(c.took)-1)*of/100].Seconds() * 1000
}

// run commits count events, each when pace ticks or as fast as eight writers can, and waits until all are handled.
func (c *course) run(b *testing.B, count int, pace <-chan time.Time) {
	b.Helper()
	turns := make(chan string)
	go func() {
		defer close(turns)
		for i := range count {
			if pace != nil {
				<-pace
			}
			turns <- fmt.Sprint(i)
		}
	}()
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for orderID := range turns {
				if err := c.order(b.Context(), orderID); err != nil {
					b.Error(err)
				}
			}
		})
	}
	writers.Wait()
	for range count {
		<-c.handled
	}
}

// BenchmarkDelivery measures the way from one commit to the other: as many as can be, at half the rate that is aimed for,
// and one at a time on an idle bus.
func BenchmarkDelivery(b *testing.B) {
	for engine, half := range map[database.Engine]int{database.Postgres: 500, database.SQLite: 200} {
		b.Run(string(engine), func(b *testing.B) {
			b.Run("most", func(b *testing.B) {
				c := newCourse(b, engine, bus.Options{})
				b.ResetTimer()
				c.run(b, b.N, nil)
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			})
			b.Run(fmt.Sprintf("at %d a second", half), func(b *testing.B) {
				c := newCourse(b, engine, bus.Options{})
				b.ResetTimer()
				c.run(b, b.N, time.Tick(time.Second/time.Duration(half)))
				b.ReportMetric(c.percentile(50), "p50-ms")
				b.ReportMetric(c.percentile(95), "p95-ms")
			})
			b.Run("idle", func(b *testing.B) {
				c := newCourse(b, engine, bus.Options{})
				b.ResetTimer()
				c.run(b, b.N, time.Tick(37*time.Millisecond)) // no multiple of what the queue waits for
				b.ReportMetric(c.percentile(50), "p50-ms")
				b.ReportMetric(c.percentile(95), "p95-ms")
			})
		})
	}
}
