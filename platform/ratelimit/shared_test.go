package ratelimit

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/omnistack/omnistack/platform/cache"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/testkit"
)

// remote is a Limiter that counts what it is asked, and does what it is told.
type remote struct {
	Limiter
	mu    sync.Mutex
	asked int
	fails error
	takes time.Duration // until it answers
}

func (r *remote) Take(ctx context.Context, key string, q Quota, cost int) (Decision, error) {
	r.mu.Lock()
	r.asked++
	fails, takes := r.fails, r.takes
	r.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return Decision{}, ctx.Err()
	}
	if fails != nil {
		return Decision{}, fails
	}
	return r.Limiter.Take(ctx, key, q, cost)
}

// wasAsked returns how often it was asked since the last time.
func (r *remote) wasAsked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := r.asked
	r.asked = 0
	return asked
}

// stand makes a Shared over a remote, and the list of its switches.
func stand() (*Shared, *remote, *[]error) {
	away := &remote{Limiter: NewLocal(clock.System{})}
	shared := NewShared(away, NewLocal(clock.System{}))
	switches := &[]error{}
	shared.Switched = func(err error) { *switches = append(*switches, err) }
	return shared, away, switches
}

var errDown = errors.New("down")

func TestWhoIsRefusedIsAskedAboutOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared, away, _ := stand()
		q := quota(60, time.Minute)
		take(t, shared, "ann", q, 60)
		first := take(t, shared, "ann", q, 1)
		if away.wasAsked() != 2 || first.Allowed || first.RetryAfter != time.Second {
			t.Fatalf("%+v", first)
		}
		time.Sleep(300 * time.Millisecond)
		for range 100 {
			if got := take(t, shared, "ann", q, 1); got.Allowed || got.RetryAfter != 700*time.Millisecond || got.Reset != first.Reset-300*time.Millisecond || got.Limit != 60 {
				t.Fatalf("meanwhile: %+v", got)
			}
		}
		take(t, shared, "ann", q, 5) // dearer, so refused even longer
		if asked := away.wasAsked(); asked != 0 {
			t.Errorf("asked %d times about who is known to be refused", asked)
		}
		take(t, shared, "bob", q, 1)
		if asked := away.wasAsked(); asked != 1 {
			t.Errorf("asked %d times about somebody else", asked)
		}
		time.Sleep(700 * time.Millisecond)
		if got := take(t, shared, "ann", q, 1); !got.Allowed || away.wasAsked() != 1 {
			t.Errorf("when the time is up: %+v", got)
		}

		// What was too dear says nothing of what is cheaper.
		time.Sleep(10 * time.Second)
		if got := take(t, shared, "ann", q, 20); got.Allowed {
			t.Fatalf("20 of 10: %+v", got)
		}
		if got := take(t, shared, "ann", q, 10); !got.Allowed {
			t.Errorf("10 of 10: %+v", got)
		}
	})
}

func TestManyAtOnceAreCountedInOnePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared, away, switches := stand()
		away.takes = patience - time.Millisecond
		var running sync.WaitGroup
		var mu sync.Mutex
		passed := 0
		for range 2000 {
			running.Go(func() {
				if take(t, shared, "ann", quota(60, day), 1).Allowed {
					mu.Lock()
					defer mu.Unlock()
					passed++
				}
			})
		}
		running.Wait()
		if asked := away.wasAsked(); passed != 60 || asked != 2000 || len(*switches) > 0 {
			t.Errorf("%d passed, it was asked %d times, and switched: %v", passed, asked, *switches)
		}
	})
}

func TestRedisGoneAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared, away, switches := stand()
		q := quota(60, day)
		take(t, shared, "ann", q, 10)
		away.fails = errDown
		for i := range 30 { // half of the quota, whatever was taken before
			if got := take(t, shared, "ann", q, 1); !got.Allowed || got.Limit != 30 || got.Remaining != 29-i {
				t.Fatalf("call %d: %+v", i, got)
			}
		}
		if got := take(t, shared, "ann", q, 1); got.Allowed {
			t.Fatal("the limit ends with Redis")
		}
		if asked := away.wasAsked(); asked != 1+failuresToOpen || len(*switches) != 1 || !errors.Is((*switches)[0], errDown) {
			t.Fatalf("asked %d times, switched %v", asked, *switches)
		}
		for range 5 { // while it is gone it is tried once a second
			time.Sleep(openFor)
			for range 10 {
				take(t, shared, "ann", q, 1)
			}
			if asked := away.wasAsked(); asked != 1 {
				t.Fatalf("tried %d times in a second", asked)
			}
		}
		away.fails = nil
		time.Sleep(openFor)
		if got := take(t, shared, "ann", q, 1); !got.Allowed || got.Limit != 60 || got.Remaining != 49 {
			t.Fatalf("back: %+v", got)
		}
		if len(*switches) != 2 || (*switches)[1] != nil {
			t.Errorf("switched %v", *switches)
		}
		// A few failures now and then aren't worth a word.
		for range 10 {
			away.fails = errDown
			for range failuresToOpen - 1 {
				take(t, shared, "bob", q, 1)
			}
			away.fails = nil
			take(t, shared, "bob", q, 1)
		}
		if len(*switches) != 2 {
			t.Errorf("switched %v", *switches)
		}
	})
}

