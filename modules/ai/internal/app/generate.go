package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/omnistack/omnistack/modules/ai"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// The bounds of a call. What is set aside for it is kept for longer than it can last.
const (
	longestCall     = 12 * time.Minute
	holdFor         = 15 * time.Minute
	settlePatience  = 10 * time.Second
	unknownEstimate = domain.Cent // is set aside where nobody knows what a model costs
)

// Listener takes an answer, piece by piece, and is told before the first of them whose it is.
type Listener interface {
	Start(Started) error
	Sink
}

// Started is what is known of an answer when it begins.
type Started struct {
	ID    string
	Route string
	Model domain.Model
}

// Answer is how a call ended well.
type Answer struct {
	Started
	Result  domain.Result // without texts when they were listened to
	Cost    domain.Cost
	Latency time.Duration
	First   time.Duration // until the first of a stream
	Cached  bool          // it was given before, and cost nothing now; Result.Usage is what it took then
}

// Generate has the first of the candidates answer that can, and keeps the call in the ledger, however it ends. With a
// listener the answer is streamed to it. A spent budget is errs.PaymentRequired.
func (a *App) Generate(ctx context.Context, ask *Ask, choice Choice, listener Listener) (answer Answer, err error) {
	var asked [sha256.Size]byte
	if ask.Cache {
		asked = a.question(ask, choice)
		if known, found := a.recall(asked); found {
			return a.repeat(ctx, ask, choice, known, listener)
		}
	}
	hold, err := a.reserve(ctx, ask, choice)
	if err != nil {
		return Answer{}, err
	}
	r := &recording{app: a, listener: listener, keeps: ask.Cache, started: Started{ID: hold.ID, Route: choice.Route}, began: hold.StartedAt}
	answered := Answered{Model: choice.Candidates[0], Attempts: 1} // as far as is known if a panic ends it
	err = errPanicked
	defer func() { // in any case
		entry := a.entry(ctx, hold.Entry, ask, answered, r, err)
		a.tallies.count(a.served(entry.Provider, entry.Model), &entry)
		if unsettled := a.settle(ctx, entry, hold); unsettled != nil && err == nil {
			err = unsettled
		}
		answer.Result.Usage, answer.Cost, answer.Latency = entry.Usage, entry.Cost, entry.EndedAt.Sub(entry.StartedAt)
		if ask.Cache && err == nil {
			a.remember(asked, answered.Model, answer.Result, r.said.String())
		}
		err = public(err)
	}()
	bounded, cancel := context.WithTimeout(ctx, longestCall)
	defer cancel()
	answered, err = a.gateway.Generate(bounded, ask.Call, choice.Candidates, r.stream())
	if err == nil {
		err = r.flush(&answered)
	}
	r.started.Model = answered.Model
	return Answer{Started: r.started, Result: answered.Result, First: r.first}, err
}

var errPanicked = errors.New("a panic ended the call")

// reserve sets aside what the call costs at most.
func (a *App) reserve(ctx context.Context, ask *Ask, choice Choice) (domain.Hold, error) {
	now, plan, catalog := a.Clock.Now(), a.Plans.Plan(ask.Plan), a.catalog.Load()
	first := &choice.Candidates[0]
	prompt := domain.Usage{Input: ask.Call.PromptEstimate(), Source: domain.Estimated}
	hold := domain.Hold{
		Entry: domain.Entry{
			ID: id.New(), User: ask.User, Endpoint: ask.Endpoint, Route: choice.Route, Requested: choice.Requested, Stream: ask.Stream,
			Provider: first.Provider, Model: first.ID, Attempts: 1, Usage: prompt, Cost: first.CostAt(now, prompt),
			PriceVersion: catalog.Version(), StartedAt: now,
		},
		Month: domain.MonthOf(now), ExpiresAt: now.Add(holdFor),
	}
	for i := range choice.Candidates {
		hold.Amount = max(hold.Amount, atMost(&choice.Candidates[i], now, prompt, ask.Call.MaxTokens))
	}
	limit := limitOf(plan)
	var reserved bool
	err := a.Tx.WithinTx(ctx, func(ctx context.Context) (err error) {
		reserved, err = a.Store.Reserve(ctx, hold, limit)
		return err
	})
	if err == nil && !reserved {
		err = errs.New(errs.PaymentRequired, "What is left of this month's AI budget isn't enough for this call").
			With("reason", "ai_budget_spent").With("plan", plan.Name).With("budget_usd", limit.String()).
			With("call_usd", hold.Amount.String()).With("resets_at", nextMonth(now).Format(time.RFC3339))
	}
	return hold, err
}

