// Package httpserver is the HTTP driving adapter's platform: gin for routing, huma for typed operations over it.
//
// A module registers plain typed functions (Query, Mutation, Stream) with a Route that says who may call them; the OpenAPI
// 3.1 document is made from the same types and can't drift from the code. Every answer goes through the same stages
// (stages.go), every error through the same envelope (failure.go), every body through the same strict JSON
// (format.go).
//
// Why huma: measured, it costs about 1 µs a request over bare gin, and it replaces a hand-kept document and a binder.
// Its defaults differ from the HTTP contract in a dozen places; failure.go, format.go, input.go and New set them right,
// and each has a test.
//
// Where the HTTP contract is silent: a route for GET answers HEAD too. A body without a Content-Type is taken for JSON;
// an empty one, where one is needed, is 400; one that no operation asks for is ignored; a compressed one is 415; one in
// chunks ends its connection. A query parameter that is given twice is 422, and so is an empty one that isn't free text, and a
// null for a field that the document doesn't call nullable; a query, path or body that isn't UTF-8 or holds a NUL is 400, or
// 404 in a path. If-Match takes one tag or *; anything else is 412. OPTIONS without an Origin is 405. A request line and header
// over 32 KiB are 431, and bytes that aren't HTTP are 400; these two net/http answers by itself, without the envelope. What
// changes something and came in the clear to a trusted proxy is 403. An Idempotency-Key is the user's who
// sends it, whether by token or API key, or the address's it comes from on public routes; the same request is one with the
// same path, query and body, whatever its other headers. Webhooks, and what changes nothing, ignore it.
package httpserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
	"github.com/rs/cors"
	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/patch"
	"github.com/omnistack/omnistack/platform/ratelimit"
)

// Authenticator turns Authorization headers into the user behind it.
type Authenticator interface {
	// Authenticate returns who is asking. Its errors are errs.Unauthenticated for a missing or bad token,
	// errs.Forbidden for an account that may not act, errs.Unavailable when it can't be told now.
	Authenticate(ctx context.Context, authorization []string) (auth.Principal, error)
}

// Check is one thing that must work for the process to be ready. It answers within two seconds.
type Check struct {
	Name     string
	Run      func(ctx context.Context) error
	Optional bool // it is reported, but the process can serve without it
}

// Options are what a Server is made of.
type Options struct {
	Title   string // of the API document
	Version string // of the binary
	HTTP    config.HTTP
	Auth    Authenticator
	Tx      Transactor
	Audit   Auditor // needed by what administrators change
	Checks  []Check

	Limiter ratelimit.Limiter // nil when nothing is limited
	Rates   config.RateLimit

	// RateFactor returns how many times the quotas somebody on a plan has, 1 or more. It is asked at each call. Nil is the same
	// for all.
	RateFactor func(plan string) int

	// Deployed says that it serves others than its developer.
	Deployed bool

	Idempotency Idempotency // nil: Idempotency-Key is ignored

	// Notice is how long a server that is told to stop goes on answering, so that balancers learn of it and send their
	// clients elsewhere. Zero is for where there is none.
	Notice time.Duration

	// HTTPS is where clients are sent who reached a trusted proxy without TLS, such as https://api.example.com; they are
	// served when it is empty.
	HTTPS string

	limits limits // the usual ones when zero
}

// Server serves the API. Make one with New, register every module's routes, then Serve.
type Server struct {
	options     Options
	log         *zap.Logger
	engine      *gin.Engine
	api         huma.API
	crossOrigin *cors.Cors
	routes      map[routeKey]*Route
	order       []*Route
	limiting    *limiting // nil when nothing is limited
	turns       turns
	stopping    atomic.Bool // it was told to stop, and goes on for a while
	streams     streams
	looking     singleflight.Group // whether it is ready

	warnedOfProxy atomic.Bool
}

// routeKey finds a route by its method and by gin's form of its path.
type routeKey struct{ method, path string }

