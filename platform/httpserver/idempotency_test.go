package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/testkit"
)

// notebook is an Idempotency that writes what it is asked into the ledger's line of what happened, and answers what it was
// told to.
type notebook struct {
	book         *ledger
	found, taken *KeyHolder // what Find and Take return
	outside      string     // the key of a call that is taken over
	keepErr      error

	calls []KeyedCall
	kept  Answer
}

func (n *notebook) note(ctx context.Context, entry string, call *KeyedCall) {
	if ctx.Value(inTx{}) == nil {
		entry += " outside"
	}
	n.book.entries = append(n.book.entries, entry)
	n.calls = append(n.calls, *call)
}

func (n *notebook) Find(ctx context.Context, call *KeyedCall) (*KeyHolder, error) {
	n.note(ctx, "find", call)
	return n.answer(n.found, call), nil
}

func (n *notebook) Take(ctx context.Context, call *KeyedCall) (*KeyHolder, error) {
	n.note(ctx, "take", call)
	if n.outside != "" {
		call.Outside = n.outside
	}
	return n.answer(n.taken, call), nil
}

// answer returns a holder; one without a fingerprint has that of the call.
func (n *notebook) answer(holder *KeyHolder, call *KeyedCall) *KeyHolder {
	if holder == nil || holder.Fingerprint != "" {
		return holder
	}
	same := *holder
	same.Fingerprint = call.Fingerprint
	return &same
}

func (n *notebook) Keep(ctx context.Context, call *KeyedCall, answer Answer) error {
	n.note(ctx, "keep", call)
	n.kept = answer
	return n.keepErr
}

func (n *notebook) Release(ctx context.Context, call *KeyedCall, forget bool) error {
	entry := "release"
	if forget {
		entry = "forget"
	}
	n.note(ctx, entry, call)
	return ctx.Err()
}

// errands are the operations that the tests of keys call.
type errands struct {
	*fixture
	*notebook

	outside              []string // the keys that handle and the Commit saw
	handleErr, commitErr error
	twice                bool // handle asks for two things outside
}

func (e *errands) perform(ctx context.Context) (Commit[Object[thing]], error) {
	e.tx.entries = append(e.tx.entries, "handle")
	e.outside = append(e.outside, IdempotencyKey(ctx))
	if e.twice {
		_ = IdempotencyKey(ctx)
	}
	return func(ctx context.Context) (*Object[thing], error) {
		e.tx.entries = append(e.tx.entries, "effect")
		e.outside = append(e.outside, IdempotencyKey(ctx))
		return &Object[thing]{ETag: ETag(3), Location: "/one", Body: thing{Name: "<ü>"}}, e.commitErr
	}, e.handleErr
}

const errand = "/api/v1/errands"

// ready serves the errands. Its ledger is empty.
func ready(t *testing.T, adjust ...func(*Options)) *errands {
	t.Helper()
	e := &errands{notebook: &notebook{}}
	plain := func(ctx context.Context, _ *struct{ Body thingChange }) (Commit[Object[thing]], error) {
		return e.perform(ctx)
	}
	e.fixture = start(t, func(r *Router) {
		for _, route := range []Route{
			{Method: http.MethodPost, Path: "/errands", Guard: User, Status: http.StatusCreated},
			{Method: http.MethodPatch, Path: "/errands", Guard: User},
			{Method: http.MethodPost, Path: "/others", Guard: User},
			{Method: http.MethodPost, Path: "/public", Guard: Public},
			{Method: http.MethodPost, Path: "/heard", Guard: Signature},
			{Method: http.MethodPost, Path: "/secret", Guard: User, Secret: true, Status: http.StatusCreated},
			{Method: http.MethodPost, Path: "/outside", Guard: User, Outside: true, Status: http.StatusCreated},
		} {
			Mutation(r, route, plain)
		}
		Mutation(r, Route{Method: http.MethodPost, Path: "/errands/{id}/{part}", Guard: Admin},
			func(ctx context.Context, _ *struct {
				ThingInput
				Part string `path:"part"`
				A    string `query:"a"`
				B    string `query:"b"`
			}) (Commit[Object[thing]], error) {
				return e.perform(ctx)
			})
		Mutation(r, Route{Method: http.MethodDelete, Path: "/errands", Guard: User}, func(context.Context, *struct{}) (Commit[Empty], error) {
			return func(context.Context) (*Empty, error) { return &Empty{}, nil }, nil
		})
		Mutation(r, Route{Method: http.MethodPost, Path: "/page", Guard: Public}, func(context.Context, *struct{}) (Commit[Page], error) {
			return func(context.Context) (*Page, error) {
				return &Page{Media: "text/html", Policy: "default-src 'self'", Body: []byte("<p>")}, nil
			}, nil
		})
		Mutation(r, Route{Method: http.MethodPost, Path: "/list", Guard: Public}, func(context.Context, *struct{}) (Commit[List[thing]], error) {
			return func(context.Context) (*List[thing], error) { return &List[thing]{}, nil }, nil
		})
		Query(r, Route{Method: http.MethodPost, Path: "/query", Guard: Public}, nothing)
	}, append([]func(*Options){func(o *Options) { o.Idempotency = e.notebook }}, adjust...)...)
	e.book = e.tx
	return e
}

