package ratelimit

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/cache"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/testkit"
)

// BenchmarkTake measures one decision, as the product makes it: in process, and in a local Redis. The aim is a p99 under a
// millisecond.
func BenchmarkTake(b *testing.B) {
	local := NewLocal(clock.System{})
	b.Run("local", func(b *testing.B) { decide(b, local) })
	b.Run("redis", func(b *testing.B) {
		client, err := cache.Open(testkit.Redis(b))
		if err != nil {
			b.Fatal(err)
		}
		defer client.Close()
		decide(b, NewShared(NewRedis(client), local))
	})
}

func decide(b *testing.B, limiter Limiter) {
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprintf("user:%d", i)
	}
	q, ctx := quota(1_000_000, time.Second), b.Context()
	took := make([]time.Duration, 0, b.N)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		decision, err := limiter.Take(ctx, keys[i%len(keys)], q, 1)
		took = append(took, time.Since(began))
		if err != nil || decision.Limit != q.Rate.Requests {
			b.Fatalf("%+v, %v", decision, err)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