func TestAQuotaOfOneHasNoHalf(t *testing.T) {
	shared, away, _ := stand()
	away.fails = errDown
	if got := take(t, shared, "ann", quota(1, day), 1); !got.Allowed || got.Limit != 1 {
		t.Errorf("%+v", got)
	}
	if got := take(t, shared, "ann", quota(1, day), 1); got.Allowed {
		t.Errorf("%+v", got)
	}
}

// Nobody waits for a frozen Redis longer than its patience, however many come at once. All who do are one failure.
func TestAFrozenRedisIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared, away, switches := stand()
		away.takes = time.Hour
		var running sync.WaitGroup
		for range 100 {
			running.Go(func() {
				began := time.Now()
				if got := take(t, shared, "ann", quota(1000, day), 1); !got.Allowed || got.Limit != 500 {
					t.Errorf("%+v", got)
				}
				if took := time.Since(began); took > patience {
					t.Errorf("it took %s", took)
				}
			})
		}
		running.Wait()
		if len(*switches) != 0 {
			t.Errorf("it is given up after one wait, with %v", *switches)
		}
		for range failuresToOpen - 1 {
			take(t, shared, "ann", quota(1000, day), 1)
		}
		began := time.Now()
		for range 100 {
			take(t, shared, "ann", quota(1000, day), 1)
		}
		if took := time.Since(began); took != 0 || len(*switches) != 1 || !errors.Is((*switches)[0], context.DeadlineExceeded) {
			t.Errorf("it is waited for, for %s, when it is known to be frozen; switched %v", took, *switches)
		}
	})
}

func TestClientsThatLeaveSayNothingAboutRedis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared, away, switches := stand()
		away.takes = 10 * time.Millisecond
		for range 3 * failuresToOpen {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			if _, err := shared.Take(ctx, "ann", quota(60, day), 1); err != nil {
				t.Error(err)
			}
			cancel()
		}
		away.wasAsked()
		take(t, shared, "ann", quota(60, day), 1)
		if asked := away.wasAsked(); asked != 1 || len(*switches) > 0 {
			t.Errorf("asked %d times, switched %v", asked, *switches)
		}
	})
}

// A real Redis that is frozen, killed, restarted without its memory, and emptied, under the load of many clients. No call
// fails, no call is let through without being counted, and the process goes back to Redis by itself.
func TestARealRedisInTrouble(t *testing.T) {
	t.Parallel()
	server := testkit.NewRedisServer(t)
	client, err := cache.Open(server.URL) // the product's, which is impatient
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	shared := NewShared(NewRedis(client), NewLocal(clock.System{}))
	switched := make(chan error, 100)
	shared.Switched = func(err error) { switched <- err }

	q := quota(1_000_000, day)
	ended := make(chan struct{})
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				got, err := shared.Take(context.Background(), "load", q, 1)
				if err != nil || got.Limit != 1_000_000 && got.Limit != 500_000 {
					t.Errorf("%+v, %v", got, err)
				}
			}
		})
	}
	defer load.Wait()
	defer close(ended)
	await := func(what string, gone bool) {
		t.Helper()
		for {
			select {
			case err := <-switched:
				if (err != nil) == gone {
					return
				}
			case <-time.After(time.Minute):
				t.Fatalf("waited in vain until %s", what)
			}
		}
	}

	server.Freeze()
	await("it is frozen", true)
	server.Thaw()
	await("it goes on", false)

	server.Kill()
	await("it is killed", true)
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	await("it is back, without its script", false)

	if err := client.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	patient := NewRedis(open(t, server.URL))
	if got := take(t, patient, "after", quota(60, day), 1); !got.Allowed || got.Remaining != 59 {
		t.Errorf("after it was emptied: %+v", got)
	}
}

// What Redis keeps of a key names nobody, is short, and is gone when nothing is left to remember.
func TestWhatRedisKeeps(t *testing.T) {
	t.Parallel()
	client := open(t, testkit.Redis(t))
	limiter := NewRedis(client)
	take(t, limiter, "address:203.0.113.7", quota(24, day), 3)
	names, err := client.Keys(t.Context(), "*").Result()
	if err != nil || len(names) != 1 || len(names[0]) != len("ratelimit:test:")+22 {
		t.Fatalf("the keys are %q, %v", names, err)
	}
	if left, err := client.PTTL(t.Context(), names[0]).Result(); err != nil || !about(left, 3*time.Hour) {
		t.Errorf("it stays for %s, %v", left, err)
	}
	if got := take(t, limiter, "address:203.0.113.8", quota(1000, time.Second), 1); !got.Allowed {
		t.Errorf("%+v", got)
	}

	// Somebody's else nonsense under our key is no reason to fail, nor to refuse.
	if err := client.Set(t.Context(), names[0], "nonsense", redis.KeepTTL).Err(); err != nil {
		t.Fatal(err)
	}
	if got := take(t, limiter, "address:203.0.113.7", quota(24, day), 1); !got.Allowed || got.Remaining != 23 {
		t.Errorf("over nonsense: %+v", got)
	}
}