func key(value string) testkit.Part { return testkit.Header(headerIdempotencyKey, value) }

// happens fails the test unless this is what the ledger says. It begins a new line.
func (e *errands) happens(t *testing.T, want string) {
	t.Helper()
	if got := e.tx.String(); got != want {
		t.Errorf("it went %q, want %q", got, want)
	}
	e.tx.entries = nil
}

func TestACallWithoutAKeyCostsNothing(t *testing.T) {
	e := ready(t)
	e.user.Do(t, "POST", errand, testkit.Body(`{}`)).Want(201).WantHeader("Idempotent-Replayed", "")
	e.happens(t, "handle begin effect commit")
	if len(e.calls) != 0 || e.outside[0] != "" {
		t.Errorf("it asked for %v, with the key %q outside", e.calls, e.outside)
	}
	keys := keyed{server: e.server, store: e.notebook}
	var ctx context.Context = &call{Context: t.Context(), request: httptest.NewRequest("POST", errand, nil)}
	if allocated := testing.AllocsPerRun(100, func() {
		attempt, _ := keys.begin(ctx)
		attempt.end()
	}); allocated != 0 {
		t.Errorf("it allocates %v times", allocated)
	}
}

func TestACallUnderAKeyIsOneTransaction(t *testing.T) {
	e := ready(t)
	answer := e.user.Do(t, "POST", errand, testkit.Body(`{}`), key("k")).Want(201).WantHeader("Idempotent-Replayed", "")
	e.happens(t, "find outside handle begin take effect keep commit")
	want := Answer{Status: 201, Headers: map[string]string{"Content-Type": "application/json", "Etag": `"3"`, "Location": "/one"}, Body: answer.Body}
	if !reflect.DeepEqual(e.kept, want) {
		t.Errorf("it keeps %+v, want %+v", e.kept, want)
	}
	if call := e.calls[0]; call.UserID != "u1" || call.About != "" || call.Patience != 2*time.Second || call.Lease != 0 || call.Outside != "" {
		t.Errorf("the call is %+v", call)
	}

	e.anyone.As("admin").Do(t, "POST", errand+"/one/a%2Fb", key("k")).Want(200)
	e.happens(t, "find outside handle begin take effect keep record commit")
	if call := e.calls[len(e.calls)-1]; call.UserID != "u2" || call.About != "one/a/b" {
		t.Errorf("the call is %+v", call)
	}

	e.keepErr = errstest.ErrBoom
	e.user.Do(t, "POST", errand, testkit.Body(`{}`), key("k")).WantError(500, "INTERNAL_ERROR")
	e.happens(t, "find outside handle begin take effect keep rollback")
}

