// Package jobs drives the projects context by background work.
package jobs

import (
	"context"

	"github.com/omnistack/omnistack/modules/projects/internal/app"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

// purgeDeleted has no arguments: it is for all projects.
type purgeDeleted struct{}

// Kind returns the name of the kind.
func (purgeDeleted) Kind() string { return "projects.purge_deleted" }

// forgetExpired has no arguments: it is for all files.
type forgetExpired struct{}

// Kind returns the name of the kind.
func (forgetExpired) Kind() string { return "projects.forget_expired" }

// Kinds returns the kinds of jobs, worked by the use cases.
func Kinds(projects *app.App, files *app.Files) []module.Job {
	return []module.Job{
		jobs.Kind(module.Job{
			Summary: "removes for good what was deleted more than 30 days ago",
			Cron:    "20 3 * * *",
		}, func(ctx context.Context, _ purgeDeleted) error { return projects.PurgeDeleted(ctx) }),
		jobs.Kind(module.Job{
			Summary: "forgets files that were never uploaded",
			Cron:    "50 * * * *",
		}, func(ctx context.Context, _ forgetExpired) error { return files.ForgetExpired(ctx) }),
	}
}
