package httpserver

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit"
)

// number is a body that JSON may not be able to hold.
type number struct {
	Value float64 `json:"value"`
}

func TestAMutationIsOneTransaction(t *testing.T) {
	var commitSaw, handleSaw any
	mutation := func(value float64, err error) func(*Router) {
		return func(r *Router) {
			Mutation(r, Route{Method: http.MethodPost, Path: "/numbers", Guard: User, Status: http.StatusCreated},
				func(ctx context.Context, _ *struct{}) (Commit[Object[number]], error) {
					handleSaw = ctx.Value(inTx{})
					return func(ctx context.Context) (*Object[number], error) {
						commitSaw = ctx.Value(inTx{})
						return &Object[number]{ETag: ETag(1), Location: "/numbers/1", Body: number{value}}, err
					}, nil
				})
		}
	}
	for name, test := range map[string]struct {
		value     float64
		err       error
		commitErr error
		status    int
		code      string
		ledger    string
	}{
		"done":                          {1, nil, nil, 201, "", "begin commit"},
		"the effect fails":              {1, errs.New(errs.Conflict, "No"), nil, 409, "CONFLICT", "begin rollback"},
		"the answer can't be marshaled": {math.NaN(), nil, nil, 500, "INTERNAL_ERROR", "begin rollback"},
		"the commit fails":              {1, nil, errors.New("disk full"), 500, "INTERNAL_ERROR", "begin rollback"},
		"the commit finds a conflict":   {1, nil, errs.New(errs.Conflict, "No"), 409, "CONFLICT", "begin rollback"},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, mutation(test.value, test.err))
			f.tx.commitErr = test.commitErr
			answer := f.user.Do(t, "POST", "/api/v1/numbers")
			if written := f.tx.String(); written != test.ledger {
				t.Errorf("the transaction went %s, want %s", written, test.ledger)
			}
			if handleSaw != nil || commitSaw != true {
				t.Errorf("in a transaction: handle %v, commit %v; want the commit only", handleSaw, commitSaw)
			}
			if test.status == 201 {
				answer.Want(201).WantJSON("", map[string]any{"value": 1})
				return
			}
			answer.WantError(test.status, test.code).WantHeader("ETag", "").WantHeader("Location", "")
			wantClean(t, answer.Body, "value", "disk", "NaN")
		})
	}
}

func TestAMutationThatIsRefusedOpensNoTransaction(t *testing.T) {
	f := start(t, nil)
	f.user.Do(t, "PATCH", "/api/v1/app/things/one", testkit.Body(`{}`), testkit.Header("If-Match", `"6"`)).Want(412)
	f.user.Do(t, "POST", "/api/v1/app/things", testkit.Body(`{}`)).Want(422)
	f.anyone.Do(t, "POST", "/api/v1/app/things", testkit.Body(`{"name":"a"}`)).Want(401)
	if written := f.tx.String(); written != "" {
		t.Errorf("the transactions went %s", written)
	}
}

func TestAQueryOpensNoTransaction(t *testing.T) {
	f := start(t, func(r *Router) {
		Query(r, Route{Method: http.MethodGet, Path: "/numbers", Guard: User}, func(context.Context, *struct{}) (*Object[number], error) {
			return &Object[number]{ETag: ETag(1), Body: number{math.NaN()}}, nil
		})
	})
	f.user.Do(t, "GET", "/api/v1/app/things").Want(200)
	f.user.Do(t, "GET", "/api/v1/app/things/one").Want(200)
	f.user.Do(t, "DELETE", "/api/v1/app/things/one", testkit.Header("If-Match", "no tag")).Want(412)
	f.user.Do(t, "GET", "/api/v1/numbers").WantError(500, "INTERNAL_ERROR").WantHeader("ETag", "")
	if written := f.tx.String(); written != "" {
		t.Errorf("the transactions went %s", written)
	}
}

