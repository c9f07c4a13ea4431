package jobs_test

import (
	"context"
	"testing"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

// BenchmarkEnqueue is what a job adds to the smallest transaction that there can be: one row of two columns. What it adds to
// one of the product's is measured in the store of modules/projects.
func BenchmarkEnqueue(b *testing.B) {
	storetest.EachEngine(b, func(b *testing.B, db *database.DB) {
		if _, err := db.SQL().Exec("CREATE TABLE things (id text NOT NULL PRIMARY KEY, name text NOT NULL)"); err != nil {
			b.Fatal(err)
		}
		client, err := jobs.New(db, zap.NewNop())
		if err != nil {
			b.Fatal(err)
		}
		if err := client.Register([]module.Job{jobs.Kind(module.Job{}, func(context.Context, sweep) error { return nil })}); err != nil {
			b.Fatal(err)
		}
		write := func(ctx context.Context) error {
			return db.Tx(ctx).Exec("INSERT INTO things (id, name) VALUES (?, 'a thing')", id.New()).Error
		}
		b.Run("tiny", func(b *testing.B) {
			storetest.Compare(b, func(int) error { return db.WithinTx(b.Context(), write) }, func(int) error {
				return db.WithinTx(b.Context(), func(ctx context.Context) error {
					if err := write(ctx); err != nil {
						return err
					}
					return client.Enqueue(ctx, sweep{"a thing"})
				})
			})
		})
	})
}
