package httpserver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/errs"
)

// Guard says who may call a route.
type Guard string

// The guards of the HTTP contract.
const (
	Public    Guard = "public"    // anyone
	User      Guard = "user"      // a valid token of an active user, or an API key with the scope that the route needs
	Admin     Guard = "admin"     // a valid token of an active user with the role admin or superadmin
	Signature Guard = "signature" // a webhook, which proves itself by a signature over its body
	SignedURL Guard = "signed"    // whoever has a URL that we have signed, for what it says
)

// RateGroup names the limit that a route counts against.
type RateGroup string

// The groups of the settings RATE_LIMIT_DEFAULT, _AI and _AUTH, that of webhooks, and the routes that count against none.
const (
	RateDefault RateGroup = "default"
	RateAI      RateGroup = "ai"
	RateAuth    RateGroup = "auth"
	RateWebhook RateGroup = "webhook"
	RateExempt  RateGroup = "exempt"
)

// Dialect is whose words errors and events are in, where a route stands in for somebody else's API.
type Dialect string

// OpenAI is the dialect of OpenAI's API: errors have its fields beside ours, and events of a stream no names.
// Source: https://platform.openai.com/docs/api-reference/chat-streaming
const OpenAI Dialect = "openai"

// Route describes one operation: what the router, the guards, the limiter and the API document need to know of it.
type Route struct {
	Method  string
	Path    string // below API_V1_STR, such as "/app/projects/{id}"
	AtRoot  bool   // mounted at Path itself instead of below API_V1_STR
	Guard   Guard
	People  bool      // a program's API key is refused; for the guard User, as Admin is for people anyway
	Rate    RateGroup // RateDefault when empty
	Cost    int       // how many calls one counts for against the limit; 1 when 0
	Summary string    // one line for the API document
	Status  int       // of success; 200, or 204 for an answer without a body, when 0
	Errors  []int     // the statuses worth documenting beside those every route can have
	Hidden  bool      // left out of the API document
	Probe   bool      // asked by platforms from inside, who don't speak TLS
	Local   bool      // there for clients on this machine only, who call it by a name of its own; 404 for others
	Secret  bool      // what a Mutation answers is shown once: it isn't kept under the client's Idempotency-Key
	Whole   bool      // a Stream that may answer in one piece, by Reply.Whole
	Dialect Dialect   // whose words its errors and events are in; ours when empty
	File    bool      // moves a file, whose length is signed and whose time is its pace: see AddFiles
	Outside bool      // before its Commit a Mutation asks services outside for what mustn't be done twice, under IdempotencyKey

	Module string // filled in by the router: who registered it
	Full   string // filled in by the router: the path as mounted
}

// Transactor runs a function in one database transaction, carried by the ctx it is given.
type Transactor interface {
	WithinTx(ctx context.Context, fn func(ctx context.Context) error) error
}

// Router is where a module registers its operations. Each is a plain typed function: the input and output structs
// are the contract, and the API document is made from them.
type Router struct {
	server *Server
	module string
}

// answer is satisfied by *Object, *List, *Page and *Empty.
type answer[O any] interface {
	*O
	answered
}

// Query registers an operation that changes nothing. For administrators that is a GET: what they do is recorded, and a
// Mutation is what records it.
func Query[I, O any, P answer[O]](r *Router, route Route, handle func(ctx context.Context, in *I) (*O, error)) {
	if route.Guard == Admin && route.Method != http.MethodGet {
		panic(fmt.Sprintf("httpserver: %s %s: what administrators change is a Mutation, or it isn't recorded", route.Method, route.Path))
	}
	huma.Register(r.server.api, r.add(route, reflect.TypeFor[I]()), func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, err
		}
		_, err = render(ctx, P(out), route.Status)
		return out, err
	})
}

// Commit is the second half of a mutation: what happens inside the transaction. It calls no port and nothing outside
// the process: there a slow answer would hold the database's locks.
type Commit[O any] func(ctx context.Context) (*O, error)

