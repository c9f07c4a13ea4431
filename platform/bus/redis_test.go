package bus_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/omnistack/omnistack/platform/bus"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/testkit"
)

// The faults of streams, and of Watermill's way to read them. What both roads have in common is in the suite.

// key is the stream that the tests' events are in.
var key = bus.StreamKey(placed{}.EventName())

// streams is a world whose events travel over a Redis.
type streams struct {
	*world
	redis *redis.Client
}

func newStreams(t *testing.T, db *database.DB, url string) *streams {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	w := &world{t: t, db: db, clock: clock.System{}, options: bus.Options{RedisURL: url}}
	w.effects()
	return &streams{w, client}
}

// onStreams is a world on SQLite and on a database of the common Redis.
func onStreams(t *testing.T) *streams {
	t.Helper()
	t.Parallel()
	return newStreams(t, testkit.SQLite(t), testkit.Redis(t))
}

// until waits until it is so.
func (s *streams) until(what string, so func() bool) {
	s.t.Helper()
	deadline := time.After(30 * time.Second)
	for tick := time.Tick(10 * time.Millisecond); !so(); {
		select {
		case <-tick:
		case <-deadline:
			s.t.Fatal(what)
		}
	}
}

// length returns how many entries the stream has.
func (s *streams) length() int64 {
	s.t.Helper()
	length, err := s.redis.XLen(s.t.Context(), key).Result()
	if err != nil {
		s.t.Fatal(err)
	}
	return length
}

// pending returns how many entries the group has under way.
func (s *streams) pending(group string) int64 {
	s.t.Helper()
	pending, err := s.redis.XPending(s.t.Context(), key, group).Result()
	if err != nil {
		s.t.Fatal(err)
	}
	return pending.Count
}

// reading waits until the group is there.
func (s *streams) reading(group string) {
	s.t.Helper()
	s.until("the group isn't made", func() bool { return s.group(group) != nil })
}

// group returns the group, or nil.
func (s *streams) group(name string) *redis.XInfoGroup {
	groups, err := s.redis.XInfoGroups(s.t.Context(), key).Result()
	if err != nil {
		return nil // there is no stream
	}
	for _, group := range groups {
		if group.Name == name {
			return &group
		}
	}
	return nil
}

// noJobs fails the test if a job has delivered something: then it wasn't the stream.
func (s *streams) noJobs(consumer string) {
	s.t.Helper()
	if got := s.count("river_job WHERE kind = ?", consumer); got != 0 {
		s.t.Errorf("%d events were delivered by jobs", got)
	}
}

