package simulator

import (
	"net"
	"net/http"
	"time"
)

// The faults of the models sim-fault-<name>. Whoever asks one of them for no stream gets what is nearest.
const (
	fault429          = "429"           // Retry-After: 1
	fault429Date      = "429-date"      // Retry-After as a date of HTTP's, two seconds on
	fault429Odd       = "429-odd"       // Retry-After: soon
	fault401          = "401"           // the key is taken by no one
	fault400Context   = "400-context"   // the prompt is too long
	fault500          = "500"           //
	fault503          = "503"           //
	fault529          = "529"           // overloaded
	faultHTML         = "html"          // 200 with a page
	faultHTML502      = "html-502"      // 502 with a page
	faultWrongType    = "wrong-type"    // JSON instead of a stream, and a stream instead of JSON
	faultMidError     = "mid-error"     // an error after three tokens; 500 in JSON
	faultEOF          = "eof"           // a clean end after three tokens; half of the JSON
	faultReset        = "reset"         // the connection is torn after three tokens, or in the middle of the JSON
	faultSlowHeaders  = "slow-headers"  // nothing at all, until the client leaves
	faultSlowChunks   = "slow-chunks"   // nothing more after three tokens, or half of the JSON, until the client leaves
	faultBigLine      = "big-line"      // the fourth word has a million letters
	faultCRLF         = "crlf"          // lines end with CR and LF; JSON is as ever
	faultComments     = "comments"      // a comment before each event; JSON is as ever
	faultBytes        = "bytes"         // every byte is flushed by itself
	faultEmptyChoices = "empty-choices" // an event without content after each token; JSON without content
	faultNullFinish   = "null-finish"   // an event that takes the reason for the end back; JSON without one
	faultGarbage      = "garbage"       // data that is no JSON after three tokens, then it goes on; a body that is no JSON
	faultNoUsage      = "no-usage"      // no usage is told
	faultFlaky        = "flaky"         // every second call fails with 500
)

// faults are the names of all.
var faults = []string{
	fault429, fault429Date, fault429Odd, fault401, fault400Context, fault500, fault503, fault529, faultHTML, faultHTML502,
	faultWrongType, faultMidError, faultEOF, faultReset, faultSlowHeaders, faultSlowChunks, faultBigLine, faultCRLF,
	faultComments, faultBytes, faultEmptyChoices, faultNullFinish, faultGarbage, faultNoUsage, faultFlaky,
}

const (
	undisturbed = 3       // tokens of a stream before a fault
	bigLine     = 1 << 20 // letters
	page        = "<!DOCTYPE html>\n<html><head><title>Gateway</title></head><body><h1>Please wait</h1></body></html>\n"
	notJSON     = `{"id": this is no JSON`
)

// failedAtOnce lets a call fail by the faults that give no answer at all, and tells whether it did.
func (x *exchange) failedAtOnce() bool {
	fault := x.q.fault
	switch {
	case fault == faultSlowHeaders:
		<-x.r.Context().Done()
		return true
	case fault == faultHTML:
		x.leave()
		writeBody(x.w, http.StatusOK, "text/html; charset=utf-8", []byte(page), false)
		return true
	case fault == faultHTML502:
		x.leave()
		writeBody(x.w, http.StatusBadGateway, "text/html; charset=utf-8", []byte(page), false)
		return true
	case fault == faultFlaky && x.s.everySecond(), fault == faultMidError && !x.q.stream:
		fault = fault500
	}
	failed := x.as.failed(fault)
	if failed == nil {
		return false
	}
	switch fault {
	case fault429:
		failed.retry = "1"
	case fault429Date:
		failed.retry = time.Now().UTC().Add(2 * time.Second).Format(http.TimeFormat)
	case fault429Odd:
		failed.retry = "soon"
	}
	x.leave()
	refuse(x.w, x.as, failed)
	return true
}

// disturb does to a stream what its fault does in the middle, and tells whether it goes on.
func (x *exchange) disturb(out *events, tell teller) bool {
	switch x.q.fault {
	case faultMidError:
		x.leave()
		out.send(tell.trouble())
		return false
	case faultEOF:
		return false
	case faultReset:
		x.tear()
		return false
	case faultSlowChunks:
		<-x.r.Context().Done()
		return false
	case faultGarbage:
		return out.send(event{name: tell.nothing().name, data: []byte(notJSON)}) // without a name, Anthropic's clients pass it over
	}
	return true
}

// spoil sends a JSON body as the faults do that cut it, and tells whether it did.
func (x *exchange) spoil(body []byte) bool {
	switch x.q.fault {
	case faultGarbage:
		x.leave()
		writeBody(x.w, http.StatusOK, "application/json", []byte(notJSON), false)
		return true
	case faultEOF:
		x.leave()
		writeBody(x.w, http.StatusOK, "application/json", body[:len(body)/2], false)
		return true
	case faultReset, faultSlowChunks:
		writeBody(x.w, http.StatusOK, "application/json", body[:len(body)/2], false)
		if http.NewResponseController(x.w).Flush() != nil {
			return true
		}
		if x.q.fault == faultReset {
			x.tear()
			return true
		}
		<-x.r.Context().Done()
		return true
	}
	return false
}

// tear ends the connection so that its client sees it torn: by a reset, where there is a connection to take.
func (x *exchange) tear() {
	x.leave()
	connection, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the way to tear what can't be taken, such as a stream of HTTP/2
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it, the connection ends as torn all the same, a little later
	}
	_ = connection.Close()
}
