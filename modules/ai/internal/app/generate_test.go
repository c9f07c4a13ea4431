package app_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/ai"
	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
)

// hearing listens to an answer, in one line.
type hearing struct {
	said string
	full error
}

func (h *hearing) Start(started app.Started) error {
	h.said += "<" + started.Route + " " + started.Model.ID + ">"
	return nil
}
func (h *hearing) Text(piece string) error      { h.said += piece; return h.full }
func (h *hearing) Reasoning(piece string) error { h.said += "(" + piece + ")"; return h.full }
func (h *hearing) Tool(piece domain.ToolDelta) error {
	h.said += "[" + piece.Name + piece.Arguments + "]"
	return h.full
}

// counted is a usage as a provider tells it.
var counted = domain.Usage{Input: 10, Output: 20, Source: domain.Provided}

// speak is a provider that says "one two", and then ends so.
func speak(result domain.Result, err error) speaks {
	return func(_ context.Context, _ *domain.Call, sink app.Sink) (domain.Result, error) {
		if sink == nil {
			result.Text = "one two"
			return result, err
		}
		for _, piece := range []string{"one ", "two"} {
			if full := sink.Text(piece); full != nil {
				return domain.Result{}, full
			}
		}
		return result, err
	}
}

// silent is a provider that says nothing and ends so.
func silent(err error) speaks {
	return func(context.Context, *domain.Call, app.Sink) (domain.Result, error) { return domain.Result{}, err }
}

const secret = "what a provider said"

func failure(reason domain.Reason, status int) error {
	return &domain.Failure{Provider: "one", Reason: reason, Status: status, Cause: errors.New(secret)}
}

// generate chooses and asks, in a stream or not.
func (h *house) generate(ctx context.Context, t *testing.T, ask *app.Ask, listener app.Listener) (app.Answer, error) {
	t.Helper()
	ask.Stream = listener != nil
	choice, err := h.Choose(ask)
	if err != nil {
		t.Fatal(err)
	}
	return h.Generate(ctx, ask, choice, listener)
}

