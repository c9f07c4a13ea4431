package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/module"
)

// catchUp is for how long a time that a schedule names is made up for, when nobody worked at that time. It is less than
// keepCompleted: as long as a job is kept, no other one is enqueued for the same time.
const catchUp = 30 * time.Minute

// early is how much too early River may ask for a job: it asks when there is less than 100 ms left.
const early = 200 * time.Millisecond

// periodicJobs returns the kinds that have a schedule, as the process that leads enqueues them.
func (c *Client) periodicJobs(ctx context.Context) ([]*river.PeriodicJob, error) {
	var all []*river.PeriodicJob
	for _, kind := range c.kinds {
		if kind.Cron == "" || c.settings.follower {
			continue
		}
		schedule, err := c.settings.schedule(kind.Cron)
		if err != nil {
			return nil, err
		}
		since, err := c.workedSince(ctx, kind.Queue)
		if err != nil {
			return nil, err
		}
		// It is asked when this process begins to lead, too: for what was missed while nobody did.
		all = append(all, river.NewPeriodicJob(schedule, periodic(kind, schedule, since), &river.PeriodicJobOpts{RunOnStart: true}))
	}
	return all, nil
}

// workedSince returns the time since when some process works the queue, with interruptions shorter than a day, after which
// River forgets it. It is now for a queue that nobody has worked: a new database has missed nothing.
func (c *Client) workedSince(ctx context.Context, queue string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	since, err := database.All(c.db.Read(ctx).Raw("SELECT created_at FROM river_queue WHERE name = ?", queue), database.Scalar[time.Time])
	if err != nil || len(since) == 0 {
		return time.Now(), err
	}
	return since[0], nil
}

// periodic returns what enqueues the kind for the last time that its schedule names. For one time it is enqueued once: whoever
// leads, and whatever became of the job.
func periodic(kind module.Job, schedule river.PeriodicSchedule, since time.Time) river.PeriodicJobConstructor {
	return func() (river.JobArgs, *river.InsertOpts) {
		now := time.Now()
		tick := lastTick(schedule, now.Add(-catchUp), now.Add(early))
		if !tick.After(since) {
			return nil, nil // there is nothing to make up for
		}
		options := defaults(kind)
		options.UniqueOpts = river.UniqueOpts{ByQueue: true, ByState: rivertype.JobStates()} // the key is set by setUnique
		return payload{kind: kind.Kind, unique: "cron " + tick.UTC().Format(time.RFC3339Nano), text: []byte("{}")}, &options
	}
}

// lastTick returns the last time that the schedule names after the first and not after the last, or the zero time.
func lastTick(schedule river.PeriodicSchedule, after, until time.Time) (tick time.Time) {
	for next := schedule.Next(after); !next.IsZero() && !next.After(until); next = schedule.Next(next) {
		tick = next
	}
	return tick
}
