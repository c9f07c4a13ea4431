package bus_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/omnistack/omnistack/platform/bus"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
)

// BenchmarkRedisRoad is BenchmarkDelivery over streams.
func BenchmarkRedisRoad(b *testing.B) {
	for engine, half := range map[database.Engine]int{database.Postgres: 500, database.SQLite: 200} {
		for name, pace := range map[string]time.Duration{
			"most": 0, fmt.Sprintf("at %d a second", half): time.Second / time.Duration(half), "idle": 37 * time.Millisecond,
		} {
			b.Run(string(engine)+"/"+name, func(b *testing.B) {
				c := newCourse(b, engine, bus.Options{RedisURL: testkit.Redis(b)})
				var tick <-chan time.Time
				if pace > 0 {
					tick = time.Tick(pace)
				}
				b.ResetTimer()
				c.run(b, b.N, tick)
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
				b.ReportMetric(c.percentile(50), "p50-ms")
				b.ReportMetric(c.percentile(95), "p95-ms")
			})
		}
	}
}

// BenchmarkRedisRoadIdle counts what a consumer that waits asks of Redis.
func BenchmarkRedisRoadIdle(b *testing.B) {
	server := testkit.NewRedisServer(b)
	options, err := redis.ParseURL(server.URL)
	if err != nil {
		b.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	newCourse(b, database.SQLite, bus.Options{RedisURL: server.URL})
	for b.Loop() {
		before := commands(b, client)
		const window = 5 * time.Second
		<-time.After(window)
		b.ReportMetric((commands(b, client)-before-1)/window.Seconds(), "commands/s")
	}
}

// commands returns how many commands the server has processed.
func commands(b *testing.B, client *redis.Client) float64 {
	b.Helper()
	stats, err := client.InfoMap(b.Context(), "stats").Result()
	if err != nil {
		b.Fatal(err)
	}
	var count float64
	if _, err := fmt.Sscan(stats["Stats"]["total_commands_processed"], &count); err != nil {
		b.Fatal(err)
	}
	return count
}
