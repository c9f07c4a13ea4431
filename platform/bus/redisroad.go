package bus

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

// redisRoad carries events by Redis streams: a job for each event writes it to the stream of its name, and each consumer
// reads that as a group, in several lines and in as many processes as there are. Every event is written, also one that no
// consumer here waits for: other services may read the streams too.
//
// Redis 6.2 or later does. Nothing depends on what it remembers, so it may be away when a process starts, lose all of its
// data, and come back: the reconciler delivers what got lost.
type redisRoad struct {
	bus       *Bus
	client    *redis.Client
	publisher *redisstream.Publisher
	trimming  *redis.Script
	name      string // of this process, in every group
	settings  roadSettings
	since     map[string]string // by the consumer: the first id of an event that is for it

	draining    chan struct{}
	stopReading func() // closes it
	closing     chan struct{}
	inspected   sync.Once
	away        atomic.Bool // the last write failed
	probing     atomic.Bool // while Redis is away, one job at a time tries
	mu          sync.Mutex
	told        time.Time // when a line last complained
}

// roadSettings are what a test may shorten.
type roadSettings struct {
	block     time.Duration // how long one command waits for an entry, and so about how long an idle line needs to stop
	claim     time.Duration // how often a line looks for entries whose reader died
	pause     time.Duration // how long to wait before an entry that couldn't be given up comes again, and between two subscriptions
	idle      func(c *consumer) time.Duration
	forgotten time.Duration // after which a reader that waits for nothing is taken off its group
	outsider  time.Duration // how long entries are kept for groups that aren't of our consumers
}

func usualRoadSettings() roadSettings {
	return roadSettings{
		block: time.Second, claim: 15 * time.Second, pause: time.Second, idle: longest,
		forgotten: time.Hour, outsider: 7 * 24 * time.Hour,
	}
}

const (
	// lines is how many events a consumer handles at once in one process, each with a connection of its own.
	lines = 4
	// stuck is how old an entry may get before somebody should look after its reader.
	stuck = time.Hour
	// publishAttempts, a minute apart, are a week: other services read the streams too.
	publishAttempts = 10_000
	// quickTries are the tries after the first one that an event gets before a job takes over.
	quickTries = 3
)

// longest returns how long an entry may belong to a reader that is alive: four of them wait in a line, and each may take the
// timeout for its quick tries, once more for the last of them, and some time for giving it up.
func longest(c *consumer) time.Duration {
	const waiting = 4
	return max(time.Minute, waiting*(2*c.Timeout+grace))
}

// streamKey returns the name of the stream of an event.
func streamKey(event string) string { return "omnistack:events:" + event }

// newRedisRoad returns a road that has connected to nothing.
//
// The client is the road's own: waiting for entries needs patience, which the one in the path of requests mustn't have, and
// Watermill closes what it is given.
func newRedisRoad(b *Bus, url string) (*redisRoad, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("REDIS_URL is not a Redis URL, such as redis://localhost:6379/0") // err may hold the password
	}
	options.DialTimeout = 2 * time.Second
	options.ReadTimeout = 2 * time.Second // commands that wait have their own time and ten seconds more
	options.WriteTimeout = 2 * time.Second
	options.PoolTimeout = 3 * time.Second
	options.PoolSize = 1000 // a bound that isn't met: every line and every job that writes takes one
	options.MaxRetries = -1 // whoever calls tries again
	options.DialerRetries = 1
	options.ContextTimeoutEnabled = true
	r := &redisRoad{
		bus: b, client: redis.NewClient(options), trimming: redis.NewScript(trimScript), name: id.New(), settings: usualRoadSettings(),
		draining: make(chan struct{}), closing: make(chan struct{}),
	}
	r.stopReading = sync.OnceFunc(func() { close(r.draining) })
	// No limit of the length: it would drop what nobody has read yet.
	r.publisher, err = redisstream.NewPublisher(redisstream.PublisherConfig{Client: keptOpen{r.client}, Marshaller: entryFormat{}}, nil)
	return r, err
}

// keptOpen is a client that isn't closed by who uses it.
type keptOpen struct{ redis.UniversalClient }

// Close does nothing.
func (keptOpen) Close() error { return nil }

// publishArgs name the event to write.
type publishArgs struct {
	Event string `json:"event"`
}

// trimArgs are none: it is for all streams.
type trimArgs struct{}

