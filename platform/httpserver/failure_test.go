package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit"
)

// contract is the list of codes in the HTTP contract.
var contract = map[string]int{
	"BAD_REQUEST": 400, "UNAUTHENTICATED": 401, "PAYMENT_REQUIRED": 402, "FORBIDDEN": 403, "NOT_FOUND": 404,
	"METHOD_NOT_ALLOWED": 405, "CONFLICT": 409, "PRECONDITION_FAILED": 412, "PAYLOAD_TOO_LARGE": 413,
	"UNSUPPORTED_MEDIA_TYPE": 415, "VALIDATION_ERROR": 422, "RATE_LIMIT_EXCEEDED": 429, "INTERNAL_ERROR": 500,
	"EXTERNAL_SERVICE_ERROR": 502, "SERVICE_UNAVAILABLE": 503, "TIMEOUT": 504,
}

func TestEveryKindOfErrorHasItsStatus(t *testing.T) {
	cause := errors.New("pq: relation things has no column owner of " + sent)
	f := start(t, func(r *Router) {
		for _, kind := range errs.Kinds() {
			err := errs.New(kind, "A message").With("key", "value").Because(cause)
			Query(r, Route{Method: http.MethodGet, Path: "/query/" + kind.Code(), Guard: Public}, failing(fmt.Errorf("wrapped: %w", err)))
			Mutation(r, Route{Method: http.MethodPost, Path: "/mutation/" + kind.Code(), Guard: Public},
				func(context.Context, *struct{}) (Commit[Empty], error) {
					return func(context.Context) (*Empty, error) { return nil, err }, nil
				})
		}
	})
	if len(contract) != len(errs.Kinds()) {
		t.Errorf("the contract has %d codes, errs %d kinds", len(contract), len(errs.Kinds()))
	}
	for _, kind := range errs.Kinds() {
		for _, call := range [][2]string{{"GET", "/api/v1/query/"}, {"POST", "/api/v1/mutation/"}} {
			t.Run(call[1]+kind.Code(), func(t *testing.T) {
				f.logs.TakeAll()
				answer := f.anyone.Do(t, call[0], call[1]+kind.Code()).WantError(contract[kind.Code()], kind.Code())
				answer.WantJSON("error.message", "A message").WantJSON("error.details", map[string]any{"key": "value"})
				wantClean(t, answer.Body, sent)

				level, line := f.line(t)
				if want := zap.InfoLevel; answer.Status < 500 && level != want {
					t.Errorf("logged at %s, want %s", level, want)
				}
				if want := zap.ErrorLevel; answer.Status >= 500 && level != want {
					t.Errorf("logged at %s, want %s", level, want)
				}
				if logged, _ := line["cause"].(string); kind != errs.NotFound && !errorHolds(logged, cause) {
					t.Errorf("the cause is logged as %q, want all of it", logged)
				}
			})
		}
	}
}

func errorHolds(logged string, cause error) bool {
	return len(logged) > len(cause.Error()) && logged[len(logged)-len(cause.Error()):] == cause.Error()
}

// What nobody classified is a fault of ours, and its text is for the log.
func TestAnUnknownErrorTellsTheClientNothing(t *testing.T) {
	f := start(t, func(r *Router) {
		Query(r, Route{Method: http.MethodGet, Path: "/fail", Guard: Public}, failing(errors.New("dial tcp 10.0.0.1:5432 "+sent)))
	})
	answer := f.anyone.Do(t, "GET", "/api/v1/fail").WantError(500, "INTERNAL_ERROR")
	answer.WantJSON("error.message", "An unexpected error occurred").WantJSON("error.details", map[string]any{})
	wantClean(t, answer.Body, sent, "10.0.0.1")
	if _, line := f.line(t); line["cause"] != "dial tcp 10.0.0.1:5432 "+sent {
		t.Errorf("the cause is logged as %v", line["cause"])
	}
}

func TestAnErrorWhoseDetailsAreNotUTF8IsStillAnAnswer(t *testing.T) {
	f := start(t, func(r *Router) {
		Query(r, Route{Method: http.MethodGet, Path: "/fail", Guard: Public}, failing(errs.Missing("Thing", "a\xffb")))
	})
	f.anyone.Do(t, "GET", "/api/v1/fail").WantError(404, "NOT_FOUND").WantJSON("error.details.id", "a\ufffdb")
}

