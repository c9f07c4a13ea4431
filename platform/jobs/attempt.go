package jobs

import (
	"context"

	"github.com/riverqueue/river/rivertype"
)

// attemptKey finds the attempt that is being made in a context.
type attemptKey struct{}

// attempt is one try to do a job, kept in the context of its work.
type attempt struct {
	client *Client
	row    *rivertype.JobRow
}

// LastAttempt tells whether the work that ctx was given to makes the last attempt that its job gets: when that fails, the
// job is dead. Outside of the work of a job it is false.
func LastAttempt(ctx context.Context) bool {
	running, _ := ctx.Value(attemptKey{}).(*attempt)
	return running != nil && running.row.Attempt >= running.row.MaxAttempts
}
