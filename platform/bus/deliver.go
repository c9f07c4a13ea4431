package bus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/telemetry"
)

// consumer is a consumer with what this process knows of its work.
type consumer struct {
	events.Consumer

	inbound *inbound // what jobs deliver

	handled, failed, dead, strange atomic.Int64
}

func newConsumer(about events.Consumer) *consumer {
	return &consumer{Consumer: about, inbound: &inbound{messages: make(chan *message.Message), closing: make(chan struct{})}}
}

// subscription is what the router reads a consumer's events from, and what becomes of those that fail.
type subscription struct {
	message.Subscriber

	// again is how an event is tried before it is given up here.
	again middleware.Retry
	// strange takes a message that isn't an event the consumer knows. Its error is what becomes of it; nil is done with it.
	strange func(c *consumer, msg *message.Message) error
	// giveUp takes an event that failed. Its error is why that can't be done, and then the event comes again.
	giveUp func(ctx context.Context, c *consumer, eventID string, why error) error
}

// router is Watermill's Router with a handler for each consumer.
type router struct {
	*message.Router

	ended chan error
}

// startTimeout bounds what is asked of the database and of Redis at the start.
const startTimeout = 10 * time.Second

// closeTimeout bounds how long handlers may go on when the router is closed.
const closeTimeout = 10 * time.Second

// Start delivers events until Stop. It begins and goes on when ctx has ended: who is told to stop meanwhile stops in order.
func (b *Bus) Start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
	defer cancel()
	if err := b.enroll(ctx); err != nil {
		return err
	}
	if err := b.road.open(ctx); err != nil {
		return err
	}
	running, err := message.NewRouter(message.RouterConfig{CloseTimeout: closeTimeout}, watermillLog{b.log})
	if err != nil {
		return err
	}
	for _, c := range b.consumers {
		// What jobs deliver comes in beside what the road brings.
		b.addHandler(running, c, c.Name, b.jobSubscription(c))
		if own := b.road.subscription(c); own.Subscriber != nil {
			b.addHandler(running, c, c.Name+" by stream", own)
		}
	}
	started := &router{running, make(chan error, 1)}
	go func() { started.ended <- running.Run(context.WithoutCancel(ctx)) }()
	select {
	case <-running.Running():
		b.router = started
		return nil
	case err := <-started.ended:
		return errors.Join(fmt.Errorf("events: %w", err), b.road.close())
	}
}

// addHandler adds a handler with its middleware, the outermost first. What is inside of the retry is done anew with each
// try: the deadline too, or the second would begin with the one that the first has used up.
func (b *Bus) addHandler(running *message.Router, c *consumer, name string, from subscription) {
	handler := running.AddConsumerHandler(name, c.Event, from.Subscriber, b.handle(c))
	handler.AddMiddleware(b.poison(c, from.giveUp), b.measure(c), b.correlate(c, from.strange), b.recover(c), from.again.Middleware, middleware.Timeout(c.Timeout))
}

// Drain takes no more events from streams. It is for a process that is told to stop, and has other things to do first.
func (b *Bus) Drain() { b.road.drain() }

// Stop waits for handlers that run, until ctx ends and ten seconds at most, and ends the delivery. What is cut off comes again.
// Stop the jobs first. Without a Start, and a second time, it does nothing.
func (b *Bus) Stop(ctx context.Context) error {
	if b.router == nil {
		return nil
	}
	stopping := b.router
	b.router = nil
	closed := make(chan error, 1)
	go func() { closed <- errors.Join(stopping.Close(), <-stopping.ended) }()
	select {
	case err := <-closed:
		return errors.Join(err, b.road.close())
	case <-ctx.Done():
	}
	// Their contexts end with the road.
	return errors.Join(errors.New("events: handlers were still running"), b.road.close())
}

// handle returns what handles one event for the consumer: the inbox row and all effects are one transaction.
func (b *Bus) handle(c *consumer) message.NoPublishHandlerFunc {
	return func(msg *message.Message) error {
		ctx := msg.Context()
		return b.db.WithinTx(ctx, func(ctx context.Context) error {
			before, err := b.ledger.settle(ctx, c.Name, msg.UUID, stateDone, "", b.clock.Now())
			switch {
			case err != nil:
				return err
			case before == stateStrange: // of another database, or of one that was restored to an earlier time
				return b.passOver(c, msg)
			case before != stateWaiting:
				return nil
			}
			return c.Handle(ctx, *handled(ctx))
		})
	}
}