func TestAPanicIsAnAnswer(t *testing.T) {
	f := start(t, func(r *Router) {
		Query(r, Route{Method: http.MethodGet, Path: "/panic", Guard: User}, func(context.Context, *struct{}) (*Empty, error) {
			panic("at the disco " + sent)
		})
		Query(r, Route{Method: http.MethodGet, Path: "/nil", Guard: User}, func(context.Context, *struct{}) (*Object[thing], error) {
			return nil, nil
		})
		Query(r, Route{Method: http.MethodGet, Path: "/nil-list", Guard: User}, func(context.Context, *struct{}) (*List[thing], error) {
			return nil, nil
		})
		Mutation(r, Route{Method: http.MethodPost, Path: "/nil", Guard: User}, func(context.Context, *struct{}) (Commit[Object[thing]], error) {
			return func(context.Context) (*Object[thing], error) { return nil, nil }, nil
		})
		Mutation(r, Route{Method: http.MethodPut, Path: "/nil", Guard: User}, func(context.Context, *struct{}) (Commit[Object[thing]], error) {
			return nil, nil
		})
	})
	for _, call := range [][2]string{{"GET", "/panic"}, {"GET", "/nil"}, {"GET", "/nil-list"}, {"POST", "/nil"}, {"PUT", "/nil"}} {
		t.Run(call[0]+call[1], func(t *testing.T) {
			f.logs.TakeAll()
			f.tx.entries = nil
			answer := f.user.Do(t, call[0], "/api/v1"+call[1]).WantError(500, "INTERNAL_ERROR")
			wantClean(t, answer.Body, sent, "nil", "memory")
			if written := f.tx.String(); written == "begin commit" {
				t.Error("the transaction was committed")
			}
			panics := f.logs.FilterMessage("panic").All()
			if len(panics) != 1 || panics[0].Level != zap.ErrorLevel || panics[0].ContextMap()["stack"] == nil ||
				panics[0].ContextMap()["request_id"] != answer.Header.Get("X-Request-ID") {
				t.Errorf("the panic is logged as %v", panics)
			}
			if level, line := f.line(t); level != zap.ErrorLevel || line["status"] != int64(500) || line["user"] != "u1" {
				t.Errorf("the request is logged at %s as %v", level, line)
			}
		})
	}
	f.user.Do(t, "GET", "/api/v1/app/things/one").Want(200)
}

func TestATimeoutIs504(t *testing.T) {
	f := start(t, func(r *Router) {
		Query(r, Route{Method: http.MethodGet, Path: "/slow", Guard: Public}, func(ctx context.Context, _ *struct{}) (*Empty, error) {
			<-ctx.Done()
			return nil, fmt.Errorf("select: %w", ctx.Err())
		})
		Query(r, Route{Method: http.MethodPost, Path: "/slow", Guard: Public}, func(ctx context.Context, _ *struct{ Body *newThing }) (*Empty, error) {
			<-ctx.Done()
			return nil, fmt.Errorf("select: %w", ctx.Err())
		})
	}, func(o *Options) { o.HTTP.RequestTimeout = 20 * time.Millisecond })
	for _, method := range []string{"GET", "POST"} {
		f.anyone.Do(t, method, "/api/v1/slow").WantError(504, "TIMEOUT").WantJSON("error.message", "The request took too long")
		if level, line := f.line(t); level != zap.ErrorLevel || line["cause"] != "select: context deadline exceeded" {
			t.Errorf("%s is logged at %s as %v", method, level, line)
		}
	}
}

// net/http cancels a request whose body isn't there when the time to read it is over, as if its client had left; huma
// gives it five seconds.
func TestTheTimeToReadABodyEndsAfterTheRequest(t *testing.T) {
	s := newFixture(t, nil).server
	for path, item := range s.api.OpenAPI().Paths {
		for _, operation := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Delete} {
			if operation != nil && operation.BodyReadTimeout <= s.options.HTTP.RequestTimeout {
				t.Errorf("%s %s reads its body for %s", operation.Method, path, operation.BodyReadTimeout)
			}
		}
	}
}