// TestEveryCallIsInTheLedgerOnce proves that however a call ends it has one row, one event, and gives back what was set aside.
func TestEveryCallIsInTheLedgerOnce(t *testing.T) {
	for name, test := range map[string]struct {
		provider speaks
		stream   bool
		full     error // of the listener
		leaves   bool
		panics   bool

		status   domain.Status
		reason   domain.Reason
		source   domain.Source
		cost     domain.Pico
		attempts int
	}{
		"whole":                  {provider: speak(domain.Result{Finish: domain.FinishStop, Usage: counted}, nil), status: domain.Completed, source: domain.Provided, cost: 10*1e6 + 20*5e6, attempts: 1},
		"streamed":               {provider: speak(domain.Result{Finish: domain.FinishStop, Usage: counted}, nil), stream: true, status: domain.Completed, source: domain.Provided, cost: 10*1e6 + 20*5e6, attempts: 1},
		"without a count":        {provider: speak(domain.Result{Finish: domain.FinishStop}, nil), stream: true, status: domain.Completed, source: domain.Estimated, cost: 9*1e6 + 2*5e6, attempts: 1},
		"whole, without a count": {provider: speak(domain.Result{Finish: domain.FinishStop}, nil), status: domain.Completed, source: domain.Estimated, cost: 9*1e6 + 2*5e6, attempts: 1},
		"refused":                {provider: silent(failure(domain.Refused, 400)), status: domain.Failed, reason: domain.Refused, source: domain.Unused, attempts: 1},
		"unreachable":            {provider: silent(failure(domain.Unreachable, 0)), stream: true, status: domain.Failed, reason: domain.Unreachable, source: domain.Unused, attempts: 2},
		"too late":               {provider: silent(failure(domain.Late, 0)), status: domain.Failed, reason: domain.Late, source: domain.Estimated, cost: 9 * 1e6, attempts: 2},
		"broken in the middle":   {provider: speak(domain.Result{}, failure(domain.Broken, 200)), stream: true, status: domain.Truncated, reason: domain.Broken, source: domain.Estimated, cost: 9*1e6 + 2*5e6, attempts: 1},
		"counted, then broken": {provider: speak(domain.Result{}, &domain.Failure{Reason: domain.Broken, Status: 200, Usage: counted}), stream: true,
			status: domain.Truncated, reason: domain.Broken, source: domain.Provided, cost: 10*1e6 + 20*5e6, attempts: 1},
		"of a count only the beginning": {provider: speak(domain.Result{}, &domain.Failure{Reason: domain.Cancelled, Usage: domain.Usage{Input: 10, Output: 1, Source: domain.Provided}}), stream: true,
			status: domain.Truncated, reason: domain.Cancelled, source: domain.Estimated, cost: 10*1e6 + 2*5e6, attempts: 1},
		"a listener that is gone": {provider: speak(domain.Result{}, nil), stream: true, full: errors.New("gone"), status: domain.Canceled, reason: domain.Cancelled, source: domain.Estimated, cost: 9*1e6 + 1*5e6, attempts: 1},
		"a client that leaves":    {provider: silent(failure(domain.Cancelled, 0)), leaves: true, status: domain.Canceled, reason: domain.Cancelled, source: domain.Estimated, cost: 9 * 1e6, attempts: 1},
		"a panic":                 {provider: func(context.Context, *domain.Call, app.Sink) (domain.Result, error) { panic("oh") }, panics: true, status: domain.Failed, reason: domain.Broken, source: domain.Estimated, cost: 9 * 1e6, attempts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, test.provider, nil)
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			if test.leaves {
				leave()
			}
			var listener app.Listener
			if test.stream {
				listener = &hearing{full: test.full}
			}
			answer, err := func() (answer app.Answer, err error) {
				defer func() {
					if reason := recover(); (reason != nil) != test.panics {
						t.Errorf("it panics with %v", reason)
					}
				}()
				return h.generate(ctx, t, asks("pro", "able", ""), listener)
			}()
			if ended := test.status == domain.Completed; !test.panics && (err == nil) != ended {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(errs.From(err).Message, secret) {
				t.Errorf("it shows %v", err)
			}
			if len(h.entries) != 1 || len(h.holds) != 0 || h.budgets[alice] != (domain.Spent{Spent: test.cost}) {
				t.Fatalf("entries %+v, holds %v, budget %+v", h.entries, h.holds, h.budgets[alice])
			}
			e := h.entries[0]
			if e.Status != test.status || e.Reason != test.reason || e.Usage.Source != test.source || e.Attempts != test.attempts ||
				e.Cost.Amount != test.cost || e.Stream != test.stream || e.User != alice || e.PriceVersion != "v7" || e.Requested != "able" {
				t.Errorf("the entry is %+v", e)
			}
			if err == nil && !test.panics && (answer.Cost != e.Cost || answer.Result.Usage != e.Usage || answer.ID != e.ID) {
				t.Errorf("the answer is %+v", answer)
			}
			h.events.Expect(t, ai.CompletionFinished{
				CallID: e.ID, UserID: "alice", Provider: e.Provider, Model: e.Model, Status: string(e.Status), PromptTokens: int64(e.Usage.Prompt()),
				CompletionTokens: int64(e.Usage.Output), Estimated: e.Usage.Source == domain.Estimated, CostPicodollars: int64(e.Cost.Amount),
				CostKnown: e.Cost.Known, FinishedAt: noon,
			})
		})
	}
}

// TestAStreamBeginsOnce proves that whose answer it is comes once, before the first of it, also when there is nothing of it, and
// never for a model that failed before.
func TestAStreamBeginsOnce(t *testing.T) {
	thinks := func(_ context.Context, _ *domain.Call, sink app.Sink) (domain.Result, error) {
		return domain.Result{}, errors.Join(sink.Reasoning("hm"), sink.Text("yes"), sink.Tool(domain.ToolDelta{Name: "look", Arguments: "{}"}))
	}
	for name, test := range map[string]struct {
		one, two speaks
		want     string
	}{
		"pieces":         {thinks, nil, "<simple small>(hm)yes[look{}]"},
		"nothing":        {silent(nil), nil, "<simple small>"},
		"another's":      {silent(failure(domain.KeyRefused, 401)), speak(domain.Result{}, nil), "<simple second>one two"},
		"nobody's":       {silent(failure(domain.KeyRefused, 401)), silent(failure(domain.Refused, 400)), ""},
		"until it broke": {speak(domain.Result{}, failure(domain.Broken, 200)), speak(domain.Result{}, nil), "<simple small>one two"},
	} {
		h, listener := newHouse(t, test.one, test.two), &hearing{}
		answer, err := h.generate(t.Context(), t, asks("free", "", "simple"), listener)
		if listener.said != test.want {
			t.Errorf("%s: it heard %q, want %q", name, listener.said, test.want)
		}
		if err == nil && !strings.Contains(test.want, answer.Model.ID) {
			t.Errorf("%s: the answer is of %s", name, answer.Model.ID)
		}
	}
}