func TestRedisIsAskedOnce(t *testing.T) {
	t.Parallel()
	client := open(t, testkit.Redis(t))
	asked := 0
	client.AddHook(counting{&asked})
	limiter := NewRedis(client)
	take(t, limiter, "ann", quota(60, day), 1) // which may have to bring the script
	asked = 0
	for range 10 {
		take(t, limiter, "ann", quota(60, day), 1)
	}
	if asked != 10 {
		t.Errorf("10 decisions were %d round trips", asked)
	}
}

// What was counted isn't counted again because others in the same round trip had no answer, or one of another kind.
func TestEachHasItsOwnAnswer(t *testing.T) {
	t.Parallel()
	client := open(t, testkit.Redis(t))
	limiter := NewRedis(client)
	take(t, limiter, "ann", quota(60, day), 1) // brings the script
	client.AddHook(forgetting{})
	ann := &question{pace: quota(60, day).pace(), cost: 1, asked: make(chan struct{})}
	bob := &question{pace: quota(60, day).pace(), cost: 1, asked: make(chan struct{})}
	ann.name, bob.name = "ratelimit:of ann", "ratelimit:forgotten"
	if err := limiter.ask(t.Context(), []*question{ann, bob}); err != nil || ann.err != nil || bob.err != nil {
		t.Fatalf("%v, %v, %v", err, ann.err, bob.err)
	}
	taken := func(q *question) int64 { return (q.ahead + q.pace.interval/2) / q.pace.interval }
	if taken(ann) != 1 {
		t.Errorf("ann has taken %d", taken(ann))
	}
	if err := client.LPush(t.Context(), bob.name+"!", "a list").Err(); err != nil {
		t.Fatal(err)
	}
	bob.name, ann.asked, bob.asked = bob.name+"!", make(chan struct{}), make(chan struct{})
	if err := limiter.ask(t.Context(), []*question{ann, bob}); err != nil || ann.err != nil || !redis.HasErrorPrefix(bob.err, "WRONGTYPE") {
		t.Errorf("%v, %v, %v", err, ann.err, bob.err)
	}
	if taken(ann) != 2 {
		t.Errorf("ann has taken %d", taken(ann))
	}
}

// forgetting is a Redis that forgets the script before the calls about a key whose name ends in "forgotten", once.
type forgetting struct{}

func (forgetting) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (forgetting) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (forgetting) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		err := next(ctx, commands)
		for _, command := range commands {
			if args := command.Args(); len(commands) > 1 && args[3] == "ratelimit:forgotten" {
				command.SetErr(noScript("NOSCRIPT No matching script"))
			}
		}
		return err
	}
}

// noScript is an error of the server.
type noScript string

func (e noScript) Error() string { return string(e) }
func (noScript) RedisError()     {}

// Those who come while Redis is asked are asked about together.
func TestManyAreAskedAboutTogether(t *testing.T) {
	t.Parallel()
	client := open(t, testkit.Redis(t))
	asked, held, hold := 0, make(chan struct{}, 10), make(chan struct{})
	limiter := NewRedis(client)
	take(t, limiter, "ann", quota(1000, day), 1) // brings the script
	client.AddHook(counting{&asked})
	client.AddHook(holding{held, hold})
	var running sync.WaitGroup
	call := func() {
		running.Go(func() { take(t, limiter, "ann", quota(1000, day), 1) })
	}
	waiting := func() int {
		limiter.mu.Lock()
		defer limiter.mu.Unlock()
		return len(limiter.waiting)
	}
	await := func(many int) {
		for deadline := time.Now().Add(time.Minute); waiting() != many; runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Fatalf("%d are waiting, want %d", waiting(), many)
			}
		}
	}
	call()
	<-held // it is being asked about
	for range most + 50 {
		call()
	}
	await(most + 50)
	close(hold)
	running.Wait()
	if asked != 3 {
		t.Errorf("they were %d round trips", asked)
	}
	if got := take(t, limiter, "ann", quota(1000, day), 1); got.Remaining != 1000-most-50-3 {
		t.Errorf("%+v", got)
	}
}

// holding lets nothing be sent before hold says so, and tells held that there is something.
type holding struct{ held, hold chan struct{} }

func (holding) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (holding) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (h holding) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		h.held <- struct{}{}
		<-h.hold
		return next(ctx, cmds)
	}
}

// counting counts what is sent.
type counting struct{ sent *int }

func (counting) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c counting) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		*c.sent++
		return next(ctx, cmd)
	}
}

func (c counting) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		*c.sent++
		return next(ctx, cmds)
	}
}