// Kind returns the name of the kind.
func (publishArgs) Kind() string { return "events.publish" }

// Kind returns the name of the kind.
func (trimArgs) Kind() string { return "events.trim" }

func (r *redisRoad) send(envelopes []events.Envelope) []jobs.Request {
	requests := make([]jobs.Request, len(envelopes))
	for i, event := range envelopes {
		requests[i] = jobs.Request{Args: publishArgs{event.ID}}
	}
	return requests
}

func (r *redisRoad) kinds() []module.Job {
	return []module.Job{
		jobs.Kind(module.Job{
			Summary: "writes an event to its Redis stream", Queue: queue,
			Timeout: 10 * time.Second, Attempts: publishAttempts, Backoff: time.Minute, Manager: "events",
		}, r.publish),
		jobs.Kind(module.Job{
			Summary: "removes from the Redis streams what everybody has read",
			Cron:    "*/10 * * * *", Attempts: 1,
		}, func(ctx context.Context, _ trimArgs) error { return r.trim(ctx) }),
	}
}

// patience is short: what Redis forgot is to be there soon.
func (r *redisRoad) patience() time.Duration { return 30 * time.Second }

// open notes from when on events are for a consumer. A group begins with all that its stream still holds, so that it doesn't
// matter what was written before the group was made, or made anew.
func (r *redisRoad) open(ctx context.Context) error {
	rows, err := database.All(r.bus.db.Read(ctx).Raw("SELECT name, since, checked FROM events_consumers"), scanConsumer)
	if err != nil {
		return err
	}
	r.since = make(map[string]string, len(rows))
	for _, row := range rows {
		r.since[string(row.Name)] = firstID(row.Since.UnixMilli())
	}
	return nil
}

// drain ends the reading of all streams.
func (r *redisRoad) drain() { r.stopReading() }

// close ends the handlers that go on still.
func (r *redisRoad) close() error {
	close(r.closing)
	return r.client.Close()
}

// publish writes an event to its stream. While Redis is away one job at a time finds out whether it is back; the others fail
// at once, or they would keep the jobs that deliver meanwhile from their turn.
func (r *redisRoad) publish(ctx context.Context, args publishArgs) error {
	if r.away.Load() {
		if !r.probing.CompareAndSwap(false, true) {
			return errs.New(errs.Unavailable, "Redis is away")
		}
		defer r.probing.Store(false)
	}
	event, err := r.bus.ledger.find(ctx, args.Event)
	if err != nil {
		return err
	}
	err = r.publisher.Publish(streamKey(event.Name), toMessage(ctx, event))
	r.away.Store(err != nil)
	if err != nil {
		return errs.New(errs.Unavailable, "The event can't be written to Redis").Because(err)
	}
	return nil
}

// subscription returns the stream. An event gets a few quick tries; when they fail, what deserves more patience becomes a job.
func (r *redisRoad) subscription(c *consumer) subscription {
	return subscription{
		Subscriber: newStream(r, c),
		again: middleware.Retry{
			MaxRetries: quickTries, InitialInterval: 100 * time.Millisecond, MaxInterval: time.Second, Multiplier: 2,
			RandomizationFactor: 0.5, MaxElapsedTime: c.Timeout, ResetContextOnRetry: true,
			ShouldRetry: func(failed middleware.RetryParams) bool { return errs.From(failed.Err).Kind.Retryable() },
		},
		strange: r.bus.passOver,
		giveUp:  r.giveUp,
	}
}

// giveUp takes an event that failed off the stream. One whose handler was interrupted because the process stops stays there
// for another process.
func (r *redisRoad) giveUp(ctx context.Context, c *consumer, eventID string, why error) error {
	if ctx.Err() != nil {
		return why
	}
	if !errs.From(why).Kind.Retryable() {
		return r.bus.bury(ctx, c, eventID, why)
	}
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	return r.bus.redeliver(ctx, c.Name, []string{eventID})
}

// complain tells once a minute that a line doesn't work.
func (r *redisRoad) complain(c *consumer, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.bus.clock.Now()
	if now.Sub(r.told) < time.Minute {
		return
	}
	r.told = now
	r.bus.log.Warn("events can't be read from Redis; what is lost comes by jobs", zap.String("consumer", c.Name), zap.Error(err))
}

