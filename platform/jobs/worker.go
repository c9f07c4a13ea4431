package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/rivertype"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/telemetry"
)

// worker is what a client has once it is started.
type worker struct {
	river   *river.Client[*sql.Tx]
	release func()
}

// Start works the registered kinds until Stop, in as many goroutines as they need. It goes on when ctx ends.
func (c *Client) Start(ctx context.Context) error {
	if len(c.kinds) == 0 {
		return errors.New("jobs: no module has a kind of jobs")
	}
	ctx = context.WithoutCancel(ctx) // who is stopped while he starts stops in order
	conf := c.config()
	var err error
	if conf.PeriodicJobs, err = c.periodicJobs(ctx); err != nil {
		return err
	}
	driver, release := c.driver(), func() {}
	listen, err := c.db.ListenPool(ctx)
	if err != nil {
		return err
	}
	if listen != nil {
		driver, release = riverdatabasesql.NewWithPgxListener(c.db.SQL(), listen), listen.Close
	}
	client, err := river.NewClient(driver, conf)
	if err == nil {
		err = client.Start(ctx)
	}
	if err != nil {
		release()
		return database.Classify(fmt.Errorf("jobs: %w", err))
	}
	c.working = &worker{client, release}
	return nil
}

// config returns River's configuration for working all kinds.
func (c *Client) config() *river.Config {
	conf := &river.Config{
		CancelledJobRetentionPeriod: keepDead,
		CompletedJobRetentionPeriod: keepCompleted,
		DiscardedJobRetentionPeriod: keepDead,
		FetchCooldown:               c.settings.cooldown,
		FetchOnlyKnownKinds:         true,
		FetchPollInterval:           c.settings.poll,
		Hooks:                       []rivertype.Hook{river.HookInsertBeginFunc(setUnique)},
		JobTimeout:                  min(defaultTimeout, c.settings.rescue),
		LeaderElectionDisabled:      c.settings.follower,
		Logger:                      riverLog(c.log),
		Queues:                      map[string]river.QueueConfig{},
		RescueStuckJobsAfter:        c.settings.rescue,
		SoftStopTimeout:             c.settings.soft,
		TestOnly:                    c.settings.quick,
		Workers:                     river.NewWorkers(),
	}
	for _, kind := range c.kinds {
		conf.Queues[kind.Queue] = c.settings.queueOf(kind.Queue)
		river.AddWorkerArgs(conf.Workers, payload{kind: kind.Kind}, river.Worker[payload](handler{client: c, kind: kind}))
	}
	return conf
}

// Stop takes no more jobs and gives those that run until ctx ends to finish, 15 seconds at most. Then it ends their contexts
// and puts them back into the queue. It returns an error when one still goes on two seconds after ctx. Without a Start it
// does nothing.
func (c *Client) Stop(ctx context.Context) error {
	if c.working == nil {
		return nil
	}
	defer c.working.release()
	err := c.working.river.Stop(ctx)
	if err != nil {
		hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), LastMoment)
		defer cancel()
		err = c.working.river.StopAndCancel(hard)
	}
	if err != nil {
		return fmt.Errorf("jobs: some don't end: %w", err)
	}
	return nil
}

// Patience is how long Stop takes at most, whatever its ctx allows, when jobs end with their contexts and the database answers.
const Patience = 17 * time.Second

// LastMoment is how long Stop gives jobs whose contexts have ended.
const LastMoment = 2 * time.Second

// Check returns nil unless this process was started to work jobs and has stopped.
func (c *Client) Check(context.Context) error {
	if c.working == nil {
		return nil
	}
	select {
	case <-c.working.river.Stopped():
		return errors.New("jobs aren't worked any more")
	default:
		return nil
	}
}

// handler works the jobs of one kind.
type handler struct {
	river.WorkerDefaults[payload]

	client *Client
	kind   module.Job
}

// Timeout returns how long one attempt may take.
func (h handler) Timeout(*river.Job[payload]) time.Duration { return h.kind.Timeout }

// NextRetry returns when to try again.
func (h handler) NextRetry(job *river.Job[payload]) time.Time {
	return time.Now().UTC().Add(h.client.settings.backoff(job.Attempt, h.kind.Backoff))
}

// Work works one job.
func (h handler) Work(ctx context.Context, job *river.Job[payload]) error {
	log := h.client.log.With(zap.String("kind", h.kind.Kind), zap.Int64("job", job.ID), zap.Int("attempt", job.Attempt))
	err := h.run(ctx, job, log)
	if err == nil {
		return nil
	}
	if !errs.From(err).Kind.Retryable() {
		log.Error("the job is dead: trying again is of no use", zap.Error(err))
		return river.JobCancel(failure{err})
	}
	if job.Attempt >= job.MaxAttempts && ctx.Err() == nil {
		log.Error("the job is dead: it was tried as often as may be", zap.Error(err))
	}
	return failure{err}
}

// run calls the module. A panic is an error like others, so that its text is masked before it is stored.
func (h handler) run(ctx context.Context, job *river.Job[payload], log *zap.Logger) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			log.Error("a job panicked", zap.String("reason", fmt.Sprint(reason)), zap.ByteString("stack", debug.Stack()))
			err = fmt.Errorf("panic: %v", reason)
		}
	}()
	running := h.client.attempt(ctx, job.JobRow)
	defer running.end()
	return h.kind.Run(context.WithValue(ctx, attemptKey{}, running), job.Args.text)
}

// failure is an error as it is stored with the job.
type failure struct{ cause error }

// Error returns the text.
func (f failure) Error() string { return telemetry.Shown(f.cause) }

// Unwrap returns the error itself.
func (f failure) Unwrap() error { return f.cause }
