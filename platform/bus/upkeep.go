package bus

import (
	"context"
	"errors"
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
	// slack is how long after its id was made an event may still appear, when its transaction takes long.
	slack = 10 * time.Minute
	// batch is how many rows go in one transaction: on SQLite everybody waits for it.
	batch = 500
	// batches bounds what is delivered anew to one consumer at a time.
	batches = 10
	// retention is how long events are kept.
	retention = 30 * 24 * time.Hour
)

// reconcile delivers by jobs what consumers should have and haven't: what a stream has lost, what processes published that
// didn't know a consumer yet, what was under way on another road, and what was given up without a word, as when the process
// of the last attempt was killed.
func (b *Bus) reconcile(ctx context.Context) error {
	rows, err := database.All(b.db.Read(ctx).Raw("SELECT name, since, checked FROM events_consumers ORDER BY name"), scanConsumer)
	if err != nil {
		return err
	}
	var failed []error
	for _, row := range rows {
		if c := b.consumers[string(row.Name)]; c != nil { // or it is another version's
			failed = append(failed, b.reconcileConsumer(ctx, c, row))
		}
	}
	return errors.Join(failed...)
}

func scanConsumer(row database.Row) (consumerRow, error) {
	var found consumerRow
	err := row.Scan(&found.Name, &found.Since, &found.Checked)
	return found, err
}

// reconcileConsumer goes through the events behind the last place up to which all were settled. An event that is late but on
// its way gets a second job, which finds it handled.
func (b *Bus) reconcileConsumer(ctx context.Context, c *consumer, row consumerRow) error {
	now := b.clock.Now()
	until := firstID(now.Add(-b.road.patience()).UnixMilli())
	from, settled := string(row.Checked), min(until, firstID(now.Add(-slack).UnixMilli()))
	for round := range batches {
		missing, err := b.ledger.missing(ctx, c.Consumer, from, until, batch)
		if err != nil {
			return err
		}
		if round == 0 && len(missing) > 0 {
			settled = min(settled, missing[0])
		}
		if err := b.redeliver(ctx, c.Name, missing); err != nil {
			return err
		}
		if len(missing) < batch {
			break
		}
		from = missing[batch-1] // which comes again, as the first
	}
	if settled <= string(row.Checked) {
		return nil
	}
	return b.ledger.check(ctx, c.Name, settled)
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

// prune removes what is older than the retention, in small pieces: events before what was made of them, or one could seem to
// wait. With them go jobs that were to deliver and that nobody here works.
func (b *Bus) prune(ctx context.Context) error {
	at := b.clock.Now().Add(-retention)
	before := firstID(at.UnixMilli())
	for _, piece := range []struct {
		statement string
		before    any
	}{
		{"DELETE FROM events_outbox WHERE id IN (SELECT id FROM events_outbox WHERE id < ? ORDER BY id LIMIT ?)", before},
		{"DELETE FROM events_inbox WHERE event_id IN (SELECT event_id FROM events_inbox WHERE event_id < ? ORDER BY event_id LIMIT ?)", before},
		{"DELETE FROM river_job WHERE id IN (SELECT id FROM river_job WHERE queue = '" + queue + "' AND created_at < ? AND " +
			"state IN ('available', 'pending', 'retryable', 'scheduled') LIMIT ?)", at},
	} {
		for removed := int64(batch); removed >= batch; {
			err := b.db.WithinTx(ctx, func(ctx context.Context) error {
				done := b.db.Tx(ctx).Exec(piece.statement, piece.before, batch)
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
