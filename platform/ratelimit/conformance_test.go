package ratelimit

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/testkit"
)

// subject is a limiter whose time a test can let pass.
type subject struct {
	Limiter
	pass func(t *testing.T, d time.Duration)
}

// subjects are all the limiters that count themselves.
var subjects = map[string]func(t *testing.T) subject{
	"local": func(*testing.T) subject {
		now := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC))
		return subject{NewLocal(now), func(_ *testing.T, d time.Duration) { now.Advance(d) }}
	},
	"redis": func(t *testing.T) subject {
		client := open(t, testkit.Redis(t))
		return subject{NewRedis(client), func(t *testing.T, d time.Duration) { age(t, client, d) }}
	},
}

// open returns a client that waits: a busy machine can make any call late, and that isn't what is tested here.
func open(t testing.TB, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout, options.PoolTimeout = time.Minute, time.Minute, time.Minute, time.Minute
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// age makes the server's keys as old as if the time had passed. Its clock can't be set.
func age(t *testing.T, client *redis.Client, d time.Duration) {
	t.Helper()
	ctx := t.Context()
	names, err := client.Keys(ctx, "ratelimit:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		arrival, err := client.Get(ctx, name).Int64()
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Set(ctx, name, arrival-d.Microseconds(), redis.KeepTTL).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// each runs the test on every limiter. Quotas are slow ones, so that the time the test itself takes gives nothing back.
func each(t *testing.T, test func(t *testing.T, s subject)) {
	for name, start := range subjects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t))
		})
	}
}

func quota(requests int, per time.Duration) Quota {
	return Quota{Name: "test", Rate: config.Rate{Requests: requests, Per: per}}
}

const day = 24 * time.Hour

func take(t *testing.T, l Limiter, key string, q Quota, cost int) Decision {
	t.Helper()
	decision, err := l.Take(t.Context(), key, q, cost)
	if err != nil {
		t.Fatal(err)
	}
	return decision
}

// about allows for what passes while a test on real servers runs.
func about(got, want time.Duration) bool { return got <= want && got > want-5*time.Minute }

func TestTheWholeQuotaPassesAtOnceAndThenOneByOne(t *testing.T) {
	each(t, func(t *testing.T, s subject) {
		q := quota(24, day) // one an hour
		for i := range 24 {
			got := take(t, s, "ann", q, 1)
			if !got.Allowed || got.Limit != 24 || got.Remaining != 23-i || !about(got.Reset, time.Duration(i+1)*time.Hour) || got.RetryAfter != 0 {
				t.Fatalf("call %d: %+v", i, got)
			}
		}
		for range 3 { // what is refused costs nothing
			got := take(t, s, "ann", q, 1)
			if got.Allowed || got.Limit != 24 || got.Remaining != 0 || !about(got.Reset, day) || !about(got.RetryAfter, time.Hour) {
				t.Fatalf("one over: %+v", got)
			}
		}
		for range 3 {
			s.pass(t, time.Hour)
			if got := take(t, s, "ann", q, 1); !got.Allowed || got.Remaining != 0 {
				t.Fatalf("an hour later: %+v", got)
			}
			if got := take(t, s, "ann", q, 1); got.Allowed {
				t.Fatalf("two in the hour: %+v", got)
			}
		}
		s.pass(t, 2*day)
		if got := take(t, s, "ann", q, 1); !got.Allowed || got.Remaining != 23 {
			t.Fatalf("two days later: %+v", got)
		}
	})
}

// One that calls a little slower than the rate is never refused, however long it goes on; one that calls a little faster
// loses what is too much and nothing else.
func TestASteadyClient(t *testing.T) {
	each(t, func(t *testing.T, s subject) {
		const calls = 400
		q := quota(24, day)
		refused := map[string]int{}
		for _, client := range []struct {
			key   string
			every time.Duration
		}{{"under", time.Hour + time.Second}, {"over", time.Hour - 6*time.Minute}} {
			for range calls {
				if !take(t, s, client.key, q, 1).Allowed {
					refused[client.key]++
				}
				s.pass(t, client.every)
			}
		}
		// Of 400 calls in 360 hours, 360 and the burst pass: 40 were too many, of which the burst bears 24.
		if refused["under"] > 0 || refused["over"] < 15 || refused["over"] > 17 {
			t.Errorf("refused: %v", refused)
		}
	})
}

func TestExactlyTheQuotaPassesOfManyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s subject) {
		const calls = 2000
		for _, q := range []Quota{quota(60, day), quota(60, time.Minute)} {
			var passed atomic.Int64
			var running sync.WaitGroup
			ready, began := make(chan struct{}), time.Now()
			for range calls {
				running.Go(func() {
					<-ready
					if take(t, s, q.Rate.String(), q, 1).Allowed {
						passed.Add(1)
					}
				})
			}
			close(ready)
			running.Wait()
			gaveBack := int64(time.Since(began) * 60 / q.Rate.Per) // on a busy machine
			if got := passed.Load(); got < 60 || got > 60+gaveBack {
				t.Errorf("%s: %d of %d passed, want 60 and at most %d that came back", q.Rate, got, calls, gaveBack)
			}
		}
	})
}

