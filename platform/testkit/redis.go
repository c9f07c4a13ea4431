package testkit

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis returns the URL of an empty Redis database that is this test's alone until it ends, also among other test
// processes. Only the channels of PUBLISH are common to all databases of a server. A quick run skips the test.
func Redis(t testing.TB) string {
	t.Helper()
	NeedServers(t)
	server, err := sharedRedis()
	if err != nil {
		t.Fatal(err)
	}
	target, giveBack, err := server.borrow(t.Context())
	if err != nil {
		t.Fatalf("borrowing a Redis database: %v", err)
	}
	t.Cleanup(func() {
		if err := giveBack(); err != nil {
			t.Errorf("giving a Redis database back: %v", err)
		}
	})
	return target
}

// lease is how long a test process that was killed keeps its databases from others.
const lease = 30 * time.Minute

// lender lends the numbered databases of a Redis server. Database 0 says which are lent.
type lender struct {
	url       *url.URL
	ledger    *redis.Client
	databases int
}

// sharedRedis starts the server, or finds the one that TEST_REDIS_URL names. It ends with the process.
var sharedRedis = sync.OnceValues(func() (*lender, error) {
	target, _, err := StartRedis(context.Background())
	if err != nil {
		return nil, err
	}
	l := &lender{}
	if l.url, err = url.Parse(target); err != nil {
		return nil, fmt.Errorf("TEST_REDIS_URL: %w", err)
	}
	if l.ledger, err = l.client(0); err != nil {
		return nil, fmt.Errorf("TEST_REDIS_URL: %w", err)
	}
	l.databases = 16 // hosted servers keep their configuration to themselves
	if conf, err := l.ledger.ConfigGet(context.Background(), "databases").Result(); err == nil {
		if l.databases, err = strconv.Atoi(conf["databases"]); err != nil {
			return nil, err
		}
	}
	return l, nil
})

// borrow returns the URL of an empty database. While all of them are lent it waits, for a minute at most.
func (l *lender) borrow(ctx context.Context) (target string, giveBack func() error, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		for number := 1; number < l.databases; number++ {
			entry := fmt.Sprintf("omnistack:testkit:lent:%d", number)
			free, err := l.ledger.SetNX(ctx, entry, os.Getpid(), lease).Result()
			if err != nil {
				return "", nil, err
			}
			if !free {
				continue
			}
			giveBack := func() error {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				if err := l.empty(ctx, number); err != nil {
					return err
				}
				return l.ledger.Del(ctx, entry).Err()
			}
			// A process that was killed left its keys.
			return l.target(number), giveBack, l.empty(ctx, number)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return "", nil, fmt.Errorf("all %d are lent to running tests: %w", l.databases-1, ctx.Err())
		}
	}
}

func (l *lender) empty(ctx context.Context, number int) error {
	client, err := l.client(number)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.FlushDB(ctx).Err()
}

func (l *lender) client(number int) (*redis.Client, error) {
	options, err := redis.ParseURL(l.target(number))
	if err != nil {
		return nil, err
	}
	return redis.NewClient(options), nil
}

func (l *lender) target(number int) string {
	u := *l.url
	u.Path = "/" + strconv.Itoa(number)
	return u.String()
}

// RedisContents returns what a Redis database holds: each key with its value, of whatever kind, as text.
func RedisContents(t testing.TB, target string) map[string]string {
	t.Helper()
	options, err := redis.ParseURL(target)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }() // it was only read
	names, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]string{}
	for _, name := range names {
		kind, err := client.Type(t.Context(), name).Result()
		if err != nil {
			t.Fatal(err)
		}
		read, known := map[string][]any{
			"string": {"GET", name}, "hash": {"HGETALL", name}, "list": {"LRANGE", name, 0, -1}, "set": {"SMEMBERS", name},
			"zset": {"ZRANGE", name, 0, -1, "WITHSCORES"}, "stream": {"XRANGE", name, "-", "+"}, "none": {"EXISTS", name}, // it has expired
		}[kind]
		if !known {
			t.Fatalf("%s is a %s, which isn't read here", name, kind)
		}
		value, err := client.Do(t.Context(), read...).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			t.Fatal(err)
		}
		held[name] = fmt.Sprint(value)
	}
	return held
}
