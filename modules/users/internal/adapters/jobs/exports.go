package jobs

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

// exportUserData names an export.
type exportUserData struct {
	ExportID string `json:"export_id"`
}

// Kind returns the name of the kind.
func (exportUserData) Kind() string { return "users.export_user_data" }

// removeExports has no arguments: it is for all exports.
type removeExports struct{}

// Kind returns the name of the kind.
func (removeExports) Kind() string { return "users.remove_exports" }

// How often an export is tried: through about two hours of trouble.
const (
	exportAttempts = 14
	exportBackoff  = 10 * time.Minute
)

// ExportKinds returns the kinds of jobs of exports, worked by the use cases.
func ExportKinds(exports *app.Exports) []module.Job {
	return []module.Job{
		jobs.Kind(module.Job{
			Summary: "collects from every module what it holds of a person into one archive",
			Timeout: domain.ExportTimeout, Attempts: exportAttempts, Backoff: exportBackoff,
		}, func(ctx context.Context, args exportUserData) error {
			return exports.Make(ctx, args.ExportID, jobs.LastAttempt(ctx))
		}),
		jobs.Kind(module.Job{
			Summary: "removes exports that have expired, have failed or are nobody's any more",
			Cron:    "*/5 * * * *", Timeout: longTimeout,
		}, func(ctx context.Context, _ removeExports) error { return exports.RemoveDue(ctx) }),
	}
}

var _ app.ExportQueue = Queue{}

// ExportUserData enqueues the job that makes an export.
func (q Queue) ExportUserData(ctx context.Context, exportID string) error {
	return q.client.Enqueue(ctx, exportUserData{ExportID: exportID})
}
