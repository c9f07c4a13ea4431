package httpserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit"
)

const feedPath = "/api/v1/app/things/one/feed"

// numbers are the events of the streams of this test.
var numbers = Events{"number": number{}, eventDone: number{}}

// withFeed adds two streams of a thing, one of which may be sent a body.
func withFeed(feed Feed) func(*Router) {
	return func(r *Router) {
		const path = "/app/things/{id}/feed"
		open := func(ctx context.Context, in *ThingInput) (Reply, error) {
			if in.ID == "slow" {
				<-ctx.Done()
				return Reply{}, ctx.Err()
			}
			if in.ID != "one" {
				return Reply{}, errs.Missing("Thing", in.ID)
			}
			return Reply{Feed: feed}, nil
		}
		Stream(r, Route{Method: http.MethodGet, Path: path, Guard: User, Summary: "Follow a thing", Errors: []int{http.StatusNotFound}}, numbers, open)
		Stream(r, Route{Method: http.MethodPost, Path: path, Guard: User}, numbers, func(ctx context.Context, in *struct {
			ThingInput
			Body *number
		}) (Reply, error) {
			return open(ctx, &in.ThingInput)
		})
	}
}

// waits is a feed that sends a number and then waits for its end.
func waits(ctx context.Context, send Send) (any, error) {
	if err := send("number", number{1}); err != nil {
		return nil, err
	}
	return silent(ctx, send)
}

// silent is a feed that sends nothing and waits for its end.
func silent(ctx context.Context, _ Send) (any, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAStreamSendsItsEvents(t *testing.T) {
	f := start(t, withFeed(func(ctx context.Context, send Send) (any, error) {
		if Principal(ctx).UserID != "u1" || RequestID(ctx) != "r-1" {
			t.Error("the feed doesn't know whose request it is")
		}
		for i := range 3 {
			if err := send("number", number{float64(i)}); err != nil {
				return nil, err
			}
		}
		return number{9}, nil
	}))
	answer := f.user.Do(t, "GET", feedPath, testkit.Header("X-Request-ID", "r-1"), testkit.Header("Accept-Encoding", "gzip")).Want(200)
	const want = "event: number\ndata: {\"value\":0}\n\nevent: number\ndata: {\"value\":1}\n\nevent: number\ndata: {\"value\":2}\n\n" +
		"event: done\ndata: {\"value\":9}\n\n"
	if string(answer.Body) != want {
		t.Errorf("the stream is %q, want %q", answer.Body, want)
	}
	for name, value := range map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no",
		"Content-Encoding": "", "Content-Length": "", "X-Request-ID": "r-1", "X-Content-Type-Options": "nosniff",
	} {
		answer.WantHeader(name, value)
	}
	if level, line := f.line(t); level != zapcore.InfoLevel || line["status"] != int64(200) || line["bytes"] != int64(len(want)) || line["user"] != "u1" {
		t.Errorf("it is logged at %s as %v", level, line)
	}

	if head := f.user.Do(t, "HEAD", feedPath).Want(200).WantHeader("Content-Type", "text/event-stream"); len(head.Body) != 0 {
		t.Errorf("HEAD is answered with %q", head.Body)
	}
}

func TestAStreamThatFailsAtOnceIsAnAnswerLikeOthers(t *testing.T) {
	var feed Feed
	f := start(t, withFeed(func(ctx context.Context, send Send) (any, error) { return feed(ctx, send) }), func(o *Options) {
		o.HTTP.RequestTimeout = 20 * time.Millisecond
	})
	f.user.Do(t, "GET", "/api/v1/app/things/two/feed").WantError(404, "NOT_FOUND")
	f.user.Do(t, "GET", "/api/v1/app/things/slow/feed").WantError(504, "TIMEOUT")
	f.user.Do(t, "GET", feedPath+"?x=1").WantError(422, "VALIDATION_ERROR")
	f.anyone.Do(t, "GET", feedPath).WantError(401, "UNAUTHENTICATED")
	f.anyone.As("suspended").Do(t, "GET", feedPath).WantError(403, "FORBIDDEN")
	f.anyone.As("writes").Do(t, "GET", feedPath).WantError(403, "FORBIDDEN")

	for _, test := range []struct {
		feed   Feed
		status int
		code   string
	}{
		{func(context.Context, Send) (any, error) { return nil, errs.New(errs.External, "They don't answer") }, 502, "EXTERNAL_SERVICE_ERROR"},
		{func(context.Context, Send) (any, error) { panic("at once") }, 500, "INTERNAL_ERROR"},
		{func(context.Context, Send) (any, error) { return "not what is documented", nil }, 500, "INTERNAL_ERROR"},
	} {
		feed = test.feed
		f.user.Do(t, "GET", feedPath).WantError(test.status, test.code).WantHeader("Cache-Control", "no-store").WantHeader("X-Accel-Buffering", "")
	}
}

