// Package txtest is what fakes of a use case's ports are made of: transactions that only count, and a record of the calls
// that tells which of them ran inside of one. None of it is safe for concurrent use.
package txtest

import (
	"context"
	"slices"
	"testing"

	"github.com/omnistack/omnistack/platform/errs/errstest"
)

// Transactor runs functions under the rules of database.DB, without a database, and keeps count. Its transactions are
// marked in the context. The zero value is ready.
type Transactor struct {
	Committed, RolledBack int

	after  []func()
	broken error // the first error of a function that joined
}

type inside struct{}

// Inside tells whether ctx is that of a transaction.
func Inside(ctx context.Context) bool { return ctx.Value(inside{}) != nil }

// WithinTx runs fn in a transaction, or in the one of ctx, and returns its error. A part that fails breaks the whole.
func (x *Transactor) WithinTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if Inside(ctx) {
		err := fn(ctx)
		if x.broken == nil {
			x.broken = err
		}
		return err
	}
	x.after, x.broken = nil, nil
	err := fn(context.WithValue(ctx, inside{}, true))
	if err == nil {
		err = x.broken
	}
	if err != nil {
		x.RolledBack++
		return err
	}
	x.Committed++
	for _, fn := range x.after {
		fn()
	}
	return nil
}

// AfterCommit calls fn when the transaction in ctx has been committed, and never if it isn't; outside of one, at once.
func (x *Transactor) AfterCommit(ctx context.Context, fn func()) {
	if !Inside(ctx) {
		fn()
		return
	}
	x.after = append(x.after, fn)
}

// ExpectOne fails the test unless there was one transaction, committed if err is nil, else rolled back.
func (x *Transactor) ExpectOne(t testing.TB, err error) {
	t.Helper()
	if (err == nil) != (x.Committed == 1) || (err != nil) != (x.RolledBack == 1) {
		t.Errorf("%d transactions were committed and %d rolled back", x.Committed, x.RolledBack)
	}
}

// Recorder is embedded in the fake of a port. It says what the fake was told to do, and fails where it was told to.
type Recorder struct {
	Calls   []string // the names, with " in tx" behind those that came in a transaction
	Failing string   // the name of the call that fails with errstest.ErrBoom; "" is none
}

// Call records a call of that name and returns its error.
func (r *Recorder) Call(ctx context.Context, name string) error {
	call := name
	if Inside(ctx) {
		call += " in tx"
	}
	r.Calls = append(r.Calls, call)
	if name == r.Failing {
		return errstest.ErrBoom
	}
	return nil
}

// Expect fails the test unless these calls came, in this order.
func (r *Recorder) Expect(t testing.TB, calls ...string) {
	t.Helper()
	if !slices.Equal(r.Calls, calls) {
		t.Errorf("the fake was called for %q, want %q", r.Calls, calls)
	}
}
