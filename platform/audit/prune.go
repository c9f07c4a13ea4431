package audit

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

const (
	// retention is how long acts are kept: a year, and time to look back on it. The triggers in the migrations let nothing go
	// that is younger than a day less: the database has another clock.
	retention = 400 * 24 * time.Hour
	// batch is how many rows go in one transaction: on SQLite everybody waits for it.
	batch = 500
)

type pruneArgs struct{}

// Kind returns the name of the kind.
func (pruneArgs) Kind() string { return "audit.prune" }

// Jobs returns the kinds of jobs that keep the log in order.
func (l *Log) Jobs() []module.Job {
	return []module.Job{jobs.Kind(module.Job{
		Summary: "removes acts that are more than 400 days old",
		Cron:    "50 3 * * *", Timeout: 5 * time.Minute,
	}, func(ctx context.Context, _ pruneArgs) error { return l.prune(ctx) })}
}

// prune removes what is older than the retention, in small pieces.
func (l *Log) prune(ctx context.Context) error {
	before := l.clock.Now().Add(-retention)
	for removed := int64(batch); removed >= batch; {
		err := l.db.WithinTx(ctx, func(ctx context.Context) error {
			done := l.db.Tx(ctx).Exec("DELETE FROM audit_log WHERE id IN "+
				"(SELECT id FROM audit_log WHERE created_at < ? ORDER BY created_at LIMIT ?)", before, batch)
			removed = done.RowsAffected
			return database.Classify(done.Error)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
