package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/riverqueue/river/rivertype"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/module"
)

// metadata is what River keeps about a job beside its arguments, as far as it is ours.
type metadata struct {
	Owner    string          `json:"owner,omitempty"`
	Progress *JobProgress    `json:"progress,omitempty"`
	Result   json.RawMessage `json:"output,omitempty"` // rivertype.MetadataKeyOutput
}

// progressKey is the name of the progress in there.
const progressKey = "progress"

// JobProgress is how far a job has come.
type JobProgress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// metadataOf returns what is kept about the job.
func metadataOf(row *rivertype.JobRow) (kept metadata) {
	_ = json.Unmarshal(row.Metadata, &kept) // what isn't as we write it isn't ours
	return kept
}

// EnqueueFor is Enqueue of a job that belongs to a user: with the id that it returns he may ask how the job stands. Of a
// unique job that is there already it returns the id, or errs.Conflict when that one isn't his.
func (c *Client) EnqueueFor(ctx context.Context, owner id.Scope, args Args, options ...Option) (number string, err error) {
	tx, err := c.db.SQLTx(ctx)
	if err != nil {
		return "", err
	}
	err = c.db.WithinTx(ctx, func(ctx context.Context) error { // joined, as in EnqueueMany
		if owner.User == "" {
			return errors.New("jobs: nobody is no owner")
		}
		wanted, err := c.request(args, options)
		if err != nil {
			return err
		}
		if wanted.options.Metadata, err = json.Marshal(metadata{Owner: owner.User}); err != nil {
			return err
		}
		inserted, err := c.inserter.InsertTx(ctx, tx, wanted.args, &wanted.options)
		if err != nil {
			return database.Classify(err)
		}
		if inserted.UniqueSkippedAsDuplicate && metadataOf(inserted.Job).Owner != owner.User {
			return errs.New(errs.Conflict, "The same is being done for somebody else")
		}
		number = strconv.FormatInt(inserted.Job.ID, 10)
		return nil
	})
	if err != nil {
		return "", err
	}
	return number, nil
}

// Erase takes a user's jobs from him: nothing says any more whose they were, or what they came to. Those that wait are worked
// all the same.
func (c *Client) Erase(ctx context.Context, owner id.Scope) (erased module.Erased, err error) {
	without := "metadata - 'owner' - 'progress' - 'output'"
	if c.db.Engine() == database.SQLite {
		without = "jsonb_remove(metadata, '$.owner', '$.progress', '$.output')"
	}
	err = c.db.WithinTx(ctx, func(ctx context.Context) error {
		done := c.db.Tx(ctx).Exec("UPDATE river_job SET metadata = "+without+" WHERE "+owned, owner.User)
		erased = module.Erased{"river_job": done.RowsAffected}
		return database.Classify(done.Error)
	})
	return erased, err
}

// Forget removes the jobs that name an erased user in their arguments, as "user_id", in the transaction that ctx carries: those that
// have ended, and those that wait, for which there is nothing left to do. One that runs stays.
func (c *Client) Forget(ctx context.Context, user id.Scope) error {
	return database.Classify(c.db.Tx(ctx).Exec("DELETE FROM river_job WHERE args ->> 'user_id' = ? AND state <> ?",
		user.User, string(rivertype.JobStateRunning)).Error)
}

// owned is the condition of an owner's jobs. The index jobs_by_owner is on this expression.
const owned = "metadata ->> 'owner' = ?"

// OwnJob is a job as its owner sees it.
type OwnJob struct {
	ID         string       `json:"id"`
	Kind       string       `json:"kind"`
	State      string       `json:"state" enum:"queued,running,succeeded,failed"`
	Progress   *JobProgress `json:"progress" doc:"How far it has come, if it says so"`
	Result     any          `json:"result" doc:"What it came to, for an hour after it has succeeded"`
	CreatedAt  time.Time    `json:"created_at"`
	FinishedAt *time.Time   `json:"finished_at" doc:"When it ended, well or not"`
}

// states are River's as owners see them. What fails and is tried again is queued.
var states = map[rivertype.JobState]string{
	rivertype.JobStateAvailable: "queued",
	rivertype.JobStateCancelled: "failed",
	rivertype.JobStateCompleted: "succeeded",
	rivertype.JobStateDiscarded: "failed",
	rivertype.JobStatePending:   "queued",
	rivertype.JobStateRetryable: "queued",
	rivertype.JobStateRunning:   "running",
	rivertype.JobStateScheduled: "queued",
}