func TestAStreamThatFailsLaterEndsWithAnError(t *testing.T) {
	unsendable := Events{"number": number{}, "float": float64(0), eventDone: number{}}
	for _, test := range []struct {
		what   string
		feed   Feed // after an event
		code   string
		status int64 // in the log
		cause  string
	}{
		{"an error", func(context.Context, Send) (any, error) { return nil, errs.New(errs.Conflict, "It is gone") }, "CONFLICT", 409, "It is gone"},
		{"our own error", func(context.Context, Send) (any, error) { return nil, errors.New("secret") }, "INTERNAL_ERROR", 500, "secret"},
		{"a panic", func(context.Context, Send) (any, error) { panic("secret") }, "INTERNAL_ERROR", 500, "panic: secret"},
		{"an event that isn't documented", func(_ context.Context, send Send) (any, error) { return nil, send("nothing", number{1}) }, "INTERNAL_ERROR", 500, "no event nothing"},
		{"data that isn't documented", func(_ context.Context, send Send) (any, error) { return nil, send("number", 1) }, "INTERNAL_ERROR", 500, "number with a int"},
		{"an error of its own", func(_ context.Context, send Send) (any, error) { return nil, send("error", number{1}) }, "INTERNAL_ERROR", 500, "no event error"},
		{"an end of its own", func(_ context.Context, send Send) (any, error) { return nil, send("done", number{1}) }, "INTERNAL_ERROR", 500, "what a feed returns"},
		{"no end", func(context.Context, Send) (any, error) { return nil, nil }, "INTERNAL_ERROR", 500, "no event done"},
		{"what no JSON is made of", func(_ context.Context, send Send) (any, error) { return nil, send("float", math.NaN()) }, "INTERNAL_ERROR", 500, "can't be marshalled"},
	} {
		t.Run(test.what, func(t *testing.T) {
			f := start(t, func(r *Router) {
				Stream(r, Route{Method: http.MethodPost, Path: "/app/fails", Guard: User}, unsendable, func(context.Context, *struct{}) (Reply, error) {
					return Reply{Feed: func(ctx context.Context, send Send) (any, error) {
						if err := send("number", number{1}); err != nil {
							return nil, err
						}
						return test.feed(ctx, send)
					}}, nil
				})
			})
			events := f.user.Events(t, "POST", "/api/v1/app/fails")
			events.Want("number").WantJSON("value", 1)
			if failure := events.WantFailure(test.code); bytes.Contains(failure.Body, []byte("secret")) {
				t.Errorf("the client is told %s", failure.Body)
			}
			level, line := f.line(t)
			if cause, _ := line["cause"].(string); line["status"] != test.status || !strings.Contains(cause, test.cause) || (level == zapcore.ErrorLevel) != (test.status == 500) {
				t.Errorf("it is logged at %s as %v", level, line)
			}
			if panics := f.logs.FilterMessage("panic").Len(); (panics == 1) != (test.what == "a panic") {
				t.Errorf("%d panics are logged", panics)
			}
		})
	}
}

// A feed that leaves work behind can't send any more.
func TestNothingIsSentAfterTheEnd(t *testing.T) {
	late := make(chan Send, 1)
	f := start(t, withFeed(func(_ context.Context, send Send) (any, error) {
		late <- send
		return number{1}, nil
	}))
	f.user.Events(t, "GET", feedPath).WantLast("done")
	f.line(t) // the handler has ended
	if err := (<-late)("number", number{2}); err == nil {
		t.Error("an event was sent after the end")
	}
}

