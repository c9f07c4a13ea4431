package aimod_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/ai"
	"github.com/omnistack/omnistack/modules/ai/internal/adapters/simulator"
	"github.com/omnistack/omnistack/modules/ai/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/events/eventstest"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/testkit"
)

// The models of the calls, each as often as it stands here. Those that are left answer well, and their callers leave in the
// middle, so that what the ledger guesses of them can be held against what the simulator made.
const (
	left     = "sim-large"
	leftSlow = "sim-fault-slow-chunks" // would never end
)

var ledgerModels = []string{
	"sim-small", "sim-small", "sim-small", "sim-reasoning", "sim-search", left, left, left, left, leftSlow,
	"sim-fault-429", "sim-fault-401", "sim-fault-400-context", "sim-fault-500", "sim-fault-503", "sim-fault-529", "sim-fault-html",
	"sim-fault-html-502", "sim-fault-wrong-type", "sim-fault-mid-error", "sim-fault-eof", "sim-fault-reset", "sim-fault-garbage",
	"sim-fault-crlf", "sim-fault-comments", "sim-fault-bytes", "sim-fault-empty-choices", "sim-fault-null-finish", "sim-fault-no-usage",
	"sim-fault-flaky",
}

// planned is a call to be made.
type planned struct {
	dialect  string
	provider string
	model    string
	prompt   int // tokens of it, as the simulator counts; no other call of the model has as many, so that it can be told from others
	user     id.Scope
	stream   bool
	leaves   int  // with which piece its caller leaves; 0 for never
	dies     bool // the process is killed when it has been reserved, before it can settle
}

// made is a call that was made.
type made struct {
	planned
	callID string
	err    error
	wasCut bool // its caller left while it went on
}

// providersEach is how many names each double has. Models are watched by the names of their providers too: so no breaker opens,
// and each call reaches the simulator.
const providersEach = 40

// users is how many ask.
const users = 5

func plannedCalls(calls int) []planned {
	dice := rand.New(rand.NewPCG(1, 2)) // the same calls each time
	asked := map[string]int{}
	plan := make([]planned, calls)
	for i := range plan {
		p := &plan[i]
		p.model, p.dialect = ledgerModels[i%len(ledgerModels)], []string{"openai", "anthropic"}[dice.IntN(2)]
		asked[p.model]++
		p.prompt, p.user = 50+asked[p.model], id.Of(fmt.Sprint("user ", dice.IntN(users)))
		p.provider = fmt.Sprint(p.dialect, " ", dice.IntN(providersEach))
		p.stream, p.dies = dice.IntN(2) == 0, dice.IntN(20) == 0
		switch p.model {
		case left:
			p.provider = p.dialect + " 0" // what is learned of a model is of one provider's
			if p.stream {
				p.leaves = 1 + dice.IntN(40)
			}
		case leftSlow:
			p.stream, p.leaves = true, 1+dice.IntN(3)
		}
	}
	return plan
}

// leaving is a listener whose caller leaves at a piece.
type leaving struct {
	*hearing
	pieces int
	at     int
	leave  func()
}

func (*leaving) Start(app.Started) error { return nil }

func (l *leaving) come() {
	if l.pieces++; l.pieces == l.at {
		l.leave()
	}
}

func (l *leaving) Text(piece string) error           { l.come(); return l.hearing.Text(piece) }
func (l *leaving) Tool(piece domain.ToolDelta) error { l.come(); return l.hearing.Tool(piece) }

// hurried are pauses that nobody waits for.
type hurried struct{}

func (hurried) For(ctx context.Context, _ time.Duration) error  { return ctx.Err() }
func (hurried) UpTo(ctx context.Context, _ time.Duration) error { return ctx.Err() }

var errKilled = errors.New("the process is killed")

type lifeKey struct{}

// mortal makes transactions of a call as long as its process lives: that many.
type mortal struct{ *database.DB }

func (m mortal) WithinTx(ctx context.Context, fn func(context.Context) error) error {
	if life, is := ctx.Value(lifeKey{}).(*atomic.Int64); is && life.Add(-1) < 0 {
		return errKilled
	}
	return m.DB.WithinTx(ctx, fn)
}