func TestCosts(t *testing.T) {
	each(t, func(t *testing.T, s subject) {
		q := quota(24, day)
		if got := take(t, s, "ann", q, 20); !got.Allowed || got.Remaining != 4 {
			t.Fatalf("20 of 24: %+v", got)
		}
		if got := take(t, s, "ann", q, 10); got.Allowed || got.Remaining != 4 || !about(got.RetryAfter, 6*time.Hour) {
			t.Fatalf("10 of 4: %+v", got)
		}
		if got := take(t, s, "ann", q, 4); !got.Allowed || got.Remaining != 0 {
			t.Fatalf("4 of 4: %+v", got)
		}
		// What costs more than there ever is takes all of it.
		if got := take(t, s, "bob", q, 1000); !got.Allowed || got.Remaining != 0 {
			t.Fatalf("1000 of 24: %+v", got)
		}
		if got := take(t, s, "bob", q, 1000); got.Allowed || !about(got.RetryAfter, day) {
			t.Fatalf("1000 of none: %+v", got)
		}
		// Nothing is free.
		if got := take(t, s, "cat", q, 0); !got.Allowed || got.Remaining != 23 {
			t.Fatalf("0 of 24: %+v", got)
		}
		if got := take(t, s, "cat", q, -5); !got.Allowed || got.Remaining != 22 {
			t.Fatalf("-5 of 23: %+v", got)
		}
	})
}

func TestKeysAndNamesDoNotMeet(t *testing.T) {
	each(t, func(t *testing.T, s subject) {
		one := quota(1, day)
		other := one
		other.Name = "other"
		long := fmt.Sprintf("%01000d", 7)
		for _, key := range []string{"", "ann", "ann\x00", "testann", "a:b", "\xff\r\n*1", long, long + "8"} {
			for _, q := range []Quota{one, other} {
				if got := take(t, s, key, q, 1); !got.Allowed {
					t.Errorf("%.20q by %s was used up by another", key, q.Name)
				}
				if got := take(t, s, key, q, 1); got.Allowed {
					t.Errorf("%.20q by %s isn't remembered", key, q.Name)
				}
			}
		}
	})
}

// Where a setting was changed, the count of the old quota can't lock anybody out for longer than the new one can.
func TestAnotherRateTakesOver(t *testing.T) {
	each(t, func(t *testing.T, s subject) {
		take(t, s, "ann", quota(24, day), 24)
		if got := take(t, s, "ann", quota(60, time.Hour), 1); got.Allowed || got.RetryAfter > time.Minute || got.Reset > time.Hour || got.Remaining != 0 {
			t.Errorf("used up by the day: %+v", got)
		}
		if got := take(t, s, "ann", quota(1000, 100*day), 1); !got.Allowed || got.Remaining < 980 {
			t.Errorf("by another rate: %+v", got)
		}
	})
}

// Every rate that a setting can name lets its number pass, at once.
func TestEveryRateLetsItsNumberPass(t *testing.T) {
	each(t, func(t *testing.T, s subject) {
		for _, requests := range []int{1, 7, 60, 999, 300_000, 1_000_000} {
			for _, per := range []time.Duration{time.Second, time.Minute, time.Hour, day} {
				q := quota(requests, per)
				p := q.pace()
				if p.interval < 1 || p.burst != p.interval*int64(requests) || p.burst > max(per.Microseconds(), int64(requests)) {
					t.Errorf("%s: %+v", q.Rate, p)
				}
				if got := take(t, s, q.Rate.String(), q, requests); !got.Allowed || got.Limit != requests || got.Remaining != 0 {
					t.Errorf("%s: %+v", q.Rate, got)
				}
			}
		}
	})
}

// Two processes that share a Redis let one quota pass together, exactly.
func TestTwoProcessesShareAQuota(t *testing.T) {
	t.Parallel()
	url, q := testkit.Redis(t), quota(60, day)
	limiters := []Limiter{NewRedis(open(t, url)), NewRedis(open(t, url))}
	var passed atomic.Int64
	var running sync.WaitGroup
	ready := make(chan struct{})
	for number := range 2000 {
		running.Go(func() {
			<-ready
			if take(t, limiters[number%2], "ann", q, 1).Allowed {
				passed.Add(1)
			}
		})
	}
	close(ready)
	running.Wait()
	if got := passed.Load(); got != 60 {
		t.Errorf("%d of 2000 passed", got)
	}
}
