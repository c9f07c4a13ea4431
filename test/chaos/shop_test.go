//scaffold:needs projects

package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/bus"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

// errand is what a process is to do: it says that it is ready, places the orders and goes on until it is told to stop.
type errand struct {
	Database  database.Options
	RedisURL  string
	Ahead     time.Duration // by which its clock is ahead
	Silent    bool          // it delivers and works nothing
	Orders    int           // how many it places, one after the other
	Producers int           // how many place orders side by side then, one each pace
	Refusable bool          // a producer may be refused
	Fate      fate
	Timeout   time.Duration // of invoices.write and mail.send_letter; zero is the default
}

// fate is where something happens to the process, and what.
type fate struct {
	Moment moment
	At     string // the consumer or the kind of jobs that it is the moment of; empty is the producer
	After  int    // how often it gets away
	Is     doom
}

// moment is one in the life of an event.
type moment string

const (
	inTransaction moment = "in the transaction"
	afterCommit   moment = "after the commit"
	beforeEffect  moment = "before the effect is committed"
	afterEffect   moment = "after the effect is committed"
)

// doom is what happens.
type doom string

const (
	death doom = ""     // the process kills itself
	hang  doom = "hang" // it goes no further
	slow  doom = "slow" // it goes no further until the context ends
)

// fatal is a fate under way.
type fatal struct {
	fate

	passed atomic.Int64
}

// pass is called in each moment that may be the one.
func (f *fatal) pass(ctx context.Context, now moment, at string) error {
	if f.Moment != now || f.At != at || int(f.passed.Add(1)) != f.After+1 {
		return nil
	}
	switch f.Is {
	case death:
		say("dying")
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // it is on its way
	case hang:
		say("hanging")
		select {}
	default:
		began := time.Now()
		<-ctx.Done()
		say(fmt.Sprintf("slow for %d ms: %v", time.Since(began).Milliseconds(), ctx.Err()))
		return ctx.Err()
	}
}

// say tells the test something, and returns when it can't get lost any more.
func say(line string) { _, _ = os.Stdout.WriteString(line + "\n") }

// placed is what a shop publishes.
type placed struct {
	OrderID string `json:"order_id"`
}

func (placed) EventName() string                       { return "orders.order_placed.v1" }
func (e placed) Aggregate() (id string, version int64) { return e.OrderID, 1 }

// shipped is what follows from it.
type shipped struct {
	OrderID string `json:"order_id"`
}

func (shipped) EventName() string                       { return "shipping.order_shipped.v1" }
func (e shipped) Aggregate() (id string, version int64) { return e.OrderID, 1 }

// letter are the arguments of the job that follows from it.
type letter struct {
	OrderID string `json:"order_id"`
}

// Kind returns the name of the kind.
func (letter) Kind() string { return sendLetter }

// The consumers and the kind of jobs, each of which has an effect on each order.
const (
	writeInvoice = "invoices.write"
	ship         = "shipping.ship"
	announce     = "mail.announce"
	track        = "tracking.note" // of what was shipped
	sendLetter   = "mail.send_letter"
)

// publishing is the kind of the jobs that bring an event on its way on the second road.
const publishing = "events.publish"

// reconcile are the arguments of the job that looks for what got lost.
type reconcile struct{}

// Kind returns the name of the kind.
func (reconcile) Kind() string { return "events.reconcile" }

// shop is what runs in the process.
type shop struct {
	errand

	db       *database.DB
	jobs     *jobs.Client
	bus      *bus.Bus
	fate     *fatal
	stopping chan struct{}
}

// work runs the errand that is in the text, as JSON, and returns the exit code.
func work(text string) int {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	s := &shop{stopping: make(chan struct{})}
	err := json.Unmarshal([]byte(text), &s.errand)
	if err == nil {
		s.fate = &fatal{fate: s.Fate}
		err = s.run(context.Background(), told)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the shop fails:", err)
		return 1
	}
	return 0
}

// run does the errand. It stops as the product does.
func (s *shop) run(ctx context.Context, told <-chan os.Signal) error {
	conf := zap.NewProductionConfig()
	conf.Level.SetLevel(zap.WarnLevel)
	log, err := conf.Build()
	if err != nil {
		return err
	}
	if s.db, err = database.Open(ctx, s.Database, log); err != nil {
		return err
	}
	if err := s.assemble(log); err != nil {
		return err
	}
	if !s.Silent {
		if err := s.bus.Start(ctx); err != nil {
			return err
		}
		if err := s.jobs.Start(ctx); err != nil {
			return err
		}
	}
	say("ready")
	for range s.Orders {
		if err := s.place(ctx); err != nil {
			return err
		}
	}
	var producing sync.WaitGroup
	for range s.Producers {
		producing.Go(func() { s.produce(ctx) })
	}
	<-told
	close(s.stopping)
	producing.Wait()
	ctx, cancel := context.WithTimeout(ctx, jobs.Patience)
	defer cancel()
	return errors.Join(s.jobs.Stop(ctx), s.bus.Stop(ctx), s.db.Close())
}

