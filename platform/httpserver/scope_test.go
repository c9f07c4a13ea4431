package httpserver

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/errs"
)

// What an API key may call follows from the route alone. The keys are those of an administrator.
func TestAKeyKeepsToItsScopes(t *testing.T) {
	f := start(t, func(r *Router) {
		nothing := func(context.Context, *struct{}) (*Empty, error) { return &Empty{}, nil }
		change := func(context.Context, *struct{}) (Commit[Empty], error) {
			return func(ctx context.Context) (*Empty, error) { return nothing(ctx, nil) }, nil
		}
		Query(r, Route{Method: http.MethodGet, Path: "/scope/read", Guard: User}, nothing)
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			Mutation(r, Route{Method: method, Path: "/scope/write", Guard: User}, change)
		}
		Query(r, Route{Method: http.MethodGet, Path: "/scope/ai", Guard: User, Rate: RateAI}, nothing)
		Mutation(r, Route{Method: http.MethodPost, Path: "/scope/ai", Guard: User, Rate: RateAI}, change)
		Query(r, Route{Method: http.MethodGet, Path: "/scope/people", Guard: User, People: true}, nothing)
		Mutation(r, Route{Method: http.MethodPost, Path: "/scope/people", Guard: User, People: true, Rate: RateAI}, change)
		Query(r, Route{Method: http.MethodGet, Path: "/scope/admin", Guard: Admin}, nothing)
		Mutation(r, Route{Method: http.MethodDelete, Path: "/scope/admin", Guard: Admin, Rate: RateAI}, change)
		Query(r, Route{Method: http.MethodGet, Path: "/scope/public", Guard: Public}, nothing)
	})
	const nobody = ""
	for call, key := range map[string]string{
		"GET read": "reads", "HEAD read": "reads",
		"POST write": "writes", "PUT write": "writes", "PATCH write": "writes", "DELETE write": "writes",
		"GET ai": "asks", "HEAD ai": "asks", "POST ai": "asks",
		"GET people": nobody, "HEAD people": nobody, "POST people": nobody, "GET admin": nobody, "HEAD admin": nobody, "DELETE admin": nobody,
	} {
		method, name, _ := strings.Cut(call, " ")
		for token, scope := range map[string]string{"reads": "read", "writes": "write", "asks": "ai"} {
			before := f.tx.String()
			answer := f.anyone.As(token).Do(t, method, "/api/v1/scope/"+name)
			if token == key {
				answer.Want(http.StatusNoContent)
				continue
			}
			want := `Bearer realm="api", error="insufficient_scope"`
			if key != nobody {
				want += `, scope="` + map[string]string{"reads": "read", "writes": "write", "asks": "ai"}[key] + `"`
			}
			answer.Want(http.StatusForbidden).WantHeader("WWW-Authenticate", want)
			if method != http.MethodHead {
				answer.WantError(http.StatusForbidden, errs.Forbidden.Code())
			}
			if after := f.tx.String(); after != before {
				t.Errorf("%s with the scope %s: %s", call, scope, after)
			}
		}
		person := f.user
		if name == "admin" {
			person.Do(t, method, "/api/v1/scope/"+name).Want(http.StatusForbidden).WantHeader("WWW-Authenticate", "")
			person = f.anyone.As("admin")
		}
		person.Do(t, method, "/api/v1/scope/"+name).Want(http.StatusNoContent)
	}
	f.anyone.As("asks").Do(t, http.MethodGet, "/api/v1/scope/public").Want(http.StatusNoContent)
}

// The log tells which key a program called with, and why it was refused.
func TestTheLogNamesTheKey(t *testing.T) {
	f := start(t, nil)
	f.anyone.As("writes").Do(t, http.MethodGet, "/api/v1/app/things").Want(http.StatusForbidden)
	_, fields := f.line(t)
	cause, _ := fields["cause"].(string)
	if fields["user"] != "u2" || fields["api_key"] != "k-writes" || !strings.Contains(cause, "needs read") {
		t.Errorf("the log has %v", fields)
	}
	f.user.Do(t, http.MethodGet, "/api/v1/app/things").Want(http.StatusOK)
	if _, fields := f.line(t); fields["api_key"] != nil {
		t.Errorf("the log has %v of a person", fields)
	}
}

func TestOnlyPeopleCanBeLetInAlone(t *testing.T) {
	for _, guard := range []Guard{Public, Admin, Signature} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a route for people has the guard %s", guard)
				}
			}()
			newFixture(t, func(r *Router) {
				Query(r, Route{Method: http.MethodGet, Path: "/people", Guard: guard, People: true},
					func(context.Context, *struct{}) (*Empty, error) { return &Empty{}, nil })
			})
		}()
	}
}