// ledgerScene is the use cases over the simulator, the real wire in memory and a real database.
type ledgerScene struct {
	*app.App
	db     *database.DB
	store  *store.Store
	events *eventstest.Recorder
	clock  *clock.Manual
	sims   map[string]double
	prices map[string]domain.Model
}

func newLedgerScene(t *testing.T, db *database.DB) *ledgerScene {
	t.Helper()
	s := &ledgerScene{
		db: db, store: store.New(db), events: eventstest.New(db, nil), sims: doubles(t, patient), prices: map[string]domain.Model{},
		clock: clock.NewManual(time.Date(2026, 11, 30, 23, 59, 40, 0, time.UTC)), // the next month begins while calls go on
	}
	for _, model := range ledgerModels {
		s.prices[model] = domain.Model{
			ID: model, Context: 128_000, MaxOutput: 4096, Prices: []domain.Price{{Input: 2_000_000, Output: 10_000_000}},
		}
	}
	s.App = s.process(t, mortal{db})
	return s
}

// process returns the use cases of another process over the same database.
func (s *ledgerScene) process(t *testing.T, tx app.Transactor) *app.App {
	t.Helper()
	providers := map[string]app.Provider{}
	for dialect, double := range s.sims {
		for i := range providersEach {
			providers[fmt.Sprint(dialect, " ", i)] = double.Provider
		}
	}
	routes := map[string][]string{}
	for _, route := range domain.Routes {
		routes[route] = []string{"any"}
	}
	catalog, err := domain.NewCatalog("v1", []domain.Model{{ID: "any", Provider: "nobody", Context: 1, MaxOutput: 1}}, routes, nil)
	if err != nil {
		t.Fatal(err)
	}
	return app.New(app.Ports{
		Providers: providers, Store: s.store, Tx: tx, Events: s.events, Plans: billing.Null{}, Pauses: hurried{}, Clock: s.clock,
	}, catalog, app.Rules{})
}

// make makes a call.
func (s *ledgerScene) make(ctx context.Context, p planned) made {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	if p.dies {
		life := &atomic.Int64{}
		life.Store(1)
		ctx = context.WithValue(ctx, lifeKey{}, life)
	}
	model := s.prices[p.model]
	model.Provider = p.provider
	ask := app.Ask{User: p.user, Endpoint: domain.Chat, Model: p.model, Stream: p.stream, Call: *question(p.model, strings.Repeat("word", p.prompt))}
	ask.Call.MaxTokens = 4096
	var listener app.Listener
	if p.stream {
		listener = &leaving{hearing: &hearing{}, at: p.leaves, leave: leave}
	}
	answer, err := s.Generate(ctx, &ask, app.Choice{Requested: p.model, Candidates: []domain.Model{model}}, listener)
	return made{planned: p, callID: answer.ID, err: err, wasCut: ctx.Err() != nil && err != nil}
}

// makeAll makes the calls from many goroutines, each of whose takes some time.
func (s *ledgerScene) makeAll(ctx context.Context, plan []planned) []made {
	const goroutines = 16
	calls := make([]made, len(plan))
	var next atomic.Int64
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(plan)); i = next.Add(1) - 1 {
				calls[i] = s.make(ctx, plan[i])
				s.clock.Advance(50 * time.Millisecond)
			}
		})
	}
	all.Wait()
	return calls
}

// entries returns the rows of the ledger, by their ids.
func (s *ledgerScene) entries(t *testing.T) map[string]domain.Entry {
	t.Helper()
	rows, err := database.All(s.db.Read(t.Context()).Raw(`SELECT id, user_id, provider, model, attempts, status, reason, input + cached_read + cached_write,
		output, usage_source, cost, cost_known, started_at FROM ai_calls`),
		func(row database.Row) (domain.Entry, error) {
			var e domain.Entry
			err := row.Scan(&e.ID, &e.User.User, &e.Provider, &e.Model, &e.Attempts, &e.Status, &e.Reason, &e.Usage.Input, &e.Usage.Output,
				&e.Usage.Source, &e.Cost.Amount, &e.Cost.Known, &e.StartedAt)
			return e, err
		})
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]domain.Entry{}
	for _, row := range rows {
		entries[row.ID] = row
	}
	if len(entries) != len(rows) {
		t.Errorf("of %d rows only %d have an id of their own", len(rows), len(entries))
	}
	return entries
}

