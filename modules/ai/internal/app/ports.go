// Package app holds the use cases of AI, and what they drive.
package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/id"
)

// Ports are what the use cases drive.
type Ports struct {
	Providers map[string]Provider // by their names in the catalogue
	Store     Store
	Tx        Transactor
	Events    events.Publisher
	Plans     billing.Entitlements
	Pauses    Pauses
	Clock     clock.Clock
}

// Provider calls models of one provider.
type Provider interface {
	// Generate has the call's model answer. With a sink the answer is streamed to it, on the caller's goroutine, and the result
	// has no texts; without one it is in the result. A call that fails is a *domain.Failure, also when it failed in the middle
	// of a stream; an error of the sink comes back as it is. When ctx ends, the provider is left at once.
	Generate(ctx context.Context, call *domain.Call, sink Sink) (domain.Result, error)
}

// Sink takes an answer, piece by piece. An error ends the call.
type Sink interface {
	Text(piece string) error
	Reasoning(piece string) error
	Tool(piece domain.ToolDelta) error
}

// Stream takes an answer, piece by piece, and is told before the first of them whose it is.
type Stream interface {
	Start(by domain.Model) error
	Sink
}

// Pauses wait. The error is that ctx ended before.
type Pauses interface {
	For(ctx context.Context, long time.Duration) error
	UpTo(ctx context.Context, longest time.Duration) error // for any part of it, so that not all come back at once
}

// Store keeps the ledger and the budgets. Writes need the transaction of ctx.
type Store interface {
	// Reserve adds the hold and sets its amount aside, unless the month would go over the limit then: that is not. A limit below
	// zero is none.
	Reserve(ctx context.Context, hold domain.Hold, limit domain.Pico) (reserved bool, err error)

	// Take removes the hold and returns it. False is that it isn't there: somebody else has accounted for the call.
	Take(ctx context.Context, holdID string) (hold domain.Hold, found bool, err error)

	// Append adds an entry, counts what it cost for the hold's month, and gives back there what the hold had set aside.
	Append(ctx context.Context, entry domain.Entry, hold domain.Hold) error

	// Settle is Take and Append at once, for whoever knows the hold. False is that it isn't there, and that nothing is appended.
	Settle(ctx context.Context, entry domain.Entry, hold domain.Hold) (settled bool, err error)

	// Expired returns holds whose time is over, and HoldsOf all of a user.
	Expired(ctx context.Context, at time.Time, limit int) ([]string, error)
	HoldsOf(ctx context.Context, user id.Scope) ([]string, error)

	// SpentIn returns what a user's month took.
	SpentIn(ctx context.Context, user id.Scope, month domain.Month) (domain.Spent, error)

	// Usage adds up the calls that ended from one day to another, both included, by day and model, the oldest day first: a
	// user's, or all.
	Usage(ctx context.Context, user *id.Scope, from, to domain.Day) ([]Total, error)

	// Erase removes the user's budgets, and the user from the ledger, whose rows stay. It returns how many rows of which table
	// that was.
	Erase(ctx context.Context, user id.Scope) (map[string]int64, error)
}

// Total is what the calls of a day and a model took.
type Total struct {
	Day      domain.Day
	Provider string
	Model    string
	Calls    int64
	Failed   int64        // of those, the ones without a whole answer
	Usage    domain.Usage // without a source, or a cost of its own
	Unknown  int64        // calls whose cost nobody knows
	Cost     domain.Pico
}

// Transactor runs a function in one transaction, joining an outer one.
type Transactor interface {
	WithinTx(ctx context.Context, fn func(ctx context.Context) error) error
}