// A client that hangs up is nobody's fault, whatever error its call ends in.
func TestAClientThatLeavesIsNoError(t *testing.T) {
	for name, end := range map[string]func(ctx context.Context) error{
		"as the context says": func(ctx context.Context) error { return ctx.Err() },
		"as a driver says":    func(context.Context) error { return errors.New("interrupted (9)") },
	} {
		t.Run(name, func(t *testing.T) {
			entered := make(chan struct{})
			f := start(t, func(r *Router) {
				Query(r, Route{Method: http.MethodGet, Path: "/wait", Guard: Public}, func(ctx context.Context, _ *struct{}) (*Empty, error) {
					close(entered)
					<-ctx.Done()
					return nil, end(ctx)
				})
			})
			conn := dial(t, f.url)
			fmt.Fprint(conn, "GET /api/v1/wait HTTP/1.1\r\nHost: x\r\n\r\n")
			<-entered
			conn.Close()
			level, line := f.line(t)
			if level != zap.InfoLevel || line["status"] != int64(499) || line["cause"] != end(canceled()).Error() {
				t.Errorf("logged at %s as %v", level, line)
			}
		})
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// A canceled context of our own making is a fault of ours, with the client still there to hear of it.
func TestACancellationOfOursIsAnError(t *testing.T) {
	f := start(t, func(r *Router) {
		Query(r, Route{Method: http.MethodGet, Path: "/fail", Guard: Public}, failing(context.Canceled))
	})
	f.anyone.Do(t, "GET", "/api/v1/fail").WantError(500, "INTERNAL_ERROR")
	if level, line := f.line(t); level != zap.ErrorLevel || line["status"] != int64(500) {
		t.Errorf("logged at %s as %v", level, line)
	}
}

func TestGuards(t *testing.T) {
	f := start(t, nil)
	const realm = `Bearer realm="api"`
	for token, test := range map[string]struct {
		status    int
		code      string
		challenge string
	}{
		"":           {401, "UNAUTHENTICATED", realm},
		"forged":     {401, "UNAUTHENTICATED", realm + `, error="invalid_token"`},
		"two tokens": {401, "UNAUTHENTICATED", realm + `, error="invalid_token"`},
		"suspended":  {403, "FORBIDDEN", ""},
		"unknowable": {503, "SERVICE_UNAVAILABLE", ""},
		"user":       {403, "FORBIDDEN", ""},
		"admin":      {204, "", ""},
	} {
		t.Run(token, func(t *testing.T) {
			answer := f.anyone.As(token).Do(t, "GET", "/api/v1/admin/things").WantHeader("WWW-Authenticate", test.challenge)
			if test.status == 204 {
				answer.Want(204)
				return
			}
			answer.WantError(test.status, test.code)
			wantClean(t, answer.Body, "10.0.0.1", "signature", "forged")
		})
	}
	t.Run("two headers", func(t *testing.T) {
		twice := func(r *http.Request) { r.Header["Authorization"] = []string{"Bearer user", "Bearer user"} }
		f.anyone.Do(t, "GET", "/api/v1/app/things", twice).WantError(401, "UNAUTHENTICATED")
	})
	t.Run("a public route takes any token", func(t *testing.T) {
		f.anyone.As("forged").Do(t, "GET", "/health").Want(200)
	})
	t.Run("what isn't there needs none", func(t *testing.T) {
		f.anyone.Do(t, "GET", "/api/v1/nothing").WantError(404, "NOT_FOUND")
		f.anyone.Do(t, "PUT", "/api/v1/app/things").WantError(405, "METHOD_NOT_ALLOWED")
	})
}

func TestThePrincipalIsInTheContext(t *testing.T) {
	f := start(t, func(r *Router) {
		type who struct{ User, Request string }
		say := func(ctx context.Context, _ *struct{}) (*Object[who], error) {
			return &Object[who]{Body: who{User: Principal(ctx).UserID, Request: RequestID(ctx)}}, nil
		}
		Query(r, Route{Method: http.MethodGet, Path: "/who", Guard: User}, say)
		Query(r, Route{Method: http.MethodGet, Path: "/anyone", Guard: Public}, say)
	})
	id := testkit.Header("X-Request-ID", "mine")
	f.user.Do(t, "GET", "/api/v1/who", id).WantJSON("", map[string]any{"User": "u1", "Request": "mine"})
	f.user.Do(t, "GET", "/api/v1/anyone", id).WantJSON("", map[string]any{"User": "", "Request": "mine"})
	if Principal(t.Context()).UserID != "" || RequestID(t.Context()) != "" {
		t.Error("a context outside of a request has a principal or an id")
	}
}
