package testkit

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// API plays requests against a running product and checks its answers. It follows no redirects. It is safe for
// concurrent use.
type API struct {
	base   string
	token  string
	client *http.Client
}

// NewAPI returns an API without a user. The base URL is the product's, such as http://127.0.0.1:8000.
func NewAPI(t testing.TB, baseURL string) *API {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &API{
		base: strings.TrimSuffix(baseURL, "/"),
		client: &http.Client{
			Transport:     transport,
			Timeout:       2 * time.Minute, // crowds are slow under the race detector
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// As returns an API that sends the bearer token; "" sends none.
func (a *API) As(token string) *API {
	other := *a
	other.token = token
	return &other
}

// Part adds something to a request.
type Part func(*http.Request)

// Body sets the body, and its type to JSON unless a Header says otherwise.
func Body(text string) Part {
	return func(r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(text))
		r.ContentLength = int64(len(text))
		if r.Header.Get("Content-Type") == "" {
			r.Header.Set("Content-Type", "application/json")
		}
	}
}

// Header sets a header; an empty value removes it.
func Header(name, value string) Part {
	return func(r *http.Request) {
		if value == "" {
			r.Header.Del(name)
			return
		}
		r.Header.Set(name, value)
	}
}

// Do sends one request and reads the whole answer. The path may hold a query. A request that gets no answer ends the
// test.
func (a *API) Do(t testing.TB, method, path string, parts ...Part) *Response {
	t.Helper()
	answer := a.send(t, method, path, parts)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s %s: reading the answer: %v", method, path, err)
	}
	return &Response{Status: answer.StatusCode, Header: answer.Header, Body: body, t: t, request: method + " " + path}
}

// send sends one request and returns the answer, whose body is still to be read.
func (a *API) send(t testing.TB, method, path string, parts []Part) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, a.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	for _, part := range parts {
		part(r)
	}
	answer, err := a.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// Response is an answer. Its checks return it, so that they chain; the first that fails ends the test and prints the
// request and the answer. They belong to the goroutine of the test.
type Response struct {
	Status int
	Header http.Header
	Body   []byte

	t       testing.TB
	request string
}

// Want checks the status.
func (r *Response) Want(status int) *Response {
	r.t.Helper()
	if r.Status != status {
		r.fail("want status %d", status)
	}
	return r
}

// WantHeader checks the first value of a header; "" means that it isn't there.
func (r *Response) WantHeader(name, value string) *Response {
	r.t.Helper()
	if got := r.Header.Get(name); got != value {
		r.fail("header %s is %q, want %q", name, got, value)
	}
	return r
}

// JSON returns the value at a path such as "items.0.id", as encoding/json decodes it into an any: numbers are float64.
// The path "" is the whole body. A value that isn't there ends the test.
func (r *Response) JSON(path string) any {
	r.t.Helper()
	var value any
	if err := json.Unmarshal(r.Body, &value); err != nil {
		r.fail("the body isn't JSON: %v", err)
	}
	if path == "" {
		return value
	}
	for step := range strings.SplitSeq(path, ".") {
		var found bool
		if value, found = descend(value, step); !found {
			r.fail("there is no %q in the body", path)
		}
	}
	return value
}

// descend returns what is at one step of a path.
func descend(value any, step string) (any, bool) {
	switch within := value.(type) {
	case map[string]any:
		next, found := within[step]
		return next, found
	case []any:
		if i, err := strconv.Atoi(step); err == nil && 0 <= i && i < len(within) {
			return within[i], true
		}
	}
	return nil, false
}

// Text returns the string at the path.
func (r *Response) Text(path string) string {
	r.t.Helper()
	value := r.JSON(path)
	text, ok := value.(string)
	if !ok {
		r.fail("%q is %v, want a string", path, value)
	}
	return text
}

// WantJSON checks the value at a path, which must be what value is in JSON; so an int will do for a number.
func (r *Response) WantJSON(path string, value any) *Response {
	r.t.Helper()
	got := r.JSON(path)
	text, err := json.Marshal(value)
	if err != nil {
		r.fail("the wanted value: %v", err)
	}
	var want any
	if err := json.Unmarshal(text, &want); err != nil {
		r.fail("the wanted value: %v", err)
	}
	if !reflect.DeepEqual(got, want) {
		r.fail("%q is %v, want %s", path, got, text)
	}
	return r
}

// WantError checks that the answer is the error envelope of the HTTP contract and nothing more, with this status and
// code, and the request id that is in the header too.
func (r *Response) WantError(status int, code string) *Response {
	r.t.Helper()
	r.Want(status)
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" {
		r.fail("the error is of type %q, want application/json", r.Header.Get("Content-Type"))
	}
	var envelope struct {
		Error *struct {
			Code      *string         `json:"code"`
			Message   *string         `json:"message"`
			Details   *map[string]any `json:"details"`
			RequestID *string         `json:"request_id"`
			Type      any             `json:"type"`  // OpenAI's, below /v1 only
			Param     any             `json:"param"` // the same
		} `json:"error"`
	}
	decoder := json.NewDecoder(bytes.NewReader(r.Body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&envelope); err != nil {
		r.fail("the error has the wrong form: %v", err)
	}
	e := envelope.Error
	switch {
	case e == nil || e.Code == nil || e.Message == nil || e.Details == nil || e.RequestID == nil:
		r.fail(`want {"error": {"code", "message", "details", "request_id"}}`)
	case *e.Code != code:
		r.fail("want code %s", code)
	case *e.Message == "":
		r.fail("the error has no message")
	case *e.RequestID == "" || *e.RequestID != r.Header.Get("X-Request-ID"):
		r.fail("the request id isn't that of the header X-Request-ID, %q", r.Header.Get("X-Request-ID"))
	}
	return r
}

func (r *Response) fail(format string, args ...any) {
	r.t.Helper()
	r.t.Fatalf(format+"\n%s\n%d\n%s", append(args, r.request, r.Status, r.Body)...)
}
