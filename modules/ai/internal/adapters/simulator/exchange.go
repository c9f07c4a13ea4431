package simulator

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// dialect is how a provider reads and writes.
type dialect interface {
	name() string
	authorise(r *http.Request) *failure
	parse(body []byte, q *question) *failure // fills q as far as it can be read
	list(models []string) any
	whole(q *question, a *answer) any
	teller(q *question, a *answer) teller
	failed(fault string) *failure // nil for a fault that is no answer with a status of its own
	wire(f *failure) any
	tooLarge() *failure
	unknownPath(r *http.Request) *failure
	wrongMethod(r *http.Request) *failure
}

// failure is an error as a provider tells it.
type failure struct {
	status  int
	kind    string // its type
	code    string // of OpenAI's only
	param   string // of OpenAI's only
	message string
	retry   string // Retry-After
}

// object is one of JSON.
type object = map[string]any

// maxBody is how many bytes a request may have.
const maxBody = 64 << 20

// exchange is one call and what becomes of it.
type exchange struct {
	s     *Simulator
	w     http.ResponseWriter
	r     *http.Request
	as    dialect
	q     question
	entry *entry
	call  *Call
}

func (s *Simulator) exchange(w http.ResponseWriter, r *http.Request, as dialect) *exchange {
	e := s.enter(as.name())
	return &exchange{s: s, w: w, r: r, as: as, entry: e, call: &e.call}
}

// leave makes the call seen. It comes before the last bytes leave, so that whoever has read them finds it.
func (x *exchange) leave() { x.s.leave(x.entry) }

// generate answers a question.
func (s *Simulator) generate(w http.ResponseWriter, r *http.Request, as dialect) {
	x := s.exchange(w, r, as)
	defer x.leave()
	if !x.understood(as.parse) || x.failedAtOnce() {
		return
	}
	a := answerTo(&x.q)
	x.call.Prompt = x.q.prompt
	if x.q.stream == (x.q.fault != faultWrongType) {
		x.stream(a)
	} else {
		x.whole(a)
	}
}

// understood reads the question, and answers what is wrong with it.
func (x *exchange) understood(parse func([]byte, *question) *failure) bool {
	failed := x.as.authorise(x.r)
	if failed == nil {
		failed = x.read(parse)
	}
	if failed == nil {
		return true
	}
	x.call.Fault = "refused"
	x.leave()
	refuse(x.w, x.as, failed)
	return false
}

func (x *exchange) read(parse func([]byte, *question) *failure) *failure {
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxBody))
	if _, isTooLarge := errors.AsType[*http.MaxBytesError](err); isTooLarge {
		return x.as.tooLarge()
	}
	// A body that broke off is malformed, and its client is gone anyway.
	failed := parse(body, &x.q)
	x.call.Model, x.call.Stream = x.q.model, x.q.stream
	x.q.fault, _ = strings.CutPrefix(x.q.model, faulty)
	if x.q.fault == x.q.model {
		x.q.fault = ""
	}
	if failed == nil {
		x.call.Fault = x.q.fault
	}
	return failed
}

// wait lets the time pass that the next token takes, and tells whether the client is still there.
func (x *exchange) wait(token int) bool {
	pause := x.s.options.Chunk
	if token == 0 {
		pause = x.s.options.FirstToken
	}
	if pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-x.r.Context().Done():
		}
	}
	return x.r.Context().Err() == nil
}

// whole makes an answer and sends it as one JSON body.
func (x *exchange) whole(a *answer) {
	for i := range a.pieces {
		if !x.wait(i) {
			return
		}
		x.call.Completion++
	}
	x.send(x.as.whole(&x.q, a))
}

// send sends a JSON body as the fault has it.
func (x *exchange) send(answer any) {
	if x.r.Context().Err() != nil {
		return
	}
	body, _ := json.Marshal(answer) // of maps, texts and numbers
	if x.spoil(body) {
		return
	}
	x.call.Finished = x.q.fault != faultEmptyChoices
	if x.call.Finished {
		x.call.Sent = x.call.Completion
	}
	x.leave()
	writeBody(x.w, http.StatusOK, "application/json", body, x.q.fault == faultBytes)
}

// stream sends an answer as events while it is made. The last event is left to the server to flush when the handler has
// returned, and so has the client that sees it.
func (x *exchange) stream(a *answer) {
	out := newEvents(x.w, x.r, x.q.fault)
	tell := x.as.teller(&x.q, a)
	if !out.send(tell.open()...) {
		return
	}
	for i, p := range a.pieces {
		if i == undisturbed && !x.disturb(out, tell) || !x.wait(i) {
			return
		}
		x.call.Completion++
		if !out.send(tell.piece(p)...) {
			return
		}
		x.call.Sent++
		if x.q.fault == faultEmptyChoices && !out.send(tell.nothing()) {
			return
		}
	}
	if len(a.pieces) <= undisturbed && !x.disturb(out, tell) {
		return
	}
	ending := tell.end()
	last := len(ending) - 1
	if !out.send(ending[:last]...) {
		return
	}
	x.call.Finished = true
	x.leave()
	out.last(ending[last])
}

func refuse(w http.ResponseWriter, as dialect, failed *failure) {
	if failed.retry != "" {
		w.Header().Set("Retry-After", failed.retry)
	}
	writeJSON(w, failed.status, as.wire(failed))
}

func writeJSON(w http.ResponseWriter, status int, answer any) {
	body, _ := json.Marshal(answer) // of maps, texts and numbers
	writeBody(w, status, "application/json", body, false)
}

// writeBody sends a body, if need be byte by byte. Whoever hung up gets nothing.
func writeBody(w http.ResponseWriter, status int, contentType string, body []byte, bytewise bool) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	if !bytewise {
		_, _ = w.Write(body)
		return
	}
	flusher := http.NewResponseController(w)
	for i := range body {
		if _, err := w.Write(body[i : i+1]); err != nil || flusher.Flush() != nil {
			return
		}
	}
}
