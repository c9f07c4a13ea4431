package bus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

// Bus is an events.Publisher, and delivers to the consumers of all modules once it is started. It is safe for concurrent use
// when Register has been called.
type Bus struct {
	db     *database.DB
	ledger ledger
	jobs   *jobs.Client
	clock  clock.Clock
	log    *zap.Logger
	road   road

	published map[string]bool              // the names that modules may publish
	consumers map[string]*consumer         // by their names
	wanted    map[string][]events.Consumer // by the event
	enrolled  atomic.Bool                  // all of them
	router    *router                      // nil while this process delivers nothing
}

var _ events.Publisher = (*Bus)(nil)

// Options say how events travel.
type Options struct {
	// RedisURL is the Redis whose streams carry them; empty means that jobs in the database do.
	RedisURL string
}

// New returns a bus that knows no events yet. It connects to nothing.
func New(db *database.DB, background *jobs.Client, clock clock.Clock, options Options, log *zap.Logger) (*Bus, error) {
	b := &Bus{
		db: db, ledger: ledger{db}, jobs: background, clock: clock, log: log.Named("events"),
		published: map[string]bool{}, consumers: map[string]*consumer{}, wanted: map[string][]events.Consumer{},
	}
	if options.RedisURL == "" {
		b.road = &jobRoad{bus: b}
		return b, nil
	}
	road, err := newRedisRoad(b, options.RedisURL)
	if err != nil {
		return nil, err
	}
	b.road = road
	return b, nil
}

// What a consumer has that doesn't say otherwise.
const (
	defaultTimeout  = 10 * time.Second
	defaultAttempts = 25
	defaultBackoff  = time.Hour
)

// Register makes the events and the consumers of the modules known, and returns the kinds of jobs that deliver. It is called
// once, before anything is published. Names that can't be, or are there twice, are an error, and so is a consumer of what
// nobody publishes.
func (b *Bus) Register(modules []module.Descriptor) ([]module.Job, error) {
	for _, m := range modules {
		for _, event := range m.Publishes {
			name := event.EventName()
			if !events.ValidName(name) || b.published[name] {
				return nil, fmt.Errorf("events: the event %q of %s is there twice, or isn't called MODULE.WHAT_HAPPENED.vN", name, m.Name)
			}
			b.published[name] = true
		}
	}
	var kinds []module.Job
	for _, m := range modules {
		for _, about := range m.Consumes {
			if !b.published[about.Event] || b.consumers[about.Name] != nil || about.Handle == nil {
				return nil, fmt.Errorf("events: the consumer %q is there twice, handles nothing, or waits for %q, which nobody publishes",
					about.Name, about.Event)
			}
			about.Timeout = cmp.Or(about.Timeout, defaultTimeout)
			about.Attempts = cmp.Or(about.Attempts, defaultAttempts)
			about.Backoff = cmp.Or(about.Backoff, defaultBackoff)
			b.consumers[about.Name] = newConsumer(about)
			b.wanted[about.Event] = append(b.wanted[about.Event], about)
			kinds = append(kinds, b.deliveryKind(about))
		}
	}
	return append(kinds, append(b.road.kinds(), b.upkeep()...)...), nil
}

// Publish adds the events to the transaction that ctx carries, as events.Publisher says. An event that no module has
// registered is an error, and like every error it rolls the whole transaction back.
func (b *Bus) Publish(ctx context.Context, happened ...events.Event) error {
	if _, err := b.db.SQLTx(ctx); err != nil || len(happened) == 0 {
		return err
	}
	// Joined, so that nobody commits half of it.
	return b.db.WithinTx(ctx, func(ctx context.Context) error {
		if err := b.enroll(ctx); err != nil {
			return err
		}
		envelopes := make([]events.Envelope, len(happened))
		for i, event := range happened {
			var err error
			if envelopes[i], err = b.envelope(ctx, event); err != nil {
				return err
			}
		}
		if err := b.ledger.insert(ctx, envelopes); err != nil {
			return err
		}
		return b.jobs.EnqueueMany(ctx, b.road.send(envelopes)...)
	})
}

// skew is how much the clocks of two processes may differ. Events that another one publishes for a new consumer, in a minute
// that is over here, are for it.
const skew = time.Minute

// enroll notes the consumers that are new, once for the process: before it publishes anything, or begins to deliver. What a
// process publishes that knows a consumer is for that, even if it is never delivered here.
func (b *Bus) enroll(ctx context.Context) error {
	if b.enrolled.Load() {
		return nil
	}
	return b.db.WithinTx(ctx, func(ctx context.Context) error {
		b.db.AfterCommit(ctx, func() { b.enrolled.Store(true) })
		return b.ledger.enroll(ctx, slices.Sorted(maps.Keys(b.consumers)), b.clock.Now().Add(-skew))
	})
}

// envelope returns the event as it travels.
func (b *Bus) envelope(ctx context.Context, event events.Event) (events.Envelope, error) {
	name := event.EventName()
	if !b.published[name] {
		return events.Envelope{}, fmt.Errorf("events: no module says that it publishes %s", name)
	}
	payload, err := json.Marshal(event)
	if err != nil {
		return events.Envelope{}, fmt.Errorf("events: %s: %w", name, err)
	}
	aggregate, version := event.Aggregate()
	if aggregate == "" {
		return events.Envelope{}, errors.New("events: " + name + " happened to nothing")
	}
	return events.Envelope{
		ID: id.New(), Name: name, Aggregate: aggregate, Version: version, Time: b.clock.Now(), Payload: payload,
		Origin: origin(ctx),
	}, nil
}

// origin returns what led to the call: the request under way, or what led to the event that is being handled.
func origin(ctx context.Context) events.Origin {
	if event := handled(ctx); event != nil {
		return event.Origin
	}
	return events.Origin{
		Correlation: httpserver.RequestID(ctx), Actor: httpserver.Principal(ctx).UserID, Trace: httpserver.TraceParent(ctx),
	}
}

// road is how events get from the ledger to the router.
type road interface {
	// send returns the jobs that carry the events, for the transaction that publishes them.
	send(envelopes []events.Envelope) []jobs.Request
	// kinds returns the kinds of jobs that the road needs besides a consumer's own.
	kinds() []module.Job
	// open makes the road ready for its subscriptions.
	open(ctx context.Context) error
	// subscription returns what the router reads the consumer's events from.
	subscription(c *consumer) subscription
	// patience is how long an event may be on its way before it is taken for lost.
	patience() time.Duration
	// drain makes the road bring nothing new. What is under way goes on.
	drain()
	// close releases what the road holds, when the router is closed.
	close() error
}
