package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

// Store keeps projects. Every method but Purge and Tally takes the owner, and sees nothing of anyone else. Writes run in the transaction
// that ctx carries.
type Store interface {
	Insert(ctx context.Context, project domain.Project) error

	// Find returns one project, or errs.NotFound.
	Find(ctx context.Context, owner id.Scope, projectID string) (domain.Project, error)

	// FindAny is Find, for deleted projects too as long as they are kept.
	FindAny(ctx context.Context, owner id.Scope, projectID string) (projects.Project, error)

	// Lock is Find inside a transaction: nobody else changes the project until it ends.
	Lock(ctx context.Context, owner id.Scope, projectID string) (domain.Project, error)

	// Save writes a project that Lock returned and Apply changed.
	Save(ctx context.Context, project domain.Project) error

	// Delete makes the project disappear at the given time.
	Delete(ctx context.Context, project domain.Project, at time.Time) error

	// List returns the items of one page, in the listing's order, and the number of all that match.
	List(ctx context.Context, owner id.Scope, listing Listing) (items []domain.Project, total int64, err error)

	// Count returns how many projects the owner has.
	Count(ctx context.Context, owner id.Scope) (int64, error)

	// LockPlan returns the plan that the owner is on, empty for none that was heard of. Nobody else gets an answer for the same
	// owner until the transaction ends.
	LockPlan(ctx context.Context, owner id.Scope) (plan string, err error)

	// SavePlan keeps the plan of an owner, unless what is kept is of that version of billing's account or of a later one.
	SavePlan(ctx context.Context, owner id.Scope, plan string, version int64) error

	// Erase removes every trace of the owner's projects, deleted ones too, and returns how many rows of which table that was.
	Erase(ctx context.Context, owner id.Scope) (map[string]int64, error)

	// Purge removes, whoever's they are, at most limit of the projects that were deleted before the time, and returns
	// how many it removed.
	Purge(ctx context.Context, before time.Time, limit int) (int64, error)

	// Tally counts projects for a report, whoever's they are.
	Tally(ctx context.Context, from, to time.Time) (Tally, error)
}

// Tally is how many projects there are.
type Tally struct {
	Created int64 // between two times, the second one excluded
	Deleted int64 // between them, by their owners
	All     int64 // how many there were at the second time
}

// Listing says which projects to list.
type Listing struct {
	Search string // a folded text that the name must hold; empty for all
	Sort   Sort
	Skip   int
	Limit  int
	After  *page.Key // start behind this place; nil for the beginning
}

// Transactor runs a function in one transaction, joining an outer one.
type Transactor interface {
	WithinTx(ctx context.Context, fn func(ctx context.Context) error) error
}