func (c *Client) ownRoutes(r *httpserver.Router) {
	const one = "/app/jobs/{id}"
	missing := []int{http.StatusNotFound}
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: one, Guard: httpserver.User,
		Summary: "See how a job of yours stands", Errors: missing,
	}, c.getOwn)
	httpserver.Stream(r, httpserver.Route{
		Method: http.MethodGet, Path: one + "/events", Guard: httpserver.User,
		Summary: "Follow a job of yours until it has ended", Errors: missing,
	}, httpserver.Events{"start": OwnJob{}, "progress": OwnJob{}, "done": OwnJob{}}, c.followOwn)
}

func (c *Client) getOwn(ctx context.Context, in *OneInput) (*httpserver.Object[OwnJob], error) {
	job, err := c.findOwn(ctx, in)
	if err != nil {
		return nil, err
	}
	return &httpserver.Object[OwnJob]{Body: job}, nil
}

// findOwn returns a job of the caller's. It reads for itself, because River asks SQLite's only writer.
func (c *Client) findOwn(ctx context.Context, in *OneInput) (OwnJob, error) {
	number, err := in.number()
	if err != nil {
		return OwnJob{}, err
	}
	text := "CAST(metadata AS text)"
	if c.db.Engine() == database.SQLite {
		text = "json(metadata)"
	}
	query := c.db.Read(ctx).Raw(
		"SELECT id, kind, CAST(state AS text), "+text+", created_at, finalized_at FROM river_job WHERE id = ? AND "+owned,
		number, httpserver.Principal(ctx).Scope().User,
	)
	found, err := database.All(query, scanOwnJob)
	if err == nil && len(found) == 0 {
		err = errs.Missing("Job", in.ID)
	}
	if err != nil {
		return OwnJob{}, err
	}
	return found[0], nil
}

func scanOwnJob(row database.Row) (OwnJob, error) {
	var found rivertype.JobRow
	if err := row.Scan(&found.ID, &found.Kind, &found.State, &found.Metadata, &found.CreatedAt, &found.FinalizedAt); err != nil {
		return OwnJob{}, err
	}
	kept := metadataOf(&found)
	job := OwnJob{
		ID: strconv.FormatInt(found.ID, 10), Kind: found.Kind, State: states[found.State], Progress: kept.Progress,
		CreatedAt: found.CreatedAt.UTC(), FinishedAt: database.InUTC(found.FinalizedAt),
	}
	if found.State == rivertype.JobStateCompleted { // else it is of an attempt that failed
		job.Result = kept.Result
	}
	return job, nil
}

// How often a job that is followed is looked at: the less often the longer nothing changes.
const (
	lookSoonest = 250 * time.Millisecond
	lookLatest  = time.Second

	lookPatience = 5 * time.Second
)

// followOwn tells how a job stands, what becomes of it and how it ended. It may be worked anywhere, so it is looked at.
func (c *Client) followOwn(ctx context.Context, in *OneInput) (httpserver.Reply, error) {
	job, err := c.findOwn(ctx, in)
	if err != nil {
		return httpserver.Reply{}, err
	}
	return httpserver.Reply{Feed: func(ctx context.Context, send httpserver.Send) (any, error) {
		if err := send("start", job); err != nil {
			return nil, err
		}
		for pause := lookSoonest; job.FinishedAt == nil; {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(pause):
			}
			before := job
			if job, err = c.lookAgain(ctx, in); err != nil {
				return nil, err
			}
			switch {
			case job.FinishedAt != nil: // that is what comes last
			case job.State == before.State && reflect.DeepEqual(job.Progress, before.Progress):
				pause = min(2*pause, lookLatest)
			default:
				pause = lookSoonest
				if err := send("progress", job); err != nil {
					return nil, err
				}
			}
		}
		return job, nil
	}}, nil
}

// lookAgain is findOwn, with a bound of its own: a stream has none.
func (c *Client) lookAgain(ctx context.Context, in *OneInput) (OwnJob, error) {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	return c.findOwn(ctx, in)
}
