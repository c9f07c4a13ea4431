package httpserver

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/patch"
	"github.com/omnistack/omnistack/platform/testkit"
)

// fixture is a server with a few operations, behind a real socket.
type fixture struct {
	server *Server
	url    string
	anyone *testkit.API // without a token
	user   *testkit.API // with the token of a user
	logs   *observer.ObservedLogs
	logged chan zapcore.Entry // every line, once it is in logs
	tx     *ledger
}

// start serves the operations on things, and those of register.
func start(t *testing.T, register func(*Router), adjust ...func(*Options)) *fixture {
	t.Helper()
	f := newFixture(t, register, adjust...)
	f.listen(t)
	return f
}

func (f *fixture) listen(t *testing.T) {
	listening := httptest.NewServer(f.server.Handler())
	t.Cleanup(listening.Close)
	f.reach(t, listening.URL)
}

func newFixture(t *testing.T, register func(*Router), adjust ...func(*Options)) *fixture {
	t.Helper()
	log, logs := testkit.Logger(t)
	f := &fixture{logs: logs, tx: &ledger{}, logged: make(chan zapcore.Entry, 100_000)}
	log = log.WithOptions(zap.Hooks(func(line zapcore.Entry) error {
		f.logged <- line
		return nil
	}))
	options := Options{
		Title: "Test", Version: "v1", Auth: accounts{}, Tx: f.tx, Audit: &scribe{tx: f.tx},
		HTTP: config.HTTP{APIPrefix: "/api/v1", BodyLimit: 1 << 20, RequestTimeout: 10 * time.Second},
	}
	for _, change := range adjust {
		change(&options)
	}
	f.server = New(options, log)
	router := f.server.Router("things")
	registerThings(router)
	if register != nil {
		register(router)
	}
	return f
}

func (f *fixture) reach(t *testing.T, url string) {
	f.url, f.anyone = url, testkit.NewAPI(t, url)
	f.user = f.anyone.As("user")
}

// line waits for the access log's line of a request and returns its level and fields.
func (f *fixture) line(t *testing.T) (zapcore.Level, map[string]any) {
	t.Helper()
	for {
		select {
		case entry := <-f.logged:
			if entry.Message == "request" {
				all := f.logs.FilterMessage("request").TakeAll()
				return entry.Level, all[len(all)-1].ContextMap()
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no request was logged")
		}
	}
}

// accounts knows the bearers of a few tokens.
type accounts struct{}

func (accounts) Authenticate(ctx context.Context, authorization []string) (auth.Principal, error) {
	refused := func(reason auth.Reason) (auth.Principal, error) {
		return auth.Principal{}, errs.New(errs.Unauthenticated, "The access token is not valid").Because(reason)
	}
	switch len(authorization) {
	case 0:
		return refused(auth.MissingToken)
	case 1:
	default:
		return refused(auth.MalformedHeader)
	}
	token, err := auth.BearerToken(authorization[0])
	if err != nil {
		return auth.Principal{}, err
	}
	switch token {
	case "user":
		return auth.Principal{UserID: "u1", Role: auth.RoleUser}, nil
	case "admin":
		return auth.Principal{UserID: "u2", Role: auth.RoleAdmin}, nil
	case "reads", "writes", "asks":
		scope := map[string]auth.Scopes{"reads": auth.ScopeRead, "writes": auth.ScopeWrite, "asks": auth.ScopeAI}[token]
		return auth.Principal{UserID: "u2", Role: auth.RoleAdmin, KeyID: "k-" + token, Scopes: scope}, nil
	case "suspended":
		return auth.Principal{}, errs.New(errs.Forbidden, "The account is suspended")
	case "unknowable":
		return auth.Principal{}, errs.New(errs.Unavailable, "Try again").Because(errors.New("dial tcp 10.0.0.1: refused"))
	case "slow":
		<-ctx.Done()
		return auth.Principal{}, ctx.Err()
	}
	return refused(auth.InvalidSignature)
}

// ledger is a Transactor that writes down what became of its transactions.
type ledger struct {
	entries   []string
	commitErr error
}

type inTx struct{}

func (l *ledger) WithinTx(ctx context.Context, fn func(context.Context) error) (err error) {
	l.entries = append(l.entries, "begin")
	ended := "rollback"
	defer func() { l.entries = append(l.entries, ended) }()
	if err := fn(context.WithValue(ctx, inTx{}, true)); err != nil {
		return err
	}
	if l.commitErr != nil {
		return l.commitErr
	}
	ended = "commit"
	return nil
}

func (l *ledger) String() string { return strings.Join(l.entries, " ") }

type thing struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	Note  *string  `json:"note"`
	Count int      `json:"count"`
	Tags  []string `json:"tags" nullable:"false"`
}