// New returns a server with the platform's own routes: health, readiness and, if wanted, the docs.
func New(options Options, log *zap.Logger) *Server {
	hookHuma()
	options.limits = cmp.Or(options.limits, usualLimits)
	gin.SetMode(gin.ReleaseMode)

	s := &Server{options: options, log: log, engine: gin.New(), routes: map[routeKey]*Route{}}
	s.turns.taken = map[string]chan struct{}{}
	s.crossOrigin = crossOrigin(options.HTTP.CORSOrigins)
	s.limiting = newLimiting(options.Limiter, options.Rates, options.RateFactor)

	s.engine.HandleMethodNotAllowed = true
	s.engine.RedirectTrailingSlash = false
	s.engine.UseRawPath = true          // an escaped slash belongs to the id it stands in
	_ = s.engine.SetTrustedProxies(nil) // gin believes every X-Forwarded-For otherwise; nil can't fail
	s.engine.Use(s.stages()...)
	s.engine.NoRoute(func(c *gin.Context) { refuse(c, errNothingHere) })
	s.engine.NoMethod(func(c *gin.Context) {
		refuse(c, errs.New(errs.MethodNotAllowed, "This address doesn't support the method"))
	})

	s.api = huma.NewAPI(humaConfig(options), adapter{Engine: s.engine, server: s})
	s.addHealth()
	if options.HTTP.DocsEnabled {
		s.addDocs()
	}
	return s
}

// humaConfig is huma's configuration as the HTTP contract needs it.
func humaConfig(options Options) huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", schemaName)
	registry.RegisterTypeAlias(reflect.TypeFor[patch.Field[string]](), reflect.TypeFor[*string]())
	registry.RegisterTypeAlias(reflect.TypeFor[patch.Field[bool]](), reflect.TypeFor[*bool]())
	registry.RegisterTypeAlias(reflect.TypeFor[patch.Field[int64]](), reflect.TypeFor[*int64]())
	registry.RegisterTypeAlias(reflect.TypeFor[patch.Field[time.Time]](), reflect.TypeFor[*time.Time]())
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: options.Title, Version: options.Version, Description: about},
			Servers: []*huma.Server{{URL: "/"}}, // where the document is
			Components: &huma.Components{
				Schemas:   registry,
				Responses: map[string]*huma.Response{},
				Headers:   documentedHeaders(),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "An access token of your identity provider, or an API key. While you develop: omnistack token --sub alice"},
				},
			},
		},
		Formats:       map[string]huma.Format{contentType: jsonFormat(registry)},
		DefaultFormat: contentType,
		Transformers:  []huma.Transformer{useRendered},
	}
}