// poison takes an event that failed out of the way of the others, or sends it back if even that fails.
func (b *Bus) poison(c *consumer, giveUp func(context.Context, *consumer, string, error) error) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			ctx := msg.Context() // a try that timed out leaves its own behind
			if _, err := next(msg); err != nil {
				return nil, giveUp(ctx, c, msg.UUID, err)
			}
			return nil, nil
		}
	}
}

// measure counts what becomes of deliveries, and logs the ones that fail.
func (b *Bus) measure(c *consumer) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			_, err := next(msg)
			if err == nil {
				c.handled.Add(1)
			} else {
				c.failed.Add(1)
				b.log.Warn("an event wasn't handled", zap.String("consumer", c.Name), zap.String("event", msg.UUID), zap.Error(err))
			}
			return nil, err
		}
	}
}

// handledKey finds the event that is being handled.
type handledKey struct{}

// handled returns the event that is being handled, nil outside of a consumer.
func handled(ctx context.Context) *events.Envelope {
	event, _ := ctx.Value(handledKey{}).(*events.Envelope)
	return event
}

// correlate passes on where the event came from: what the handler publishes comes from there too.
func (b *Bus) correlate(c *consumer, strange func(*consumer, *message.Message) error) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			envelope, err := fromMessage(msg)
			if err != nil || envelope.Name != c.Event {
				return nil, strange(c, msg)
			}
			msg.SetContext(context.WithValue(msg.Context(), handledKey{}, &envelope))
			return next(msg)
		}
	}
}

// passOver counts a message that is nobody's, and is done with it.
func (b *Bus) passOver(c *consumer, msg *message.Message) error {
	c.strange.Add(1)
	b.log.Warn("a message is no event that the consumer knows", zap.String("consumer", c.Name), zap.String("message", msg.UUID))
	return nil
}

// recover makes a panic an error like others.
func (b *Bus) recover(c *consumer) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) (_ []*message.Message, err error) {
			defer func() {
				if reason := recover(); reason != nil {
					b.log.Error("a consumer panicked", zap.String("consumer", c.Name), zap.String("reason", fmt.Sprint(reason)), zap.ByteString("stack", debug.Stack()))
					err = fmt.Errorf("panic: %v", reason)
				}
			}()
			return next(msg)
		}
	}
}

// bury makes the event dead for the consumer.
func (b *Bus) bury(ctx context.Context, c *consumer, eventID string, why error) error {
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	var before string
	err := b.db.WithinTx(bound, func(ctx context.Context) (err error) {
		before, err = b.ledger.settle(ctx, c.Name, eventID, stateDead, telemetry.Shown(why), b.clock.Now())
		return err
	})
	if err != nil || before != stateWaiting {
		return err
	}
	c.dead.Add(1)
	b.log.Error("an event is dead for a consumer", zap.String("consumer", c.Name), zap.String("event", eventID), zap.Error(why))
	return nil
}

// The metadata of a message: the attributes of CloudEvents, by their names.
const (
	metaName        = "type"
	metaAggregate   = "subject"
	metaVersion     = "aggregateversion"
	metaTime        = "time"
	metaCorrelation = "correlationid"
	metaActor       = "actor"
	metaTrace       = "traceparent"
)

// toMessage returns the event as Watermill carries it.
func toMessage(ctx context.Context, e events.Envelope) *message.Message {
	msg := message.NewMessageWithContext(ctx, e.ID, message.Payload(e.Payload))
	msg.Metadata = message.Metadata{
		metaName: e.Name, metaAggregate: e.Aggregate, metaVersion: strconv.FormatInt(e.Version, 10), metaTime: e.Time.Format(time.RFC3339Nano),
		metaCorrelation: e.Correlation, metaActor: e.Actor, metaTrace: e.Trace,
	}
	return msg
}

