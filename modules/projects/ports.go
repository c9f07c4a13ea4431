package projects

import (
	"context"

	"github.com/omnistack/omnistack/platform/id"
)

// Catalog answers what other modules ask about projects. It changes nothing.
type Catalog interface {
	// Count returns how many projects an owner has. Deleted ones don't count.
	Count(ctx context.Context, owner id.Scope) (int64, error)
}