// crossOrigin allows exactly the configured origins to call with credentials and to read our headers.
func crossOrigin(origins []string) *cors.Cors {
	allowed := make(map[string]bool, len(origins))
	for _, origin := range origins {
		allowed[origin] = true
	}
	return cors.New(cors.Options{
		AllowOriginFunc: func(origin string) bool { return allowed[origin] },
		AllowedMethods:  []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowedHeaders:  []string{"Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", "X-Request-ID", "Traceparent"},
		ExposedHeaders: []string{"ETag", "Location", "Retry-After", "X-Request-ID", "WWW-Authenticate",
			"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "RateLimit", "RateLimit-Policy", "Idempotent-Replayed", "X-AI-Route-Reason"},
		AllowCredentials: true,
		MaxAge:           600,
	})
}

// Router returns the router of a module, or of a platform package, by the name its routes are listed under.
func (s *Server) Router(module string) *Router {
	document := s.api.OpenAPI()
	if !slices.ContainsFunc(document.Tags, func(tag *huma.Tag) bool { return tag.Name == module }) {
		document.Tags = append(document.Tags, &huma.Tag{Name: module})
	}
	return &Router{server: s, module: module}
}

// Routes returns every registered route, in the order of registration.
func (s *Server) Routes() []Route {
	routes := make([]Route, len(s.order))
	for i, route := range s.order {
		routes[i] = *route
	}
	return routes
}

func (s *Server) addRoute(route *Route) {
	for _, method := range methods(route.Method) {
		s.routes[routeKey{method, ginPath(route.Full)}] = route
	}
	s.order = append(s.order, route)
}

// handle registers the handler of a route.
func (s *Server) handle(method, path string, handler gin.HandlerFunc) {
	for _, method := range methods(method) {
		s.engine.Handle(method, ginPath(path), handler)
	}
}

// methods returns what a route answers to: one for GET answers HEAD too, for which net/http leaves the body out.
func methods(method string) []string {
	if method == http.MethodGet {
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{method}
}

// raw registers a handler that writes its own answer: the docs page and what belongs to it.
func (s *Server) raw(route Route, handler gin.HandlerFunc) {
	route.Module, route.Full, route.AtRoot, route.Guard, route.Rate = "platform", route.Path, true, Public, RateExempt
	route.Hidden = true
	s.addRoute(&route)
	s.handle(route.Method, route.Full, handler)
}

// Handler returns the server as a plain handler.
func (s *Server) Handler() http.Handler { return s.engine }

// limits protect against clients that are slow on purpose.
type limits struct {
	header time.Duration // until the header of a request is there
	idle   time.Duration // until an idle connection is closed
	margin time.Duration // for reading and writing, on top of the time a request may take
	twin   time.Duration // how long a call waits for another one with the same Idempotency-Key
	stall  time.Duration // how long a file may stand still on its way

	connections int // how many there may be
}

// Measured, an idle connection costs 21 kB of memory, so all of them 250 MB.
var usualLimits = limits{
	header: 5 * time.Second, idle: 2 * time.Minute, margin: 10 * time.Second, twin: 2 * time.Second, stall: 30 * time.Second, connections: 12_000,
}

// headerBytes bounds the request line and the header. Over it net/http answers 431 by itself, without the envelope.
const headerBytes = 32 << 10

// Serve answers on the listener until ctx ends, and for as long after it as the notice says. Then it refuses new
// connections, ends streams, lets running requests finish for patience at most, and returns nil; requests that are still
// running are cut off and reported as an error.
func (s *Server) Serve(ctx context.Context, listener net.Listener, patience time.Duration) error {
	errorLog, _ := zap.NewStdLogAt(s.log, zap.WarnLevel) // fails only for a level that doesn't exist
	whole := s.options.HTTP.RequestTimeout + s.options.limits.margin
	// What else is open, to databases and files, needs a part of the descriptors.
	connections := newConnections(listener, min(s.options.limits.connections, descriptors()/4*3), s.trusts)
	s.streams.bound(connections.most)
	server := &http.Server{
		Handler:           http.HandlerFunc(s.answer),
		ConnState:         connections.note,
		ReadHeaderTimeout: s.options.limits.header,
		ReadTimeout:       whole,
		WriteTimeout:      whole,
		IdleTimeout:       s.options.limits.idle,
		MaxHeaderBytes:    headerBytes,
		ErrorLog:          errorLog,
		// Or net/http answers OPTIONS * by itself, without our headers.
		DisableGeneralOptionsHandler: true,
	}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(connections) }()

	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	s.giveNotice(connections)
	s.streams.stop() // now that their clients find another server when they come back
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	err := server.Shutdown(drain)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests were still running after %s: %w", patience, err), server.Close())
	}
	if served := <-stopped; !errors.Is(served, http.ErrServerClosed) && !errors.Is(served, net.ErrClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// lastMoment is how long a connection that was just accepted has to bring its request.
const lastMoment = 250 * time.Millisecond

// giveNotice lets everybody leave before net/http shuts down, which closes idle connections whatever is on its way to
// them, and drops the request that comes first on a new one. It says that the server isn't ready, and ends every
// connection with its next answer; after the notice it refuses new ones, while those that it has accepted are answered.
//
// Measured under 400 requests a second, behind a balancer that tries another server when one refuses a connection: 120
// stops without a notice were 23 errors to its clients; with it they were none if the balancer asks for readiness. If it
// doesn't, 60 stops were 23 errors when only the shutdown closed the listener, and 2 like this: what the kernel has
// accepted and we haven't is lost with the listener.
func (s *Server) giveNotice(listener net.Listener) {
	s.stopping.Store(true)
	if s.options.Notice == 0 {
		return
	}
	time.Sleep(s.options.Notice)
	_ = listener.Close() // Serve hears of it
	time.Sleep(lastMoment)
}

// answer serves a request. Net/http can end connections with their next answer too, but only together with closing those
// that are idle.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	if s.stopping.Load() {
		w.Header().Set("Connection", "close")
	}
	s.engine.ServeHTTP(w, r)
}