// TestWhatIsSetAside proves that it is what the dearest of the models would cost, and that nobody is asked without it.
func TestWhatIsSetAside(t *testing.T) {
	const dearest = 9*2e6 + 4096*1e7 // second's
	asked := 0
	var h *house
	h = newHouse(t, func(_ context.Context, call *domain.Call, _ app.Sink) (domain.Result, error) {
		asked++
		if call.MaxTokens != 4096 {
			t.Errorf("it is asked for %d tokens", call.MaxTokens)
		}
		for _, hold := range h.holds {
			if hold.Amount != dearest || hold.Month != "2026-11" || !hold.ExpiresAt.Equal(noon.Add(15*time.Minute)) {
				t.Errorf("the hold is %+v", hold)
			}
		}
		return domain.Result{Usage: counted}, nil
	}, nil)
	ask := asks("free", "", "simple")
	ask.Call.MaxTokens = 0 // as long as it may be
	h.failing = "reserve"
	if _, err := h.generate(t.Context(), t, ask, nil); !errstest.Boom(err) || asked > 0 {
		t.Errorf("got %v; it was asked %d times", err, asked)
	}
	h.failing, h.holds = "", map[string]domain.Hold{}
	h.budgets[alice] = domain.Spent{Spent: domain.Dollar - dearest}
	if _, err := h.generate(t.Context(), t, ask, nil); err != nil || asked != 1 {
		t.Errorf("got %v; it was asked %d times", err, asked)
	}
	_, err := h.generate(t.Context(), t, ask, nil)
	details := errs.From(err).Details
	if !errs.Is(err, errs.PaymentRequired) || asked != 1 || details["reason"] != "ai_budget_spent" || details["plan"] != "free" ||
		details["budget_usd"] != "1" || details["resets_at"] != "2026-12-01T00:00:00Z" {
		t.Errorf("got %v with %v; it was asked %d times", err, details, asked)
	}
	unlimited := asks("pro", "", "simple")
	unlimited.Call.MaxTokens = 0
	if _, err := h.generate(t.Context(), t, unlimited, nil); err != nil || asked != 2 {
		t.Errorf("without a limit: %v", err)
	}
}

// TestAnUnknownPriceIsNotNothing proves that a call of a model without a price sets a cent aside, and that its cost isn't known.
func TestAnUnknownPriceIsNotNothing(t *testing.T) {
	var h *house
	h = newHouse(t, nil, func(context.Context, *domain.Call, app.Sink) (domain.Result, error) {
		if h.budgets[alice].Reserved != domain.Cent {
			t.Errorf("the budget is %+v", h.budgets[alice])
		}
		return domain.Result{Usage: counted}, nil
	})
	if _, err := h.generate(t.Context(), t, asks("pro", "free", ""), nil); err != nil {
		t.Fatal(err)
	}
	if e := h.entries[0]; e.Cost != (domain.Cost{}) || h.budgets[alice] != (domain.Spent{}) {
		t.Errorf("it costs %+v, and the budget is %+v", e.Cost, h.budgets[alice])
	}
}

// TestFailuresInWordsForClients proves that each has its kind, and shows nothing that a provider said.
func TestFailuresInWordsForClients(t *testing.T) {
	for reason, want := range map[domain.Reason]errs.Kind{
		domain.RateLimited: errs.RateLimited, domain.Overloaded: errs.Unavailable, domain.Broken: errs.External, domain.Unreachable: errs.External,
		domain.Late: errs.Timeout, domain.KeyRefused: errs.External, domain.NoModel: errs.Invalid, domain.TooLong: errs.Invalid,
		domain.Refused: errs.Invalid,
	} {
		h := newHouse(t, silent(&domain.Failure{Provider: "one", Reason: reason, RetryAfter: 7500 * time.Millisecond, Cause: errors.New(secret)}), nil)
		_, err := h.generate(t.Context(), t, asks("pro", "able", ""), nil)
		shown := errs.From(err)
		if shown.Kind != want || shown.Details["service"] != "one" || shown.Details["retryable"] != reason.Again() || strings.Contains(fmt.Sprint(shown.Message, shown.Details), secret) {
			t.Errorf("%s: %v with %v", reason, err, shown.Details)
		}
		if after, told := shown.Details["retry_after"]; told != (want == errs.RateLimited) || told && after != 8 {
			t.Errorf("%s: it may be tried after %v", reason, after)
		}
		if _, found := errors.AsType[*domain.Failure](err); !found {
			t.Errorf("%s: the log doesn't learn why", reason)
		}
	}
}