func TestARedisURLThatIsNone(t *testing.T) {
	for _, url := range []string{"https://:canary@localhost", "redis://:canary@localhost:port/0"} {
		_, err := bus.New(testkit.SQLite(t), nil, clock.System{}, bus.Options{RedisURL: url}, nopLog())
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// An entry can be read by any service that knows CloudEvents, and no library of ours.
func TestAnEntryIsACloudEvent(t *testing.T) {
	s := onStreams(t)
	p := s.process(s.writing("tests.write")).start()
	p.publish(placed{OrderID: "7", Version: 3})
	s.await(1, done)
	entries, err := s.redis.XRange(t.Context(), key, "-", "+").Result()
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	got := entries[0].Values
	at, err := time.Parse(time.RFC3339, fmt.Sprint(got["time"]))
	if err != nil || time.Since(at) > time.Minute || !id.Valid(fmt.Sprint(got["id"])) {
		t.Errorf("it happened at %v, %v, with the id %v", got["time"], err, got["id"])
	}
	delete(got, "time")
	delete(got, "id")
	want := map[string]any{
		"source": "omnistack/orders", "specversion": "1.0", "type": "orders.order_placed.v1", "subject": "7", "aggregateversion": "3",
		"datacontenttype": "application/json", "data": `{"order_id":"7","version":3}`,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	s.noJobs("tests.write")
}

// An event that nobody here waits for is for other services.
func TestAnEventWithoutAConsumerIsWrittenToo(t *testing.T) {
	s := onStreams(t)
	s.process().start().publish(placed{OrderID: "1"})
	s.until("it isn't written", func() bool { return s.length() == 1 })
}

// Fault 1: when the group vanishes, the library's subscriber complains for ever. Fault 3: it closes its client when it ends.
func TestRedisLosesEverythingWhileItIsRead(t *testing.T) {
	s := onStreams(t)
	p := s.process(s.writing("tests.write"), s.writing("tests.other")).start()
	for round := range 3 {
		p.publish(placed{OrderID: fmt.Sprint(round)})
		s.await(int64(2*(round+1)), done)
		if err := s.redis.FlushDB(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	p.publish(placed{OrderID: "last"})
	s.await(2, "effects WHERE order_id = 'last'")
	s.noJobs("tests.write")
}

// Fault 2: an entry that can't be read ends the library's subscription, and the next one after it.
func TestWhatIsNoEventIsPassedOver(t *testing.T) {
	s := onStreams(t)
	p := s.process(s.writing("tests.write")).start()
	strange := []map[string]any{
		{"nothing": "of ours"},
		{"_watermill_message_uuid": "1", "metadata": "\x81", "payload": "\xff"},
		{"id": id.New(), "type": "orders.order_placed.v1", "time": "yesterday", "aggregateversion": "1", "data": "{}"},
		{"id": id.New(), "type": "orders.other.v9", "time": "2026-01-02T03:04:05Z", "aggregateversion": "1", "data": "{}"},
		{"id": "\x00", "type": "orders.order_placed.v1", "time": "2026-01-02T03:04:05Z", "aggregateversion": "1", "data": "{}"},
	}
	for _, entry := range strange {
		if err := s.redis.XAdd(t.Context(), &redis.XAddArgs{Stream: key, Values: entry}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	p.publish(orders(2 * bus.Lines)...)
	s.await(2*bus.Lines, done)
	s.until("they aren't counted", func() bool { return p.Strange("tests.write") == int64(len(strange)) })
	s.until("some are under way still", func() bool { return s.pending("tests.write") == 0 })
	s.noJobs("tests.write")
}

// Fault 3: a publisher or a subscriber that is closed closes the client of the others.
func TestClosingAPublisherLeavesTheClientOpen(t *testing.T) {
	s := onStreams(t)
	p := s.process(s.writing("tests.write")).start()
	other := s.process(s.writing("tests.write"))
	if err := other.CloseClient(); err != nil {
		t.Fatal(err)
	}
	s.reading("tests.write")
	if err := other.Trim(t.Context()); err != nil {
		t.Errorf("the client is closed: %v", err)
	}
	p.publish(placed{OrderID: "1"})
	s.await(1, done)
}

// Fault 4: an entry whose handler takes longer than its idle time is claimed, and then it ran four times, twice at once.
func TestASlowHandlerIsNotDoubled(t *testing.T) {
	for _, timeout := range []time.Duration{time.Millisecond, 10 * time.Second, 5 * time.Minute} {
		// The quick tries begin within the timeout, and so the last of them ends within two.
		if got := bus.Longest(timeout); got < 4*(2*timeout+bus.Grace) || got < time.Minute {
			t.Errorf("entries of a consumer with the timeout %s are claimed after %s", timeout, got)
		}
	}
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		s := newStreams(t, db, testkit.Redis(t))
		var running, most atomic.Int32
		finish := make(chan struct{})
		slow := events.On(events.Consumer{Name: "tests.slow", Timeout: time.Minute},
			func(ctx context.Context, e placed, _ events.Envelope) error {
				most.Store(max(most.Load(), running.Add(1)))
				defer running.Add(-1)
				<-finish
				return s.write(ctx, "tests.slow", e.OrderID)
			})
		var all []*process
		for range 2 {
			p := s.process(slow)
			p.Hurry(50*time.Millisecond, 20*time.Millisecond)
			all = append(all, p.start())
		}
		all[0].publish(placed{OrderID: "1"})
		s.until("it isn't claimed", func() bool {
			pending, err := s.redis.XPendingExt(t.Context(), &redis.XPendingExtArgs{
				Stream: key, Group: "tests.slow", Start: "-", End: "+", Count: 1,
			}).Result()
			return err == nil && len(pending) == 1 && pending[0].RetryCount > 3
		})
		close(finish)
		s.await(1, done)
		for _, p := range all {
			p.stop()
		}
		if s.count("effects") != 1 || most.Load() != 1 {
			t.Errorf("%d effects, %d handlers at once", s.count("effects"), most.Load())
		}
	})
}

// Fault 5: a stream with a limit drops what nobody has read. Fault 6: without one it grows for ever.
func TestTrimmingLeavesWhatSomebodyNeeds(t *testing.T) {
	s := onStreams(t)
	const count = 300
	writer := s.process() // which knows no consumer
	writer.start()
	writer.publish(orders(count)...)
	s.until("they aren't written", func() bool { return s.length() == count })

	// A group that isn't made yet has read nothing.
	reader := s.process(s.writing("tests.write"), s.writing("tests.other"))
	trim := func(want int64) {
		t.Helper()
		if err := reader.Trim(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.length(); got != want {
			t.Fatalf("%d entries are left, want %d", got, want)
		}
	}
	trim(count)

	// One has read all; one has read a hundred and is at the fortieth.
	read := func(group string, count, acknowledged int) {
		t.Helper()
		entries, err := s.redis.XReadGroup(t.Context(), &redis.XReadGroupArgs{
			Group: group, Consumer: "test", Streams: []string{key, ">"}, Count: int64(count),
		}).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries[0].Messages[:acknowledged] {
			if err := s.redis.XAck(t.Context(), key, group, entry.ID).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	read("tests.write", count, count)
	trim(count)
	read("tests.other", 100, 39)
	trim(count - 39)
	read("tests.other", 200, 200)
	trim(count - 39)
	for _, entry := range must(s.redis.XRange(t.Context(), key, "-", "+").Result())(t) {
		if err := s.redis.XAck(t.Context(), key, "tests.other", entry.ID).Err(); err != nil {
			t.Fatal(err)
		}
	}
	trim(1) // the last that was read
}

func must[T any](value T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// A group of nobody here holds the stream for a while, and not for ever; one of a consumer always does.
func TestTrimmingForgetsStrangers(t *testing.T) {
	s := onStreams(t)
	p := s.process(s.writing("tests.write"))
	for _, group := range []string{"tests.write", "strangers.slow", "strangers.quick"} {
		if err := s.redis.XGroupCreateMkStream(t.Context(), key, group, "0").Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, entryID := range []string{"1000-1", "1000-2", "2000-0", "*"} { // the first ones are of 1970
		if err := s.redis.XAdd(t.Context(), &redis.XAddArgs{Stream: key, ID: entryID, Values: []string{"a", "b"}}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.redis.XGroupSetID(t.Context(), key, "strangers.quick", "2000-0").Err(); err != nil {
		t.Fatal(err)
	}
	if err := p.Trim(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.group("strangers.slow") != nil || s.group("strangers.quick") == nil || s.group("tests.write") == nil {
		t.Error("the wrong groups are left")
	}
	if s.length() != 4 {
		t.Errorf("%d entries are left of which a consumer has read none", s.length())
	}
	if err := s.redis.XGroupSetID(t.Context(), key, "tests.write", "1000-1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := p.Trim(t.Context()); err != nil || s.length() != 4 {
		t.Errorf("%d entries are left of 4, %v", s.length(), err)
	}
	if err := s.redis.XGroupSetID(t.Context(), key, "tests.write", "1000-2").Err(); err != nil {
		t.Fatal(err)
	}
	if err := p.Trim(t.Context()); err != nil || s.length() != 3 {
		t.Errorf("%d entries are left of 3, %v", s.length(), err)
	}

	// Without any group what is old goes.
	alone := s.process()
	if err := s.redis.Del(t.Context(), key).Err(); err != nil {
		t.Fatal(err)
	}
	for _, entryID := range []string{"1000-1", "*"} {
		if err := s.redis.XAdd(t.Context(), &redis.XAddArgs{Stream: key, ID: entryID, Values: []string{"a", "b"}}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := alone.Trim(t.Context()); err != nil || s.length() != 1 {
		t.Errorf("%d entries are left of 1, %v", s.length(), err)
	}
}

// Fault 7: a message that isn't acknowledged came again 334,000 times in half a second, and stopped those behind it. Here
// giving up fails, because nobody has the kind of job that would take over.
func TestWhatCannotBeGivenUpComesAgainSlowly(t *testing.T) {
	s := onStreams(t)
	log, _ := testkit.Logger(t)
	background, err := jobs.New(s.db, log)
	if err != nil {
		t.Fatal(err)
	}
	carrier, err := bus.New(s.db, background, s.clock, s.options, log)
	if err != nil {
		t.Fatal(err)
	}
	tried := make(chan struct{}, 1000)
	choking := events.On(events.Consumer{Name: "tests.choke"}, func(ctx context.Context, e placed, _ events.Envelope) error {
		if e.OrderID != "poison" {
			return s.write(ctx, "tests.choke", e.OrderID)
		}
		tried <- struct{}{}
		return errors.New("not now")
	})
	kinds, err := carrier.Register([]module.Descriptor{published, {Name: "tests", Consumes: []events.Consumer{choking}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := background.Register(kinds[1:]); err != nil { // the first one delivers
		t.Fatal(err)
	}
	p := (&process{Bus: carrier, world: s.world, jobs: background}).start()
	p.publish(placed{OrderID: "poison"})
	<-tried
	began := time.Now()
	const count, behind = 20, 2 // a line has read two entries more than the one that it is at
	p.publish(orders(count)...)
	s.until("it stops the other lines", func() bool { return s.count(done) >= count-behind })
	const tries = 3 * (1 + bus.QuickTries)
	for range tries {
		<-tried
	}
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("it was tried %d times in %s", tries, took)
	}
	if s.pending("tests.choke") == 0 {
		t.Error("it is acknowledged")
	}

	// What is behind it is late, and comes by jobs.
	s.clock = clock.NewManual(time.Now().Add(bus.RedisPatience + time.Second))
	if err := s.process(choking).start().Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.await(count, done)
}

// Fault 8: a subscription has one message under way.
func TestAConsumerHandlesSeveralAtOnce(t *testing.T) {
	t.Parallel()
	s := newStreams(t, testkit.Postgres(t), testkit.Redis(t)) // SQLite has one transaction at a time
	var met sync.WaitGroup
	met.Add(bus.Lines)
	p := s.process(events.On(events.Consumer{Name: "tests.meet"}, func(context.Context, placed, events.Envelope) error {
		met.Done()
		met.Wait()
		return nil
	})).start()
	p.publish(orders(bus.Lines)...)
	s.await(bus.Lines, done)
}

// Fault 9: a new group begins with all that the stream still holds, which isn't for a new consumer.
func TestANewConsumerGetsNoHistory(t *testing.T) {
	s := onStreams(t)
	old := s.process(s.writing("tests.write")).start()
	old.publish(orders(5)...)
	s.await(5, done)
	old.stop()
	s.until("time stands still", func() bool { // ids know milliseconds
		return s.count("events_outbox WHERE id >= ?", bus.FirstID(time.Now().UnixMilli())) == 0
	})
	s.clock = clock.NewManual(time.Now().Add(bus.Skew)) // when the last minute isn't in doubt any more
	p := s.process(s.writing("tests.write"), s.writing("tests.new")).start()
	p.publish(placed{OrderID: "new"})
	s.await(2, "effects WHERE order_id = 'new'")
	s.until("the history isn't read", func() bool {
		group := s.group("tests.new")
		return group != nil && group.Pending == 0 && group.Lag == 0
	})
	if got := s.count("effects WHERE consumer = 'tests.new'"); got != 1 {
		t.Errorf("it got %d events", got)
	}
}

// What a process that only serves the API publishes, before anyone has ever delivered, is for the consumers that it knows.
func TestWhatIsPublishedBeforeAnyoneDeliversArrives(t *testing.T) {
	s := onStreams(t)
	api := s.process(s.writing("tests.write"))
	errBack := errors.New("back")
	err := s.db.WithinTx(t.Context(), func(ctx context.Context) error {
		return errors.Join(api.Publish(ctx, placed{OrderID: "never"}), errBack)
	})
	if !errors.Is(err, errBack) {
		t.Fatal(err)
	}
	api.publish(placed{OrderID: "early"})
	s.process(s.writing("tests.write")).start()
	s.await(1, "effects WHERE order_id = 'early'")
	s.noJobs("tests.write")
}

// Fault 10: after a deployment what was under way waits until somebody claims it.
func TestAStopLeavesNothingUnderWay(t *testing.T) {
	s := onStreams(t)
	began, finish := make(chan struct{}, 100), make(chan struct{})
	p := s.process(events.On(events.Consumer{Name: "tests.slow"}, func(ctx context.Context, e placed, _ events.Envelope) error {
		began <- struct{}{}
		<-finish
		if err := ctx.Err(); err != nil {
			return err
		}
		return s.write(ctx, "tests.slow", e.OrderID)
	})).start()
	const count = 3 * bus.Lines
	p.publish(orders(count)...)
	<-began
	s.until("the lines don't read ahead", func() bool { return s.pending("tests.slow") == count })
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		p.stop()
	}()
	close(finish)
	<-stopped
	if s.pending("tests.slow") != 0 || s.count("effects") != count {
		t.Errorf("%d are under way, %d were handled of %d", s.pending("tests.slow"), s.count("effects"), count)
	}
}

// What a process that was killed had under way is another's.
func TestWhatAKilledReaderHadIsClaimed(t *testing.T) {
	s := onStreams(t)
	if err := s.redis.XGroupCreateMkStream(t.Context(), key, "tests.write", "0").Err(); err != nil {
		t.Fatal(err)
	}
	writer := s.process(s.writing("tests.write"))
	writer.Hurry(50*time.Millisecond, 20*time.Millisecond)
	writer.publish(placed{OrderID: "1"})
	if err := writer.jobs.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.until("it isn't written", func() bool { return s.length() == 1 })
	err := s.redis.XReadGroup(t.Context(), &redis.XReadGroupArgs{Group: "tests.write", Consumer: "killed", Streams: []string{key, ">"}}).Err()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(writer.jobs.Stop(context.Background()), writer.Stop(context.Background())); err != nil {
			t.Error(err)
		}
	}()
	s.await(1, done)
	s.until("it is under way still", func() bool { return s.pending("tests.write") == 0 })
	s.noJobs("tests.write")
}

// Fault 11: the library looks for readers without anything under way and removes them later, with what they got meanwhile.
func TestReadersThatAreGoneAreForgotten(t *testing.T) {
	s := onStreams(t)
	p := s.process(s.writing("tests.write"))
	p.Forget(0, time.Hour)
	if err := p.Trim(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.redis.XAdd(t.Context(), &redis.XAddArgs{Stream: key, Values: []string{"a", "b"}}).Err(); err != nil {
		t.Fatal(err)
	}
	err := s.redis.XReadGroup(t.Context(), &redis.XReadGroupArgs{Group: "tests.write", Consumer: "busy", Streams: []string{key, ">"}}).Err()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.redis.XGroupCreateConsumer(t.Context(), key, "tests.write", "gone").Err(); err != nil {
		t.Fatal(err)
	}
	if err := p.Trim(t.Context()); err != nil {
		t.Fatal(err)
	}
	readers, err := s.redis.XInfoConsumers(t.Context(), key, "tests.write").Result()
	if err != nil || len(readers) != 1 || readers[0].Name != "busy" {
		t.Errorf("there are %v, %v", readers, err)
	}
}

// Fault 12: the first read of the library waits for ever, and so does who closes it. An idle bus stops within about a second,
// and one whose Redis hangs not much later.
func TestStoppingIsPrompt(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		s := onStreams(t)
		p := s.process(s.writing("tests.write"), s.writing("tests.other")).start()
		s.reading("tests.other")
		began := time.Now()
		p.stop()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
	})
	t.Run("frozen", func(t *testing.T) {
		t.Parallel()
		s := newStreams(t, testkit.SQLite(t), testkit.NewRedisServer(t).URL)
		p := s.process(s.writing("tests.write")).start()
		s.reading("tests.write")
		if err := s.redis.ClientPause(t.Context(), time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		p.stop()
		if took := time.Since(began); took > 9*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// Fault 13: a Redis that keeps nothing on disk loses what it acknowledged. Whoever runs one is told, once.
func TestAForgetfulRedisIsWarnedAbout(t *testing.T) {
	t.Parallel()
	s := newStreams(t, testkit.SQLite(t), testkit.NewRedisServer(t).URL)
	for setting, value := range map[string]string{"maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"} {
		if err := s.redis.ConfigSet(t.Context(), setting, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	log, logs := testkit.Logger(t)
	background, err := jobs.New(s.db, log)
	if err != nil {
		t.Fatal(err)
	}
	carrier, err := bus.New(s.db, background, s.clock, s.options, log)
	if err != nil {
		t.Fatal(err)
	}
	kinds, err := carrier.Register([]module.Descriptor{published, {Name: "tests", Consumes: []events.Consumer{s.writing("tests.write")}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := background.Register(kinds); err != nil {
		t.Fatal(err)
	}
	p := (&process{Bus: carrier, world: s.world, jobs: background}).start()
	for round := range 3 {
		p.publish(placed{OrderID: fmt.Sprint(round)})
		s.await(int64(round+1), done)
		if err := s.redis.FlushDB(t.Context()).Err(); err != nil { // which has all lines begin again
			t.Fatal(err)
		}
	}
	for _, text := range []string{"appendonly yes", "maxmemory-policy noeviction"} {
		warned := 0
		for _, entry := range logs.All() {
			if strings.Contains(entry.Message, text) {
				warned++
			}
		}
		if warned != 1 {
			t.Errorf("%d warnings say %q", warned, text)
		}
	}
}

// A failure that may pass gets a few quick tries and then a job's patience; one that can't doesn't get a second try.
func TestWhatBecomesOfFailuresOnStreams(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		s := newStreams(t, db, testkit.Redis(t))
		var passing, final atomic.Int32
		p := s.process(
			events.On(events.Consumer{Name: "tests.passing", Backoff: 10 * time.Millisecond}, func(context.Context, placed, events.Envelope) error {
				if passing.Add(1) <= 2+bus.QuickTries {
					return errs.New(errs.Unavailable, "Not now")
				}
				return nil
			}),
			events.On(events.Consumer{Name: "tests.final"}, func(context.Context, placed, events.Envelope) error {
				final.Add(1)
				return errs.New(errs.Conflict, "It can't be")
			}),
		).start()
		p.publish(placed{OrderID: "1"})
		s.await(1, done+" AND consumer = 'tests.passing'")
		s.await(1, dead+" AND consumer = 'tests.final' AND error = 'CONFLICT: It can''t be'")
		if passing.Load() != 3+bus.QuickTries || final.Load() != 1 {
			t.Errorf("%d tries of what may pass, %d of what can't", passing.Load(), final.Load())
		}
		if got := s.count("river_job WHERE kind = 'tests.passing'"); got != 1 {
			t.Errorf("%d jobs took over", got)
		}
		s.noJobs("tests.final")
		s.until("some are under way still", func() bool { return s.pending("tests.passing")+s.pending("tests.final") == 0 })
	})
}

// What failed because the process stops isn't dead, and not a job's: it stays in the stream for another process.
func TestAStopIsNoFailure(t *testing.T) {
	s := onStreams(t)
	p := s.process(s.writing("tests.write"))
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, why := range []error{context.Canceled, errs.New(errs.Invalid, "It can't be")} {
		if err := p.GiveUp(stopped, "tests.write", id.New(), why); !errors.Is(err, why) {
			t.Errorf("giving it up: %v, want %v", err, why)
		}
	}
	if s.count(dead) != 0 {
		t.Error("it is dead")
	}
	s.noJobs("tests.write")
}

// While Redis hangs one job at a time waits for it: the others would keep those that deliver from their turn.
func TestWritingToAHangingRedisFailsAtOnce(t *testing.T) {
	t.Parallel()
	url := "redis://" + testkit.Silence(t, "127.0.0.1:0") + "/0"
	w := &world{t: t, db: testkit.SQLite(t), clock: clock.System{}, options: bus.Options{RedisURL: url}}
	p := w.process()
	p.publish(orders(1)...)
	var eventID string
	if err := w.db.Read(t.Context()).Raw("SELECT id FROM events_outbox").Scan(&eventID).Error; err != nil {
		t.Fatal(err)
	}
	if err := p.Write(t.Context(), eventID); !errs.Is(err, errs.Unavailable) { // as nobody knows yet
		t.Errorf("writing to a Redis that hangs: %v", err)
	}
	began := time.Now()
	const count = 20
	results := make(chan error, count)
	for range count {
		go func() { results <- p.Write(t.Context(), eventID) }()
	}
	for range count - 1 {
		if err := <-results; !errs.Is(err, errs.Unavailable) {
			t.Errorf("writing to a Redis that hangs: %v", err)
		}
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("all but one took %s to fail", took)
	}
	if err := <-results; !errs.Is(err, errs.Unavailable) {
		t.Errorf("the one that waits: %v", err)
	}
}

// A process starts without Redis, and delivers by jobs what waits for too long; when Redis comes, streams do.
func TestRedisIsAwayAtTheStart(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		server := testkit.NewRedisServer(t)
		s := newStreams(t, db, server.URL)
		now := clock.NewManual(time.Now())
		s.clock = now
		server.Kill()

		p := s.process(s.writing("tests.write")).start()
		p.publish(orders(10)...)
		now.Advance(bus.RedisPatience + time.Second)
		s.exec("UPDATE events_consumers SET since = since, checked = ''") // the ids are of the real time
		if err := p.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.await(10, done)

		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
		s.reading("tests.write")
		before := s.count("river_job WHERE kind = 'tests.write'")
		s.until("nothing comes by the stream", func() bool {
			p.publish(placed{OrderID: "late"})
			return s.length() > 0
		})
		late := s.count("events_outbox WHERE aggregate = 'late'")
		s.await(10+late, done)
		if got := s.count("river_job WHERE kind = 'tests.write'"); got != before {
			t.Errorf("%d events were delivered by jobs", got-before)
		}
		if got := s.count("effects"); got != 10+late {
			t.Errorf("%d effects of %d events", got, 10+late)
		}
	})
}

// Redis is killed again and again, and loses all it has: every event is handled, and none twice.
func TestRedisIsKilledUnderLoad(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		server := testkit.NewRedisServer(t)
		s := newStreams(t, db, server.URL)
		p := s.process(s.writing("tests.write"), s.writing("tests.other")).start()
		const rounds, each = 4, 50
		for round := range rounds {
			for i := range each {
				p.publish(placed{OrderID: fmt.Sprintf("%d-%d", round, i)})
			}
			s.until("nothing gets to Redis", func() bool { return s.redis.XLen(t.Context(), key).Val() > 0 })
			server.Kill()
			if err := server.Restart(); err != nil {
				t.Fatal(err)
			}
		}
		// The reconciler of a later time finds what is missing.
		late := clock.NewManual(time.Now().Add(bus.RedisPatience + time.Second))
		s.clock = late
		reconciler := s.process(s.writing("tests.write"), s.writing("tests.other"))
		if err := reconciler.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.await(2*rounds*each, done)
		p.stop()
		if got := s.count("effects"); got != 2*rounds*each {
			t.Errorf("%d effects, want %d", got, 2*rounds*each)
		}
		t.Logf("%d of %d came by jobs", s.count("river_job WHERE kind LIKE 'tests.%'"), 2*rounds*each)
	})
}

// An entry that is in no ledger, of another product on the same Redis or of a database that was restored to an earlier time,
// has no effect.
func TestAnEntryOfNoLedgerIsPassedOver(t *testing.T) {
	s := onStreams(t)
	p := s.process(s.writing("tests.write")).start()
	forged := &redis.XAddArgs{Stream: key, Values: map[string]any{
		"id": id.New(), "type": "orders.order_placed.v1", "time": time.Now().UTC().Format(time.RFC3339Nano), "aggregateversion": "1",
		"subject": "x", "data": `{"order_id":"forged"}`,
	}}
	if err := s.redis.XAdd(t.Context(), forged).Err(); err != nil {
		t.Fatal(err)
	}
	p.publish(placed{OrderID: "1"})
	s.await(1, done)
	s.until("it is under way still", func() bool { return s.pending("tests.write") == 0 })
	if s.count("effects") != 1 || s.count("events_inbox") != 1 {
		t.Error("it had an effect")
	}
}
