package httpserver

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit"
)

func TestAPatchKnowsThreeStates(t *testing.T) {
	f := start(t, nil)
	for body, note := range map[string]any{
		`{}`:             "the old note", // absent: it stays
		`{"name":"b"}`:   "the old note",
		`{"note":null}`:  nil,
		`{"note":""}`:    "",
		`{"note":"new"}`: "new",
	} {
		f.user.Do(t, "PATCH", "/api/v1/app/things/one", testkit.Body(body)).Want(200).WantJSON("note", note)
	}
	for body, fields := range map[string][]errs.Field{
		`{"note":7}`:             {{Name: "note", Message: "expected string"}},
		`{"note":"a long note"}`: {{Name: "note", Message: "expected length <= 10"}},
		`{"Note":null}`:          {{Name: "Note", Message: "unexpected property"}},
	} {
		f.user.Do(t, "PATCH", "/api/v1/app/things/one", testkit.Body(body)).WantError(422, "VALIDATION_ERROR").WantJSON("error.details.errors", fields)
	}
}

// The thing has the version 7. What doesn't name it for sure changes nothing.
func TestIfMatch(t *testing.T) {
	f := start(t, nil)
	for tag, status := range map[string]int{
		"":                       200,
		"*":                      200,
		`"7"`:                    200,
		` "7" `:                  200,
		`"6"`:                    412,
		`W/"7"`:                  412, // a weak tag never matches strongly
		`"6", "7"`:               412, // a list names no version to be sure of
		`7`:                      412,
		`"7`:                     412,
		`'7'`:                    412,
		`"07"`:                   412,
		`"+7"`:                   412,
		`"-7"`:                   412,
		`"0"`:                    412, // would read as any version
		`""`:                     412,
		`"`:                      412,
		`"7""`:                   412,
		`"*"`:                    412,
		`"99999999999999999999"`: 412,
		`"a"`:                    412,
	} {
		t.Run(tag, func(t *testing.T) {
			for method, done := range map[string]int{"PATCH": 200, "DELETE": 204} {
				answer := f.user.Do(t, method, "/api/v1/app/things/one", testkit.Body(`{}`), testkit.Header("If-Match", tag))
				if status == 412 && (method == "PATCH" || tag != `"6"`) {
					answer.WantError(412, "PRECONDITION_FAILED")
				} else {
					answer.Want(done)
				}
			}
		})
	}
}

func TestIfNoneMatch(t *testing.T) {
	f := start(t, nil)
	f.user.Do(t, "GET", "/api/v1/app/things/one").Want(200).WantHeader("ETag", `"7"`)
	for tags, status := range map[string]int{
		`"7"`:          304,
		`W/"7"`:        304, // the comparison is weak (RFC 9110, section 13.1.2)
		`*`:            304,
		`"6", "7"`:     304,
		`"6",W/"7" `:   304,
		`"6"`:          200,
		`7`:            200,
		`"77"`:         200,
		`"6", "8"`:     200,
		`,`:            200,
		`w/"7"`:        200,
		`"7`:           200,
		`"67", "7 "`:   200,
		`"7"garbage"7`: 200,
	} {
		t.Run(tags, func(t *testing.T) {
			answer := f.user.Do(t, "GET", "/api/v1/app/things/one", testkit.Header("If-None-Match", tags)).Want(status).WantHeader("ETag", `"7"`)
			if status == 304 && len(answer.Body) != 0 {
				t.Errorf("304 has the body %q", answer.Body)
			}
		})
	}
	t.Run("in two headers", func(t *testing.T) {
		twice := func(r *http.Request) { r.Header["If-None-Match"] = []string{`"6"`, `"7"`} }
		f.user.Do(t, "GET", "/api/v1/app/things/one", twice).Want(304)
	})
	t.Run("of a change it asks nothing", func(t *testing.T) {
		f.user.Do(t, "PATCH", "/api/v1/app/things/one", testkit.Body(`{}`), testkit.Header("If-None-Match", "*")).Want(200).WantJSON("id", "one")
	})
	t.Run("an error is no object", func(t *testing.T) {
		f.user.Do(t, "GET", "/api/v1/app/things/two", testkit.Header("If-None-Match", "*")).WantError(404, "NOT_FOUND")
	})
	t.Run("nor is what has no tag", func(t *testing.T) {
		f.user.Do(t, "GET", "/health", testkit.Header("If-None-Match", "*")).Want(200)
	})
}