// Whatever the answer is, what is sent again is what was sent.
func TestTheAnswerIsSentAgain(t *testing.T) {
	for path, method := range map[string]string{
		errand: "POST", "/api/v1/page": "POST", "/api/v1/list": "POST", errand + "#": "DELETE", errand + "/one/a?a=1": "POST",
	} {
		t.Run(method+" "+path, func(t *testing.T) {
			e := ready(t)
			client, path := e.anyone.As("admin"), strings.TrimSuffix(path, "#")
			first := client.Do(t, method, path, testkit.Body(`{}`), key("k"))
			if first.Status/100 != 2 {
				t.Fatalf("%d %s", first.Status, first.Body)
			}
			kept := &KeyHolder{Answer: e.kept}
			same := func() {
				t.Helper()
				again := client.Do(t, method, path, testkit.Body(`{}`), key("k")).Want(first.Status).WantHeader("Idempotent-Replayed", "true")
				if string(again.Body) != string(first.Body) {
					t.Errorf("the body is %q and was %q", again.Body, first.Body)
				}
				for _, header := range []http.Header{first.Header, again.Header} {
					for _, name := range []string{"X-Request-Id", "Date", "Idempotent-Replayed"} {
						header.Del(name)
					}
				}
				if !reflect.DeepEqual(first.Header, again.Header) {
					t.Errorf("the headers are %v and were %v", again.Header, first.Header)
				}
			}
			e.tx.entries = nil
			e.found = kept
			same()
			e.happens(t, "find outside")

			// A twin in another process may be done between the look and the transaction.
			e.found, e.taken = nil, kept
			same()
			if happened := e.tx.String(); strings.Contains(happened, "effect") || !strings.HasSuffix(happened, "take rollback") {
				t.Error(happened)
			}
		})
	}
}

func TestAKeyThatIsHeld(t *testing.T) {
	for what, c := range map[string]struct {
		holder  KeyHolder
		status  int
		code    string
		message string
		after   string
	}{
		"by a call that is running":   {KeyHolder{Running: true}, 409, "CONFLICT", errRunning.Message, "1"},
		"by one whose answer is away": {KeyHolder{}, 409, "CONFLICT", errNotKept.Message, ""},
		"by another request":          {KeyHolder{Fingerprint: "other", Answer: Answer{Status: 201}}, 422, "VALIDATION_ERROR", errOtherRequest.Message, ""},
		"by another that is running":  {KeyHolder{Fingerprint: "other", Running: true}, 422, "VALIDATION_ERROR", errOtherRequest.Message, ""},
	} {
		t.Run(what, func(t *testing.T) {
			e := ready(t)
			for _, path := range []string{errand, "/api/v1/outside"} {
				refused := func() {
					t.Helper()
					e.user.Do(t, "POST", path, testkit.Body(`{}`), key("k")).WantError(c.status, c.code).
						WantHeader("Retry-After", c.after).WantJSON("error.message", c.message).WantHeader("Idempotent-Replayed", "")
				}
				e.found, e.taken = &c.holder, nil
				refused()
				e.happens(t, "find outside")
				e.found, e.taken = nil, &c.holder
				refused()
				if path == errand {
					e.happens(t, "find outside handle begin take rollback")
				} else {
					e.happens(t, "find outside begin take rollback")
				}
			}
		})
	}
}

// Nothing is kept of what failed.
func TestAFailureLeavesTheKeyFree(t *testing.T) {
	for _, kind := range errs.Kinds() {
		e := ready(t)
		e.handleErr = errs.New(kind, "No")
		e.user.Do(t, "POST", errand, testkit.Body(`{}`), key("k")).WantError(statuses[kind], kind.Code())
		e.happens(t, "find outside handle")
		e.handleErr, e.commitErr = nil, errs.New(kind, "No")
		e.user.Do(t, "POST", errand, testkit.Body(`{}`), key("k")).WantError(statuses[kind], kind.Code())
		e.happens(t, "find outside handle begin take effect rollback")
		if e.kept.Status != 0 {
			t.Errorf("%s is kept", kind.Code())
		}
	}
}

func TestASecretAnswerIsNotKept(t *testing.T) {
	e := ready(t)
	e.user.Do(t, "POST", "/api/v1/secret", testkit.Body(`{}`), key("k")).Want(201)
	e.happens(t, "find outside handle begin take effect keep commit")
	if !reflect.DeepEqual(e.kept, Answer{}) {
		t.Errorf("it keeps %+v", e.kept)
	}
}

