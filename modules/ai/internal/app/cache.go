package app

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/recent"
)

// The bounds of what a process remembers of answers: about 32 MiB.
const (
	mostAnswers   = 2000
	longestAnswer = 16 << 10 // bytes
	rememberFor   = time.Hour
)

// remembered is an answer that was given before.
type remembered struct {
	by     domain.Model
	result domain.Result
	until  time.Time
}

// memory holds answers by what was asked, and by whom.
type memory = recent.Map[[sha256.Size]byte, remembered]

// question returns what an answer is remembered by: all that it depends on, and the user, so that nobody is answered what another
// was.
func (a *App) question(ask *Ask, choice Choice) [sha256.Size]byte {
	names := make([]string, len(choice.Candidates))
	for i := range choice.Candidates {
		names[i] = choice.Candidates[i].Provider + "/" + choice.Candidates[i].ID
	}
	text, err := json.Marshal(struct {
		User    string
		Models  []string
		Version string
		Call    domain.Call
	}{ask.User.User, names, a.catalog.Load().Version(), ask.Call})
	if err != nil { // a schema that is no JSON, which no provider takes
		text = []byte(id.New())
	}
	return sha256.Sum256(text)
}

// remember keeps an answer for the next time that the same is asked. Calls of tools aren't kept: what they lead to is done again.
func (a *App) remember(key [sha256.Size]byte, by domain.Model, result domain.Result, said string) {
	if said != "" {
		result.Text = said
	}
	if len(result.Calls) > 0 || len(result.Text)+len(result.Reasoning) > longestAnswer || result.Text == "" {
		return
	}
	a.memory.Put(key, remembered{by, result, a.Clock.Now().Add(rememberFor)})
}

// repeat answers with what is remembered. It costs nothing, and is a call in the ledger like others.
func (a *App) repeat(ctx context.Context, ask *Ask, choice Choice, known remembered, listener Listener) (Answer, error) {
	now := a.Clock.Now()
	answer := Answer{Started: Started{ID: id.New(), Route: choice.Route, Model: known.by}, Result: known.result, Cost: domain.Cost{Known: true}, Cached: true}
	entry := domain.Entry{
		ID: answer.ID, User: ask.User, Endpoint: ask.Endpoint, Route: choice.Route, Requested: choice.Requested, Stream: ask.Stream,
		Provider: known.by.Provider, Model: known.by.ID, Status: domain.Completed, Finish: known.result.Finish,
		Usage: domain.Usage{Source: domain.Unused}, Cost: answer.Cost, PriceVersion: a.catalog.Load().Version(), StartedAt: now, EndedAt: now,
	}
	a.tallies.count(a.served(entry.Provider, entry.Model), &entry)
	err := a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		return a.write(ctx, entry, domain.Hold{Entry: entry, Month: domain.MonthOf(now)})
	})
	if err != nil || listener == nil {
		return answer, err
	}
	if err := listener.Start(answer.Started); err != nil {
		return Answer{}, err
	}
	if err := listener.Text(known.result.Text); err != nil {
		return Answer{}, err
	}
	return answer, nil
}

// recall returns what is remembered under the key, if anything is.
func (a *App) recall(key [sha256.Size]byte) (known remembered, found bool) {
	known, found = a.memory.Get(key)
	return known, found && a.Clock.Now().Before(known.until)
}
