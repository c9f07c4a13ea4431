package app_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
)

func spoken(model string, bytes int) *domain.Call {
	return &domain.Call{
		Model:    domain.Model{ID: model, Provider: "one"},
		Messages: []domain.Message{{Role: domain.User, Parts: []domain.Part{{Text: strings.Repeat("x", bytes)}}}},
	}
}

// TestEstimatesComeNear proves that what is learned of a model is within five percent of what it counts, and nobody else's.
func TestEstimatesComeNear(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2)) // the same numbers each time
	estimates := app.NewEstimates()
	// A model that has 3.1 bytes for each token, more or less, as one that is asked in another language.
	counts := func(prompt, answer int) domain.Usage {
		noise := func() float64 { return 1 + 0.06*(dice.Float64()-0.5) }
		return domain.Usage{Input: int(float64(prompt) / 3.1 * noise()), Output: int(float64(answer) / 3.1 * noise()), Source: domain.Provided}
	}
	for range 200 {
		prompt, answer := 2000+dice.IntN(8000), 500+dice.IntN(4000)
		estimates.Learn(spoken("m", prompt), answer, counts(prompt, answer))
	}
	for range 50 {
		prompt, answer := 2000+dice.IntN(8000), 500+dice.IntN(4000)
		got := estimates.Usage(spoken("m", prompt), answer)
		for what, pair := range map[string][2]float64{
			"prompt": {float64(got.Input), float64(prompt) / 3.1}, "answer": {float64(got.Output), float64(answer) / 3.1},
		} {
			if off := math.Abs(pair[0]/pair[1] - 1); off > 0.05 {
				t.Errorf("the %s is %.0f tokens, not %.0f", what, pair[1], pair[0])
			}
		}
		if got.Source != domain.Estimated {
			t.Errorf("%+v", got)
		}
	}
	if other := estimates.Usage(spoken("other", 4000), 400); other.Output != 100 || other.Input < 1000 || other.Input > 1010 {
		t.Errorf("another model's are %+v", other)
	}
}

func TestWhatTeachesNothing(t *testing.T) {
	estimates, call := app.NewEstimates(), spoken("m", 4000)
	before := estimates.Usage(call, 400)
	estimates.Learn(call, 400, domain.Usage{Input: 5, Output: 400, Source: domain.Estimated})
	estimates.Learn(&domain.Call{Model: call.Model}, 400, domain.Usage{Input: 5, Output: 400, Source: domain.Provided})
	estimates.Learn(call, 400, domain.Usage{})
	if after := estimates.Usage(call, 400); after != before {
		t.Errorf("%+v became %+v", before, after)
	}
	estimates.Learn(call, 4, domain.Usage{Input: 1004, Output: 10, Source: domain.Provided}) // too short an answer
	if after := estimates.Usage(call, 400); after != before {
		t.Errorf("%+v became %+v", before, after)
	}
	if nothing := app.NewEstimates().Usage(&domain.Call{}, 0); nothing.Total() != 0 {
		t.Errorf("nothing is %+v", nothing)
	}
}
