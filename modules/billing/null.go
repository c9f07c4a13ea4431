package billing

import (
	"context"

	"github.com/omnistack/omnistack/platform/id"
)

// Null is the port of a product that bills nobody, which is what removing the module leaves: the only plan is the free one, and it
// includes everything. In tests it is whoever isn't limited.
type Null struct{}

var _ Entitlements = Null{}

// Of returns the plan that includes everything.
func (Null) Of(context.Context, id.Scope) (Plan, error) { return Null{}.Plan(Free), nil }

// Plan returns the plan that includes everything.
func (Null) Plan(string) Plan {
	return Plan{Name: Free, Projects: Unlimited, StorageBytes: Unlimited, FileBytes: Unlimited, RateFactor: 1, AIBudget: Unlimited, AIRoutes: []string{"*"}}
}
