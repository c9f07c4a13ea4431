package jobs

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/riverqueue/river"
	"github.com/robfig/cron/v3"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/telemetry"
)

// settings are what a test may shorten.
type settings struct {
	cooldown time.Duration // the shortest time between two fetches
	poll     time.Duration // the longest
	rescue   time.Duration // after which a job that runs is taken for lost
	soft     time.Duration // how long jobs may go on when the process stops
	patience time.Duration // how long storing progress may hold up the work
	follower bool          // never do what one process does for all of them: cron, rescues, waking who waits
	quick    bool          // don't spread the start of what one process does for all over a second
	backoff  func(attempt int, most time.Duration) time.Duration
	schedule func(text string) (river.PeriodicSchedule, error)
}

// usual returns the settings of the product. Their reasons are in the package's comment.
func usual(engine database.Engine) settings {
	s := settings{
		cooldown: 10 * time.Millisecond,
		poll:     500 * time.Millisecond,
		rescue:   time.Minute,
		soft:     15 * time.Second,
		patience: 2 * time.Second,
		backoff:  backoff,
		schedule: schedule,
	}
	if engine == database.SQLite {
		s.poll = 250 * time.Millisecond
	}
	return s
}

// What a kind has that doesn't say otherwise.
const (
	defaultTimeout  = 30 * time.Second
	defaultAttempts = 25
	defaultBackoff  = time.Hour
)

// queueOf returns how a process works a queue. Deliveries of events are short, and each waits for its commit: there may be
// more of them at once. Other queues are polled half as often: that is only for jobs whose announcement got lost, and an idle
// process spends most of its time on it.
func (s settings) queueOf(name string) river.QueueConfig {
	if name == "events" {
		return river.QueueConfig{MaxWorkers: 20}
	}
	return river.QueueConfig{MaxWorkers: 10, FetchPollInterval: 2 * s.poll}
}

// How long jobs that ended can be looked at.
const (
	keepCompleted = time.Hour
	keepDead      = 30 * 24 * time.Hour
)

// complete returns the kind with its defaults, or what is wrong with it.
func complete(kind module.Job) (module.Job, error) {
	kind.Queue = cmp.Or(kind.Queue, river.QueueDefault)
	kind.Priority = cmp.Or(kind.Priority, river.PriorityDefault)
	kind.Timeout = cmp.Or(kind.Timeout, defaultTimeout)
	kind.Attempts = cmp.Or(kind.Attempts, defaultAttempts)
	kind.Backoff = cmp.Or(kind.Backoff, defaultBackoff)
	switch {
	case kind.Run == nil:
		return kind, errors.New("nothing works it")
	case kind.Priority < 1 || kind.Priority > 4:
		return kind, errors.New("its priority must be 1 to 4")
	case kind.Timeout < 0 || kind.Attempts < 0 || kind.Backoff < 0:
		return kind, errors.New("its timeout, attempts and backoff can't be negative")
	case kind.Cron != "":
		if _, err := schedule(kind.Cron); err != nil {
			return kind, err
		}
	}
	return kind, nil
}

// backoff returns how long to wait after an attempt that failed: its number to the power of four in seconds, as River does
// it (1 s, 16 s, 81 s, about 4 min), with a tenth of chance so that what failed together isn't tried together.
func backoff(attempt int, most time.Duration) time.Duration {
	wait := most
	if attempt < 100 { // or it overflows
		wait = min(most, time.Duration(attempt*attempt*attempt*attempt)*time.Second)
	}
	return wait - wait/20 + rand.N(wait/10+1) //nolint:gosec // it spreads, it keeps no secret
}

// utc is a schedule in UTC, whatever the zone of the machine.
type utc struct{ cron.Schedule }

// Next returns the first time after the given one.
func (u utc) Next(after time.Time) time.Time { return u.Schedule.Next(after.UTC()) }

func schedule(text string) (river.PeriodicSchedule, error) {
	parsed, err := cron.ParseStandard(text)
	if err != nil {
		return nil, fmt.Errorf("its schedule %q: %w", text, err)
	}
	return utc{parsed}, nil
}

// riverLog passes on River's warnings and errors. Its news, a dozen lines at each start, are for debugging.
func riverLog(log *zap.Logger) *slog.Logger {
	if !log.Core().Enabled(zap.DebugLevel) {
		log = log.WithOptions(zap.IncreaseLevel(zap.WarnLevel))
	}
	return telemetry.Slog(log)
}