// assemble puts the shop together, over its database: the real bus and the real jobs.
func (s *shop) assemble(log *zap.Logger) (err error) {
	if s.jobs, err = jobs.New(s.db, log); err != nil {
		return err
	}
	if s.bus, err = bus.New(s.db, s.jobs, ahead{s.Ahead}, bus.Options{RedisURL: s.RedisURL}, log); err != nil {
		return err
	}
	kinds, err := s.bus.Register([]module.Descriptor{
		{Name: "orders", Publishes: []events.Event{placed{}, shipped{}}},
		{Name: "shop", Consumes: s.consumers()},
	})
	if err != nil {
		return err
	}
	kinds = append(kinds, jobs.Kind(module.Job{Summary: "sends a letter", Timeout: s.Timeout}, s.sendLetter))
	for i, kind := range kinds {
		if kind.Kind == publishing || kind.Kind == sendLetter {
			kinds[i].Run = s.doomed(kind)
		}
	}
	return s.jobs.Register(kinds)
}

// ahead is a clock that is ahead of the others.
type ahead struct{ by time.Duration }

// Now returns the time.
func (a ahead) Now() time.Time { return clock.System{}.Now().Add(a.by) }

// pace is how long a producer takes for an order.
const pace = 25 * time.Millisecond

// produce places orders until the shop stops.
func (s *shop) produce(ctx context.Context) {
	for tick := time.Tick(pace); ; {
		select {
		case <-s.stopping:
			return
		case <-tick:
		}
		if err := s.place(ctx); err != nil && !s.Refusable {
			say("trouble: " + err.Error())
		}
	}
}

// place places an order, and tells the customer.
func (s *shop) place(ctx context.Context) error {
	orderID := id.New()
	err := s.db.WithinTx(ctx, func(ctx context.Context) error {
		err := s.db.Tx(ctx).Exec("INSERT INTO chaos_orders (id) VALUES (?)", orderID).Error
		if err != nil {
			return database.Classify(err)
		}
		return doomedPublisher{s}.Publish(ctx, placed{orderID})
	})
	if err != nil {
		return err
	}
	say(acknowledgement + orderID)
	return s.fate.pass(ctx, afterCommit, "")
}

// acknowledgement begins the line that tells of an order.
const acknowledgement = "order "

// doomedPublisher is the shop's port to the bus, which the process may not survive.
type doomedPublisher struct{ shop *shop }

// Publish publishes.
func (d doomedPublisher) Publish(ctx context.Context, happened ...events.Event) error {
	if err := d.shop.bus.Publish(ctx, happened...); err != nil {
		return err
	}
	return d.shop.fate.pass(ctx, inTransaction, "")
}

// consumers returns the consumers, which the process may not survive.
func (s *shop) consumers() []events.Consumer {
	invoices := events.Consumer{Name: writeInvoice, Timeout: s.Timeout}
	all := []events.Consumer{
		events.On(invoices, func(ctx context.Context, e placed, _ events.Envelope) error {
			return s.write(ctx, writeInvoice, e.OrderID)
		}),
		events.On(events.Consumer{Name: ship}, func(ctx context.Context, e placed, _ events.Envelope) error {
			if err := s.write(ctx, ship, e.OrderID); err != nil {
				return err
			}
			return s.bus.Publish(ctx, shipped(e))
		}),
		events.On(events.Consumer{Name: announce}, func(ctx context.Context, e placed, _ events.Envelope) error {
			if err := s.write(ctx, announce, e.OrderID); err != nil {
				return err
			}
			return s.jobs.Enqueue(ctx, letter(e))
		}),
		events.On(events.Consumer{Name: track}, func(ctx context.Context, e shipped, _ events.Envelope) error {
			return s.write(ctx, track, e.OrderID)
		}),
	}
	for i, c := range all {
		all[i].Handle = func(ctx context.Context, event events.Envelope) error {
			s.db.AfterCommit(ctx, func() { _ = s.fate.pass(ctx, afterEffect, c.Name) })
			if err := c.Handle(ctx, event); err != nil {
				return err
			}
			return s.fate.pass(ctx, beforeEffect, c.Name)
		}
	}
	return all
}

// write is an effect. Nothing keeps it from being there twice.
func (s *shop) write(ctx context.Context, who, orderID string) error {
	return database.Classify(s.db.Tx(ctx).Exec("INSERT INTO chaos_effects (who, order_id) VALUES (?, ?)", who, orderID).Error)
}

// sendLetter works a job. It notices the second time by a key of its own.
func (s *shop) sendLetter(ctx context.Context, args letter) error {
	return s.db.WithinTx(ctx, func(ctx context.Context) error {
		sent := s.db.Tx(ctx).Exec("INSERT INTO chaos_letters (order_id) VALUES (?) ON CONFLICT DO NOTHING", args.OrderID)
		if sent.Error != nil || sent.RowsAffected == 0 {
			return database.Classify(sent.Error)
		}
		if err := s.write(ctx, sendLetter, args.OrderID); err != nil {
			return err
		}
		return s.fate.pass(ctx, beforeEffect, sendLetter)
	})
}

// doomed returns what works a kind of jobs, and what the process may not survive before it is noted that the job is done.
func (s *shop) doomed(kind module.Job) func(ctx context.Context, args []byte) error {
	return func(ctx context.Context, args []byte) error {
		if kind.Kind == publishing {
			if err := s.fate.pass(ctx, beforeEffect, kind.Kind); err != nil {
				return err
			}
		}
		if err := kind.Run(ctx, args); err != nil {
			return err
		}
		return s.fate.pass(ctx, afterEffect, kind.Kind)
	}
}