func TestAClientThatHangsUpEndsTheFeed(t *testing.T) {
	ended := make(chan error, 1)
	f := start(t, withFeed(func(ctx context.Context, send Send) (any, error) {
		_, err := waits(ctx, send)
		ended <- err
		return nil, err
	}))
	events := f.user.Events(t, "GET", feedPath)
	events.Want("number")
	events.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the feed ended with %v", err)
	}
	if level, line := f.line(t); level != zapcore.InfoLevel || line["status"] != int64(statusClientGone) {
		t.Errorf("it is logged at %s as %v", level, line)
	}
}

// changing is an Authenticator whose answer changes.
type changing struct {
	mu     sync.Mutex
	answer func(ctx context.Context) (auth.Principal, error)
}

func (c *changing) Authenticate(ctx context.Context, _ []string) (auth.Principal, error) {
	c.mu.Lock()
	answer := c.answer
	c.mu.Unlock()
	return answer(ctx)
}

func (c *changing) now(answer func(ctx context.Context) (auth.Principal, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

// known answers that it is a user with the role.
func known(userID string, role auth.Role) func(context.Context) (auth.Principal, error) {
	return func(context.Context) (auth.Principal, error) { return auth.Principal{UserID: userID, Role: role}, nil }
}

func refusing(err error) func(context.Context) (auth.Principal, error) {
	return func(context.Context) (auth.Principal, error) { return auth.Principal{}, err }
}

// bubble is a served fixture where time passes when nobody has anything to do.
type bubble struct {
	*fixture
	*changing
	transport *http.Transport
	stop      func()
	ended     chan error // what Serve returned
}

// inBubble runs a test against a server whose stream of a thing is the feed.
func inBubble(t *testing.T, feed Feed, test func(t *testing.T, b *bubble), adjust ...func(*Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		who := &changing{answer: known("u1", auth.RoleUser)}
		f := newFixture(t, withFeed(feed), append(adjust, func(o *Options) { o.Auth = who })...)
		listener := newPipes()
		ctx, stop := context.WithCancel(t.Context())
		b := &bubble{fixture: f, changing: who, transport: &http.Transport{DialContext: listener.dial}, stop: stop, ended: make(chan error, 1)}
		go func() { b.ended <- f.server.Serve(ctx, listener, time.Hour) }()
		t.Cleanup(func() {
			b.transport.CloseIdleConnections()
			stop()
			if err := <-b.ended; err != nil {
				t.Error(err)
			}
		})
		test(t, b)
	})
}

// get asks for the stream.
func (b *bubble) get(t *testing.T) *http.Response {
	t.Helper()
	return b.ask(t, http.MethodGet, nil)
}

func (b *bubble) ask(t *testing.T, method string, body io.Reader) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://server"+feedPath, body)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := b.transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

func (b *bubble) events(t *testing.T) *testkit.Events {
	t.Helper()
	return testkit.NewEvents(t, b.get(t))
}

func TestAStreamIsPinged(t *testing.T) {
	feed := func(_ context.Context, send Send) (any, error) {
		time.Sleep(50 * time.Second)
		if err := send("number", number{1}); err != nil {
			return nil, err
		}
		return nil, errs.New(errs.Conflict, "It is over")
	}
	inBubble(t, feed, func(t *testing.T, b *bubble) {
		began := time.Now()
		events := b.events(t)
		if took := time.Since(began); took != 15*time.Second {
			t.Errorf("the header comes after %s, want it with the first ping", took)
		}
		events.Want("number")
		if took := time.Since(began); took != 50*time.Second || !slices.Equal(events.Comments, []string{"ping", "ping", "ping"}) {
			t.Errorf("after %s there were the comments %q", took, events.Comments)
		}
		events.WantFailure("CONFLICT")
	})
	inBubble(t, func(context.Context, Send) (any, error) {
		time.Sleep(14 * time.Second) // longer than the server lets other answers take
		return nil, errs.New(errs.External, "They don't answer")
	}, func(t *testing.T, b *bubble) {
		if answer := b.get(t); answer.StatusCode != 502 {
			t.Errorf("what fails before the first ping is answered %d", answer.StatusCode)
		}
	}, func(o *Options) { o.HTTP.RequestTimeout = time.Second })
}

func TestAStreamMayLastForHours(t *testing.T) {
	feed := func(_ context.Context, send Send) (any, error) {
		for i := range 180 {
			time.Sleep(time.Minute)
			if err := send("number", number{float64(i)}); err != nil {
				return nil, err
			}
		}
		return number{180}, nil
	}
	inBubble(t, feed, func(t *testing.T, b *bubble) {
		for _, request := range []struct {
			method string
			body   io.Reader
		}{{"GET", nil}, {"POST", nil}, {"POST", strings.NewReader(`{"value":1}`)}} { // on one connection
			began := time.Now()
			events := testkit.NewEvents(t, b.ask(t, request.method, request.body))
			for i := range 180 {
				events.Want("number").WantJSON("value", i)
			}
			events.WantLast("done").WantJSON("value", 180)
			if took := time.Since(began); took != 3*time.Hour {
				t.Errorf("it took %s", took)
			}
			if _, line := b.line(t); line["took"] != 3*time.Hour {
				t.Errorf("it is logged as %v", line)
			}
		}
	})
}

func TestAClientThatReadsNothingIsDropped(t *testing.T) {
	feed := func(_ context.Context, send Send) (any, error) {
		for {
			if err := send("number", number{1}); err != nil {
				return nil, err
			}
			time.Sleep(time.Millisecond)
		}
	}
	inBubble(t, feed, func(t *testing.T, b *bubble) {
		b.events(t).Want("number") // and no more than what its buffer takes, which is some events
		time.Sleep(writePatience)
		_, line := b.line(t)
		if line["status"] != int64(statusClientGone) {
			t.Errorf("it is logged as %v", line)
		}
		if took := line["took"].(time.Duration); took < writePatience || took > writePatience+time.Second {
			t.Errorf("it was dropped after %s", took)
		}
	})
}

func TestTheCallerIsAskedForAgain(t *testing.T) {
	invalid := errs.New(errs.Unauthenticated, "The access token is not valid").Because(auth.Expired)
	for _, test := range []struct {
		what   string
		answer func(context.Context) (auth.Principal, error)
		code   string
		status int64
		within time.Duration
	}{
		{"a suspended account", refusing(errs.New(errs.Forbidden, "The account is suspended")), "FORBIDDEN", 403, 2 * time.Second},
		{"an expired token", refusing(invalid), "UNAUTHENTICATED", 401, 2 * time.Second},
		{"another role", known("u1", auth.RoleAdmin), "FORBIDDEN", 403, 2 * time.Second},
		{"another account", known("u2", auth.RoleUser), "FORBIDDEN", 403, 2 * time.Second},
		{"nobody who knows", refusing(errs.New(errs.Unavailable, "Try again")), "SERVICE_UNAVAILABLE", 503, 4 * time.Second},
		{"nobody who answers", func(ctx context.Context) (auth.Principal, error) {
			<-ctx.Done()
			return auth.Principal{}, ctx.Err()
		}, "TIMEOUT", 504, 5 * time.Second},
	} {
		t.Run(test.what, func(t *testing.T) {
			inBubble(t, waits, func(t *testing.T, b *bubble) {
				events := b.events(t)
				events.Want("number")
				time.Sleep(11 * time.Second) // he is asked for again and again, and may go on
				b.now(test.answer)
				changed := time.Now()
				events.WantFailure(test.code)
				if took := time.Since(changed); took > test.within {
					t.Errorf("it went on for %s", took)
				}
				if _, line := b.line(t); line["status"] != test.status {
					t.Errorf("it is logged as %v", line)
				}
			})
		})
	}
	t.Run("once in vain", func(t *testing.T) {
		inBubble(t, waits, func(t *testing.T, b *bubble) {
			events := b.events(t)
			events.Want("number")
			time.Sleep(askEvery / 2)
			for range 3 { // one failure now and then
				b.now(refusing(errs.New(errs.Unavailable, "Try again")))
				time.Sleep(askEvery)
				b.now(known("u1", auth.RoleUser))
				time.Sleep(askEvery)
			}
			b.now(refusing(errs.New(errs.Forbidden, "The account is suspended")))
			events.WantFailure("FORBIDDEN")
		})
	})
	t.Run("at once", func(t *testing.T) {
		inBubble(t, waits, func(t *testing.T, b *bubble) {
			events := b.events(t)
			events.Want("number")
			b.server.AskAgain("u2")
			b.server.AskAgain("u1") // and nothing has changed
			synctest.Wait()
			b.now(refusing(errs.New(errs.Forbidden, "The account is suspended")))
			changed := time.Now()
			b.server.AskAgain("u1")
			b.server.AskAgain("u1")
			events.WantFailure("FORBIDDEN")
			if took := time.Since(changed); took != 0 {
				t.Errorf("it went on for %s", took)
			}
			b.server.AskAgain("u1") // who has no stream any more
		})
	})
	t.Run("before anything was sent", func(t *testing.T) {
		inBubble(t, silent, func(t *testing.T, b *bubble) {
			go func() {
				time.Sleep(time.Second)
				b.now(refusing(invalid))
			}()
			if answer := b.get(t); answer.StatusCode != 401 || answer.Header.Get("Www-Authenticate") == "" {
				t.Errorf("the answer is %d with %v", answer.StatusCode, answer.Header)
			}
		})
	})
}

func TestStreamsAreFewForEachUser(t *testing.T) {
	var endings chan string
	feed := func(ctx context.Context, send Send) (any, error) {
		if err := send("number", number{1}); err != nil {
			return nil, err
		}
		select {
		case how := <-endings:
			if how == "panic" {
				panic(how)
			}
			return number{2}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	inBubble(t, feed, func(t *testing.T, b *bubble) {
		endings = make(chan string)
		open := func() io.Closer {
			t.Helper()
			answer := b.get(t)
			testkit.NewEvents(t, answer).Want("number")
			go func() { _, _ = io.Copy(io.Discard, answer.Body) }() // or the server waits for the client to take the end
			return answer.Body
		}
		full := func() {
			t.Helper()
			answer := b.get(t)
			body, _ := io.ReadAll(answer.Body)
			if answer.StatusCode != 429 || answer.Header.Get("Retry-After") != "5" || !strings.Contains(string(body), `"RATE_LIMIT_EXCEEDED"`) || !strings.Contains(string(body), `"retry_after":5`) {
				t.Errorf("one more is answered %d %v %s", answer.StatusCode, answer.Header, body)
			}
		}
		last := open()
		for range streamsPerUser - 1 {
			open()
		}
		full()
		for _, ending := range []func(){
			func() { endings <- "well" },
			func() { endings <- "panic" },
			func() { _ = last.Close() },
		} {
			ending()
			synctest.Wait()
			last = open()
			full()
		}
		b.now(known("u2", auth.RoleUser))
		open()
	})
}

func TestStreamsAreBoundedInAll(t *testing.T) {
	var all streams
	of := func(user int) *stream {
		return &stream{record: &call{principal: auth.Principal{UserID: fmt.Sprint(user)}}}
	}
	var first *stream
	for i := range streamsInAll {
		st := of(i)
		if err := all.admit(st); err != nil {
			t.Fatalf("the stream %d: %v", i, err)
		}
		if i == 0 {
			first = st
		}
	}
	if err := all.admit(of(streamsInAll)); !errs.Is(err, errs.RateLimited) {
		t.Errorf("one more: %v", err)
	}
	all.dismiss(first)
	if err := all.admit(of(streamsInAll)); err != nil {
		t.Errorf("one more after one has ended: %v", err)
	}
	if len(all.of) != streamsInAll {
		t.Errorf("%d users are remembered", len(all.of))
	}
}

// Calls that end by themselves find half of the connections free of streams, however few there are.
func TestStreamsLeaveRoom(t *testing.T) {
	for connections, most := range map[int]int{30_000: streamsInAll, 12_000: 6000, 6: 3, 1: 1} {
		var all streams
		all.bound(connections)
		open := 0
		for all.admit(&stream{record: &call{principal: auth.Principal{UserID: fmt.Sprint(open)}}}) == nil {
			open++
		}
		if open != most {
			t.Errorf("of %d connections %d are streams, want %d", connections, open, most)
		}
	}
}

func TestAStopEndsStreams(t *testing.T) {
	for _, notice := range []time.Duration{0, 5 * time.Second} {
		inBubble(t, waits, func(t *testing.T, b *bubble) {
			events := b.events(t)
			events.Want("number")
			began := time.Now()
			b.stop()
			events.WantFailure("SERVICE_UNAVAILABLE")
			if took := time.Since(began); took < notice || took > notice+lastMoment {
				t.Errorf("with a notice of %s it ends after %s", notice, took)
			}
			err := <-b.ended
			b.ended <- err
			if took := time.Since(began); err != nil || took > notice+time.Second {
				t.Errorf("the server ends after %s with %v", took, err)
			}
			if level, line := b.line(t); level != zapcore.InfoLevel || line["status"] != int64(503) {
				t.Errorf("it is logged at %s as %v", level, line)
			}
			if err := b.server.streams.admit(&stream{record: &call{}}); !errs.Is(err, errs.Unavailable) {
				t.Errorf("a server that has stopped admits a stream: %v", err)
			}
		}, func(o *Options) { o.Notice = notice })
	}
}

func TestAStreamIsDocumented(t *testing.T) {
	f := start(t, withFeed(waits), func(o *Options) { o.HTTP.DocsEnabled = true })
	document := f.anyone.Do(t, "GET", "/openapi.json").Want(200)
	responses := document.JSON("paths").(map[string]any)["/api/v1/app/things/{id}/feed"].(map[string]any)["get"].(map[string]any)["responses"].(map[string]any)
	content := responses["200"].(map[string]any)["content"].(map[string]any)
	if len(content) != 1 {
		t.Fatalf("the content is %v", content)
	}
	items := content["text/event-stream"].(map[string]any)["schema"].(map[string]any)["items"].(map[string]any)["oneOf"].([]any)
	var events []string
	for _, item := range items {
		properties := item.(map[string]any)["properties"].(map[string]any)
		events = append(events, fmt.Sprint(properties["event"].(map[string]any)["enum"], properties["data"]))
	}
	want := []string{
		"[done] map[$ref:#/components/schemas/Number]", "[error] map[$ref:#/components/schemas/Error]", "[number] map[$ref:#/components/schemas/Number]",
	}
	if !slices.Equal(events, want) {
		t.Errorf("the events are %v, want %v", events, want)
	}
	for _, status := range []string{"401", "403", "404", "422", "429", "500", "503"} {
		if responses[status] == nil {
			t.Errorf("%s isn't documented", status)
		}
	}
}

func TestStreamsThatMakeNoSense(t *testing.T) {
	feedless := func(context.Context, *struct{}) (Reply, error) { return Reply{Feed: waits}, nil }
	for what, route := range map[string]Route{
		"for anybody":  {Method: http.MethodGet, Path: "/a", Guard: Public},
		"for webhooks": {Method: http.MethodPost, Path: "/a", Guard: Signature},
		"for administrators who change something": {Method: http.MethodPost, Path: "/a", Guard: Admin},
	} {
		panics(t, what, func(r *Router) { Stream(r, route, numbers, feedless) })
	}
	route := Route{Method: http.MethodGet, Path: "/a", Guard: User}
	panics(t, "without an end", func(r *Router) { Stream(r, route, Events{"number": number{}}, feedless) })
	panics(t, "with an error of its own", func(r *Router) {
		Stream(r, route, Events{eventDone: number{}, eventError: number{}}, feedless)
	})
}

// panics checks that a registration does.
func panics(t *testing.T, what string, register func(*Router)) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("a stream %s is registered", what)
		}
	}()
	newFixture(t, register)
}
