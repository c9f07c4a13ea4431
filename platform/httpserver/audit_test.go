package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/testkit"
)

// scribe is an Auditor that writes acts down in the ledger's line of what happened.
type scribe struct {
	tx   *ledger
	acts []Act
	err  error
}

func (s *scribe) Record(ctx context.Context, act Act) error {
	entry := "record"
	if ctx.Value(inTx{}) == nil {
		entry = "record outside"
	}
	s.tx.entries = append(s.tx.entries, entry)
	s.acts = append(s.acts, act)
	return s.err
}

// audited serves a mutation for administrators that fails with the errors, if they aren't nil.
func audited(t *testing.T, handleErr, commitErr error) (*fixture, *scribe) {
	t.Helper()
	log := &scribe{}
	f := start(t, func(r *Router) {
		Mutation(r, Route{Method: http.MethodPatch, Path: "/admin/things/{id}/parts/{part}", Guard: Admin, Status: http.StatusAccepted},
			func(context.Context, *struct {
				ThingInput
				Part string `path:"part"`
				Body thingChange
			}) (Commit[Object[thing]], error) {
				return func(context.Context) (*Object[thing], error) {
					log.tx.entries = append(log.tx.entries, "effect")
					return &Object[thing]{}, commitErr
				}, handleErr
			})
	}, func(o *Options) { o.Audit = log })
	log.tx = f.tx
	return f, log
}

const onePart = "/api/v1/admin/things/one/parts/a%2Fb"

func TestWhatAdministratorsDoIsRecordedWithItsEffect(t *testing.T) {
	f, log := audited(t, nil, nil)
	admin := f.anyone.As("admin")
	body := "{ \"name\": \"new\", \"note\": null }"
	admin.Do(t, "PATCH", onePart, testkit.Body(body), testkit.Header("X-Request-ID", "r1")).Want(202)
	want := Act{
		Actor: "u2", Role: auth.RoleAdmin, Action: "PATCH /admin/things/{id}/parts/{part}", Target: "one/a/b", Input: []byte(body),
		RequestID: "r1", Status: 202,
	}
	if f.tx.String() != "begin effect record commit" || len(log.acts) != 1 || fmt.Sprint(log.acts[0]) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", f.tx, log.acts, want)
	}

	// What can't be recorded doesn't happen.
	f, log = audited(t, nil, nil)
	log.err = errs.New(errs.Unavailable, "Try again")
	f.anyone.As("admin").Do(t, "PATCH", onePart, testkit.Body(body)).WantError(503, "SERVICE_UNAVAILABLE")
	if f.tx.String() != "begin effect record rollback" {
		t.Error(f.tx)
	}
}

func TestARefusedAttemptIsRecordedByItself(t *testing.T) {
	stages := map[string]func(err error) (handleErr, commitErr error){
		"begin record commit":                       func(err error) (error, error) { return err, nil },
		"begin effect rollback begin record commit": func(err error) (error, error) { return nil, err },
	}
	for happens, stage := range stages {
		for _, kind := range errs.Kinds() {
			f, log := audited(t, first(stage(errs.New(kind, "No"))), second(stage(errs.New(kind, "No"))))
			f.anyone.As("admin").Do(t, "PATCH", onePart, testkit.Body(`{}`)).WantError(statuses[kind], kind.Code())
			if !slices.Contains([]errs.Kind{errs.Forbidden, errs.NotFound, errs.Conflict, errs.Precondition}, kind) {
				if len(log.acts) != 0 {
					t.Errorf("%s is recorded: %v", kind.Code(), log.acts)
				}
				continue
			}
			if f.tx.String() != happens || log.acts[0].Status != statuses[kind] || string(log.acts[0].Input) != "{}" {
				t.Errorf("%s: %s, %v", kind.Code(), f.tx, log.acts)
			}
		}
	}

	// An attempt that can't be recorded fails for that reason.
	f, log := audited(t, errs.New(errs.Forbidden, "No"), nil)
	log.err = errstest.ErrBoom
	f.anyone.As("admin").Do(t, "PATCH", onePart, testkit.Body(`{}`)).WantError(500, "INTERNAL_ERROR")
	if _, fields := f.line(t); !strings.Contains(fmt.Sprint(fields["cause"]), errstest.ErrBoom.Error()) || !strings.Contains(fmt.Sprint(fields["cause"]), "FORBIDDEN") {
		t.Errorf("the log says %v", fields["cause"])
	}
}

func first(a, _ error) error  { return a }
func second(_, b error) error { return b }

// Strangers would fill the log, and what can't be read is no attempt at anything. The access log has both.
func TestWhoAndWhatIsNotRecorded(t *testing.T) {
	f, log := audited(t, nil, nil)
	f.anyone.Do(t, "PATCH", onePart, testkit.Body(`{}`)).Want(401)
	f.user.Do(t, "PATCH", onePart, testkit.Body(`{}`)).Want(403)
	admin := f.anyone.As("admin")
	admin.Do(t, "PATCH", onePart, testkit.Body(`{"nonsense": 1}`)).Want(422)
	admin.Do(t, "PATCH", onePart, testkit.Body(`{`)).Want(400)
	admin.Do(t, "GET", "/api/v1/admin/things").Want(204)
	f.user.Do(t, "POST", "/api/v1/app/things", testkit.Body(`{"name": "mine"}`)).Want(201)
	if len(log.acts) != 0 {
		t.Errorf("it is recorded: %v", log.acts)
	}
}

func TestTheInputOfAnActIsBounded(t *testing.T) {
	for size, whole := range map[int]bool{100: true, maxActInput: true, maxActInput + 1: false, 3 * maxActInput: false} {
		f, log := audited(t, nil, nil)
		body := `{}` + strings.Repeat(" ", size-2)
		f.anyone.As("admin").Do(t, "PATCH", onePart, testkit.Body(body)).Want(202)
		want := fmt.Sprintf(`{"omitted_bytes":%d}`, size)
		if whole {
			want = body
		}
		if got := string(log.acts[0].Input); got != want {
			t.Errorf("of %d bytes it keeps %d: %.100s", size, len(got), got)
		}
	}
}

// Nobody can register what administrators do without its being recorded: the program doesn't start then.
func TestNothingForAdministratorsGoesUnrecorded(t *testing.T) {
	for what, plant := range map[string]func(r *Router){
		"a mutation without an audit log": func(r *Router) {
			r.server.options.Audit = nil
			Mutation(r, Route{Method: http.MethodDelete, Path: "/admin/planted", Guard: Admin},
				func(context.Context, *struct{}) (Commit[Empty], error) { return nil, errors.New("never runs") })
		},
		"a query that changes things": func(r *Router) {
			Query(r, Route{Method: http.MethodPost, Path: "/admin/planted", Guard: Admin}, nothing)
		},
	} {
		t.Run(what, func(t *testing.T) {
			defer func() {
				if said := fmt.Sprint(recover()); !strings.Contains(said, "/admin/planted") {
					t.Errorf("it is registered, or the reason is another: %s", said)
				}
			}()
			newFixture(t, plant)
		})
	}
}
