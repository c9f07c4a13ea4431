package contract_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/httpserver"
)

// fault is something wrong in a server: what its answers become, or what it lets pass.
type fault struct {
	name   string
	before func(r *http.Request)            // changes what the server hears
	after  func(r *http.Request, a *answer) // changes what it says
	finds  string                           // what is reported, "" for no fault
}

// on returns a change of answers with a certain status only.
func on(status int, change func(a *answer)) func(*http.Request, *answer) {
	return func(_ *http.Request, a *answer) {
		if a.status == status {
			change(a)
		}
	}
}

// replacing returns a change of the body.
func replacing(was, is string) func(*answer) {
	return func(a *answer) { a.body = bytes.Replace(a.body, []byte(was), []byte(is), 1) }
}

var faults = []fault{
	{name: "none"},
	{name: "a crash", after: on(201, func(a *answer) { a.status = 500 }), finds: "a client can't be the reason of 500"},
	{name: "another status", after: on(404, func(a *answer) { a.status = 410 }), finds: "the status 410 isn't documented"},
	{name: "a field of another type", after: on(200, replacing(`"size":`, `"size":"big","was":`)), finds: "the body doesn't fit its schema"},
	{name: "a field that is missing", after: on(201, replacing(`"name":`, `"nome":`)), finds: "the body doesn't fit its schema"},
	{name: "a choice that doesn't exist", after: on(201, replacing(`"colour":"red"`, `"colour":"rosy"`)), finds: "the body doesn't fit its schema"},
	{name: "another type of body", after: on(200, func(a *answer) { a.header.Set("Content-Type", "text/plain") }), finds: `the body is of the type "text/plain"`},
	{name: "half a body", after: on(200, func(a *answer) { a.body = a.body[:len(a.body)/2] }), finds: "the body is no JSON"},
	{name: "a body of a deletion", after: on(204, func(a *answer) { a.status = 200 }), finds: "the status 200 isn't documented"},
	{name: "no header", after: on(201, func(a *answer) { a.header.Del("Location") }), finds: "no header Location"},
	{name: "no request id", after: on(422, func(a *answer) { a.header.Del("X-Request-ID") }), finds: "no X-Request-ID"},
	{name: "another request id", after: on(404, func(a *answer) { a.header.Set("X-Request-ID", "other") }), finds: "the request's id"},
	{name: "another code", after: on(422, replacing("VALIDATION_ERROR", "BAD_REQUEST")), finds: "should have the code VALIDATION_ERROR"},
	{name: "more than the envelope", after: on(422, replacing(`"code":`, `"stack":"main.go:1","code":`)), finds: "the error isn't in the envelope"},
	{name: "a page for what isn't there", after: on(405, func(a *answer) { a.body = []byte("<h1>405</h1>") }), finds: "the error isn't in the envelope"},
	{name: "no Allow", after: on(405, func(a *answer) { a.header.Del("Allow") }), finds: "405 without the header Allow"},
	{name: "success where nothing is", after: on(405, func(a *answer) { a.status = 200 }), finds: "it has no such method"},
	{name: "a field that is let pass", before: changing(func(fields map[string]any) {
		for name := range fields {
			if name != "name" && name != "size" && name != "colour" {
				delete(fields, name)
			}
		}
	}), finds: "it has a field that doesn't exist"},
	{name: "a length that isn't looked at", before: changing(func(fields map[string]any) {
		if name, ok := fields["name"].(string); ok {
			fields["name"] = name[:min(len(name), 1)] + "a"
		}
	}), finds: "a text is too long"},
	{name: "a type that isn't looked at", before: changing(func(fields map[string]any) { fields["size"] = 1 }), finds: "a value has another type"},
	{name: "what is missing is made up", before: changing(func(fields map[string]any) {
		if _, found := fields["name"]; !found {
			fields["name"] = "nameless"
		}
	}), finds: "the field name is missing"},
	{name: "any type of body", before: func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, finds: "the body isn't JSON by its type"},
	{name: "a query that isn't looked at", before: func(r *http.Request) { r.URL.RawQuery = "" }, finds: "the query has a part that nobody asks for"},
	{name: "the last of two parameters", before: func(r *http.Request) {
		r.URL.RawQuery = r.URL.RawQuery[strings.LastIndexByte(r.URL.RawQuery, '&')+1:]
	}, finds: "a query parameter is given twice"},
	{name: "any id", before: func(r *http.Request) {
		if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, things+"/") {
			r.URL.Path, r.URL.RawPath = things+"/t1", ""
		}
	}, finds: "nothing has that id"},
	{name: "a refusal of what is right", before: func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, finds: "415 for a request that the document allows"},
}

