package testkit

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func streamed(t testing.TB, body io.Reader) *Events {
	return NewEvents(t, &http.Response{
		StatusCode: 200, Body: io.NopCloser(body),
		Header: http.Header{"Content-Type": {"text/event-stream"}, "X-Request-Id": {"r1"}},
	})
}

func TestEventsAreReadAsTheyAreSent(t *testing.T) {
	t.Parallel()
	const text = ": ping\n\nevent: start\ndata: {\"a\":1}\n\n:ping\n\n: ping\n\ndata:one\r\ndata: two\r\nid: 7\r\n\r\nevent: done\ndata: {}\n\n"
	for what, body := range map[string]io.Reader{"at once": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text))} {
		events := streamed(t, body)
		events.Want("start").WantJSON("a", 1)
		if !slices.Equal(events.Comments, []string{"ping"}) {
			t.Errorf("%s: the comments are %q", what, events.Comments)
		}
		if got := string(events.Want("message").Body); got != "one\ntwo" {
			t.Errorf("%s: the data is %q", what, got)
		}
		if !slices.Equal(events.Comments, []string{"ping", "ping"}) {
			t.Errorf("%s: the comments are %q", what, events.Comments)
		}
		events.WantLast("done")
	}
}

func TestWhatIsWrongWithAStreamEndsTheTest(t *testing.T) {
	t.Parallel()
	const done, failure = "event: done\ndata: {}\n\n", "event: error\ndata: {\"error\": {\"code\": \"CONFLICT\", \"request_id\": \"r1\"}}\n\n"
	want := func(name string) func(*Events) { return func(e *Events) { e.Want(name) } }
	fails := func(code string) func(*Events) { return func(e *Events) { e.WantFailure(code) } }
	for _, test := range []struct {
		what, body string
		check      func(*Events)
		complaint  string
	}{
		{"another event", done, want("start"), "want the event start"},
		{"no event", "", want("start"), "the stream has ended"},
		{"half an event", "event: done\ndata: {}\n", want("done"), "breaks off"},
		{"an event without data", "event: done\n", want("done"), "breaks off"},
		{"half a line", "event: do", want("done"), "breaks off"},
		{"something after the end", done + done, func(e *Events) { e.WantLast("done") }, "goes on after done"},
		{"another failure", failure, fails("NOT_FOUND"), "CONFLICT"},
		{"the failure", failure, fails("CONFLICT"), ""},
		{"the end", done, func(e *Events) { e.WantLast("done") }, ""},
	} {
		got := outcome(t, func(t testing.TB) { test.check(streamed(t, strings.NewReader(test.body))) })
		if (got == "") != (test.complaint == "") || !strings.Contains(got, test.complaint) {
			t.Errorf("%s: the test ends with %q, want %q", test.what, got, test.complaint)
		}
	}
	none := &http.Response{StatusCode: 404, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(strings.NewReader("not here"))}
	if got := outcome(t, func(t testing.TB) { NewEvents(t, none) }); !strings.Contains(got, "not here") {
		t.Errorf("an answer that is no stream ends the test with %q", got)
	}
}
