package billing

import (
	"context"

	"github.com/omnistack/omnistack/platform/id"
)

// Entitlements answers what a user's plan includes. It changes nothing, and asks nobody outside.
type Entitlements interface {
	// Of returns the plan that the user is on now: the free one for whoever never paid.
	Of(ctx context.Context, user id.Scope) (Plan, error)

	// Plan returns a plan by its name, from memory: the free one for a name that isn't in the catalogue. Who keeps a copy of a
	// user's plan, from SubscriptionChanged, learns here what it includes.
	Plan(name string) Plan
}

// Unlimited is a limit that isn't one.
const Unlimited = -1

// Plan is what a plan includes.
type Plan struct {
	Name         string   // such as "free" or "pro"
	Projects     int64    // how many projects a user may have; Unlimited for any number
	StorageBytes int64    // how much a user may store; Unlimited for any amount
	FileBytes    int64    // how large one file may be; Unlimited for any size
	RateFactor   int      // how many times the limit of calls the user has; 1 or more
	AIBudget     int64    // what AI may cost a month, in US cents; Unlimited for any amount
	AIRoutes     []string // the routes of AI that are open; "*" for all
}

// Free is the name of the plan of whoever pays nothing.
const Free = "free"
