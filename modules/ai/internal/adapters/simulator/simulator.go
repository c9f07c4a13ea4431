// Package simulator answers as AI providers do, for machines without a key and for tests.
//
// It speaks OpenAI's Chat Completions and Embeddings and Anthropic's Messages as their documents tell, in JSON and in
// server-sent events: https://platform.openai.com/docs/api-reference/chat and https://docs.claude.com/en/api/messages.
// It is an http.Handler, and a http.RoundTripper that serves it in memory. The same question gets the same answer, byte
// by byte, on every machine: all that is in one comes from a SHA-256 of the model and the messages.
//
// Models:
//   - sim-small and sim-large answer with 20 to 60 words of plain English. They call every tool that they are given when
//     the last message of the user has the word "tool" in it or tool_choice forces them, and answer in text to results.
//   - sim-search adds citations: a list of addresses beside the choices, and for Anthropic with the block of text.
//   - sim-reasoning thinks before it answers, and refuses a temperature.
//   - sim-embedding makes vectors. Texts that share words lie near each other.
//   - sim-fault-<name> fails by the name: see faults.go.
//
// Tokens are counted so that they can be checked by hand. An answer has one for each word of it (thoughts are words of it,
// a call's name is one word, arguments are JSON with a space between its members), and each event with content brings
// exactly one. A prompt has a quarter of the bytes of its texts, rounded up, and 85 for each image; texts are the
// messages, the system's too, the names and arguments of calls, and their results, and no definitions of tools.
package simulator

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// Options are how quickly a simulator answers.
type Options struct {
	FirstToken time.Duration // before the first content; 0 for none
	Chunk      time.Duration // between tokens, in streams and in the making of whole answers; 0 for none
}

// Simulator is a provider of both dialects. It is safe for concurrent use.
type Simulator struct {
	options Options

	mu    sync.Mutex
	asked []*entry // the oldest first
	flaky int      // calls of the flaky model
}

// Call is one request for an answer or for embeddings, as the provider knows of it.
type Call struct {
	Dialect    string // openai or anthropic
	Model      string // as asked for, empty when the request couldn't be read
	Stream     bool   // whether a stream was asked for
	Prompt     int    // tokens that it would bill, 0 when the call was refused
	Completion int    // tokens that it made and would bill; of an answer that was cut, those up to the cut
	Sent       int    // of these, the tokens that left it: in events that were flushed, or in a whole body
	Finished   bool   // whether it came to its end: false when it was refused, the client left, or a fault cut it
	Fault      string // the name of the model's fault, "refused" for a request that no provider takes, else empty
}

// entry is a call that may still go on. Only its handler changes it, and only before it has ended.
type entry struct {
	call  Call
	ended bool
}

// callsKept is how many calls are remembered.
const callsKept = 100_000

// New returns the simulator.
func New(options Options) *Simulator { return &Simulator{options: options} }

// Calls returns the calls that have ended, in the order in which they came, at most the last 100,000. A call is among
// them before its client can see its end.
func (s *Simulator) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	recent := s.asked[max(0, len(s.asked)-callsKept):]
	calls := make([]Call, 0, len(recent))
	for _, e := range recent {
		if e.ended {
			calls = append(calls, e.call)
		}
	}
	return calls
}

func (s *Simulator) enter(dialect string) *entry {
	e := &entry{call: Call{Dialect: dialect}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asked) == 2*callsKept { // half of it at once, so that it is seldom moved
		s.asked = slices.Clone(s.asked[callsKept:])
	}
	s.asked = append(s.asked, e)
	return e
}

func (s *Simulator) leave(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.ended = true
}

// everySecond tells whether a call of the flaky model is one of those that fail.
func (s *Simulator) everySecond() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flaky++
	return s.flaky%2 == 0
}

// ServeHTTP answers the API below /v1. The context of the request ends whatever goes on.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var as dialect = openai{}
	if r.Header.Get("Anthropic-Version") != "" || r.URL.Path == pathMessages {
		as = anthropic{}
	}
	method, serve := http.MethodPost, s.generate
	switch r.URL.Path {
	case pathChat:
		as = openai{}
	case pathMessages:
	case pathEmbeddings:
		as, serve = openai{}, s.embed
	case pathModels:
		method, serve = http.MethodGet, s.models
	default:
		refuse(w, as, as.unknownPath(r))
		return
	}
	if r.Method != method {
		refuse(w, as, as.wrongMethod(r))
		return
	}
	serve(w, r, as)
}

const (
	pathChat       = "/v1/chat/completions"
	pathMessages   = "/v1/messages"
	pathEmbeddings = "/v1/embeddings"
	pathModels     = "/v1/models"
)

const (
	small     = "sim-small"
	large     = "sim-large"
	search    = "sim-search"
	reasoning = "sim-reasoning"
	embedding = "sim-embedding"
	faulty    = "sim-fault-"
)

// catalog returns the names of all models.
func catalog() []string {
	names := []string{small, large, search, reasoning, embedding}
	for _, fault := range faults {
		names = append(names, faulty+fault)
	}
	return names
}

func (s *Simulator) models(w http.ResponseWriter, r *http.Request, as dialect) {
	if failed := as.authorise(r); failed != nil {
		refuse(w, as, failed)
		return
	}
	writeJSON(w, http.StatusOK, as.list(catalog()))
}