// TestWhatCannotBeSettledIsSwept proves that a call whose end can't be kept fails, and is accounted for later, once.
func TestWhatCannotBeSettledIsSwept(t *testing.T) {
	h := newHouse(t, speak(domain.Result{Usage: counted}, nil), nil)
	h.failing = "take"
	if _, err := h.generate(t.Context(), t, asks("pro", "able", ""), nil); !errstest.Boom(err) || len(h.holds) != 1 {
		t.Fatalf("got %v with holds %v", err, h.holds)
	}
	h.failing = ""
	if err := h.Sweep(t.Context()); err != nil || len(h.holds) != 1 {
		t.Errorf("before its time: %v, holds %v", err, h.holds)
	}
	h.clock.Advance(15 * time.Minute)
	for range 2 {
		if err := h.Sweep(t.Context()); err != nil || len(h.holds) != 0 || len(h.entries) != 1 {
			t.Fatalf("%v, holds %v, entries %v", err, h.holds, h.entries)
		}
	}
	e := h.entries[0]
	if e.Status != domain.Killed || e.Usage != (domain.Usage{Input: 9, Source: domain.Estimated}) || e.Cost != (domain.Cost{Amount: 9 * 1e6, Known: true}) ||
		!e.EndedAt.Equal(noon.Add(15*time.Minute)) || h.budgets[alice] != (domain.Spent{Spent: 9 * 1e6}) {
		t.Errorf("the entry is %+v, the budget %+v", e, h.budgets[alice])
	}
	for _, failing := range []string{"expired", "take"} {
		h.holds["x"] = domain.Hold{}
		if h.failing = failing; !errstest.Boom(h.Sweep(t.Context())) {
			t.Errorf("%s fails, and nobody hears of it", failing)
		}
	}
}

func TestSweepingGoesOn(t *testing.T) {
	h := newHouse(t, nil, nil)
	for i := range 1200 {
		h.holds[fmt.Sprint(i)] = domain.Hold{Entry: domain.Entry{ID: fmt.Sprint(i), User: alice}}
	}
	if err := h.Sweep(t.Context()); err != nil || len(h.entries) != 1200 || h.tx.Committed != 1200 {
		t.Errorf("%v: %d entries by %d transactions", err, len(h.entries), h.tx.Committed)
	}
}

func TestErasing(t *testing.T) {
	h := newHouse(t, speak(domain.Result{Usage: counted}, nil), nil)
	if _, err := h.generate(t.Context(), t, asks("pro", "able", ""), nil); err != nil {
		t.Fatal(err)
	}
	h.holds["on"] = domain.Hold{Entry: domain.Entry{ID: "on", User: alice}}
	for range 2 {
		if _, err := h.App.Erase(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
	}
	if len(h.entries) != 2 || h.entries[0].User.User != "" || h.entries[1].User.User != "" || len(h.budgets) != 0 || len(h.holds) != 0 {
		t.Errorf("entries %+v, budgets %v, holds %v", h.entries, h.budgets, h.holds)
	}
	for _, failing := range []string{"holds", "take", "erase"} {
		h.holds["on"] = domain.Hold{Entry: domain.Entry{ID: "on", User: alice}}
		h.failing = failing
		if _, err := h.App.Erase(t.Context(), alice); !errstest.Boom(err) {
			t.Errorf("%s fails, and nobody hears of it", failing)
		}
		h.failing = ""
	}
}

func TestTheBudgetOfAMonth(t *testing.T) {
	h := newHouse(t, nil, nil)
	h.budgets[alice] = domain.Spent{Spent: 5, Reserved: 6}
	for plan, limit := range map[string]domain.Pico{"free": domain.Dollar, "pro": -1, "none": 0} {
		got, err := h.Budget(t.Context(), alice, plan)
		want := app.Budget{Spent: domain.Spent{Spent: 5, Reserved: 6}, Limit: limit, ResetsAt: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", plan, got, err)
		}
	}
}

func TestWhatAProcessCounts(t *testing.T) {
	h := newHouse(t, speak(domain.Result{Usage: counted}, nil), silent(failure(domain.KeyRefused, 401)))
	for _, model := range []string{"able", "able", "small-new", "second"} {
		_, _ = h.generate(t.Context(), t, asks("pro", model, ""), nil)
	}
	all := h.Counted()
	able, other, second := all[app.Served{Provider: "one", Model: "able"}], all[app.Served{Provider: "one", Model: "other"}], all[app.Served{Provider: "two", Model: "second"}]
	if able.Calls[domain.Completed] != 2 || able.Prompt != 20 || able.Completion != 40 || able.Cost != 2*(10*1e6+20*5e6) || able.Requests != 2 {
		t.Errorf("able is %+v", able)
	}
	if other.Calls[domain.Completed] != 1 || second.Calls[domain.Failed] != 1 || second.Openings != 1 || len(all) != 3 {
		t.Errorf("all are %+v", all)
	}
}
