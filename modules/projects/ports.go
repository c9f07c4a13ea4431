package projects

import (
	"context"

	"github.com/omnistack/omnistack/platform/id"
)

// Catalog answers what other modules ask about projects. It changes nothing.
type Catalog interface {
	// Count returns how many projects an owner has. Deleted ones don't count.
	Count(ctx context.Context, owner id.Scope) (int64, error)

	// Find returns one project of the owner, or errs.NotFound. A deleted one is found for as long as it is kept, which is
	// 30 days, so that whoever hears of the deletion can still say what it was.
	Find(ctx context.Context, owner id.Scope, projectID string) (Project, error)
}

// Project is what other modules may know of a project.
type Project struct {
	ID      string
	Name    string
	Deleted bool
}