// asked is what tells a call from all others at the simulator.
type asked struct {
	dialect, model string
	prompt         int
}

// billed returns what the simulator knows of the calls that it didn't refuse.
func (s *ledgerScene) billed() map[asked][]simulator.Call {
	billed := map[asked][]simulator.Call{}
	for dialect, double := range s.sims {
		for _, call := range double.Calls() {
			of := asked{dialect, call.Model, call.Prompt}
			billed[of] = append(billed[of], call)
		}
	}
	return billed
}

// TestTheLedgerOfTenThousandCalls proves that calls that end in every way, at the real wire and from many goroutines, are in the
// ledger once each, with what the provider itself counted, and in the budgets to the last picodollar.
func TestTheLedgerOfTenThousandCalls(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		calls := 10_000
		if testkit.Raced() || db.Engine() == database.Postgres {
			calls = 2000
		}
		if testing.Short() {
			calls = 1000
		}
		s := newLedgerScene(t, db)
		all := s.makeAll(t.Context(), plannedCalls(calls))

		// What the killed ones left is swept by other processes, two at once.
		s.clock.Advance(15 * time.Minute)
		var sweepers sync.WaitGroup
		for range 2 {
			sweepers.Go(func() {
				if err := s.process(t, db).Sweep(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		sweepers.Wait()
		s.checkOncePerCall(t, all)
		s.checkBudgets(t)
		s.checkWhatWasCounted(t, all)
		s.checkEstimates(t, all)
	})
}

// checkOncePerCall checks that each call has its row and its event, and nothing else has.
func (s *ledgerScene) checkOncePerCall(t *testing.T, calls []made) {
	t.Helper()
	entries, statuses := s.entries(t), map[domain.Status]int{}
	if len(entries) != len(calls) {
		t.Errorf("%d calls have %d rows", len(calls), len(entries))
	}
	if got := testkit.Rows(t, s.db, "ai_holds", ""); got != 0 {
		t.Errorf("%d holds are left", got)
	}
	for _, call := range calls {
		entry, found := entries[call.callID]
		if !found || entry.User != call.user || entry.Model != call.model || entry.Provider != call.provider {
			t.Fatalf("%+v has the row %+v", call, entry)
		}
		statuses[entry.Status]++
		wants := []domain.Status{domain.Failed, domain.Truncated}
		switch {
		case call.dies:
			wants = []domain.Status{domain.Killed}
		case call.err == nil:
			wants = []domain.Status{domain.Completed}
		case call.wasCut:
			wants = []domain.Status{domain.Canceled}
		}
		if !slices.Contains(wants, entry.Status) || call.dies && call.err == nil {
			t.Errorf("%+v is %s in the ledger, %s", call, entry.Status, entry.Reason)
		}
	}
	for _, status := range []domain.Status{domain.Completed, domain.Truncated, domain.Failed, domain.Canceled, domain.Killed} {
		if statuses[status] < len(calls)/100 {
			t.Errorf("only %d of the calls are %s: the test proves little", statuses[status], status)
		}
	}
	published := map[string]bool{}
	for _, event := range s.events.Published() {
		finished, _ := event.(ai.CompletionFinished)
		if published[finished.CallID] || finished.Status != string(entries[finished.CallID].Status) {
			t.Errorf("%+v of %+v", finished, entries[finished.CallID])
		}
		published[finished.CallID] = true
	}
	if len(published) != len(calls) {
		t.Errorf("%d calls have %d events", len(calls), len(published))
	}
}

// checkBudgets checks that each budget is the sum of its calls' costs, by the month in which they began, and that nothing is set
// aside any more.
func (s *ledgerScene) checkBudgets(t *testing.T) {
	t.Helper()
	type purse struct {
		user  id.Scope
		month domain.Month
	}
	want := map[purse]domain.Pico{}
	for _, entry := range s.entries(t) {
		want[purse{entry.User, domain.MonthOf(entry.StartedAt)}] += entry.Cost.Amount
		if !entry.Cost.Known || entry.Cost.Amount != domain.Pico(2_000_000*entry.Usage.Input+10_000_000*entry.Usage.Output) {
			t.Errorf("%+v", entry)
		}
	}
	if got := testkit.Rows(t, s.db, "ai_budgets", ""); got != len(want) || got != 2*users {
		t.Errorf("there are %d budgets, want %d", got, len(want))
	}
	for of, spent := range want {
		if got, err := s.store.SpentIn(t.Context(), of.user, of.month); err != nil || got != (domain.Spent{Spent: spent}) {
			t.Errorf("%s of %s is %+v, %v, want %s", of.month, of.user.User, got, err, spent)
		}
	}
}

// checkWhatWasCounted checks that each call that was answered well has the tokens that the simulator made for it, and that so
// have all together. Of the models that fail now and then, a call is the last of several requests.
func (s *ledgerScene) checkWhatWasCounted(t *testing.T, calls []made) {
	t.Helper()
	entries, billed := s.entries(t), s.billed()
	var ours, theirs, counted int
	for _, call := range calls {
		entry := entries[call.callID]
		if entry.Status != domain.Completed || entry.Usage.Source != domain.Provided {
			continue
		}
		answers := billed[asked{call.dialect, call.model, call.prompt}]
		if len(answers) != 1 {
			t.Errorf("%+v was answered %d times", call, len(answers))
			continue
		}
		counted++
		ours += entry.Usage.Input + entry.Usage.Output
		theirs += answers[0].Prompt + answers[0].Completion
		if entry.Usage.Input != answers[0].Prompt || entry.Usage.Output != answers[0].Completion {
			t.Errorf("the simulator counts %+v, the ledger %+v", answers[0], entry.Usage)
		}
	}
	if ours != theirs || counted < len(calls)/5 {
		t.Errorf("of %d calls the simulator counts %d tokens, the ledger %d", counted, theirs, ours)
	}
}

// checkEstimates checks what the ledger guesses of calls whose callers left in the middle of a stream. It is held against the
// tokens that had left the simulator by then, once with those of the prompt, as it bills both, and once without. Compared is how
// far a call's guess is off, whether too much or too little, as a share of what is right: the median of all is at most 5 %. For
// a single call that is too much to ask: of a few words of an answer each has more or fewer letters than words have.
func (s *ledgerScene) checkEstimates(t *testing.T, calls []made) {
	t.Helper()
	entries, billed := s.entries(t), s.billed()
	guesses := map[string][]float64{}
	for _, call := range calls {
		entry := entries[call.callID]
		if call.model != left || entry.Status != domain.Canceled {
			continue
		}
		answered := billed[asked{call.dialect, call.model, call.prompt}]
		if len(answered) != 1 {
			t.Errorf("%+v was answered %d times", call, len(answered))
			continue
		}
		if call.dialect == "openai" && entry.Usage.Source != domain.Estimated { // which counts at the end
			t.Errorf("%+v has %+v", call, entry.Usage)
		}
		right := answered[0]
		all, answer := call.dialect+", prompt and answer", call.dialect+", answer"
		guesses[all] = append(guesses[all], off(entry.Usage.Input+entry.Usage.Output, right.Prompt+right.Sent))
		guesses[answer] = append(guesses[answer], off(entry.Usage.Output, right.Sent))
	}
	if len(guesses) != 4 {
		t.Errorf("not all dialects had calls that were left: %v", guesses)
	}
	for what, shares := range guesses {
		if len(shares) < len(calls)/100 {
			t.Errorf("%s: only %d calls were left", what, len(shares))
		}
		slices.Sort(shares)
		if median := shares[len(shares)/2]; median > 0.05 {
			t.Errorf("%s: the median of %d guesses is off by %.1f %%", what, len(shares), 100*median)
		}
	}
}

// off returns by which share a guess is off.
func off(guess, right int) float64 {
	return math.Abs(float64(guess-right)) / float64(max(1, right))
}
