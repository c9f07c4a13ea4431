package bus

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

// The arguments of the jobs that keep the ledger in order.
type (
	reconcileArgs struct{}
	pruneArgs     struct{}
)

// Kind returns the name of the kind.
func (reconcileArgs) Kind() string { return "events.reconcile" }

// Kind returns the name of the kind.
func (pruneArgs) Kind() string { return "events.prune" }

// upkeep returns the kinds of jobs that keep the ledger in order.
func (b *Bus) upkeep() []module.Job {
	return []module.Job{
		jobs.Kind(module.Job{
			Summary: "delivers events that got lost on the way to a consumer",
			Cron:    "* * * * *", Attempts: 1,
		}, func(ctx context.Context, _ reconcileArgs) error { return b.reconcile(ctx) }),
		jobs.Kind(module.Job{
			Summary: "removes events that happened more than 30 days ago",
			Cron:    "40 3 * * *", Timeout: 5 * time.Minute,
		}, func(ctx context.Context, _ pruneArgs) error { return b.prune(ctx) }),
	}
}

const (
	// patience is how long an event may be on its way before it is taken for lost.
	patience = 30 * time.Second
	// rollout is how long processes that don't know a new consumer may go on publishing beside those that do.
	rollout = time.Hour
	// slack is how long after its id was made an event may still appear, when its transaction takes long.
	slack = 10 * time.Minute
	// batch is how many rows go in one transaction: on SQLite everybody waits for it.
	batch = 500
	// retention is how long events are kept.
	retention = 30 * 24 * time.Hour
)

// reconcile delivers by jobs what consumers should have and haven't: everything that a stream has lost, and what processes
// published that didn't know a new consumer yet.
func (b *Bus) reconcile(ctx context.Context) error {
	rows, err := database.All(b.db.Read(ctx).Raw("SELECT name, since, checked FROM events_consumers"), scanConsumer)
	if err != nil {
		return err
	}
	for _, row := range rows {
		c := b.consumers[string(row.Name)]
		if c == nil {
			continue // it is another version's
		}
		if err := b.reconcileConsumer(ctx, c, row); err != nil {
			return err
		}
	}
	return nil
}

func scanConsumer(row database.Row) (consumerRow, error) {
	var found consumerRow
	err := row.Scan(&found.Name, &found.Since, &found.Checked)
	return found, err
}

// reconcileConsumer goes through the events behind the last place up to which all were settled.
func (b *Bus) reconcileConsumer(ctx context.Context, c *consumer, row consumerRow) error {
	now := b.clock.Now()
	until := now.Add(-patience)
	if last := row.Since.Add(rollout); b.road.durable() && last.Before(until) {
		until = last
	}
	after, settled := string(row.Checked), firstID(min(until.UnixMilli(), now.Add(-slack).UnixMilli()))
	for first := true; ; first = false {
		missing, err := b.ledger.missing(ctx, c.Consumer, after, firstID(until.UnixMilli()), batch)
		if err != nil {
			return err
		}
		if first && len(missing) > 0 {
			settled = min(settled, missing[0])
		}
		if err := b.redeliver(ctx, c.Name, missing); err != nil || len(missing) < batch {
			if err == nil && settled > string(row.Checked) {
				err = b.ledger.check(ctx, c.Name, settled)
			}
			return err
		}
		after = missing[batch-1]
	}
}

// redeliver enqueues jobs that deliver the events to the consumer, unless such jobs wait already.
func (b *Bus) redeliver(ctx context.Context, consumer string, eventIDs []string) error {
	requests := make([]jobs.Request, len(eventIDs))
	for i, eventID := range eventIDs {
		requests[i] = jobs.Request{Args: delivery{consumer, eventID}, Options: []jobs.Option{jobs.Unique(eventID)}}
	}
	return b.db.WithinTx(ctx, func(ctx context.Context) error { return b.jobs.EnqueueMany(ctx, requests...) })
}

// missing returns the ids of at most limit events between two ids, the first the first, with which the consumer isn't done.
func (l ledger) missing(ctx context.Context, consumer events.Consumer, after, before string, limit int) ([]string, error) {
	return database.All(l.db.Read(ctx).Raw("SELECT id FROM events_outbox WHERE name = ? AND id >= ? AND id < ? AND NOT EXISTS ("+
		"SELECT 1 FROM events_inbox WHERE event_id = id AND consumer = ?) ORDER BY id LIMIT ?",
		consumer.Event, after, before, consumer.Name, limit), database.Scalar[string])
}

// check notes the place up to which the consumer is done with everything.
func (l ledger) check(ctx context.Context, consumer, checked string) error {
	return l.db.WithinTx(ctx, func(ctx context.Context) error {
		return database.Classify(l.db.Tx(ctx).Exec("UPDATE events_consumers SET checked = ? WHERE name = ? AND checked < ?",
			checked, consumer, checked).Error)
	})
}

// prune removes what is older than the retention, in small pieces.
func (b *Bus) prune(ctx context.Context) error {
	before := firstID(b.clock.Now().Add(-retention).UnixMilli())
	for _, statement := range []string{
		"DELETE FROM events_inbox WHERE event_id IN (SELECT event_id FROM events_inbox WHERE event_id < ? ORDER BY event_id LIMIT ?)",
		"DELETE FROM events_outbox WHERE id IN (SELECT id FROM events_outbox WHERE id < ? ORDER BY id LIMIT ?)",
	} {
		for removed := int64(batch); removed >= batch; {
			err := b.db.WithinTx(ctx, func(ctx context.Context) error {
				done := b.db.Tx(ctx).Exec(statement, before, batch)
				removed = done.RowsAffected
				return database.Classify(done.Error)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
