package bus

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
)

// stream is a message.Subscriber that reads a consumer's stream in several lines: Watermill's has one message under way at a
// time. What Watermill's does when Redis fails ends here, with a subscription that is made anew.
type stream struct {
	road     *redisRoad
	consumer *consumer
	stopping chan struct{}
	stop     func()
}

func newStream(r *redisRoad, c *consumer) *stream {
	stopping := make(chan struct{})
	return &stream{road: r, consumer: c, stopping: stopping, stop: sync.OnceFunc(func() { close(stopping) })}
}

// Subscribe returns the messages. It never fails: while Redis is away the lines wait for it. When ctx ends no more entries
// are read; those that were are handled still.
func (s *stream) Subscribe(ctx context.Context, event string) (<-chan *message.Message, error) {
	context.AfterFunc(ctx, s.stop)
	go func() {
		select {
		case <-s.road.draining:
			s.stop()
		case <-s.stopping:
		}
	}()
	// Handlers that run go on when the router is told to close, until the road is.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	out := make(chan *message.Message)
	var all sync.WaitGroup
	for range lines {
		all.Go(func() { s.run(ctx, event, out) })
	}
	ended := make(chan struct{})
	go func() {
		all.Wait()
		close(out)
		close(ended)
	}()
	go func() {
		defer cancel()
		select {
		case <-s.road.closing:
		case <-ended:
		}
	}()
	return out, nil
}

// Close ends the reading. It waits for nothing: the messages end when the last line does.
func (s *stream) Close() error {
	s.stop()
	return nil
}

// run keeps one line going, with a new subscription whenever one ends: its group may be gone, or Redis.
func (s *stream) run(ctx context.Context, event string, out chan<- *message.Message) {
	for {
		l := &line{UniversalClient: s.road.client, stopping: s.stopping}
		s.read(ctx, l, event, out)
		select {
		case <-s.stopping:
			return
		default:
		}
		if failure := l.failure.Load(); failure != nil {
			s.road.complain(s.consumer, *failure)
		}
		select {
		case <-time.After(s.road.settings.pause):
		case <-s.stopping:
			return
		}
	}
}

// read passes on what one subscription brings until it ends.
func (s *stream) read(ctx context.Context, l *line, event string, out chan<- *message.Message) {
	ctx, l.cancel = context.WithCancel(ctx)
	defer l.cancel()
	settings := s.road.settings
	subscriber, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client:                        l,
		Unmarshaller:                  entryFormat{},
		Consumer:                      s.road.name,
		ConsumerGroup:                 s.consumer.Name,
		OldestId:                      "0",
		NackResendSleep:               settings.pause,
		BlockTime:                     settings.block,
		DisableIndefiniteInitialBlock: true,
		ClaimInterval:                 settings.claim,
		MaxIdleTime:                   settings.idle(s.consumer),
		CheckConsumersInterval:        1 << 62, // the job that trims does it, and without a gap between looking and removing
		ShouldStopOnReadErrors:        func(err error) bool { l.failure.Store(&err); return true },
	}, watermill.NopLogger{})
	if err != nil {
		l.failure.Store(&err)
		return
	}
	incoming, err := subscriber.Subscribe(ctx, streamKey(event))
	if err != nil {
		l.failure.Store(&err)
		return
	}
	s.road.inspected.Do(func() { s.road.inspect(ctx) })
	s.pass(incoming, out)
	l.cancel()
	_ = subscriber.Close() // which ends what it left running; the client stays open
}

// pass passes messages on until there are no more. Once the stream stops, no entry is read any more: what was read before is
// handled, and then the messages end.
func (s *stream) pass(incoming <-chan *message.Message, out chan<- *message.Message) {
	since := s.road.since[s.consumer.Name]
	stopping := s.stopping // nil once that is known
	var hung <-chan time.Time
	var last *message.Message
	for {
		select {
		case msg, more := <-incoming:
			if !more || stopping == nil && last != nil && msg.UUID == last.UUID {
				return // it is over, or an event comes again that another process shall try
			}
			last = msg
			if event, err := fromMessage(msg); err == nil && event.ID < since {
				msg.Ack() // it happened before there was this consumer
				continue
			}
			out <- msg
		case <-stopping:
			stopping = nil
			hung = time.After(s.road.settings.block + time.Second)
		case <-hung:
			if last == nil || settled(last) {
				return // Redis doesn't answer
			}
			hung = time.After(time.Second)
		}
	}
}

func settled(msg *message.Message) bool {
	select {
	case <-msg.Acked():
		return true
	default:
		return false
	}
}

// line is the client of one subscription.
type line struct {
	redis.UniversalClient

	stopping <-chan struct{}
	cancel   context.CancelFunc
	failure  atomic.Pointer[error] // why reading ended
}

// Close does nothing: Watermill's subscriber closes its client, which others use too.
func (l *line) Close() error { return nil }

var errStopping = errors.New("the stream isn't read any more")

// XReadGroup reads no more entries when the stream stops: they would belong to a reader that is gone, and wait until
// somebody claims them.
func (l *line) XReadGroup(ctx context.Context, args *redis.XReadGroupArgs) *redis.XStreamSliceCmd {
	select {
	case <-l.stopping:
		stopped := redis.NewXStreamSliceCmd(ctx)
		stopped.SetErr(errStopping)
		return stopped
	default:
		return l.UniversalClient.XReadGroup(ctx, args)
	}
}

// XPendingExt ends the subscription when its group is gone. Watermill's subscriber begins with this command, and repeats it
// for ever when it fails, so that it never comes to the one that would tell.
func (l *line) XPendingExt(ctx context.Context, args *redis.XPendingExtArgs) *redis.XPendingExtCmd {
	found := l.UniversalClient.XPendingExt(ctx, args)
	if err := found.Err(); err != nil && strings.HasPrefix(err.Error(), "NOGROUP") {
		l.cancel()
	}
	return found
}
