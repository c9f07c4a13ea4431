// Package jobs drives the AI context by background work.
package jobs

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

// sweep has no arguments: it is for all calls.
type sweep struct{}

// Kind returns the name of the kind.
func (sweep) Kind() string { return "ai.sweep" }

// Kinds returns the kinds of jobs, worked by the use cases.
func Kinds(ai *app.App) []module.Job {
	return []module.Job{
		jobs.Kind(module.Job{
			Summary: "accounts for calls whose process was killed", Cron: "*/5 * * * *", Timeout: 300 * time.Second,
		}, func(ctx context.Context, _ sweep) error { return ai.Sweep(ctx) }),
	}
}