func TestACallThatLeavesTheProcess(t *testing.T) {
	const outside = "/api/v1/outside"
	e := ready(t)
	e.user.Do(t, "POST", outside, testkit.Body(`{}`)).Want(201)
	e.user.Do(t, "POST", outside, testkit.Body(`{}`)).Want(201)
	e.happens(t, "handle begin effect commit handle begin effect commit")
	if !id.Valid(e.outside[0]) || e.outside[0] != e.outside[1] || e.outside[1] == e.outside[2] {
		t.Errorf("without a key of the client's the keys outside are %q", e.outside)
	}

	e.outside = nil
	e.user.Do(t, "POST", outside, testkit.Body(`{}`), key("k")).Want(201)
	e.happens(t, "find outside begin take commit handle begin effect keep commit")
	call := e.calls[1]
	if want := e.server.options.HTTP.RequestTimeout + 10*time.Second; call.Lease != want || !id.Valid(call.Outside) {
		t.Errorf("it takes the key with %+v", call)
	}
	if !slices.Equal(e.outside, []string{call.Outside, call.Outside}) {
		t.Errorf("the keys outside are %q, want %q", e.outside, call.Outside)
	}

	e.outside, e.notebook.outside = nil, "of before"
	e.user.Do(t, "POST", outside, testkit.Body(`{}`), key("k")).Want(201)
	if !slices.Equal(e.outside, []string{"of before", "of before"}) {
		t.Errorf("who takes over goes out under %q", e.outside)
	}
}

// A call that failed for good leaves nothing outside, so the next one is a new one there. Of any other nobody knows.
func TestTheLeaseOfACallThatFails(t *testing.T) {
	e := ready(t)
	const took = "find outside begin take commit handle"
	failing := func(handleErr, commitErr error, then string) {
		t.Helper()
		e.tx.entries, e.handleErr, e.commitErr = nil, handleErr, commitErr
		if status := e.user.Do(t, "POST", "/api/v1/outside", testkit.Body(`{}`), key("k")).Status; status < 400 {
			t.Errorf("it is answered %d", status)
		}
		e.happens(t, took+then)
	}
	for _, kind := range errs.Kinds() {
		err := errs.New(kind, "No")
		if kind.Retryable() {
			failing(err, nil, " begin release commit")
		} else {
			failing(err, nil, " begin forget commit")
		}
		failing(err.Because(errs.ErrUnanswered), nil, " begin release commit")
		failing(nil, err, " begin effect rollback begin release commit")
	}
	e.twice = true // what was asked for first was done
	failing(errs.New(errs.Invalid, "No"), nil, " begin release commit")
	e.twice = false
	failing(errstest.ErrBoom, nil, " begin release commit")
	failing(fmt.Errorf("asking: %w", context.DeadlineExceeded), nil, " begin release commit")

	// The call before may have done what this one is refused.
	e.notebook.outside = "of before"
	failing(errs.New(errs.Forbidden, "No"), nil, " begin release commit")
}

