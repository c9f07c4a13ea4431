package aimod_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/adapters/catalog"
	"github.com/omnistack/omnistack/modules/ai/internal/adapters/pauses"
	"github.com/omnistack/omnistack/modules/ai/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/modules/billing/billingtest"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/events/eventstest"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/testkit"
)

// mortal is a Transactor of a process that may die between two transactions of a call: the context says so.
type mortal struct{ *database.DB }

type diesKey struct{}

var errDead = errors.New("the process is dead")

func (m mortal) WithinTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if left, dies := ctx.Value(diesKey{}).(*atomic.Int32); dies && left.Add(-1) < 0 {
		return errDead
	}
	return m.DB.WithinTx(ctx, fn)
}

// leaving listens to an answer until it has heard enough, and hangs up then.
type leaving struct {
	enough int // pieces; 0 to stay
	heard  int
	leave  func()
}

func (*leaving) Start(app.Started) error { return nil }

func (l *leaving) piece() error {
	if l.heard++; l.heard == l.enough {
		l.leave()
	}
	return nil
}

func (l *leaving) Text(string) error           { return l.piece() }
func (l *leaving) Reasoning(string) error      { return l.piece() }
func (l *leaving) Tool(domain.ToolDelta) error { return l.piece() }

// TestTheLedgerIsTheProvidersCount makes thousands of calls at once, of good models and of all faults that take no time, streamed
// and whole; some are left by their callers, and some by a process that dies before it can say how they ended. Each has one row
// in the end. For good models the ledger's tokens are those that the provider counted itself, and what is estimated for a call
// that was left is near what was heard of it.
func TestTheLedgerIsTheProvidersCount(t *testing.T) {
	calls := 5000 // of each dialect
	if testkit.Raced() || testing.Short() {
		calls = 500
	}
	faulty := []string{}
	for _, model := range models(t) {
		if fault, is := strings.CutPrefix(model, "sim-fault-"); is && !strings.HasPrefix(fault, "slow-") && fault != "big-line" {
			faulty = append(faulty, model)
		}
	}
	good := []string{"sim-small", "sim-large", "sim-search"}
	for dialect, double := range doubles(t, patient) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			db, now := testkit.SQLite(t), clock.NewManual(time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC))
			listed, err := catalog.BuiltIn()
			if err != nil {
				t.Fatal(err)
			}
			begin := func() *app.App { // a process
				return app.New(app.Ports{
					Providers: map[string]app.Provider{"sim": double}, Store: store.New(db), Tx: mortal{db}, Events: eventstest.New(db, nil),
					Plans: billingtest.Unlimited(), Pauses: pauses.Timer{}, Clock: now,
				}, listed, app.Rules{})
			}
			process := begin()

			var died, heard atomic.Int64
			var working sync.WaitGroup
			numbers := make(chan int)
			for range 8 {
				working.Go(func() {
					for number := range numbers {
						dice := rand.New(rand.NewPCG(7, uint64(number)))
						ctx, leave := context.WithCancel(t.Context())
						ask := &app.Ask{User: id.Of("alice"), Endpoint: domain.Chat, Call: domain.Call{
							Messages: []domain.Message{{Role: domain.User, Parts: []domain.Part{{Text: strings.Repeat("Hello ", 1+dice.IntN(50))}}}}, MaxTokens: 500,
						}}
						if ask.Model = good[dice.IntN(len(good))]; number%2 == 0 {
							ask.Model = faulty[dice.IntN(len(faulty))]
						}
						l := &leaving{leave: leave}
						var listener app.Listener
						if ask.Stream = dice.IntN(3) > 0; ask.Stream {
							listener = l
						}
						if dice.IntN(5) == 0 {
							l.enough = 1 + dice.IntN(40)
						}
						dies := dice.IntN(20) == 0
						if dies {
							left := &atomic.Int32{}
							left.Store(1) // transaction: that which sets the cost aside
							ctx = context.WithValue(ctx, diesKey{}, left)
						}
						choice, err := process.Choose(ask)
						if err != nil {
							t.Error(err)
						}
						_, err = process.Generate(ctx, ask, choice, listener)
						switch {
						case dies:
							died.Add(1)
						case ctx.Err() != nil && err != nil:
							heard.Add(int64(l.heard))
						}
						leave()
					}
				})
			}
			for number := range calls {
				numbers <- number
			}
			close(numbers)
			working.Wait()

			if rows, held := testkit.Rows(t, db, "ai_calls", ""), testkit.Rows(t, db, "ai_holds", ""); rows+held != calls || int64(held) != died.Load() {
				t.Errorf("of %d calls, %d of which nobody told the end, %d are in the ledger and %d are held", calls, died.Load(), rows, held)
			}
			now.Advance(time.Hour)
			if err := begin().Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if rows := testkit.Rows(t, db, "ai_calls", ""); rows != calls || int64(testkit.Rows(t, db, "ai_calls", "status = 'killed'")) != died.Load() {
				t.Errorf("of %d calls %d are in the ledger", calls, rows)
			}
			if sound := testkit.Rows(t, db, "ai_budgets", "reserved = 0 AND spent = (SELECT sum(cost) FROM ai_calls)"); sound != 1 {
				t.Error("the budget isn't what the calls cost")
			}

			// The ledger doesn't know of calls whose process died that they ended well: the provider counted them.
			counted := sums(t, db, "status = 'completed' AND usage_source = 'provider' AND model IN ('sim-small', 'sim-large', 'sim-search')")
			var prompt, completion, finished int64
			for _, call := range double.Calls() {
				if call.Finished && call.Fault == "" {
					prompt, completion, finished = prompt+int64(call.Prompt), completion+int64(call.Completion), finished+1
				}
			}
			if lost := sums(t, db, "status = 'killed' AND model IN ('sim-small', 'sim-large', 'sim-search')"); counted[0] > finished || finished-counted[0] > lost[0]+left(t, db) {
				t.Errorf("the provider finished %d calls, and %d are complete in the ledger", finished, counted[0])
			}
			if counted[0] == finished && (counted[1] != prompt || counted[2] != completion) {
				t.Errorf("the provider counted %d and %d tokens, the ledger has %v", prompt, completion, counted)
			}
			estimated := sums(t, db, "status = 'cancelled' AND usage_source = 'estimated'")
			if far := math.Abs(float64(estimated[2]-heard.Load())) / float64(heard.Load()); far > 0.05 {
				t.Errorf("what was left is estimated at %d tokens, and %d were heard", estimated[2], heard.Load())
			}
			t.Logf("%d calls: %d complete of good models, %d left with %d tokens heard and %d estimated, %d killed",
				calls, counted[0], estimated[0], heard.Load(), estimated[2], died.Load())
		})
	}
}

// left returns how many calls of good models their callers left: the provider may have finished them all the same.
func left(t *testing.T, db *database.DB) int64 {
	t.Helper()
	return sums(t, db, "status = 'cancelled' AND model IN ('sim-small', 'sim-large', 'sim-search')")[0]
}

// sums returns how many calls there are where a condition holds, and the tokens of their prompts and answers.
func sums(t *testing.T, db *database.DB, where string) [3]int64 {
	t.Helper()
	summed, err := database.One(db.Read(t.Context()).Raw("SELECT count(*), coalesce(sum(input + cached_read + cached_write), 0), coalesce(sum(output), 0) FROM ai_calls WHERE "+where),
		func(row database.Row) (summed [3]int64, err error) {
			return summed, row.Scan(&summed[0], &summed[1], &summed[2])
		})
	if err != nil {
		t.Fatal(err)
	}
	return summed
}
