package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/riverqueue/river/rivertype"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/id"
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

// Forget takes a user's jobs from him, in the transaction that ctx carries: nothing says any more whose they were, or what
// they came to. Those that wait are worked all the same.
func (c *Client) Forget(ctx context.Context, owner id.Scope) error {
	without := "metadata - 'owner' - 'progress' - 'output'"
	if c.db.Engine() == database.SQLite {
		without = "jsonb_remove(metadata, '$.owner', '$.progress', '$.output')"
	}
	return c.db.WithinTx(ctx, func(ctx context.Context) error {
		return c.db.Tx(ctx).Exec("UPDATE river_job SET metadata = "+without+" WHERE "+owned, owner.User).Error
	})
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

func toOwnJob(row *rivertype.JobRow) OwnJob {
	kept := metadataOf(row)
	job := OwnJob{
		ID: strconv.FormatInt(row.ID, 10), Kind: row.Kind, State: states[row.State], Progress: kept.Progress,
		CreatedAt: row.CreatedAt.UTC(), FinishedAt: inUTC(row.FinalizedAt),
	}
	if row.State == rivertype.JobStateCompleted { // else it is of an attempt that failed
		job.Result = kept.Result
	}
	return job
}

func (c *Client) ownRoutes(r *httpserver.Router) {
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: "/app/jobs/{id}", Guard: httpserver.User,
		Summary: "See how a job of yours stands", Errors: []int{http.StatusNotFound},
	}, c.getOwn)
}

func (c *Client) getOwn(ctx context.Context, in *OneInput) (*httpserver.Object[OwnJob], error) {
	row, err := c.find(ctx, in)
	if err != nil {
		return nil, err
	}
	if metadataOf(row).Owner != httpserver.Principal(ctx).Scope().User {
		return nil, errs.Missing("Job", in.ID)
	}
	return &httpserver.Object[OwnJob]{Body: toOwnJob(row)}, nil
}