func TestANewObjectHasItsAddress(t *testing.T) {
	for _, prefix := range []string{"/api/v1", "/v2"} {
		f := start(t, nil, func(o *Options) { o.HTTP.APIPrefix = prefix })
		f.user.Do(t, "POST", prefix+"/app/things", testkit.Body(`{"name":"a"}`)).Want(201).
			WantHeader("Location", prefix+"/app/things/two").WantHeader("ETag", `"1"`).WantHeader("Content-Type", "application/json").
			WantJSON("", map[string]any{"id": "two", "name": "a", "note": nil, "count": 0, "tags": []string{}})
	}
	answer := start(t, nil).user.Do(t, "DELETE", "/api/v1/app/things/one").Want(204).WantHeader("Content-Type", "")
	if len(answer.Body) != 0 {
		t.Errorf("204 has the body %q", answer.Body)
	}
}

func TestLists(t *testing.T) {
	f := start(t, nil)
	one := map[string]any{"id": "one", "name": "", "note": nil, "count": 0, "tags": []string{}}
	f.user.Do(t, "GET", "/api/v1/app/things?skip=5&limit=3").Want(200).
		WantJSON("", map[string]any{"items": []any{one}, "total": 9, "skip": 5, "limit": 3, "next_cursor": "more"})
	f.user.Do(t, "GET", "/api/v1/app/things").Want(200).WantJSON("skip", 0).WantJSON("limit", 20)
	f.user.Do(t, "GET", "/api/v1/app/things?q=none").Want(200).
		WantJSON("", map[string]any{"items": []any{}, "total": 0, "skip": 0, "limit": 20})
}

// FuzzIfMatch shows that a tag is the one of a version, or of none.
func FuzzIfMatch(f *testing.F) {
	for _, seed := range []string{"", "*", `"1"`, `W/"1"`, `"1", "2"`, `"0"`, `"-1"`, `"01"`, `" 1"`, `"9223372036854775807"`, `"9223372036854775808"`, "\x00", `"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		version, err := IfMatch{Value: value}.Version()
		trimmed := strings.TrimSpace(value)
		switch {
		case err != nil && (!errs.Is(err, errs.Precondition) || version != 0):
			t.Errorf("%q: got %d and %v, want a precondition that failed", value, version, err)
		case err == nil && version == AnyVersion && trimmed != "" && trimmed != "*":
			t.Errorf("%q matches any version", value)
		case err == nil && version != AnyVersion && (version < 0 || ETag(version) != trimmed):
			t.Errorf("%q is the version %d", value, version)
		case err == nil && version != AnyVersion && !unchanged(value, ETag(version)):
			t.Errorf("%q matches for a change but not for a read", value)
		}
	})
}

func TestTheStatusOfAnAnswer(t *testing.T) {
	f := start(t, func(r *Router) {
		accepted := func(context.Context, *struct{}) (*Object[thing], error) {
			return &Object[thing]{Status: http.StatusTeapot}, nil
		}
		Query(r, Route{Method: http.MethodGet, Path: "/its-own", Guard: Public, Status: http.StatusAccepted}, accepted)
		Query(r, Route{Method: http.MethodGet, Path: "/empty", Guard: Public}, nothing)
		Query(r, Route{Method: http.MethodGet, Path: "/accepted", Guard: Public, Status: http.StatusAccepted}, nothing)
		Query(r, Route{Method: http.MethodGet, Path: "/not-nil", Guard: Public}, func(context.Context, *struct{}) (*Empty, error) { return &Empty{}, nil })
	})
	for path, status := range map[string]int{"its-own": 418, "empty": 204, "accepted": 202, "not-nil": 204} {
		f.anyone.Do(t, "GET", "/api/v1/"+path).Want(status)
	}
}
