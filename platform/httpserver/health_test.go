package httpserver

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

func TestLiveness(t *testing.T) {
	f := start(t, nil, func(o *Options) {
		o.Checks = []Check{{Name: "database", Run: func(context.Context) error { return errors.New("down") }}}
	})
	for _, path := range []string{"/health", "/api/v1/public/health"} {
		f.anyone.Do(t, "GET", path).Want(200).WantJSON("", map[string]any{"status": "ok", "version": "v1"})
	}
}

func TestReadiness(t *testing.T) {
	down := errors.New("dial tcp 10.0.0.1:5432: " + sent)
	f := start(t, nil, func(o *Options) {
		o.Checks = []Check{
			{Name: "database", Run: func(context.Context) error { return down }},
			{Name: "redis", Run: func(context.Context) error { return nil }},
		}
	})
	for _, path := range []string{"/health/ready", "/api/v1/public/health/ready"} {
		f.logs.TakeAll()
		answer := f.anyone.Do(t, "GET", path).Want(503).WantHeader("Content-Type", "application/json")
		answer.WantJSON("", map[string]any{"status": "failing", "checks": map[string]any{"database": "failing", "redis": "ok"}})
		wantClean(t, answer.Body, sent, "10.0.0.1")
		lines := f.logs.FilterMessage("not ready").All()
		if len(lines) != 1 || lines[0].Level != zap.WarnLevel || lines[0].ContextMap()["check"] != "database" || lines[0].ContextMap()["error"] != down.Error() {
			t.Errorf("logged as %v", lines)
		}
	}

	f = start(t, nil, func(o *Options) {
		o.Checks = []Check{{Name: "redis", Run: func(context.Context) error { return down }, Optional: true}}
	})
	f.anyone.Do(t, "GET", "/health/ready").Want(200).WantJSON("", map[string]any{"status": "ok", "checks": map[string]any{"redis": "failing"}})

	f = start(t, nil)
	f.anyone.Do(t, "GET", "/health/ready").Want(200).WantJSON("", map[string]any{"status": "ok", "checks": map[string]any{}})
}

// The checks run side by side, and one that hangs is failing after two seconds.
func TestAHangingCheckIsFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hanging := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		f := newFixture(t, nil, func(o *Options) {
			o.Checks = []Check{{Name: "one", Run: hanging}, {Name: "two", Run: hanging}, {Name: "three", Run: func(context.Context) error { return nil }}}
		})
		out := f.server.readiness()
		if out.Status != 503 || out.Body.Checks["one"] != "failing" || out.Body.Checks["two"] != "failing" || out.Body.Checks["three"] != "ok" {
			t.Errorf("got %d and %v", out.Status, out.Body.Checks)
		}
	})
}

// However many ask, there is one look at a time, and who comes while it goes on has its answer.
func TestManyAskForReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		slow := func(context.Context) error {
			looks++
			time.Sleep(time.Second)
			return nil
		}
		f := newFixture(t, nil, func(o *Options) { o.Checks = []Check{{Name: "slow", Run: slow}} })
		for want := range 3 {
			var asking sync.WaitGroup
			for range 100 {
				asking.Go(func() {
					if out := f.server.readiness(); out.Status != 200 || out.Body.Checks["slow"] != "ok" {
						t.Errorf("got %d and %v", out.Status, out.Body.Checks)
					}
				})
			}
			asking.Wait()
			if looks != want+1 {
				t.Errorf("a hundred who ask at once are %d looks", looks-want)
			}
		}
	})
}