// changing returns a change of a JSON body's fields.
func changing(change func(map[string]any)) func(*http.Request) {
	return func(r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var fields map[string]any
		if json.Unmarshal(body, &fields) == nil && fields != nil {
			change(fields)
			body, _ = json.Marshal(fields)
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
}

// Every fault that is planted in a server is found, and nothing is found in a server without one.
func TestTheFuzzerFindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	server := httpserver.New(httpserver.Options{
		Title: "Things", Version: "v1", Auth: nobody{}, Tx: nobody{}, HTTP: config.HTTP{APIPrefix: api, BodyLimit: 1 << 20, RequestTimeout: time.Minute, DocsEnabled: true},
	}, zap.NewNop())
	registerThings(server.Router("things"))
	operations := parseAPI(t, ask(server.Handler(), "/openapi.json").Body.Bytes())
	operations = slices.DeleteFunc(operations, func(o *operation) bool { return !strings.HasPrefix(o.path, things) })
	for _, planted := range faults {
		t.Run(planted.name, func(t *testing.T) {
			var others []string
			for _, o := range operations {
				for seed := range 400 {
					r := anyRequest(o, seed)
					for _, wrong := range o.judge(r, planted.play(server.Handler(), r)) {
						if planted.finds != "" && strings.Contains(wrong, planted.finds) {
							return
						}
						others = append(others, wrong+"\n"+r.String())
					}
				}
			}
			if planted.finds != "" || others != nil {
				t.Errorf("want %q, and found are\n%s", planted.finds, strings.Join(others, "\n"))
			}
		})
	}
}

// anyRequest returns a request about the one thing, always the same for a seed.
func anyRequest(o *operation, seed int) *request {
	return rapid.Custom(func(t *rapid.T) *request {
		mutated := rapid.Bool().Draw(t, "mutated")
		r := generate(t, o, oneThing{})
		if mutated {
			mutate(t, o, r, []string{"id", "owner_id"})
		}
		return r
	}).Example(seed)
}

// play returns the answer of a server with the fault.
func (f fault) play(handler http.Handler, r *request) answer {
	target := r.path
	if len(r.query) > 0 {
		target += "?" + strings.Join(r.query, "&")
	}
	sent := httptest.NewRequest(r.method, target, nil)
	if r.body != nil {
		sent = httptest.NewRequest(r.method, target, strings.NewReader(*r.body))
	}
	sent.Header = r.header.Clone()
	if f.before != nil {
		f.before(sent)
	}
	recorded := httptest.NewRecorder()
	handler.ServeHTTP(recorded, sent)
	got := answer{recorded.Code, recorded.Header(), recorded.Body.Bytes()}
	if r.method == http.MethodHead {
		got.body = nil // as net/http has it
	}
	if f.after != nil {
		f.after(sent, &got)
	}
	return got
}

func ask(handler http.Handler, path string) *httptest.ResponseRecorder {
	recorded := httptest.NewRecorder()
	handler.ServeHTTP(recorded, httptest.NewRequest(http.MethodGet, path, nil))
	return recorded
}

// oneThing is where there is one thing, which is the caller's.
type oneThing struct{}

func (oneThing) own(string) string                 { return "t1" }
func (oneThing) foreign(string) string             { return "t2" }
func (oneThing) meant(*operation, string) []string { return nil }

// nobody asks for no token and keeps nothing.
type nobody struct{}

func (nobody) Authenticate(context.Context, []string) (auth.Principal, error) {
	return auth.Principal{}, errs.New(errs.Unauthenticated, "no")
}

func (nobody) WithinTx(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) }

const things = api + "/public/things"

// Thing is what the server with the faults is about.
type Thing struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Size   int    `json:"size"`
	Colour string `json:"colour" enum:"red,blue"`
}

// NewThing is what one is made of.
type NewThing struct {
	Name   string `json:"name" minLength:"1" maxLength:"10"`
	Size   int    `json:"size,omitempty" minimum:"0" maximum:"100"`
	Colour string `json:"colour,omitempty" enum:"red,blue"`
}

// ThingInput names a thing.
type ThingInput struct {
	ID string `path:"id" maxLength:"20"`
}

func registerThings(r *httpserver.Router) {
	route := func(method, path string, status int) httpserver.Route {
		return httpserver.Route{
			Method: method, Path: "/public/things" + path, Guard: httpserver.Public, Status: status, Summary: "Do something", Errors: []int{404},
		}
	}
	thing := func(id string) (*httpserver.Object[Thing], error) {
		if id != "t1" {
			return nil, errs.New(errs.NotFound, "There is one thing")
		}
		return &httpserver.Object[Thing]{Body: Thing{ID: id, Name: "one", Colour: "red"}}, nil
	}
	httpserver.Query(r, route("GET", "", 0), func(context.Context, *struct {
		Limit int    `query:"limit" minimum:"1" maximum:"10" default:"5"`
		Text  string `query:"q" maxLength:"10"`
	}) (*httpserver.Object[[]Thing], error) {
		return &httpserver.Object[[]Thing]{Body: []Thing{{ID: "t1", Name: "one", Colour: "red"}}}, nil
	})
	httpserver.Mutation(r, route("POST", "", 201), func(context.Context, *struct{ Body NewThing }) (httpserver.Commit[httpserver.Object[Thing]], error) {
		return func(context.Context) (*httpserver.Object[Thing], error) {
			made, err := thing("t1")
			made.Location = things + "/t1"
			return made, err
		}, nil
	})
	httpserver.Query(r, route("GET", "/{id}", 0), func(_ context.Context, in *ThingInput) (*httpserver.Object[Thing], error) { return thing(in.ID) })
	httpserver.Mutation(r, route("DELETE", "/{id}", 0), func(_ context.Context, in *ThingInput) (httpserver.Commit[httpserver.Empty], error) {
		return func(context.Context) (*httpserver.Empty, error) {
			_, err := thing(in.ID)
			return &httpserver.Empty{}, err
		}, nil
	})
}
