package app_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/id"
)

// counting is a provider that counts how often it is asked.
func counting(asked *int, result domain.Result, err error) speaks {
	speaking := speak(result, err)
	return func(ctx context.Context, call *domain.Call, sink app.Sink) (domain.Result, error) {
		*asked++
		return speaking(ctx, call, sink)
	}
}

// TestTheSameIsAnsweredAgain proves that what was answered is remembered for whoever wants it so, streamed and not, whichever way it
// was said first, that it costs nothing, and is in the ledger.
func TestTheSameIsAnsweredAgain(t *testing.T) {
	for name, streams := range map[string][2]bool{"whole, whole": {false, false}, "streamed, whole": {true, false}, "whole, streamed": {false, true}, "streamed twice": {true, true}} {
		asked := 0
		h := newHouse(t, counting(&asked, domain.Result{Finish: domain.FinishStop, Usage: counted}, nil), nil)
		for i, stream := range streams {
			ask := asks("pro", "able", "")
			ask.Cache = true
			var listener app.Listener
			heard := &hearing{}
			if stream {
				listener = heard
			}
			answer, err := h.generate(t.Context(), t, ask, listener)
			said := answer.Result.Text
			if stream {
				said = strings.TrimPrefix(heard.said, "< able>")
			}
			if err != nil || said != "one two" || answer.Cached != (i == 1) || answer.Result.Usage != counted || answer.Result.Finish != domain.FinishStop || answer.Model.ID != "able" {
				t.Errorf("%s: answer %d is %+v, %q, %v", name, i, answer, said, err)
			}
			if i == 1 && answer.Cost != (domain.Cost{Known: true}) {
				t.Errorf("%s: it costs %+v", name, answer.Cost)
			}
		}
		if asked != 1 || len(h.entries) != 2 || len(h.events.Published()) != 2 || h.budgets[alice] != (domain.Spent{Spent: 10*1e6 + 20*5e6}) {
			t.Errorf("%s: it was asked %d times; %+v; %+v", name, asked, h.entries, h.budgets[alice])
		}
		if e := h.entries[1]; e.Status != domain.Completed || e.Usage.Source != domain.Unused || e.Cost != (domain.Cost{Known: true}) || e.Attempts != 0 || e.User != alice {
			t.Errorf("%s: the entry is %+v", name, e)
		}
	}
}

// TestWhatIsAskedAnew proves that nothing else is answered by what is remembered.
func TestWhatIsAskedAnew(t *testing.T) {
	for name, test := range map[string]struct {
		result domain.Result
		err    error
		change func(h *house, ask *app.Ask)
	}{
		"another user":       {change: func(_ *house, ask *app.Ask) { ask.User = id.Of("bob") }},
		"another model":      {change: func(_ *house, ask *app.Ask) { ask.Model = "small" }},
		"another question":   {change: func(_ *house, ask *app.Ask) { ask.Call.Messages[0].Parts[0].Text = "Hello?" }},
		"another wish":       {change: func(_ *house, ask *app.Ask) { ask.Call.Temperature = new(0.1) }},
		"nobody wants it":    {change: func(_ *house, ask *app.Ask) { ask.Cache = false }},
		"an hour later":      {change: func(h *house, _ *app.Ask) { h.clock.Advance(time.Hour) }},
		"calls of tools":     {result: domain.Result{Calls: []domain.ToolCall{{Name: "look"}}}},
		"what failed":        {err: failure(domain.Refused, 400)},
		"what is very long":  {result: domain.Result{Reasoning: strings.Repeat("a", 20_000)}},
		"another catalogue":  {change: func(h *house, _ *app.Ask) { h.UseCatalog(newer(t)) }},
		"a shorter answer":   {change: func(_ *house, ask *app.Ask) { ask.Call.MaxTokens = 99 }},
		"vectors of nothing": {result: domain.Result{}, change: func(_ *house, ask *app.Ask) { ask.Call.Messages = nil }},
	} {
		asked := 0
		h := newHouse(t, counting(&asked, test.result, test.err), nil)
		first, second := asks("pro", "able", ""), asks("pro", "able", "")
		first.Cache, second.Cache = true, true
		_, _ = h.generate(t.Context(), t, first, nil)
		if test.change != nil {
			test.change(h, second)
		}
		if answer, _ := h.generate(t.Context(), t, second, nil); asked != 2 || answer.Cached {
			t.Errorf("%s: it was asked %d times", name, asked)
		}
	}
}

// newer is the catalogue by another name.
func newer(t *testing.T) *domain.Catalog {
	t.Helper()
	was := catalog(t)
	made, err := domain.NewCatalog("v8", was.Models(), map[string][]string{"simple": {"small"}, "moderate": {"small"}, "complex": {"able"}, "search": {"able"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestARepeatedAnswerThatCannotBeKeptFails(t *testing.T) {
	asked := 0
	h := newHouse(t, counting(&asked, domain.Result{}, nil), nil)
	ask := asks("pro", "able", "")
	ask.Cache = true
	if _, err := h.generate(t.Context(), t, ask, nil); err != nil {
		t.Fatal(err)
	}
	h.failing = "append"
	if _, err := h.generate(t.Context(), t, ask, nil); !errstest.Boom(err) || asked != 1 {
		t.Errorf("got %v", err)
	}
}
