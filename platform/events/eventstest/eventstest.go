// Package eventstest holds the fake of a publisher, for the tests of whoever publishes.
package eventstest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/omnistack/omnistack/platform/events"
)

// ErrNoTransaction is the error of Publish outside of a transaction.
var ErrNoTransaction = errors.New("eventstest: published outside of a transaction")

// Transactor is whose transactions count: a *database.DB, or a txtest.Transactor.
type Transactor interface {
	AfterCommit(ctx context.Context, fn func())
}

// Recorder is an events.Publisher that remembers what was published by transactions that were committed, in the order of
// the commits. It is safe for concurrent use if its transactor is.
type Recorder struct {
	tx      Transactor
	failing error

	mu        sync.Mutex
	published []events.Event
}

var _ events.Publisher = (*Recorder)(nil)

// New returns a recorder over the transactor. Its Publish fails with the error, if there is one.
func New(tx Transactor, failing error) *Recorder { return &Recorder{tx: tx, failing: failing} }

// Publish remembers the events once the transaction in ctx is committed. Outside of one it is ErrNoTransaction.
func (r *Recorder) Publish(ctx context.Context, happened ...events.Event) error {
	if r.failing != nil {
		return r.failing
	}
	publishing, outside := true, false
	r.tx.AfterCommit(ctx, func() {
		if publishing { // outside of a transaction it is called at once
			outside = true
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.published = append(r.published, happened...)
	})
	publishing = false
	if outside {
		return ErrNoTransaction
	}
	return nil
}

// Published returns what was published so far.
func (r *Recorder) Published() []events.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.published)
}

// Expect fails the test unless these events were published, in this order, and nothing else.
func (r *Recorder) Expect(t testing.TB, want ...events.Event) {
	t.Helper()
	if got := r.Published(); len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("published was %+v, want %+v", got, want)
	}
}
