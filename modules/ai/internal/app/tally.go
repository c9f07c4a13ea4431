package app

import (
	"maps"
	"sync"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
)

// Served is a model of a provider. Models that aren't in the catalogue are one together: their names come from outside.
type Served struct{ Provider, Model string }

// otherModels is the name of those that aren't in the catalogue.
const otherModels = "other"

// Counted is what a process counted of a model since it began.
type Counted struct {
	Calls      map[domain.Status]int64
	Requests   int64 // of those, further tries too
	Prompt     int64 // tokens
	Completion int64 // tokens
	Cost       domain.Pico
	Openings   int64 // how often its breaker opened
}

// tallies count the calls of a process. They are safe for concurrent use.
type tallies struct {
	mu  sync.Mutex
	all map[Served]*Counted
}

func (t *tallies) of(served Served) *Counted {
	if t.all == nil {
		t.all = map[Served]*Counted{}
	}
	if t.all[served] == nil {
		t.all[served] = &Counted{Calls: map[domain.Status]int64{}}
	}
	return t.all[served]
}

// count adds a call that ended. Calls for which nobody was asked count for no provider.
func (t *tallies) count(served Served, entry *domain.Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	counted := t.of(served)
	counted.Calls[entry.Status]++
	counted.Requests += int64(entry.Attempts)
	counted.Prompt += int64(entry.Usage.Prompt())
	counted.Completion += int64(entry.Usage.Output)
	counted.Cost += entry.Cost.Amount
}

// served returns under what name a model is counted.
func (a *App) served(provider, model string) Served {
	if !a.catalog.Load().Lists(provider, model) {
		model = otherModels
	}
	return Served{provider, model}
}

// Counted returns what this process counted since it began.
func (a *App) Counted() map[Served]Counted {
	opened := a.gateway.breakers.opened()
	a.tallies.mu.Lock()
	defer a.tallies.mu.Unlock()
	all := make(map[Served]Counted, len(a.tallies.all))
	for served, counted := range a.tallies.all {
		copied := *counted
		copied.Calls = maps.Clone(counted.Calls)
		all[served] = copied
	}
	for to, openings := range opened {
		served := a.served(to.provider, to.model)
		counted := all[served]
		counted.Openings += openings
		all[served] = counted
	}
	return all
}
