package jobs

import (
	"context"
	"encoding/json"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/module"
)

// Args are the arguments of one kind of job: a struct that is stored as JSON and holds ids only.
type Args interface {
	// Kind returns the golden name of the kind, the same for every value, such as "projects.purge_deleted".
	Kind() string
}

// Kind describes a kind of job: work does one, with the arguments that it was enqueued with; about says how, without the
// Kind and Run. A kind with a Cron is enqueued with the zero arguments.
//
// The context of work ends with the timeout of the kind, and when the process stops. Arguments that can't be read make the
// job dead.
func Kind[A Args](about module.Job, work func(ctx context.Context, args A) error) module.Job {
	var zero A
	about.Kind = zero.Kind()
	about.Run = func(ctx context.Context, text []byte) error {
		var args A
		if err := json.Unmarshal(text, &args); err != nil {
			return errs.New(errs.Invalid, "The arguments of the job can't be read").Because(err)
		}
		return work(ctx, args)
	}
	return about
}