// inspect warns when Redis is set up to forget. Hosted ones keep their configuration to themselves.
func (r *redisRoad) inspect(ctx context.Context) {
	conf := map[string]string{}
	for _, name := range []string{"appendonly", "maxmemory", "maxmemory-policy"} {
		found, err := r.client.ConfigGet(ctx, name).Result()
		if err != nil {
			return
		}
		conf[name] = found[name]
	}
	if conf["appendonly"] == "no" {
		r.bus.log.Warn("Redis loses events when it is restarted, which then come by jobs and late: set appendonly yes")
	}
	if conf["maxmemory"] != "0" && strings.HasPrefix(conf["maxmemory-policy"], "allkeys-") {
		r.bus.log.Warn("Redis drops events when its memory is full, which then come by jobs and late: set maxmemory-policy noeviction",
			zap.String("maxmemory-policy", conf["maxmemory-policy"]))
	}
}

// trim removes from the streams what everybody has read, and readers that are gone.
func (r *redisRoad) trim(ctx context.Context) error {
	var failed []error
	for name := range r.bus.published {
		failed = append(failed, r.trimStream(ctx, name))
	}
	return errors.Join(failed...)
}

func (r *redisRoad) trimStream(ctx context.Context, event string) error {
	args := []any{r.settings.outsider.Milliseconds(), r.settings.forgotten.Milliseconds()}
	for _, c := range r.bus.wanted[event] {
		args = append(args, c.Name)
	}
	report, err := r.trimming.Run(ctx, r.client, []string{streamKey(event)}, args...).StringSlice()
	if err != nil {
		return errs.New(errs.Unavailable, "A stream can't be trimmed").Because(err)
	}
	log := r.bus.log.With(zap.String("event", event))
	if oldest, err := time.ParseDuration(report[0] + "ms"); err == nil && oldest > stuck {
		log.Warn("an event has been waiting in its stream for long", zap.Duration("for", oldest))
	}
	for _, group := range report[1:] {
		log.Warn("a group was removed from a stream: it isn't of a consumer here and hasn't read for too long", zap.String("group", group))
	}
	return nil
}

// trimScript does for one stream, at once, what must not come apart: a group that is made, or an entry that is delivered,
// between looking and removing would lose something. It returns for how many milliseconds the oldest entry has been waiting
// for our consumers, and the groups that it removed.
//
// A stream is cut at the oldest entry that a group still needs: its oldest one that is delivered and not acknowledged, or
// else its last delivered one. A group that isn't of our consumers, such as another service's or that of a consumer which
// is gone, is removed when it hasn't done with an entry for ARGV[1] milliseconds, or it would hold the stream for ever. What
// no group waits for stays as long.
const trimScript = `
local stream, outsider, forgotten = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local ours = {}
for i = 3, #ARGV do
  ours[ARGV[i]] = true
  redis.pcall('XGROUP', 'CREATE', stream, ARGV[i], '0', 'MKSTREAM')
end
if redis.call('EXISTS', stream) == 0 then
  return {'0'}
end

local function fields(flat)
  local named = {}
  for i = 1, #flat, 2 do
    named[flat[i]] = flat[i + 1]
  end
  return named
end
local function parts(id)
  local ms, number = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(number)
end
local function before(a, b)
  local ams, anumber = parts(a)
  local bms, bnumber = parts(b)
  return ams < bms or ams == bms and anumber < bnumber
end

local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local cut, oldest, removed = nil, 0, {}
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local group = fields(flat)
  local need, waiting = group['last-delivered-id'], nil
  if group.pending > 0 then
    need = redis.call('XPENDING', stream, group.name)[2]
    waiting = need
  else
    local unread = redis.call('XRANGE', stream, '(' .. need, '+', 'COUNT', 1)[1]
    waiting = unread and unread[1]
  end
  local age = waiting and now - parts(waiting) or 0
  if ours[group.name] then
    oldest = math.max(oldest, age)
    for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group.name)) do
      local reader = fields(flat)
      if reader.pending == 0 and reader.idle >= forgotten then
        redis.call('XGROUP', 'DELCONSUMER', stream, group.name, reader.name)
      end
    end
  elseif age > outsider then
    redis.call('XGROUP', 'DESTROY', stream, group.name)
    table.insert(removed, group.name)
    need = nil
  end
  if need and (not cut or before(need, cut)) then
    cut = need
  end
end
redis.call('XTRIM', stream, 'MINID', cut or string.format('%.0f-0', math.max(0, now - outsider)))
return {string.format('%.0f', oldest), unpack(removed)}
`
