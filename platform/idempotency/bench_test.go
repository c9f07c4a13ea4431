package idempotency_test

import (
	"context"
	"testing"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/idempotency"
)

// BenchmarkTake measures what a transaction costs that does nothing, and one that takes a new key and keeps an answer.
func BenchmarkTake(b *testing.B) {
	storetest.EachEngine(b, func(b *testing.B, db *database.DB) {
		keys := idempotency.New(db, clock.System{}, ttl)
		run := func(name string, fn func(ctx context.Context) error) {
			b.Run(name, func(b *testing.B) {
				storetest.Measure(b, func(int) error { return db.WithinTx(b.Context(), fn) })
			})
		}
		run("nothing", func(context.Context) error { return nil })
		take := func(ctx context.Context) error {
			c := call(id.New(), "a")
			if _, err := keys.Take(ctx, c); err != nil {
				return err
			}
			return keys.Keep(ctx, c, httpserver.Answer{Status: 201, Headers: created.Headers, Body: created.Body})
		}
		run("key", take)
		if db.Engine() == database.Postgres {
			run("key, the wait bounded by statements around it", func(ctx context.Context) error {
				if err := db.Tx(ctx).Exec("SET LOCAL lock_timeout = '2s'").Error; err != nil {
					return err
				}
				if err := take(ctx); err != nil {
					return err
				}
				return db.Tx(ctx).Exec("SET LOCAL lock_timeout = DEFAULT").Error
			})
		}
	})
}
