package app

import (
	"sync"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
)

// Estimates guess how many tokens a call took of which its provider told nothing: one that was cancelled, or that broke. They
// learn from calls whose provider did. They are safe for concurrent use.
type Estimates struct {
	mu  sync.Mutex
	all map[target]*learned
}

// learned is how a model counts, beside our own count of a prompt and beside bytes.
type learned struct {
	prompt float64 // tokens for each that we count
	output float64 // bytes of an answer for each token
}

const (
	weight       = 0.1 // of the newest call: what is known is mostly of the last twenty
	usualOutput  = 4.0 // bytes for a token of English
	leastToLearn = 20  // tokens of an answer: in fewer, what is around them weighs too much
)

// NewEstimates returns estimates that know nothing yet.
func NewEstimates() *Estimates { return &Estimates{all: map[target]*learned{}} }

// Learn takes what a provider counted for a call, of whose answer so many bytes came: texts, thoughts and the arguments of
// calls.
func (e *Estimates) Learn(call *domain.Call, bytes int, usage domain.Usage) {
	prompt := call.PromptEstimate()
	if usage.Source != domain.Provided || prompt == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	to := target{call.Model.Provider, call.Model.ID}
	one, known := e.all[to]
	if !known {
		if len(e.all) >= most {
			return
		}
		one = &learned{}
		e.all[to] = one
	}
	learn(&one.prompt, float64(usage.Prompt())/float64(prompt))
	if usage.Output >= leastToLearn && bytes > 0 {
		learn(&one.output, float64(bytes)/float64(usage.Output))
	}
}

// learn moves what is known towards what is new. The first is believed as it is.
func learn(known *float64, is float64) {
	if *known == 0 {
		*known = is
		return
	}
	*known += weight * (is - *known)
}

// Usage returns what a call took about, of whose answer so many bytes came.
func (e *Estimates) Usage(call *domain.Call, bytes int) domain.Usage {
	known := learned{prompt: 1, output: usualOutput}
	e.mu.Lock()
	if one := e.all[target{call.Model.Provider, call.Model.ID}]; one != nil {
		known.prompt = one.prompt
		if one.output > 0 {
			known.output = one.output
		}
	}
	e.mu.Unlock()
	return domain.Usage{
		Input:  int(float64(call.PromptEstimate())*known.prompt + 0.5),
		Output: int(float64(bytes)/known.output + 0.5),
		Source: domain.Estimated,
	}
}