// Mutation registers an operation that changes something. All of them have this one shape: handle checks the input
// and asks ports and outside services; the Commit it returns then runs in ONE transaction, where effects, events and
// the answer itself become true together. The answer is marshalled before the transaction commits, so that nothing
// can fail between the commit and the answer, and sent after. What an administrator does is recorded in the same
// transaction, and an attempt that was refused in one of its own.
//
// A client that names an Idempotency-Key may repeat the call: the first thing in the transaction is to take the key, and
// the last to keep the answer under it. So a call that fails leaves the key free, and there is nothing in between that a
// crash could leave. A call that leaves the process (Route.Outside) can't do that in one transaction: it takes the key for a
// lease before handle, and if it breaks off the next call takes it over, and goes out under the same IdempotencyKey.
func Mutation[I, O any, P answer[O]](r *Router, route Route, handle func(ctx context.Context, in *I) (Commit[O], error)) {
	audit := r.audited(route)
	operation := r.add(route, reflect.TypeFor[I]())
	keys := r.keyed(route, &operation)
	perform := func(ctx context.Context, in *I) (*O, error) {
		attempt, err := keys.begin(ctx)
		if err != nil {
			return nil, err
		}
		defer attempt.end()
		commit, err := handle(ctx, in)
		if err != nil {
			return nil, attempt.release(ctx, err, certain(err))
		}
		var out *O
		err = r.server.options.Tx.WithinTx(ctx, func(ctx context.Context) error {
			if err := attempt.open(ctx); err != nil {
				return err
			}
			if out, err = commit(ctx); err != nil {
				return err
			}
			status, err := render(ctx, P(out), route.Status)
			if err != nil {
				return err
			}
			if err := attempt.close(ctx, status, P(out)); err != nil {
				return err
			}
			return audit.done(ctx, status)
		})
		if err != nil {
			return nil, attempt.release(ctx, err, false)
		}
		return out, nil
	}
	huma.Register(r.server.api, operation, func(ctx context.Context, in *I) (*O, error) {
		out, err := perform(ctx, in)
		switch {
		case errors.Is(err, errReplayed):
			return nil, nil // the adapter sends it
		case err != nil:
			return nil, audit.refused(ctx, err)
		}
		return out, nil
	})
}

// render settles the answer's status, which it returns, and marshals its body into the call's record, from where
// useRendered takes it. Nothing is sent before the whole of it is there, so that an answer that can't be marshalled is
// an error like others.
func render(ctx context.Context, out answered, status int) (int, error) {
	record := callOf(ctx)
	status = out.settle(status, record.ifNoneMatch)
	content := out.content()
	if content == nil {
		return status, nil
	}
	var err error
	if record.rendered, err = json.Marshal(content, json.Deterministic(true)); err != nil { // of maps, too
		return 0, fmt.Errorf("the answer can't be marshalled: %w", err)
	}
	return status, nil
}

// useRendered is the huma transformer that puts the call, with its rendered body, in the place of an answer.
func useRendered(ctx huma.Context, _ string, body any) (any, error) {
	if failure, failed := body.(*Error); failed {
		return failure, nil
	}
	return callOf(ctx.Context()), nil
}

