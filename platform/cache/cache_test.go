package cache_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/omnistack/omnistack/platform/cache"
	"github.com/omnistack/omnistack/platform/testkit"
)

func TestOpenRefusesWhatIsNoURLOfRedis(t *testing.T) {
	for _, url := range []string{"", "localhost:6379", "http://user:canary@localhost", "https://x.upstash.io", "redis://:canary@localhost:port/0", "redis://:canary@localhost/zero", "redis://%zz"} {
		client, err := cache.Open(url)
		if err == nil {
			_ = client.Close()
			t.Errorf("%q opens", url)
			continue
		}
		if strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "REDIS_URL") {
			t.Errorf("%q: the error doesn't name the setting, or tells the password: %v", url, err)
		}
	}
}

func TestOpenDoesNotConnect(t *testing.T) {
	client := open(t, "rediss://:secret@no-such-host.invalid:6379/3")
	if options := client.Options(); options.TLSConfig == nil || options.DB != 3 || options.Password != "secret" {
		t.Errorf("the URL was understood as %+v", options)
	}
}

func TestARealRedis(t *testing.T) {
	t.Parallel()
	client := open(t, testkit.Redis(t))
	if err := cache.Check(client)(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := client.Set(t.Context(), "key", "value", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := client.Get(t.Context(), "key").Result(); err != nil || got != "value" {
		t.Errorf("got %q, %v", got, err)
	}
}

// A Redis that accepts connections and never answers, as one that is frozen, costs a request little. The best of five
// counts: the others may have waited for this machine.
func TestAFrozenRedisIsGivenUpSoon(t *testing.T) {
	t.Parallel()
	client := open(t, "redis://"+testkit.Silence(t, "127.0.0.1:0")+"/0")
	for name, command := range map[string]func(ctx context.Context) error{
		"get":   func(ctx context.Context) error { return client.Get(ctx, "key").Err() },
		"set":   func(ctx context.Context) error { return client.Set(ctx, "key", "value", 0).Err() },
		"check": cache.Check(client),
	} {
		best := time.Hour
		for range 5 {
			began := time.Now()
			if command(t.Context()) == nil {
				t.Errorf("%s: a frozen server answers", name)
			}
			best = min(best, time.Since(began))
		}
		if best > 120*time.Millisecond {
			t.Errorf("%s: it took %s to give up", name, best)
		}
	}
}

// Many at once don't queue for the connections of a frozen server until each has had its turn.
func TestManyCommandsGiveUpAtOnce(t *testing.T) {
	t.Parallel()
	client := open(t, "redis://"+testkit.Silence(t, "127.0.0.1:0")+"/0")
	began := time.Now()
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if client.Ping(t.Context()).Err() == nil {
				t.Error("a frozen server answers")
			}
		})
	}
	all.Wait()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("200 commands took %s to give up", took)
	}
}

func TestACallerThatLeavesDoesNotWait(t *testing.T) {
	t.Parallel()
	client := open(t, "redis://"+testkit.Silence(t, "127.0.0.1:0")+"/0")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := client.Get(ctx, "key").Err(); err == nil {
		t.Error("a frozen server answers")
	}
}

func open(t *testing.T, url string) *redis.Client {
	t.Helper()
	client, err := cache.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