func TestWhatMakesACallTheSame(t *testing.T) {
	e := ready(t)
	admin := e.anyone.As("admin")
	sent := func(client *testkit.API, method, path, body, value string) KeyedCall {
		t.Helper()
		e.calls = nil
		parts := []testkit.Part{key(value)}
		if body != "" {
			parts = append(parts, testkit.Body(body))
		}
		if answer := client.Do(t, method, path, parts...); answer.Status/100 != 2 {
			t.Fatalf("%s %s: %d %s", method, path, answer.Status, answer.Body)
		}
		return e.calls[0]
	}
	one := sent(e.user, "POST", errand, `{"name":"a"}`, "k")
	if len(one.ID) != 64 || len(one.Fingerprint) != 64 {
		t.Errorf("the call is %+v", one)
	}
	if quoted := sent(e.user, "POST", errand, `{"name":"a"}`, `"k"`); quoted.ID != one.ID || quoted.Fingerprint != one.Fingerprint {
		t.Error("a key in quotes is another one")
	}
	for what, other := range map[string]KeyedCall{
		"key":    sent(e.user, "POST", errand, `{"name":"a"}`, "K"),
		"user":   sent(admin, "POST", errand, `{"name":"a"}`, "k"),
		"method": sent(e.user, "PATCH", errand, `{"name":"a"}`, "k"),
		"route":  sent(e.user, "POST", "/api/v1/others", `{"name":"a"}`, "k"),
		"caller": sent(e.anyone, "POST", "/api/v1/public", `{"name":"a"}`, "k"),
	} {
		if other.ID == one.ID {
			t.Errorf("another %s is the same key", what)
		}
		if other.Fingerprint != one.Fingerprint {
			t.Errorf("another %s is another request", what)
		}
	}
	if program := sent(e.anyone.As("writes"), "POST", errand, `{}`, "k"); program.ID != sent(admin, "POST", errand, `{}`, "k").ID {
		t.Error("an API key doesn't act as its user")
	}
	for _, body := range []string{`{"name":"b"}`, `{"name": "a"}`, `{}`} {
		if other := sent(e.user, "POST", errand, body, "k"); other.ID != one.ID || other.Fingerprint == one.Fingerprint {
			t.Errorf("the body %s is the same request, or under another key", body)
		}
	}

	const part = errand + "/one/a"
	two := sent(admin, "POST", part+"?a=1&b=2", "", "k")
	if same := sent(admin, "POST", part+"?b=2&a=%31", "", "k"); same.Fingerprint != two.Fingerprint {
		t.Error("the order of the query, or how it is escaped, makes another request")
	}
	for _, path := range []string{part, part + "?a=1", part + "?a=2&b=1", errand + "/one/b?a=1&b=2", errand + "/onea/%61?a=1&b=2"} {
		if other := sent(admin, "POST", path, "", "k"); other.ID != two.ID || other.Fingerprint == two.Fingerprint {
			t.Errorf("%s is the same request, or under another key", path)
		}
	}
	if digest("a", "bc") == digest("ab", "c") || digest("a") == digest("a", "") {
		t.Error("a digest doesn't tell where texts end")
	}
}

// Of strangers an address is all there is to tell them apart.
func TestStrangersHaveKeysOfTheirOwn(t *testing.T) {
	e := ready(t)
	ids := map[string]bool{}
	for _, address := range []string{"192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:1", "[2001:db8::1]:1"} {
		r := httptest.NewRequest("POST", "/api/v1/public", strings.NewReader(`{}`))
		r.RemoteAddr = address
		r.Header.Set(headerIdempotencyKey, "k")
		e.calls = nil
		e.server.Handler().ServeHTTP(httptest.NewRecorder(), r)
		ids[e.calls[0].ID] = true
	}
	if len(ids) != 3 {
		t.Errorf("of three addresses there are %d keys", len(ids))
	}
}

func TestWhereKeysMeanNothing(t *testing.T) {
	e := ready(t)
	e.anyone.Do(t, "POST", "/api/v1/heard", testkit.Body(`{}`), key("no key")).Want(200)
	e.anyone.Do(t, "POST", "/api/v1/query", key("no key")).Want(204)
	e.user.Do(t, "GET", "/api/v1/app/things/one", key("no key")).Want(200)
	e.user.Do(t, "HEAD", "/api/v1/app/things/one", key("no key")).Want(200)
	if len(e.calls) != 0 {
		t.Errorf("it asked for %v", e.calls)
	}
	without := ready(t, func(o *Options) { o.Idempotency = nil })
	without.user.Do(t, "POST", errand, testkit.Body(`{}`), key("no key")).Want(201)
}

