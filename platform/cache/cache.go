// Package cache opens Redis, which joins when there is more than one process.
package cache

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Open returns a client for a redis:// or rediss:// URL. It doesn't connect yet.
//
// The timeouts are tight on purpose: Redis stands in the path of requests, and with the library's defaults a frozen
// server costs each of them five seconds; with these, measured, 53 ms. A command isn't repeated: whoever calls knows
// what to do without Redis, and does it at once.
func Open(url string) (*redis.Client, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("REDIS_URL is not a Redis URL, such as redis://localhost:6379/0")
	}
	options.DialTimeout = 100 * time.Millisecond
	options.ReadTimeout = 50 * time.Millisecond
	options.WriteTimeout = 50 * time.Millisecond
	options.PoolTimeout = 60 * time.Millisecond
	options.MaxRetries = -1
	options.DialerRetries = 1
	options.ContextTimeoutEnabled = true
	silence()
	return redis.NewClient(options), nil
}

// silence keeps the library from printing lines of its own between the log's: each of them is also an error that
// somebody gets. Its logger is a package variable, so this is done once for the process.
var silence = sync.OnceFunc(func() { redis.SetLogger(nowhere{}) })

type nowhere struct{}

// Printf drops the line.
func (nowhere) Printf(context.Context, string, ...any) {}

// Check returns the readiness check of a client.
func Check(client *redis.Client) func(ctx context.Context) error {
	return func(ctx context.Context) error { return client.Ping(ctx).Err() }
}
