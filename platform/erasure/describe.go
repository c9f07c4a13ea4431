package erasure

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

const (
	// retention is how long receipts are kept: within three years, the usual limitation of claims, somebody may ask for one.
	retention = 3 * 365 * 24 * time.Hour
	// batch is how many rows go in one transaction: on SQLite everybody waits for it.
	batch = 500
)

// Describe returns what this package keeps in the database, and the job that keeps it in order.
func (e *Erasure) Describe() module.Descriptor {
	return module.Descriptor{
		Name:    "erasure",
		Summary: "What was erased of users who are gone.",
		Models:  []any{&receiptRow{}},
		Tables: []module.Table{{
			Name: "erasure_receipts", Summary: "what a module erased of a person, who is a hash here, and when; for three years",
		}},
		Jobs: []module.Job{jobs.Kind(module.Job{
			Summary: "removes receipts that are more than three years old", Cron: "35 3 * * *", Timeout: 5 * time.Minute,
		}, func(ctx context.Context, _ pruneArgs) error { return e.prune(ctx) })},
	}
}

type pruneArgs struct{}

// Kind returns the name of the kind.
func (pruneArgs) Kind() string { return "erasure.prune" }

// prune removes what is older than the retention, in small pieces.
func (e *Erasure) prune(ctx context.Context) error {
	before := e.clock.Now().Add(-retention)
	for removed := int64(batch); removed >= batch; {
		err := e.db.WithinTx(ctx, func(ctx context.Context) error {
			done := e.db.Tx(ctx).Exec("DELETE FROM erasure_receipts WHERE id IN "+
				"(SELECT id FROM erasure_receipts WHERE erased_at < ? ORDER BY erased_at LIMIT ?)", before, batch)
			removed = done.RowsAffected
			return database.Classify(done.Error)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
