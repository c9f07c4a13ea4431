package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/telemetry"
)

// Routes registers what owners see of their jobs, and what administrators do with all of them. It needs no worker: any
// process that serves the API will do.
func (c *Client) Routes(r *httpserver.Router) {
	c.ownRoutes(r)
	const list, one = "/admin/jobs", "/admin/jobs/{id}"
	missing := []int{http.StatusNotFound}
	refused := []int{http.StatusNotFound, http.StatusConflict}
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: list, Guard: httpserver.Admin,
		Summary: "List the jobs, the newest first",
	}, c.list)
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: list + "/stats", Guard: httpserver.Admin,
		Summary: "Count the jobs by state and queue",
	}, c.stats)
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: one, Guard: httpserver.Admin,
		Summary: "Get a job", Errors: missing,
	}, c.get)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPost, Path: one + "/retry", Guard: httpserver.Admin,
		Summary: "Try a job again at once, a dead one too", Errors: refused,
	}, c.retry)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPost, Path: one + "/cancel", Guard: httpserver.Admin,
		Summary: "Cancel a job; one that runs is asked to stop", Errors: refused,
	}, c.cancel)
}

// Job is a job as administrators see it.
type Job struct {
	ID          string         `json:"id"`
	Kind        string         `json:"kind"`
	State       string         `json:"state" enum:"available,cancelled,completed,discarded,pending,retryable,running,scheduled"`
	Queue       string         `json:"queue"`
	Priority    int            `json:"priority" doc:"1 is worked first, 4 last"`
	Attempt     int            `json:"attempt" doc:"How often it was tried"`
	MaxAttempts int            `json:"max_attempts"`
	Args        map[string]any `json:"args" doc:"Ids"`
	OwnerID     *string        `json:"owner_id" doc:"The user it belongs to, if any"`
	Progress    *JobProgress   `json:"progress" doc:"How far it has come, if it says so"`
	Result      any            `json:"result" doc:"What it came to: ids"`
	Errors      []JobError     `json:"errors" nullable:"false" doc:"Why attempts failed, the first first"`
	CreatedAt   time.Time      `json:"created_at"`
	ScheduledAt time.Time      `json:"scheduled_at" doc:"When it is, or was, to be tried next"`
	AttemptedAt *time.Time     `json:"attempted_at" doc:"When it was tried last"`
	FinalizedAt *time.Time     `json:"finalized_at" doc:"When it ended, well or not"`
}

// JobError is why one attempt failed. Secrets and addresses are masked.
type JobError struct {
	At      time.Time `json:"at"`
	Attempt int       `json:"attempt"`
	Error   string    `json:"error"`
}

func toJob(row *rivertype.JobRow) Job {
	kept := metadataOf(row)
	job := Job{
		ID: strconv.FormatInt(row.ID, 10), Kind: row.Kind, State: string(row.State), Queue: row.Queue, Priority: row.Priority,
		Attempt: row.Attempt, MaxAttempts: row.MaxAttempts, Errors: make([]JobError, len(row.Errors)),
		CreatedAt: row.CreatedAt.UTC(), ScheduledAt: row.ScheduledAt.UTC(), AttemptedAt: database.InUTC(row.AttemptedAt), FinalizedAt: database.InUTC(row.FinalizedAt),
		Progress: kept.Progress, Result: kept.Result,
	}
	if kept.Owner != "" {
		job.OwnerID = &kept.Owner
	}
	_ = json.Unmarshal(row.EncodedArgs, &job.Args) // what isn't an object isn't ours, and isn't shown
	for i, failed := range row.Errors {
		job.Errors[i] = JobError{At: failed.At.UTC(), Attempt: failed.Attempt, Error: telemetry.Mask(failed.Error)}
	}
	return job
}

func toObject(row *rivertype.JobRow) *httpserver.Object[Job] {
	return &httpserver.Object[Job]{Body: toJob(row)}
}

type listInput struct {
	State string `query:"state" enum:"available,cancelled,completed,discarded,pending,retryable,running,scheduled" doc:"Only jobs in this state; cancelled and discarded ones are dead"`
	Kind  string `query:"kind" maxLength:"127" doc:"Only jobs of this kind"`
	Queue string `query:"queue" maxLength:"127" doc:"Only jobs of this queue"`
	Skip  int    `query:"skip" minimum:"0" maximum:"10000" default:"0" doc:"How many to leave out"`
	Limit int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many to answer at most"`
}

// where returns the condition that the filters make, and its arguments.
func (in *listInput) where() (condition string, args []any) {
	condition = " FROM river_job WHERE 1 = 1"
	for _, filter := range []struct{ column, value string }{{"state", in.State}, {"kind", in.Kind}, {"queue", in.Queue}} {
		if filter.value != "" {
			condition += " AND " + filter.column + " = ?"
			args = append(args, filter.value)
		}
	}
	return condition, args
}

