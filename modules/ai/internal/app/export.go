package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/platform/export"
	"github.com/omnistack/omnistack/platform/id"
)

// Exporter hands out what is kept of a person here. A call that goes on is among the others once it has ended.
type Exporter struct{ store ExportStore }

// NewExporter returns an exporter over the store.
func NewExporter(store ExportStore) *Exporter { return &Exporter{store} }

// ExportStore reads what is handed out.
type ExportStore interface {
	// ExportCalls returns at most limit of the user's calls, by the days on which they ended: those behind one of them, or from the
	// beginning for nil.
	ExportCalls(ctx context.Context, user id.Scope, after *ExportedCall, limit int) ([]ExportedCall, error)

	// ExportBudgets is ExportCalls of what the user's months took.
	ExportBudgets(ctx context.Context, user id.Scope, after *ExportedBudget, limit int) ([]ExportedBudget, error)
}

// ExportedCall is a call as it is handed out. Nothing of what was said is kept.
type ExportedCall struct {
	ID               string    `json:"id"`
	Date             string    `json:"date"`
	Endpoint         string    `json:"endpoint"`
	Route            string    `json:"route"`
	Requested        string    `json:"requested"`
	Stream           bool      `json:"stream"`
	Provider         string    `json:"provider"`
	Model            string    `json:"model"`
	Attempts         int64     `json:"attempts"`
	Status           string    `json:"status"`
	Finish           string    `json:"finish_reason"`
	Reason           string    `json:"reason"`
	PromptTokens     int64     `json:"prompt_tokens"`
	CachedTokens     int64     `json:"cached_tokens"`
	CompletionTokens int64     `json:"completion_tokens"`
	ReasoningTokens  int64     `json:"reasoning_tokens"`
	CostUSD          *string   `json:"cost_usd"` // null when nobody knows
	StartedAt        time.Time `json:"started_at"`
	EndedAt          time.Time `json:"ended_at"`
}

// ExportedBudget is what a month took, as it is handed out.
type ExportedBudget struct {
	Month       string `json:"month"`
	SpentUSD    string `json:"spent_usd"`
	ReservedUSD string `json:"reserved_usd"`
}

// Export writes the user's calls and budgets.
func (e *Exporter) Export(ctx context.Context, user id.Scope, archive export.Archive) error {
	err := export.Array(archive, "calls.json", func(after *ExportedCall, limit int) ([]ExportedCall, error) {
		return e.store.ExportCalls(ctx, user, after, limit)
	})
	if err != nil {
		return err
	}
	return export.Array(archive, "budgets.json", func(after *ExportedBudget, limit int) ([]ExportedBudget, error) {
		return e.store.ExportBudgets(ctx, user, after, limit)
	})
}
