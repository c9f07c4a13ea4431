package app

import (
	"context"
	"errors"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
)

// Gateway has models answer: the first of several that can. It is safe for concurrent use.
type Gateway struct {
	providers map[string]Provider
	breakers  *breakers
	retries   *retries
}

// NewGateway returns a gateway to the providers, by their names in the catalogue.
func NewGateway(providers map[string]Provider, clock clock.Clock, pauses Pauses) *Gateway {
	return &Gateway{providers: providers, breakers: newBreakers(clock), retries: newRetries(pauses)}
}

// Usable tells whether there is a provider of that name.
func (g *Gateway) Usable(provider string) bool { return g.providers[provider] != nil }

// Answered is how a call ended: by which model, and after how many requests.
type Answered struct {
	Result   domain.Result
	Model    domain.Model // that answered, or that was asked last
	Attempts int          // requests, of all models together
}

// errNobody is why a call fails for which there is no model.
var errNobody = errors.New("no model can answer")

// Generate has the first of the models answer that can. Another is asked only while nothing of an answer has come. The error
// is that of the model that was asked last, as it is of a Provider.
func (g *Gateway) Generate(ctx context.Context, call domain.Call, candidates []domain.Model, stream Stream) (Answered, error) {
	longest := call.MaxTokens
	var answered Answered
	var err error = &domain.Failure{Reason: domain.NoModel, Cause: errNobody}
	for _, model := range candidates {
		provider, usable := g.providers[model.Provider]
		if !usable {
			continue
		}
		left, refused := g.breakers.enter(target{model.Provider, model.ID})
		if refused != nil {
			if answered.Attempts == 0 {
				answered.Model, err = model, refused // unless somebody is asked and says why
			}
			continue
		}
		answered.Model, call.Model, call.MaxTokens = model, model, longest
		if model.MaxOutput > 0 {
			call.MaxTokens = min(longest, model.MaxOutput)
		}
		var come bool
		var asked int
		answered.Result, come, asked, err = g.ask(ctx, provider, &call, stream, left)
		answered.Attempts += asked
		failure, failed := errors.AsType[*domain.Failure](err)
		if !failed || come || !failure.Reason.Elsewhere() || ctx.Err() != nil {
			return answered, err
		}
	}
	return answered, err
}

// ask has one model answer, and tells its breaker how that ended, whatever happens.
func (g *Gateway) ask(ctx context.Context, provider Provider, call *domain.Call, stream Stream, left func(error)) (
	result domain.Result, come bool, asked int, err error,
) {
	err = &domain.Failure{Provider: call.Model.Provider, Reason: domain.Broken} // if it panics
	defer func() { left(err) }()
	return g.retries.generate(ctx, provider, call, stream)
}
