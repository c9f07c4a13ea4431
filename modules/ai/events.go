package ai

import (
	"time"

	"github.com/omnistack/omnistack/platform/events"
)

// CompletionFinished says that a call of a model ended, however that was, and what it took. It says nothing of what was asked
// and answered.
type CompletionFinished struct {
	CallID           string    `json:"call_id"`
	UserID           string    `json:"user_id"`
	Route            string    `json:"route"`    // that was taken; empty when a model was named
	Provider         string    `json:"provider"` // that answered, or was asked last, or would have been
	Model            string    `json:"model"`
	Status           string    `json:"status"` // "completed", "truncated", "failed", "cancelled" or "killed"
	PromptTokens     int64     `json:"prompt_tokens"`
	CompletionTokens int64     `json:"completion_tokens"`
	Estimated        bool      `json:"estimated"`        // the tokens: the provider didn't count them
	CostPicodollars  int64     `json:"cost_picodollars"` // in 10⁻¹² US dollars
	CostKnown        bool      `json:"cost_known"`       // false: the cost isn't 0, but nobody knows it
	FinishedAt       time.Time `json:"finished_at"`
}

// Published returns the events of the context.
func Published() []events.Event { return []events.Event{CompletionFinished{}} }

// EventName returns the golden name.
func (CompletionFinished) EventName() string { return "ai.completion_finished.v1" }

// Aggregate returns the call. It has one event, as it ends once.
func (e CompletionFinished) Aggregate() (id string, version int64) { return e.CallID, 1 }
