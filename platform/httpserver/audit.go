package httpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/errs"
)

// Auditor keeps the log of what administrators do. Every Mutation for them writes to it; a module can't leave it out.
type Auditor interface {
	// Record adds an act to the log, in the transaction that ctx carries.
	Record(ctx context.Context, act Act) error
}

// Act is what somebody did whom the audit log is for, or what was refused.
type Act struct {
	Actor     string    // the user's id
	Role      auth.Role // the one that counted for the request
	Action    string    // the method and the route, such as "PATCH /admin/users/{id}", whatever API_V1_STR is
	Target    string    // what the path held for the route's parameters, with slashes between several
	Input     []byte    // the body of the request as JSON, or {"omitted_bytes": n} for one that is larger or no JSON; nil for none
	RequestID string
	Status    int // of the answer
}

// maxActInput bounds the input of an act, in bytes.
const maxActInput = 4 << 10

// auditing records the acts of one route. The zero value is for a route that isn't recorded.
type auditing struct {
	auditor Auditor
	tx      Transactor
	action  string
}

// audited returns how the acts of a route are recorded. It panics when administrators could do what nobody would write
// down.
func (r *Router) audited(route Route) auditing {
	if route.Guard != Admin {
		return auditing{}
	}
	if r.server.options.Audit == nil {
		panic(fmt.Sprintf("httpserver: %s %s is for administrators, and there is no audit log", route.Method, route.Path))
	}
	return auditing{auditor: r.server.options.Audit, tx: r.server.options.Tx, action: route.Method + " " + route.Path}
}

// done records what was done, in the transaction that did it.
func (a auditing) done(ctx context.Context, status int) error {
	if a.auditor == nil {
		return nil
	}
	return a.auditor.Record(ctx, a.act(ctx, status))
}

// refused records what an administrator tried and was not allowed to, or what was no longer possible, and returns err. An
// attempt that can't be recorded fails for that reason. Inputs that break a rule aren't attempts at anything.
func (a auditing) refused(ctx context.Context, err error) error {
	kind := errs.From(err).Kind
	switch kind {
	case errs.Forbidden, errs.NotFound, errs.Conflict, errs.Precondition:
	default:
		return err
	}
	if a.auditor == nil {
		return err
	}
	unrecorded := a.tx.WithinTx(ctx, func(ctx context.Context) error {
		return a.auditor.Record(ctx, a.act(ctx, statuses[kind]))
	})
	if unrecorded != nil {
		return errors.Join(errs.From(unrecorded), err) // the first that has a kind decides the answer
	}
	return err
}

// act returns what the request under way asks for.
func (a auditing) act(ctx context.Context, status int) Act {
	record := callOf(ctx)
	act := Act{
		Actor: record.principal.UserID, Role: record.principal.Role, Action: a.action, Target: record.target(),
		RequestID: record.requestID, Status: status,
	}
	if record.body != nil {
		act.Input = record.body.input()
	}
	return act
}

// input returns what the audit log keeps of a body that was read to its end.
func (b *body) input() []byte {
	size := b.limit - b.left
	switch {
	case size == 0:
		return nil
	case size > maxActInput, !json.Valid(b.kept):
		return fmt.Appendf(nil, `{"omitted_bytes":%d}`, size)
	}
	return b.kept
}
