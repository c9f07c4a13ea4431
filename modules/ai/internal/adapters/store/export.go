package store

import (
	"context"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/id"
)

var _ app.ExportStore = (*Store)(nil)

// ExportCalls reads all calls of the user, by the index that has their days.
func (s *Store) ExportCalls(ctx context.Context, user id.Scope, after *app.ExportedCall, limit int) ([]app.ExportedCall, error) {
	matching, args := " WHERE user_id = ?", []any{user.User}
	if after != nil {
		matching += " AND (day, id) > (?, ?)"
		args = append(args, after.Date, after.ID)
	}
	return database.All(s.db.Read(ctx).Raw(`SELECT id, day, endpoint, route, requested, stream, provider, model, attempts, status, finish,
		reason, input, cached_read, output, reasoning, cost, cost_known, started_at, ended_at FROM ai_calls`+
		matching+" ORDER BY day, id LIMIT ?", append(args, limit)...),
		func(found database.Row) (app.ExportedCall, error) {
			var call app.ExportedCall
			var cost domain.Cost
			err := found.Scan(&call.ID, &call.Date, &call.Endpoint, &call.Route, &call.Requested, &call.Stream, &call.Provider, &call.Model,
				&call.Attempts, &call.Status, &call.Finish, &call.Reason, &call.PromptTokens, &call.CachedTokens, &call.CompletionTokens,
				&call.ReasoningTokens, &cost.Amount, &cost.Known, &call.StartedAt, &call.EndedAt)
			if cost.Known {
				call.CostUSD = new(cost.Amount.String())
			}
			call.StartedAt, call.EndedAt = call.StartedAt.UTC(), call.EndedAt.UTC()
			return call, err
		})
}

// ExportBudgets reads all months of the user.
func (s *Store) ExportBudgets(ctx context.Context, user id.Scope, after *app.ExportedBudget, limit int) ([]app.ExportedBudget, error) {
	var last string
	if after != nil {
		last = after.Month
	}
	return database.All(s.db.Read(ctx).Raw(`SELECT month, spent, reserved FROM ai_budgets WHERE user_id = ? AND month > ?
		ORDER BY month LIMIT ?`, user.User, last, limit),
		func(found database.Row) (app.ExportedBudget, error) {
			var budget app.ExportedBudget
			var spent, reserved domain.Pico
			err := found.Scan(&budget.Month, &spent, &reserved)
			budget.SpentUSD, budget.ReservedUSD = spent.String(), reserved.String()
			return budget, err
		})
}