// fromMessage returns the event that a message carries, or errs.Invalid.
func fromMessage(msg *message.Message) (events.Envelope, error) {
	meta := msg.Metadata
	at, err := time.Parse(time.RFC3339Nano, meta.Get(metaTime))
	version, unreadable := strconv.ParseInt(meta.Get(metaVersion), 10, 64)
	err = cmp.Or(err, unreadable)
	if err != nil {
		return events.Envelope{}, errs.New(errs.Invalid, "The message isn't an event").Because(err)
	}
	if !id.Valid(msg.UUID) {
		return events.Envelope{}, errs.New(errs.Invalid, "The message isn't an event")
	}
	return events.Envelope{
		ID: msg.UUID, Name: meta.Get(metaName), Aggregate: meta.Get(metaAggregate), Version: version, Time: at.UTC(),
		Payload: json.RawMessage(msg.Payload),
		Origin:  events.Origin{Correlation: meta.Get(metaCorrelation), Actor: meta.Get(metaActor), Trace: meta.Get(metaTrace)},
	}, nil
}

// queue is the queue of the jobs that carry events.
const queue = "events"

// delivery are the arguments of the job that delivers one event to one consumer.
type delivery struct {
	consumer string
	Event    string `json:"event"`
}

// Kind returns the name of the consumer: a process that doesn't know it leaves its jobs to others.
func (d delivery) Kind() string { return d.consumer }

// grace is what a delivery job may take beyond its consumer's own timeout.
const grace = 5 * time.Second

// deliveryKind returns the kind of job that delivers to the consumer.
func (b *Bus) deliveryKind(about events.Consumer) module.Job {
	return module.Job{
		Kind: about.Name, Summary: "delivers " + about.Event, Queue: queue,
		Timeout: about.Timeout + grace, Attempts: about.Attempts, Backoff: about.Backoff, Manager: "events",
		Run: func(ctx context.Context, text []byte) error {
			var args delivery
			if err := json.Unmarshal(text, &args); err != nil {
				return errs.New(errs.Invalid, "The arguments of the job can't be read").Because(err)
			}
			envelope, err := b.ledger.find(ctx, args.Event)
			if err != nil {
				return err
			}
			return b.consumers[about.Name].inbound.deliver(toMessage(ctx, envelope))
		},
	}
}

// jobSubscription returns what jobs deliver to the consumer. The job is told how it went, and tries again.
func (b *Bus) jobSubscription(c *consumer) subscription {
	return subscription{
		Subscriber: c.inbound,
		strange: func(*consumer, *message.Message) error { // while two versions run side by side
			return errs.New(errs.Unavailable, "The consumer waits for another event in this process")
		},
		giveUp: func(ctx context.Context, c *consumer, eventID string, why error) error {
			outcomeOf(ctx).err = why
			if errs.From(why).Kind.Retryable() && !jobs.LastAttempt(ctx) || errors.Is(ctx.Err(), context.Canceled) {
				return nil
			}
			return b.bury(ctx, c, eventID, why)
		},
	}
}

// inbound is a message.Subscriber whose messages are handed in.
type inbound struct {
	messages chan *message.Message
	closing  chan struct{}
}

// Subscribe returns the messages.
func (i *inbound) Subscribe(ctx context.Context, _ string) (<-chan *message.Message, error) {
	out := make(chan *message.Message)
	go func() {
		defer close(out)
		for {
			select {
			case msg := <-i.messages:
				out <- msg
			case <-i.closing:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// Close ends the subscription.
func (i *inbound) Close() error {
	close(i.closing)
	return nil
}

// outcome is what became of a message that was handed in.
type outcome struct{ err error }

type outcomeKey struct{}

func outcomeOf(ctx context.Context) *outcome {
	came, _ := ctx.Value(outcomeKey{}).(*outcome)
	return came
}

// deliver hands a message to the router and returns what the consumer made of it.
func (i *inbound) deliver(msg *message.Message) error {
	came := &outcome{}
	ctx := context.WithValue(msg.Context(), outcomeKey{}, came)
	msg.SetContext(ctx)
	select {
	case i.messages <- msg:
	case <-i.closing:
		return errs.New(errs.Unavailable, "Events aren't delivered here any more")
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-msg.Acked():
		return came.err
	case <-msg.Nacked():
		return errs.New(errs.Unavailable, "The event can't be given up now").Because(came.err)
	}
}
