package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
)

// attemptKey finds the attempt that is being made in a context.
type attemptKey struct{}

// attempt is one try to do a job, kept in the context of its work.
type attempt struct {
	row   *rivertype.JobRow
	db    *database.DB
	store func(JobProgress) // what is stored at once

	mu      sync.Mutex // what follows, and River's notes for the end of the attempt
	over    bool
	latest  JobProgress
	written time.Time
}

// attemptOf returns the attempt that ctx belongs to, or nil.
func attemptOf(ctx context.Context) *attempt {
	running, _ := ctx.Value(attemptKey{}).(*attempt)
	return running
}

// attempt returns the attempt whose work has the context ctx.
func (c *Client) attempt(ctx context.Context, row *rivertype.JobRow) *attempt {
	return &attempt{row: row, db: c.db, store: func(progress JobProgress) {
		if err := c.storeProgress(ctx, row.ID, progress); err != nil {
			c.log.Warn("the progress of a job isn't stored", zap.Int64("job", row.ID), zap.Error(err))
		}
	}}
}

// end makes what the work left behind in goroutines have no effect.
func (a *attempt) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
}

// note keeps a value for the end of the attempt.
func (a *attempt) note(set func() error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return errors.New("jobs: the attempt is over")
	}
	return set()
}

// LastAttempt tells whether the work that ctx was given to makes the last attempt that its job gets: when that fails, the
// job is dead. Outside of the work of a job it is false.
func LastAttempt(ctx context.Context) bool {
	running := attemptOf(ctx)
	return running != nil && running.row.Attempt >= running.row.MaxAttempts
}

// pace is how often the progress of a job is stored at most, before its end.
const pace = time.Second

// Progress says how far the work that ctx was given to has come: done of total, in whatever it counts. It may be called as
// often as one likes: once a second it is stored for the owner to see, and at the end of the attempt. Within a transaction it
// is stored when that has been committed. It never fails the job; outside of the work of a job it does nothing.
func Progress(ctx context.Context, done, total int64) {
	running := attemptOf(ctx)
	if running == nil {
		return
	}
	due := false
	_ = running.note(func() error { // what comes when the attempt is over is late
		running.latest = JobProgress{Done: done, Total: total}
		if now := time.Now(); now.Sub(running.written) >= pace {
			running.written, due = now, true
		}
		return river.MetadataSet(ctx, progressKey, running.latest)
	})
	if !due {
		return
	}
	// Not before: on SQLite it would wait for the transaction that waits for it.
	running.db.AfterCommit(ctx, func() {
		running.mu.Lock()
		latest := running.latest
		running.mu.Unlock()
		running.store(latest)
	})
}

func (c *Client) storeProgress(ctx context.Context, job int64, progress JobProgress) error {
	ctx, cancel := context.WithTimeout(ctx, c.settings.patience)
	defer cancel()
	text, err := json.Marshal(progress)
	if err != nil {
		return err
	}
	set := "jsonb_set(metadata, '{progress}', CAST(? AS jsonb))"
	if c.db.Engine() == database.SQLite {
		set = "jsonb_set(metadata, '$.progress', jsonb(?))"
	}
	return c.db.WithinTx(ctx, func(ctx context.Context) error {
		return c.db.Tx(ctx).Exec("UPDATE river_job SET metadata = "+set+" WHERE id = ?", string(text), job).Error
	})
}

// maxResult is how many bytes a result may have as JSON.
const maxResult = 64 << 10

// Result keeps what the work that ctx was given to comes to, for the owner to see as long as the completed job is kept, an
// hour. Like arguments it holds ids only. What makes no JSON, or more than 64 KiB of it, is an error, and so is a call outside
// of the work of a job. The last call counts.
func Result(ctx context.Context, value any) error {
	running := attemptOf(ctx)
	if running == nil {
		return errors.New("jobs: a result outside of the work of a job")
	}
	text, err := json.Marshal(value)
	switch {
	case err != nil:
		return fmt.Errorf("jobs: the result: %w", err)
	case len(text) > maxResult:
		return fmt.Errorf("jobs: the result has %d bytes, and may have %d", len(text), maxResult)
	case bytes.Contains(text, []byte(`\u`)) && !storable(text):
		return errors.New("jobs: the result holds what PostgreSQL can't store in JSON")
	}
	return running.note(func() error { return river.RecordOutput(ctx, json.RawMessage(text)) })
}

// storable tells whether PostgreSQL takes the escapes of the JSON: it takes no NUL and no half of a surrogate pair. Jobs are
// completed many at a time, so one that is refused would hold up others.
func storable(text []byte) bool {
	var whole any
	if json.Unmarshal(text, &whole) != nil {
		return false
	}
	plain, err := json.Marshal(whole) // which has replaced halves
	return err == nil && !bytes.Contains(plain, []byte(`\u0000`)) && !bytes.Contains(plain, []byte("\uFFFD"))
}