func TestKeysThatAreNone(t *testing.T) {
	e := ready(t)
	longest := strings.Repeat("~", 255)
	for value, want := range map[string]string{
		"a": "a", `"a"`: "a", `"a\"b\\"`: `a"b\`, `a"b\`: `a"b\`, "!": "!", "~": "~", longest: longest, `"` + longest + `"`: longest, `\"a`: `\"a`, "a,b": "a,b",
	} {
		if got, err := parseKey([]string{value}); got != want || err != nil {
			t.Errorf("%q is the key %q, %v; want %q", value, got, err, want)
		}
	}
	for _, value := range []string{
		`""`, `"`, `"a`, `"a""`, `"a"b`, `"a";b=1`, `"a", "b"`, `"a\`, `"a\"`, `"a\b"`, `"a b"`, "a b", "a\tb", "é", "\x80", longest + "~", `"` + longest + `~"`,
	} {
		e.user.Do(t, "POST", errand, testkit.Body(`{}`), key(value)).WantError(400, "BAD_REQUEST").WantJSON("error.details.header", "Idempotency-Key")
	}
	for _, values := range [][]string{{"a", "a"}, {`"a"`, "b"}, {""}, {"a", ""}} {
		given := func(r *http.Request) { r.Header[headerIdempotencyKey] = values }
		e.user.Do(t, "POST", errand, testkit.Body(`{}`), given).WantError(400, "BAD_REQUEST")
	}
	if len(e.calls) != 0 {
		t.Errorf("it asked for %v", e.calls)
	}
}

// FuzzIdempotencyKey shows that a key is 1 to 255 visible characters, and the same one in quotes.
func FuzzIdempotencyKey(f *testing.F) {
	for _, seed := range []string{"", "a", `"a"`, `"a\"b"`, `"\\"`, `"\`, `"a";p`, "\x00", "é", strings.Repeat("a", 256)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		key, err := parseKey([]string{value})
		if err != nil {
			if key != "" || !errs.Is(err, errs.Malformed) {
				t.Errorf("%q is refused by %v, as %q", value, err, key)
			}
			return
		}
		if len(key) < 1 || len(key) > longestKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%q is the key %q", value, key)
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
		if again, err := parseKey([]string{quoted}); again != key || err != nil {
			t.Errorf("%q is the key %q, and %q is %q, %v", value, key, quoted, again, err)
		}
	})
}

func TestCallsWithOneKeyTakeTurns(t *testing.T) {
	lines := turns{taken: map[string]chan struct{}{}}
	done, err := lines.wait(t.Context(), "k", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	other, err := lines.wait(t.Context(), "other", 0)
	if err != nil {
		t.Errorf("another key waits, too: %v", err)
	}
	other()
	if _, err := lines.wait(t.Context(), "k", time.Millisecond); !errs.Is(err, errs.Conflict) {
		t.Errorf("who has waited long enough is told %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lines.wait(ended, "k", time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("who has left is told %v", err)
	}

	const many = 50
	at, most, order := 1, 1, make(chan struct{}, many) // the turn is what guards them
	for range many {
		go func() {
			done, err := lines.wait(t.Context(), "k", time.Hour)
			if err != nil {
				t.Error(err)
				return
			}
			at++
			most = max(most, at)
			at--
			done()
			order <- struct{}{}
		}()
	}
	at--
	done()
	for range many {
		<-order
	}
	if most != 1 || len(lines.taken) != 0 {
		t.Errorf("%d had their turn at once, and %d turns are left", most, len(lines.taken))
	}
}

func TestTheDocumentShowsTheKey(t *testing.T) {
	e := ready(t, func(o *Options) { o.HTTP.DocsEnabled = true })
	paths := e.anyone.Do(t, "GET", "/openapi.json").Want(200).JSON("paths").(map[string]any)
	for path, takes := range map[string]bool{errand: true, "/api/v1/public": true, "/api/v1/heard": false, "/api/v1/query": false} {
		operation := paths[path].(map[string]any)["post"].(map[string]any)
		parameters, _ := operation["parameters"].([]any)
		shown := slices.ContainsFunc(parameters, func(p any) bool {
			return p.(map[string]any)["name"] == "Idempotency-Key" && p.(map[string]any)["in"] == "header" && p.(map[string]any)["required"] == nil
		})
		responses := operation["responses"].(map[string]any)
		if shown != takes || (responses["409"] != nil) != takes || takes && responses["422"] == nil {
			t.Errorf("%s: it shows the key: %t, and the answers %v", path, shown, responses)
		}
	}
	get := paths["/api/v1/app/things/{id}"].(map[string]any)["get"]
	if strings.Contains(fmt.Sprint(get), "Idempotency-Key") {
		t.Errorf("it shows the key for a GET: %v", get)
	}
}
