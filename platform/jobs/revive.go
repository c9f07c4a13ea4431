package jobs

import (
	"context"
	"maps"
	"slices"

	"github.com/riverqueue/river/rivertype"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/module"
)

// revive has no arguments: it is for all jobs.
type revive struct{}

// Kind returns the name of the kind.
func (revive) Kind() string { return "jobs.revive" }

// Upkeep returns the kinds of jobs that keep the others in order.
func (c *Client) Upkeep() []module.Job {
	return []module.Job{Kind(module.Job{
		Summary: "brings back jobs that a process of another version gave up", Cron: "* * * * *", Attempts: 1,
	}, func(ctx context.Context, _ revive) error { return c.revive(ctx) })}
}

// revive brings back jobs that were discarded before their attempts were used up. While two versions run side by side, the
// one that leads discards jobs of kinds it doesn't know when their process died; nothing else discards early.
func (c *Client) revive(ctx context.Context) error {
	const most = 100 // the others have their turn in a minute
	kinds := slices.Sorted(maps.Keys(c.kinds))
	return c.db.WithinTx(ctx, func(ctx context.Context) error {
		tx, err := c.db.SQLTx(ctx)
		if err != nil {
			return err
		}
		found, err := database.All(c.db.Tx(ctx).Raw("SELECT id FROM river_job WHERE state = ? AND attempt < max_attempts AND kind IN ? ORDER BY id LIMIT ?",
			string(rivertype.JobStateDiscarded), kinds, most), database.Scalar[int64])
		if err != nil {
			return err
		}
		for _, number := range found {
			if _, err := c.inserter.JobRetryTx(ctx, tx, number); err != nil {
				return database.Classify(err)
			}
		}
		return nil
	})
}