// ThingInput is exported because huma passes over what an unexported embedded struct holds.
type ThingInput struct {
	ID string `path:"id" maxLength:"50"`
}

type newThing struct {
	Name  string   `json:"name" minLength:"1" maxLength:"10"`
	Note  *string  `json:"note,omitempty" nullable:"true"`
	Count int      `json:"count,omitempty" minimum:"0"`
	Size  float64  `json:"size,omitempty"`
	Email string   `json:"email,omitempty" format:"email"`
	Owner string   `json:"owner,omitempty" format:"uuid"`
	Kind  string   `json:"kind,omitempty" enum:"red,blue"`
	Tags  []string `json:"tags,omitempty"`
	Parts []part   `json:"parts,omitempty"`
	Extra any      `json:"extra,omitempty"`
}

type part struct {
	Weight int8 `json:"weight"`
}

type thingChange struct {
	Name *string             `json:"name,omitempty" minLength:"1" maxLength:"10"`
	Note patch.Field[string] `json:"note,omitempty" maxLength:"10"`
}

// registerThings adds the operations that most tests use. There is one thing, with the id "one" and the version 7.
func registerThings(r *Router) {
	const list, one = "/app/things", "/app/things/{id}"
	the := func(id string) (*Object[thing], error) {
		if id != "one" {
			return nil, errs.Missing("Thing", id)
		}
		return &Object[thing]{ETag: ETag(7), Body: thing{ID: "one", Name: "First"}}, nil
	}

	Query(r, Route{Method: http.MethodGet, Path: list, Guard: User, Summary: "List things"},
		func(_ context.Context, in *struct {
			Paging
			Search string `query:"q" maxLength:"10"`
		}) (*List[thing], error) {
			asked, err := in.Page()
			if err != nil {
				return nil, err
			}
			found := page.Page[string]{Skip: asked.Skip, Limit: asked.Limit}
			if in.Search == "" {
				found.Items, found.Total, found.Next = []string{"one"}, 9, "more"
			}
			return ListOf(found, func(id string) thing { return thing{ID: id} }), nil
		})
	Query(r, Route{Method: http.MethodGet, Path: one, Guard: User, Summary: "Get a thing", Errors: []int{http.StatusNotFound}},
		func(_ context.Context, in *ThingInput) (*Object[thing], error) { return the(in.ID) })

	Mutation(r, Route{Method: http.MethodPost, Path: list, Guard: User, Summary: "Make a thing", Status: http.StatusCreated},
		func(_ context.Context, in *struct{ Body newThing }) (Commit[Object[thing]], error) {
			return func(context.Context) (*Object[thing], error) {
				return &Object[thing]{ETag: ETag(1), Location: r.URL(list + "/two"), Body: thing{
					ID: "two", Name: in.Body.Name, Note: in.Body.Note, Count: in.Body.Count, Tags: in.Body.Tags,
				}}, nil
			}, nil
		})
	Mutation(r, Route{Method: http.MethodPatch, Path: one, Guard: User, Summary: "Change a thing"},
		func(_ context.Context, in *struct {
			ThingInput
			IfMatch
			Body thingChange
		}) (Commit[Object[thing]], error) {
			version, err := in.Version()
			if err != nil {
				return nil, err
			}
			if version != AnyVersion && version != 7 {
				return nil, errs.Stale()
			}
			return func(context.Context) (*Object[thing], error) {
				out, err := the(in.ID)
				if err != nil {
					return nil, err
				}
				out.Body.Note = new("the old note")
				if in.Body.Note.Present() {
					out.Body.Note = in.Body.Note.Value()
				}
				return out, nil
			}, nil
		})
	Mutation(r, Route{Method: http.MethodDelete, Path: one, Guard: User, Summary: "Delete a thing"},
		func(_ context.Context, in *struct {
			ThingInput
			IfMatch
		}) (Commit[Empty], error) {
			if _, err := in.Version(); err != nil {
				return nil, err
			}
			return func(context.Context) (*Empty, error) { return nil, nil }, nil
		})

	Query(r, Route{Method: http.MethodGet, Path: "/admin/things", Guard: Admin, Summary: "See all things"}, nothing)
}

// nothing is an operation that has nothing to do.
func nothing(context.Context, *struct{}) (*Empty, error) { return nil, nil }

// failing returns an operation that fails with err.
func failing(err error) func(context.Context, *struct{}) (*Empty, error) {
	return func(context.Context, *struct{}) (*Empty, error) { return nil, err }
}
