// Package billingtest has a fake of billing's port, for the tests of other modules.
package billingtest

import (
	"context"

	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/platform/id"
)

// Entitlements is a billing.Entitlements over plans of a test's choice.
type Entitlements struct {
	Plans []billing.Plan      // with the free one, or it includes nothing
	Users map[id.Scope]string // the names of their plans; who isn't there is on the free one
}

var _ billing.Entitlements = Entitlements{}

// Of returns the plan of a user.
func (e Entitlements) Of(_ context.Context, user id.Scope) (billing.Plan, error) {
	return e.Plan(e.Users[user]), nil
}

// Plan returns a plan by its name.
func (e Entitlements) Plan(name string) billing.Plan {
	free := billing.Plan{Name: billing.Free, RateFactor: 1}
	for _, plan := range e.Plans {
		switch plan.Name {
		case name:
			return plan
		case billing.Free:
			free = plan
		}
	}
	return free
}
