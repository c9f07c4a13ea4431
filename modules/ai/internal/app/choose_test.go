package app_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
)

func TestWhoShallAnswer(t *testing.T) {
	tools := func(ask *app.Ask) { ask.Call.Tools = []domain.Tool{{Name: "look"}} }
	long := func(ask *app.Ask) {
		ask.Call.Messages[0].Parts[0].Text = strings.Repeat("a ", 300_000)
	}
	vectors := func(ask *app.Ask) { ask.Call = domain.Call{Embed: domain.Embed{Inputs: []string{"a", "b"}}} }
	known := func(a *app.Rules) { a.KnownOnly = true }
	for name, test := range map[string]struct {
		plan, model, route string
		change             func(*app.Ask)
		rules              func(*app.Rules)

		want   []string // the models
		taken  string   // the route
		reason string   // a part of it
		fails  errs.Kind
		detail string // details.reason
	}{
		"a route":                        {plan: "pro", route: "complex", want: []string{"able", "second"}, taken: "complex", reason: "asked for"},
		"a route as a model":             {plan: "pro", model: "omni/simple", want: []string{"small", "second"}, taken: "simple"},
		"a route as a model, bare":       {plan: "pro", model: "moderate", want: []string{"small", "second"}, taken: "moderate"},
		"auto":                           {plan: "pro", want: []string{"small", "second"}, taken: "simple", reason: "it is short"},
		"auto by name":                   {plan: "pro", model: "omni/auto", change: tools, want: []string{"able"}, taken: "complex", reason: "it calls tools"},
		"auto that the plan doesn't":     {plan: "free", route: "auto", change: func(a *app.Ask) { a.Call.Format.JSON = true }, want: []string{"small", "second"}, taken: "simple", reason: "the plan doesn't include moderate"},
		"the fallback alone":             {plan: "pro", route: "search", want: []string{"second"}, taken: "search"},
		"a route that the plan doesn't":  {plan: "free", route: "complex", fails: errs.PaymentRequired, detail: "ai_route_not_included"},
		"nothing that the plan includes": {plan: "none", fails: errs.PaymentRequired, detail: "ai_route_not_included"},
		"no route":                       {plan: "pro", route: "hard", fails: errs.Invalid},
		"nobody who takes tools":         {plan: "pro", route: "simple", change: tools, fails: errs.Invalid},
		"nobody who takes so much":       {plan: "pro", route: "complex", change: long, fails: errs.Invalid},

		"a model":                         {plan: "pro", model: "able", want: []string{"able"}, reason: "asked for"},
		"a model by its alias":            {plan: "pro", model: "able-2026", want: []string{"able"}},
		"a model by its provider":         {plan: "pro", model: "one/able", want: []string{"able"}},
		"a model that retired":            {plan: "pro", model: "old", want: []string{"able"}, reason: "old was asked for, which isn't served any more"},
		"a model of the plan's route":     {plan: "free", model: "small", want: []string{"small"}},
		"a model that the plan doesn't":   {plan: "free", model: "able", fails: errs.PaymentRequired, detail: "ai_model_not_included"},
		"a model of nobody":               {plan: "pro", model: "away", fails: errs.Unavailable},
		"a model that isn't there":        {plan: "pro", model: "huge", fails: errs.Invalid},
		"a model like others":             {plan: "pro", model: "small-new", want: []string{"small-new"}},
		"a model like others, known only": {plan: "pro", model: "small-new", rules: known, fails: errs.Invalid},
		"a model of vectors":              {plan: "pro", model: "vectors", fails: errs.Invalid},
		"vectors":                         {plan: "pro", model: "vectors", change: vectors, want: []string{"vectors"}},
		"vectors by their route":          {plan: "pro", model: "omni/embedding", change: vectors, want: []string{"vectors"}, taken: "embedding"},
		"vectors by any route":            {plan: "pro", change: vectors, want: []string{"vectors"}, taken: "embedding"},
		"vectors that the plan doesn't":   {plan: "free", model: "embedding", change: vectors, fails: errs.PaymentRequired, detail: "ai_route_not_included"},
		"vectors of a model of texts":     {plan: "pro", model: "able", change: vectors, fails: errs.Invalid},
		"a model that takes no tools":     {plan: "pro", model: "small", change: tools, fails: errs.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil, nil)
			rules := app.Rules{Fallback: "two/second"}
			if test.rules != nil {
				test.rules(&rules)
			}
			a := app.New(h.Ports, catalog(t), rules)
			ask := asks(test.plan, test.model, test.route)
			if test.change != nil {
				test.change(ask)
			}
			choice, err := a.Choose(ask)
			if test.fails != errs.Internal {
				if !errs.Is(err, test.fails) {
					t.Fatalf("got %v, want %v", err, test.fails.Code())
				}
				if detail, _ := errs.From(err).Details["reason"].(string); detail != test.detail {
					t.Errorf("the reason is %q, want %q", detail, test.detail)
				}
				return
			}
			if err != nil || !slices.Equal(names(choice.Candidates), test.want) || choice.Route != test.taken || !strings.Contains(choice.Reason, test.reason) {
				t.Errorf("got %v by %q, %q, %v", names(choice.Candidates), choice.Route, choice.Reason, err)
			}
		})
	}
}

// TestTheFallbackMayBeUnknown proves that the operator's own model answers, though it is in no catalogue.
func TestTheFallbackMayBeUnknown(t *testing.T) {
	h := newHouse(t, nil, nil)
	a := app.New(h.Ports, catalog(t), app.Rules{Fallback: "one/small-own"})
	choice, err := a.Choose(asks("pro", "", "search"))
	if err != nil || !slices.Equal(names(choice.Candidates), []string{"small-own"}) {
		t.Errorf("got %v, %v", names(choice.Candidates), err)
	}
}

func TestOffers(t *testing.T) {
	h := newHouse(t, nil, nil)
	open := map[string]bool{}
	for _, offer := range h.Offers("free") {
		open[offer.Route] = offer.Open
		if offer.Route == "moderate" && !slices.Equal(names(offer.Models), []string{"small", "second"}) {
			t.Errorf("moderate leads to %v", names(offer.Models))
		}
	}
	if len(open) != 5 || !open["simple"] || open["complex"] {
		t.Errorf("the routes are %v", open)
	}
	if got := names(h.Models("free")); !slices.Equal(got, []string{"small", "second"}) {
		t.Errorf("free reaches %v", got)
	}
	if got := names(h.Models("pro")); !slices.Equal(got, []string{"small", "second", "able", "vectors", "free"}) {
		t.Errorf("pro reaches %v", got)
	}
}

func TestUsageIsOfAYear(t *testing.T) {
	h := newHouse(t, nil, nil)
	totals, err := h.App.Usage(t.Context(), &alice, noon, noon.AddDate(0, 0, 365))
	if err != nil || totals[0].Day != "2026-11-27" || totals[0].Model != "2027-11-27" {
		t.Errorf("got %+v, %v", totals, err)
	}
	for _, to := range []int{366, -1} {
		if _, err := h.App.Usage(t.Context(), nil, noon, noon.AddDate(0, 0, to)); !errs.Is(err, errs.Invalid) {
			t.Errorf("of %d days: %v", to, err)
		}
	}
	h.failing = "usage"
	if _, err := h.App.Usage(t.Context(), nil, noon, noon); !errstest.Boom(err) {
		t.Errorf("got %v", err)
	}
}