// The answer is made before it is sent, and is what marshalling it at any other time gives.
func TestAnswersAreMarshalledPlainly(t *testing.T) {
	body := thing{ID: "<ü>", Name: "a\"\\\u2028", Note: new("🚀"), Count: -1, Tags: []string{"&", ""}}
	long := thing{Name: strings.Repeat("x", 100_000)}
	f := start(t, func(r *Router) {
		for path, body := range map[string]thing{"/short": body, "/long": long} {
			Query(r, Route{Method: http.MethodGet, Path: path, Guard: User}, func(context.Context, *struct{}) (*Object[thing], error) {
				return &Object[thing]{Body: body}, nil
			})
			Mutation(r, Route{Method: http.MethodPost, Path: path, Guard: User}, func(context.Context, *struct{}) (Commit[Object[thing]], error) {
				return func(context.Context) (*Object[thing], error) { return &Object[thing]{Body: body}, nil }, nil
			})
		}
	})
	for path, body := range map[string]thing{"/short": body, "/long": long} {
		want, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		for _, method := range []string{"GET", "POST"} {
			if got := f.user.Do(t, method, "/api/v1"+path).Want(200).Body; string(got) != string(want) {
				t.Errorf("%s %s is %.100s, want %.100s", method, path, got, want)
			}
		}
	}
}

// What nobody accepts is answered in JSON all the same.
func TestAcceptIsNotNegotiated(t *testing.T) {
	f := start(t, nil)
	for _, accept := range []string{"", "*/*", "application/json", "text/html", "json", "application/json;q=0", "\xff", ";,;"} {
		f.user.Do(t, "GET", "/api/v1/app/things/one", testkit.Header("Accept", accept)).Want(200).
			WantHeader("Content-Type", "application/json").WantJSON("id", "one")
		f.user.Do(t, "GET", "/api/v1/app/things/two", testkit.Header("Accept", accept)).WantError(404, "NOT_FOUND")
	}
}

func TestMistakesInARouteStopTheStart(t *testing.T) {
	type hidden struct {
		ID string `path:"id"`
	}
	for name, register := range map[string]func(r *Router){
		"no guard":         func(r *Router) { Query(r, Route{Method: http.MethodGet, Path: "/a"}, nothing) },
		"a misspelt guard": func(r *Router) { Query(r, Route{Method: http.MethodGet, Path: "/a", Guard: "Admin"}, nothing) },
		"an embedded struct that huma passes over": func(r *Router) {
			Query(r, Route{Method: http.MethodGet, Path: "/a/{id}", Guard: Public},
				func(context.Context, *struct{ hidden }) (*Empty, error) { return nil, nil })
		},
		"twice the same": func(r *Router) {
			Query(r, Route{Method: http.MethodGet, Path: "/a", Guard: Public}, nothing)
			Query(r, Route{Method: http.MethodGet, Path: "/a", Guard: Public}, nothing)
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it was registered")
				}
			}()
			newFixture(t, register)
		})
	}
}

// A tool answers in its own words, whatever is asked of it, and is there for clients on this machine only.
func TestAToolSpeaksForItself(t *testing.T) {
	f := start(t, func(r *Router) {
		r.Tool("/dev/tool", "A tool", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", "sandbox")
			_, _ = w.Write([]byte(r.Method + " " + r.URL.Path))
		}))
	})
	for _, method := range []string{"GET", "POST", "DELETE"} {
		answer := f.anyone.Do(t, method, "/dev/tool/some/thing").Want(200).WantHeader("Content-Security-Policy", "sandbox").
			WantHeader("X-Content-Type-Options", "nosniff")
		if got := string(answer.Body); got != method+" /dev/tool/some/thing" {
			t.Errorf("it says %q", got)
		}
	}
	f.anyone.Do(t, "PUT", "/dev/tool/some/thing").WantError(405, "METHOD_NOT_ALLOWED")
	request := httptest.NewRequest("GET", "/dev/tool/some/thing", nil)
	request.RemoteAddr, request.Host = "127.0.0.1:1", "evil.example.com"
	answer := httptest.NewRecorder()
	f.server.Handler().ServeHTTP(answer, request)
	if answer.Code != http.StatusNotFound {
		t.Errorf("to a page of another name it says %d", answer.Code)
	}
}
