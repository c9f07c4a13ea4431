package projects

import (
	"context"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// Null is the port of a product without projects, which is what removing the module leaves: nobody has any.
type Null struct{}

var _ Catalog = Null{}

// Count returns 0.
func (Null) Count(context.Context, id.Scope) (int64, error) { return 0, nil }

// Find returns errs.NotFound.
func (Null) Find(_ context.Context, _ id.Scope, projectID string) (Project, error) {
	return Project{}, errs.Missing("Project", projectID)
}
