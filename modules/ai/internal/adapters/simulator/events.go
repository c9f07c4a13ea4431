package simulator

import (
	"bytes"
	"net/http"
)

// event is one of a stream: https://html.spec.whatwg.org/multipage/server-sent-events.html
type event struct {
	name string // empty for none
	data []byte // one line
}

// teller tells an answer in the events of a dialect.
type teller interface {
	open() []event         // before the first piece
	piece(p piece) []event // exactly one token
	nothing() event        // an event that brings nothing; after a piece
	trouble() event        // the error that ends a stream
	end() []event          // after the last piece; the last one ends the stream
}

// events writes a stream.
type events struct {
	w       http.ResponseWriter
	r       *http.Request
	flusher *http.ResponseController
	fault   string
	line    string // the end of one
	text    bytes.Buffer
}

func newEvents(w http.ResponseWriter, r *http.Request, fault string) *events {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	out := &events{w: w, r: r, flusher: http.NewResponseController(w), fault: fault, line: "\n"}
	if fault == faultCRLF {
		out.line = "\r\n"
	}
	return out
}

// send sends events one by one, each flushed, and tells whether the client is still there.
func (out *events) send(all ...event) bool {
	for _, e := range all {
		out.write(e)
		if out.r.Context().Err() != nil || !out.push() {
			return false
		}
	}
	return true
}

// last sends the event after which the handler returns.
func (out *events) last(e event) {
	out.write(e)
	if out.fault == faultBytes {
		out.push()
		return
	}
	_, _ = out.text.WriteTo(out.w) // whoever hung up gets nothing
}

func (out *events) write(e event) {
	out.text.Reset()
	if out.fault == faultComments {
		out.text.WriteString(": still here" + out.line + out.line)
	}
	if e.name != "" {
		out.text.WriteString("event: " + e.name + out.line)
	}
	out.text.WriteString("data: ")
	out.text.Write(e.data)
	out.text.WriteString(out.line + out.line)
}

// push hands what was written to the connection.
func (out *events) push() bool {
	text, step := out.text.Bytes(), out.text.Len()
	if out.fault == faultBytes {
		step = 1
	}
	for len(text) > 0 {
		if _, err := out.w.Write(text[:step]); err != nil || out.flusher.Flush() != nil { //nolint:gosec // no browser takes events for a page
			return false
		}
		text = text[step:]
	}
	return true
}