// atMost returns what a call of the model costs when its answer is as long as it may be.
func atMost(model *domain.Model, now time.Time, prompt domain.Usage, longest int) domain.Pico {
	if model.MaxOutput > 0 {
		longest = min(longest, model.MaxOutput)
	}
	prompt.Output = longest
	cost := model.CostAt(now, prompt)
	if !cost.Known {
		return unknownEstimate
	}
	return cost.Amount
}

func limitOf(plan billing.Plan) domain.Pico {
	if plan.AIBudget == billing.Unlimited || plan.AIBudget > int64(math.MaxInt64/domain.Cent) {
		return -1
	}
	return domain.Pico(plan.AIBudget) * domain.Cent
}

func nextMonth(now time.Time) time.Time {
	return time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC)
}

// entry returns what the ledger keeps of a call that ended so.
func (a *App) entry(ctx context.Context, begun domain.Entry, ask *Ask, answered Answered, r *recording, err error) domain.Entry {
	if r.come {
		answered.Model = r.started.Model // also when a panic ended it
	}
	entry := begun
	entry.EndedAt, entry.First = a.Clock.Now(), r.first
	entry.Provider, entry.Model, entry.Attempts = answered.Model.Provider, answered.Model.ID, answered.Attempts
	entry.Usage, entry.Finish = answered.Result.Usage, answered.Result.Finish
	failure, _ := errors.AsType[*domain.Failure](err)
	sent := answered.Attempts > 0 // it may have cost something
	if failure != nil {
		entry.Reason, entry.Usage = failure.Reason, failure.Usage
		sent = sent && failure.Reason != domain.Unreachable && (r.come || failure.Status == 0)
	}
	switch {
	case err == nil:
		entry.Status = domain.Completed
	case ctx.Err() != nil || failure == nil && !errors.Is(err, errPanicked): // whoever listens, or should, is gone
		entry.Status, entry.Reason = domain.Canceled, domain.Cancelled
	case r.come:
		entry.Status = domain.Truncated
	default:
		entry.Status = domain.Failed
	}
	if err != nil && entry.Reason == "" {
		entry.Reason = domain.Broken
	}
	call := ask.Call
	call.Model = answered.Model
	bytes := r.bytes + sizeOf(&answered.Result)
	switch {
	case entry.Usage.Source == domain.Provided && err == nil:
		a.estimates.Learn(&call, bytes, entry.Usage)
	case entry.Usage.Source == domain.Provided: // some count the prompt when a stream begins, and the answer only at its end
		if guessed := a.estimates.Usage(&call, bytes); guessed.Output > entry.Usage.Output {
			entry.Usage.Output, entry.Usage.Source = guessed.Output, domain.Estimated
		}
	case sent:
		entry.Usage = a.estimates.Usage(&call, bytes)
	default:
		entry.Usage = domain.Usage{Source: domain.Unused}
	}
	entry.Cost = answered.Model.CostAt(begun.StartedAt, entry.Usage)
	return entry
}

// sizeOf returns how many bytes an answer in one piece has.
func sizeOf(result *domain.Result) int {
	bytes := len(result.Text) + len(result.Reasoning)
	for _, call := range result.Calls {
		bytes += len(call.Name) + len(call.Arguments)
	}
	return bytes
}

