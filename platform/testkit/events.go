package testkit

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Events is a stream of server-sent events, read as it arrives (WHATWG HTML, section 9.2.6). Like a Response it belongs to
// the goroutine of the test.
type Events struct {
	Header   http.Header
	Comments []string // those that came before what was read last

	t       testing.TB
	request string
	body    io.Closer
	lines   *bufio.Reader
}

// Events asks for a stream, which ends with the test at the latest, and after 30 seconds. Another answer ends the test.
func (a *API) Events(t testing.TB, method, path string, parts ...Part) *Events {
	t.Helper()
	answer := a.send(t, method, path, parts)
	t.Cleanup(func() { answer.Body.Close() })
	return NewEvents(t, answer)
}

// NewEvents reads the stream in an answer. One that is none ends the test.
func NewEvents(t testing.TB, answer *http.Response) *Events {
	t.Helper()
	e := &Events{Header: answer.Header, t: t, body: answer.Body, lines: bufio.NewReader(answer.Body)}
	if answer.Request != nil {
		e.request = answer.Request.Method + " " + answer.Request.URL.Path
	}
	if media := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || media != "text/event-stream" {
		body, _ := io.ReadAll(answer.Body)
		t.Fatalf("%s: want a stream\n%d %s\n%s", e.request, answer.StatusCode, media, body)
	}
	return e
}

// Next waits for an event and returns its name and its data. At the end of the stream the name is "". A stream that breaks
// off ends the test.
func (e *Events) Next() (name string, data *Response) {
	e.t.Helper()
	e.Comments = nil
	name = "message"
	var text []string
	for {
		line, err := e.lines.ReadString('\n')
		if err == io.EOF && line == "" && text == nil && name == "message" {
			return "", nil
		}
		if err != nil {
			e.t.Fatalf("%s: the stream breaks off: %v", e.request, err)
		}
		field, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case field == "event":
			name = value
		case field == "data":
			text = append(text, value)
		case field == "" && value != "":
			e.Comments = append(e.Comments, value)
		case field == "" && text != nil: // an empty line ends an event
			body := strings.Join(text, "\n")
			return name, &Response{Status: http.StatusOK, Header: e.Header, Body: []byte(body), t: e.t, request: e.request + ": " + name}
		}
	}
}

// Want waits for the next event, checks its name and returns its data.
func (e *Events) Want(name string) *Response {
	e.t.Helper()
	got, data := e.Next()
	switch {
	case got == "":
		e.t.Fatalf("%s: the stream has ended, want the event %s", e.request, name)
	case got != name:
		data.fail("want the event %s", name)
	}
	return data
}

// WantLast is Want for the event that ends the stream.
func (e *Events) WantLast(name string) *Response {
	e.t.Helper()
	data := e.Want(name)
	if further, more := e.Next(); further != "" {
		more.fail("the stream goes on after %s", name)
	}
	return data
}

// WantFailure is WantLast for the event error, whose data is the envelope with this code and the request id of the header.
func (e *Events) WantFailure(code string) *Response {
	e.t.Helper()
	data := e.WantLast("error")
	return data.WantJSON("error.code", code).WantJSON("error.request_id", e.Header.Get("X-Request-ID"))
}

// Close hangs up.
func (e *Events) Close() { _ = e.body.Close() }
