package httpapi

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/id"
)

// AIModel is a model as clients see it.
type AIModel struct {
	ID        string     `json:"id"`
	Provider  string     `json:"provider"`
	Context   int        `json:"context_tokens" doc:"Of prompt and answer together"`
	MaxOutput int        `json:"max_output_tokens"`
	RetiresOn *time.Time `json:"retires_on" doc:"From when it isn't served; null when that isn't announced"`
}

// AIRoute is a route as clients see it.
type AIRoute struct {
	Name   string   `json:"name"`
	Open   bool     `json:"open" doc:"Your plan includes it"`
	Models []string `json:"models" nullable:"false" doc:"Who answers, the first that can"`
}

// AIOffer are the routes that lead somewhere, and the models that you may name.
type AIOffer struct {
	Routes []AIRoute `json:"routes" nullable:"false"`
	Models []AIModel `json:"models" nullable:"false"`
}

func (a *API) models(ctx context.Context, _ *struct{}) (*httpserver.Object[AIOffer], error) {
	plan := httpserver.Principal(ctx).Plan
	offered := AIOffer{Routes: []AIRoute{}, Models: []AIModel{}}
	for _, offer := range a.app.Offers(plan) {
		route := AIRoute{Name: offer.Route, Open: offer.Open, Models: []string{}}
		for _, model := range offer.Models {
			route.Models = append(route.Models, model.ID)
		}
		offered.Routes = append(offered.Routes, route)
	}
	for _, model := range a.app.Models(plan) {
		info := AIModel{ID: model.ID, Provider: model.Provider, Context: model.Context, MaxOutput: model.MaxOutput}
		if !model.RetiresOn.IsZero() {
			info.RetiresOn = &model.RetiresOn
		}
		offered.Models = append(offered.Models, info)
	}
	return &httpserver.Object[AIOffer]{Body: offered}, nil
}

// DaysInput names days of UTC. It is exported because huma passes over what an unexported embedded struct holds.
type DaysInput struct {
	From string `query:"from" format:"date" maxLength:"10" doc:"The first day, in UTC, such as 2026-11-01; absent, the first of this month"`
	To   string `query:"to" format:"date" maxLength:"10" doc:"The last day; absent, today. At most 366 days"`
}

func (d *DaysInput) days(now time.Time) (from, to time.Time, err error) {
	from, to = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC), now.Truncate(24*time.Hour)
	for _, day := range []struct {
		name, text string
		at         *time.Time
	}{{"from", d.From, &from}, {"to", d.To, &to}} {
		if day.text == "" {
			continue
		}
		if *day.at, err = time.Parse(time.DateOnly, day.text); err != nil {
			return from, to, errs.InvalidFields(errs.Field{Name: day.name, Message: "must be a day such as 2026-11-01"})
		}
	}
	return from, to, nil
}

// AIUsageTotal is what the calls of a day and a model took.
type AIUsageTotal struct {
	Date             string `json:"date" format:"date"`
	Provider         string `json:"provider" doc:"Empty for calls for which nobody was asked"`
	Model            string `json:"model"`
	Calls            int64  `json:"calls"`
	Failed           int64  `json:"failed" doc:"Calls without a whole answer, those that were cancelled, too"`
	PromptTokens     int    `json:"prompt_tokens"`
	CachedTokens     int    `json:"cached_tokens" doc:"Of those, what providers had in their caches"`
	CompletionTokens int    `json:"completion_tokens"`
	ReasoningTokens  int    `json:"reasoning_tokens" doc:"Of those, what was thought"`
	CostUSD          string `json:"cost_usd" doc:"Of the calls whose cost is known, as a decimal number"`
	UnknownCosts     int64  `json:"unknown_costs" doc:"Calls whose cost nobody knows"`
}

// AIUsage is what calls took.
type AIUsage struct {
	From    string         `json:"from" format:"date"`
	To      string         `json:"to" format:"date"`
	Items   []AIUsageTotal `json:"items" nullable:"false"`
	Calls   int64          `json:"calls"`
	CostUSD string         `json:"cost_usd"`
}

// OwnAIUsage is what a user's calls took, and how the month's budget stands.
type OwnAIUsage struct {
	AIUsage
	Budget AIBudget `json:"budget"`
}

// AIBudget is how a month stands.
type AIBudget struct {
	LimitUSD    *string   `json:"limit_usd" doc:"null for none"`
	SpentUSD    string    `json:"spent_usd" doc:"By calls that ended"`
	ReservedUSD string    `json:"reserved_usd" doc:"For calls that go on"`
	ResetsAt    time.Time `json:"resets_at"`
}

func (a *API) usage(ctx context.Context, in *DaysInput) (*httpserver.Object[OwnAIUsage], error) {
	who := httpserver.Principal(ctx)
	user := who.Scope()
	usage, err := a.total(ctx, &user, in)
	if err != nil {
		return nil, err
	}
	budget, err := a.app.Budget(ctx, user, who.Plan)
	if err != nil {
		return nil, err
	}
	own := OwnAIUsage{AIUsage: usage, Budget: AIBudget{SpentUSD: budget.Spent.Spent.String(), ReservedUSD: budget.Reserved.String(), ResetsAt: budget.ResetsAt}}
	if budget.Limit >= 0 {
		own.Budget.LimitUSD = new(budget.Limit.String())
	}
	return &httpserver.Object[OwnAIUsage]{Body: own}, nil
}

func (a *API) allUsage(ctx context.Context, in *DaysInput) (*httpserver.Object[AIUsage], error) {
	usage, err := a.total(ctx, nil, in)
	if err != nil {
		return nil, err
	}
	return &httpserver.Object[AIUsage]{Body: usage}, nil
}

func (a *API) total(ctx context.Context, user *id.Scope, in *DaysInput) (AIUsage, error) {
	from, to, err := in.days(a.app.Clock.Now())
	if err != nil {
		return AIUsage{}, err
	}
	totals, err := a.app.Usage(ctx, user, from, to)
	if err != nil {
		return AIUsage{}, err
	}
	usage := AIUsage{From: from.Format(time.DateOnly), To: to.Format(time.DateOnly), Items: make([]AIUsageTotal, len(totals))}
	var cost domain.Pico
	for i := range totals {
		usage.Items[i] = toTotal(&totals[i])
		usage.Calls += totals[i].Calls
		cost += totals[i].Cost
	}
	usage.CostUSD = cost.String()
	return usage, nil
}

func toTotal(total *app.Total) AIUsageTotal {
	return AIUsageTotal{
		Date: string(total.Day), Provider: total.Provider, Model: total.Model, Calls: total.Calls, Failed: total.Failed,
		PromptTokens: total.Usage.Prompt(), CachedTokens: total.Usage.CachedRead, CompletionTokens: total.Usage.Output,
		ReasoningTokens: total.Usage.Reasoning, CostUSD: total.Cost.String(), UnknownCosts: total.Unknown,
	}
}