// add records the route and returns it as huma's operation. It panics for mistakes that would show only at a request.
func (r *Router) add(route Route, input reflect.Type) huma.Operation {
	route.Module = r.module
	if route.Rate == "" {
		route.Rate = RateDefault
	}
	route.Full = r.server.mounted(route)
	if !slices.Contains([]Guard{Public, User, Admin, Signature}, route.Guard) {
		panic(fmt.Sprintf("httpserver: %s %s has no guard, or one that doesn't exist", route.Method, route.Full))
	}
	if !slices.Contains([]RateGroup{RateDefault, RateAI, RateAuth, RateWebhook, RateExempt}, route.Rate) || route.Cost < 0 {
		panic(fmt.Sprintf("httpserver: %s %s counts against no group that exists, or not at all", route.Method, route.Full))
	}
	if route.People && route.Guard != User {
		panic(fmt.Sprintf("httpserver: %s %s: only the guard User tells people from programs", route.Method, route.Full))
	}
	for field := range input.Fields() {
		if field.Anonymous && !field.IsExported() {
			panic(fmt.Sprintf("httpserver: %s %s: huma passes over the embedded %s: export it", route.Method, route.Full, field.Name))
		}
	}
	r.server.addRoute(&route)
	_, raw := input.FieldByName("RawBody")

	operation := huma.Operation{
		OperationID:   operationID(route),
		Method:        route.Method,
		Path:          route.Full,
		Summary:       route.Summary,
		Tags:          []string{r.module},
		DefaultStatus: route.Status,
		Hidden:        route.Hidden,
		Responses:     r.server.failures(route.Errors...),
		MaxBodyBytes:  -1, // the body limit stage is the one that counts
		// huma takes a raw body of the type JSON for a JSON string.
		SkipValidateBody: raw,
		// Later than the deadline stage: this timeout ends the request's context as if the client had left.
		BodyReadTimeout: r.server.options.HTTP.RequestTimeout + r.server.options.limits.margin/2,
	}
	if route.People {
		operation.Description = "For people: an API key can't do this."
	}
	if route.authenticated() {
		operation.Security = []map[string][]string{{"bearer": {}}}
		maps.Copy(operation.Responses, r.server.failures(http.StatusUnauthorized, http.StatusForbidden))
	}
	return operation
}

// authenticated tells whether the route asks who is calling.
func (r *Route) authenticated() bool { return r.Guard == User || r.Guard == Admin }

// scope returns what an API key needs to call the route, 0 when none may.
func (r *Route) scope() auth.Scopes {
	switch {
	case r.Guard == Admin || r.People:
		return 0
	case r.Rate == RateAI:
		return auth.ScopeAI
	case r.Method == http.MethodGet: // and HEAD, which comes with it
		return auth.ScopeRead
	}
	return auth.ScopeWrite
}

// admit returns nil for a principal who may call the route, else errs.Forbidden.
func (r *Route) admit(who auth.Principal) error {
	if err := who.Permit(r.scope()); err != nil {
		return err
	}
	if r.Guard == Admin && !who.Role.Includes(auth.RoleAdmin) {
		return errs.New(errs.Forbidden, "This needs the role admin")
	}
	return nil
}

// operationID makes names such as "get-projects-by-id", which client generators turn into method names.
func operationID(route Route) string {
	words := []string{strings.ToLower(route.Method)}
	for segment := range strings.SplitSeq(strings.Trim(route.Path, "/"), "/") {
		switch {
		case segment == "app":
		case strings.HasPrefix(segment, "{"):
			words = append(words, "by", strings.Trim(segment, "{}"))
		default:
			words = append(words, strings.Trim(segment, "."))
		}
	}
	return strings.Join(words, "-")
}

// ginPath returns a path in gin's form: "/projects/{id}" becomes "/projects/:id".
func ginPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

// mounted returns the path at which a route is served.
func (s *Server) mounted(route Route) string {
	if route.AtRoot {
		return route.Path
	}
	return s.options.HTTP.APIPrefix + route.Path
}

// Tool mounts a handler that speaks HTTP by itself at a path of the root and at everything below it, for clients on this machine
// only. It is for what stands in for somebody else's server while one develops: it answers in that one's words, not in ours.
func (r *Router) Tool(path, summary string, handler http.Handler) {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		route := Route{
			Method: method, Path: path + "/*rest", AtRoot: true, Guard: Public, Rate: RateExempt, Local: true, Hidden: true,
			Summary: summary, Module: r.module, Full: path + "/*rest",
		}
		r.server.addRoute(&route)
		r.server.handle(method, route.Full, func(c *gin.Context) { handler.ServeHTTP(c.Writer, c.Request) })
	}
}

// URL returns the path at which a path below API_V1_STR is mounted, for Location headers.
func (r *Router) URL(path string) string { return r.server.options.HTTP.APIPrefix + path }