// list asks for the ids of the page itself, because River's lists have no offset, and River for the rows.
func (c *Client) list(ctx context.Context, in *listInput) (*httpserver.List[Job], error) {
	where, args := in.where()
	read := c.db.Read(ctx)
	total, err := database.One(read.Raw("SELECT count(*)"+where, args...), database.Scalar[int64])
	if err != nil {
		return nil, err
	}
	ids, err := database.All(c.db.Read(ctx).Raw("SELECT id"+where+" ORDER BY id DESC LIMIT ? OFFSET ?", append(args, in.Limit, in.Skip)...), database.Scalar[int64])
	if err != nil {
		return nil, err
	}
	found := page.Page[*rivertype.JobRow]{Total: total, Skip: in.Skip, Limit: in.Limit}
	if len(ids) > 0 {
		rows, err := c.inserter.JobList(ctx, river.NewJobListParams().IDs(ids...).First(len(ids)).OrderBy(river.JobListOrderByID, river.SortOrderDesc))
		if err != nil {
			return nil, database.Classify(err)
		}
		found.Items = rows.Jobs
	}
	return httpserver.ListOf(found, toJob), nil
}

// Stats are how many jobs there are.
type Stats struct {
	Total  int64            `json:"total"`
	States map[string]int64 `json:"states" doc:"By state, each of them"`
	Queues map[string]int64 `json:"queues" doc:"Jobs that wait or run, by queue"`
}

// count is the jobs of a state and a queue.
type count struct {
	state, queue string
	jobs         int64
}

func (c *Client) stats(ctx context.Context, _ *struct{}) (*httpserver.Object[Stats], error) {
	query := c.db.Read(ctx).Raw("SELECT CAST(state AS text), queue, count(*) FROM river_job GROUP BY state, queue")
	counts, err := database.All(query, func(row database.Row) (found count, err error) {
		err = row.Scan(&found.state, &found.queue, &found.jobs)
		return found, err
	})
	if err != nil {
		return nil, err
	}
	stats := Stats{States: map[string]int64{}, Queues: map[string]int64{}}
	for _, state := range rivertype.JobStates() {
		stats.States[string(state)] = 0
	}
	for _, found := range counts {
		stats.Total += found.jobs
		stats.States[found.state] += found.jobs
		if slices.Contains(unfinished, rivertype.JobState(found.state)) {
			stats.Queues[found.queue] += found.jobs
		}
	}
	return &httpserver.Object[Stats]{Body: stats}, nil
}

// OneInput names one job. It is exported because huma passes over what an unexported embedded struct holds.
type OneInput struct {
	ID string `path:"id" maxLength:"255"`
}

// number returns the id as it is stored. A text that is none is errs.NotFound.
func (in *OneInput) number() (int64, error) {
	number, err := strconv.ParseInt(in.ID, 10, 64)
	if err != nil || number < 1 {
		return 0, errs.Missing("Job", in.ID)
	}
	return number, nil
}

// classify returns the error of a call to River about this job.
func (in *OneInput) classify(err error) error {
	if errors.Is(err, river.ErrNotFound) {
		return errs.Missing("Job", in.ID)
	}
	return database.Classify(err)
}

func (c *Client) get(ctx context.Context, in *OneInput) (*httpserver.Object[Job], error) {
	row, err := c.find(ctx, in)
	if err != nil {
		return nil, err
	}
	return toObject(row), nil
}

// find returns the job, whoever it belongs to.
func (c *Client) find(ctx context.Context, in *OneInput) (*rivertype.JobRow, error) {
	number, err := in.number()
	if err != nil {
		return nil, err
	}
	row, err := c.inserter.JobGet(ctx, number)
	if err != nil {
		return nil, in.classify(err)
	}
	return row, nil
}

// retry doesn't repeat what went well, and leaves a unique job alone when another one has taken its place.
func (c *Client) retry(_ context.Context, in *OneInput) (httpserver.Commit[httpserver.Object[Job]], error) {
	return c.change(in, c.inserter.JobRetryTx, rivertype.JobStateRunning, rivertype.JobStateCompleted)
}

func (c *Client) cancel(_ context.Context, in *OneInput) (httpserver.Commit[httpserver.Object[Job]], error) {
	return c.change(in, c.inserter.JobCancelTx, rivertype.JobStateCompleted, rivertype.JobStateCancelled, rivertype.JobStateDiscarded)
}

// change does something to a job, unless it is in one of the states.
func (c *Client) change(
	in *OneInput, do func(context.Context, *sql.Tx, int64) (*rivertype.JobRow, error), except ...rivertype.JobState,
) (httpserver.Commit[httpserver.Object[Job]], error) {
	number, err := in.number()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*httpserver.Object[Job], error) {
		tx, err := c.db.SQLTx(ctx)
		if err != nil {
			return nil, err
		}
		row, err := c.inserter.JobGetTx(ctx, tx, number)
		if err != nil {
			return nil, in.classify(err)
		}
		if slices.Contains(except, row.State) {
			return nil, errs.New(errs.Conflict, "The state of the job doesn't allow it").With("state", string(row.State))
		}
		if manager := c.kinds[row.Kind].Manager; manager != "" {
			return nil, errs.New(errs.Conflict, "The job belongs to something else, which is to be repeated or ended instead").With("manager", manager)
		}
		changed, err := do(ctx, tx, number)
		if database.Duplicate(err) {
			return nil, errs.New(errs.Conflict, "Another job has taken its place").Because(err)
		}
		if err != nil {
			return nil, in.classify(err)
		}
		return toObject(changed), nil
	}, nil
}
