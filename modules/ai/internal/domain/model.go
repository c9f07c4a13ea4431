package domain

import (
	"math"
	"slices"
	"time"
)

// Model is a model that can be called.
type Model struct {
	ID          string   // as its provider calls it, such as "gpt-6-luna"
	Provider    string   // who serves it, such as "openai"
	Aliases     []string // other names for it, such as those with a date
	Context     int      // how many tokens prompt and answer have together
	MaxOutput   int      // how many tokens an answer has at most
	Accepts     Accepts
	Prices      []Price   // by the day from which each holds, the oldest first; none when nobody knows what it costs
	RetiresOn   time.Time // the day from which it isn't served any more; zero when none is announced
	Replacement string    // the model to use from then on
}

// Accepts is what a model takes. What it doesn't is left out of a request where that only makes the answer worse
// (temperature), and leads to another candidate where the answer would be wrong (tools).
type Accepts struct {
	Temperature bool
	TopP        bool
	Stop        bool
	Tools       bool
	JSONSchema  bool
	Images      bool
	Effort      bool // how long it shall think
	Embeddings  bool // it returns vectors, and no text
}

// Retired tells whether the model isn't served any more at that time.
func (m *Model) Retired(now time.Time) bool { return !m.RetiresOn.IsZero() && !now.Before(m.RetiresOn) }

// Price is what tokens cost from a day on: picodollars for each, which is microdollars for a million.
type Price struct {
	From        time.Time
	Input       Pico
	CachedRead  Pico
	CachedWrite Pico
	Output      Pico
	Long        Long
}

// Long is what becomes of a price when a prompt is long: the whole call costs more, not only what is above.
type Long struct {
	Above         int // of a prompt's tokens; 0 when length doesn't matter
	InputPercent  int // of the prices of the prompt, such as 200
	OutputPercent int // of the price of the answer, such as 150
}

// PriceAt returns the price that holds at that time, and whether there is one.
func (m *Model) PriceAt(now time.Time) (Price, bool) {
	for _, price := range slices.Backward(m.Prices) {
		if !now.Before(price.From) {
			return price, true
		}
	}
	return Price{}, false
}

// Cost is what a call cost, if that is known.
type Cost struct {
	Amount Pico
	Known  bool
}

// CostAt returns what the usage costs at that time. What the provider says of it counts where it says something: it knows
// of fees for more than tokens. An unknown price is an unknown cost, not none.
func (m *Model) CostAt(now time.Time, usage Usage) Cost {
	if usage.Cost > 0 {
		return Cost{Amount: usage.Cost, Known: true}
	}
	price, found := m.PriceAt(now)
	if !found {
		return Cost{Known: usage.Total() == 0}
	}
	return Cost{Amount: price.of(usage), Known: true}
}

func (p Price) of(usage Usage) Pico {
	prompt := add(add(times(p.Input, usage.Input), times(p.CachedRead, usage.CachedRead)), times(p.CachedWrite, usage.CachedWrite))
	output := times(p.Output, usage.Output)
	if p.Long.Above > 0 && usage.Prompt() > p.Long.Above {
		prompt, output = percent(prompt, p.Long.InputPercent), percent(output, p.Long.OutputPercent)
	}
	return add(prompt, output)
}

// times, add and percent stay at the highest amount instead of running over: counts come from outside.
func times(price Pico, tokens int) Pico {
	if price <= 0 || tokens <= 0 {
		return 0
	}
	if int64(tokens) > math.MaxInt64/int64(price) {
		return math.MaxInt64
	}
	return price * Pico(tokens)
}

func add(a, b Pico) Pico {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func percent(amount Pico, percent int) Pico {
	whole, rest := times(amount/100, percent), times(amount%100, percent)
	return add(whole, rest/100)
}
