// Package projectstest holds the fakes of the projects contract, for other modules' tests.
package projectstest

import (
	"context"

	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/platform/id"
)

// Catalog is a projects.Catalog that answers from a map of owner to count.
type Catalog map[id.Scope]int64

var _ projects.Catalog = Catalog{}

// Count returns what the map holds, 0 for an owner it doesn't know.
func (c Catalog) Count(_ context.Context, owner id.Scope) (int64, error) { return c[owner], nil }
