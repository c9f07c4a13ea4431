package jobs_test

import (
	"context"
	"fmt"
	"testing"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

// What a job adds to the transaction that enqueues it: a bare insert of one row, and the same with a job.
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
		for name, enqueue := range map[string]bool{"bare": false, "with a job": true} {
			b.Run(name, func(b *testing.B) {
				storetest.Measure(b, func(round int) error {
					return db.WithinTx(b.Context(), func(ctx context.Context) error {
						id := fmt.Sprintf("%t-%d-%d", enqueue, b.N, round)
						if err := db.Tx(ctx).Exec("INSERT INTO things (id, name) VALUES (?, 'a thing')", id).Error; err != nil || !enqueue {
							return err
						}
						return client.Enqueue(ctx, sweep{id})
					})
				})
			})
		}
	})
}