// settle puts a call that ended into the ledger, and gives back what was set aside for it. That the client left doesn't keep
// it from that. What can't be settled is by Sweep.
func (a *App) settle(ctx context.Context, entry domain.Entry, hold domain.Hold) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settlePatience)
	defer cancel()
	return a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		settled, err := a.Store.Settle(ctx, entry, hold)
		if err != nil || !settled {
			return err
		}
		return a.tell(ctx, entry)
	})
}

// tell says that a call is in the ledger. It runs in the transaction that puts it there.
func (a *App) tell(ctx context.Context, entry domain.Entry) error {
	return a.Events.Publish(ctx, ai.CompletionFinished{
		CallID: entry.ID, UserID: entry.User.User, Route: entry.Route, Provider: entry.Provider, Model: entry.Model,
		Status: string(entry.Status), PromptTokens: int64(entry.Usage.Prompt()), CompletionTokens: int64(entry.Usage.Output),
		Estimated: entry.Usage.Source == domain.Estimated, CostPicodollars: int64(entry.Cost.Amount), CostKnown: entry.Cost.Known,
		FinishedAt: entry.EndedAt,
	})
}

// recording counts what comes of an answer, on its way to whoever listens.
type recording struct {
	app      *App
	listener Listener // nil when the answer comes in one piece
	started  Started
	began    time.Time

	come  bool
	bytes int
	first time.Duration

	keeps bool            // the text
	said  strings.Builder // of it, at most a little more than is remembered
}

// stream returns r, or nil when nobody listens.
func (r *recording) stream() Stream {
	if r.listener == nil {
		return nil
	}
	return r
}

// Start says whose answer it is.
func (r *recording) Start(by domain.Model) error {
	r.come, r.first, r.started.Model = true, r.app.Clock.Now().Sub(r.began), by
	return r.listener.Start(r.started)
}

// flush begins a stream that had nothing in it: an answer that says only why it ended.
func (r *recording) flush(answered *Answered) error {
	if r.listener == nil || r.come {
		return nil
	}
	return r.Start(answered.Model)
}

// Text takes a piece of text.
func (r *recording) Text(piece string) error {
	r.bytes += len(piece)
	if r.keeps && r.said.Len() <= longestAnswer {
		r.said.WriteString(piece)
	}
	return r.listener.Text(piece)
}

// Reasoning takes a piece of what a model thinks.
func (r *recording) Reasoning(piece string) error {
	r.bytes += len(piece)
	return r.listener.Reasoning(piece)
}

// Tool takes a piece of a tool call.
func (r *recording) Tool(piece domain.ToolDelta) error {
	r.bytes += len(piece.Name) + len(piece.Arguments)
	r.keeps = false
	r.said.Reset()
	return r.listener.Tool(piece)
}

// public returns an error in words for clients. Nothing that a provider said is in them.
func public(err error) error {
	failure, failed := errors.AsType[*domain.Failure](err)
	if !failed {
		return err
	}
	kind, message := errs.External, "The AI provider failed"
	switch failure.Reason {
	case domain.RateLimited:
		kind, message = errs.RateLimited, "The AI provider takes no more calls for now"
	case domain.Overloaded:
		kind, message = errs.Unavailable, "The AI provider is overloaded"
	case domain.Unreachable:
		message = "The AI provider can't be reached"
	case domain.Late:
		kind, message = errs.Timeout, "The AI provider didn't answer in time"
	case domain.KeyRefused:
		message = "The AI provider refuses the key of this installation"
	case domain.NoModel:
		kind, message = errs.Invalid, "The AI provider doesn't serve this model"
	case domain.TooLong:
		kind, message = errs.Invalid, "The prompt is too long for the model"
	case domain.Refused:
		kind, message = errs.Invalid, "The AI provider refuses this request"
	}
	shown := errs.New(kind, message).With("retryable", failure.Reason.Again()).Because(err)
	if failure.Provider != "" {
		shown = shown.With("service", failure.Provider)
	}
	if after := failure.RetryAfter; after > 0 && kind == errs.RateLimited {
		shown = shown.With("retry_after", int((after+time.Second-1)/time.Second))
	}
	return shown
}
