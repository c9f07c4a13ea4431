// Package erasure has every module erase a user who is gone, and keeps the receipts.
//
// A module that has an Eraser erases in the transaction of a consumer, MODULE.erase_user, which this package makes for it, and the
// receipt is written in the same one: there is neither an erasure without its receipt nor a receipt without its erasure. Who
// publishes that a user is gone erases where that happens, and hands in what it erased. What the platform holds goes by one
// consumer, jobs.erase_user. It has everybody erase a second time, because a request that was on its way may have written
// something after the first.
//
// After 29 days, when the events are about to go that tell of the user, what must stay and tell apart who did what has the user's
// id replaced by that hash, too, and jobs go that name the user. What that is, is handed in.
//
// A receipt names nobody. It holds a hash of the user's id with a key from SECRET_KEY: who knows the id finds the receipts, and
// who has the table finds no id. They are kept for three years, and found as long as their key is: after a rotation while
// SECRET_KEY_PREVIOUS has it.
package erasure

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/module"
)

// receiptRow is the table erasure_receipts: what one module erased of one person. Person is the hash of the id, in 64 hexadecimal
// digits. Counts is JSON, an object of rows by table.
type receiptRow struct {
	ID       database.Key `gorm:"primaryKey"`
	Person   database.Key `gorm:"not null;uniqueIndex:erasure_receipts_by_person,priority:1"`
	Module   database.Key `gorm:"not null;uniqueIndex:erasure_receipts_by_person,priority:2"`
	Pass     database.Key `gorm:"not null;uniqueIndex:erasure_receipts_by_person,priority:3"`
	Counts   string       `gorm:"type:text;not null"`
	ErasedAt time.Time    `gorm:"not null;index:erasure_receipts_by_time"`
}

// TableName returns the name of the table.
func (receiptRow) TableName() string { return "erasure_receipts" }

// The passes. The second finds what was written after the first.
const (
	first  = "first"
	second = "second"
)

// Queue enqueues jobs in the transaction of ctx, as jobs.Client does.
type Queue interface {
	Enqueue(ctx context.Context, args jobs.Args, options ...jobs.Option) error
}

// Erasure has everybody erase, and keeps the receipts. It is safe for concurrent use once everybody has joined.
type Erasure struct {
	db     *database.DB
	person keyring.Signer
	clock  clock.Clock
	queue  Queue
	late   time.Duration

	everybody []module.Descriptor // who has an Eraser
}

// New returns an erasure whose second pass comes so much later than the first.
func New(db *database.DB, keys *keyring.Keyring, clock clock.Clock, queue Queue, late time.Duration) *Erasure {
	return &Erasure{db: db, person: keys.Signer("erased person"), clock: clock, queue: queue, late: late}
}

// Join returns the modules, each that has an Eraser with its consumer of the event of that name, whose aggregate is the user who
// is gone. The module that publishes it gets none.
func (e *Erasure) Join(modules []module.Descriptor, gone string) []module.Descriptor {
	joined := slices.Clone(modules)
	for i, m := range joined {
		publishes := func(event events.Event) bool { return event.EventName() == gone }
		if m.Eraser == nil || slices.ContainsFunc(m.Publishes, publishes) {
			continue
		}
		joined[i].Consumes = append(slices.Clone(m.Consumes), events.Consumer{
			Name: m.Name + ".erase_user", Event: gone, Summary: "erases what is held here of a user who is gone, and writes the receipt",
			Handle: e.handle(func(ctx context.Context, user id.Scope) error { return e.erase(ctx, m, user, first) }),
		})
	}
	return joined
}

// Finish returns the platform's part, for its descriptor of jobs: the consumer that erases what the platform's packages hold, and
// the jobs of the second pass, which erases in the modules, too, and of the end. Forget replaces the id of a user by a hash, in a
// transaction. It is called once, with everybody who has an Eraser.
func (e *Erasure) Finish(modules, platform []module.Descriptor, gone string, forget Forget) (events.Consumer, []module.Job) {
	e.everybody = slices.DeleteFunc(slices.Concat(modules, platform), func(m module.Descriptor) bool { return m.Eraser == nil })
	consumer := events.Consumer{
		Name: "jobs.erase_user", Event: gone,
		Summary: "forgets whose a deleted user's jobs were, erases the user's idempotency keys, and has all modules erase once more, later",
		Handle: e.handle(func(ctx context.Context, user id.Scope) error {
			for _, m := range platform {
				if m.Eraser == nil {
					continue
				}
				if err := e.erase(ctx, m, user, first); err != nil {
					return err
				}
			}
			if err := e.queue.Enqueue(ctx, forgetUser{user.User}, jobs.At(e.clock.Now().Add(pseudonymous))); err != nil {
				return err
			}
			return e.queue.Enqueue(ctx, eraseAgain{user.User}, jobs.At(e.clock.Now().Add(e.late)))
		}),
	}
	return consumer, []module.Job{jobs.Kind(
		module.Job{Summary: "erases what was written about a user after the deletion", Timeout: 300 * time.Second},
		func(ctx context.Context, args eraseAgain) error {
			for _, m := range e.everybody {
				if err := e.erase(ctx, m, id.Of(args.UserID), second); err != nil {
					return err
				}
			}
			return nil
		},
	), jobs.Kind(
		module.Job{Summary: "replaces the id of a user who was erased 29 days ago by the hash in the receipts"},
		func(ctx context.Context, args forgetUser) error { return e.forget(ctx, id.Of(args.UserID), forget) },
	)}
}

// Forget replaces the id of an erased user by what the receipts call that person, in the transaction that ctx carries.
type Forget func(ctx context.Context, user id.Scope, person string) error

// pseudonymous is how long after the erasure the id may be found where people look for what happened. What keeps it longer than
// this is emptied, so that it is gone everywhere after 30 days.
const pseudonymous = 29 * 24 * time.Hour

// forgetUser names a user whose id is to be found nowhere.
type forgetUser struct {
	UserID string `json:"user_id"`
}

// Kind returns the name of the kind.
func (forgetUser) Kind() string { return "jobs.forget_user" }

// forget has the id of a user replaced by the one of the hashes that has receipts.
func (e *Erasure) forget(ctx context.Context, user id.Scope, forget Forget) error {
	return e.db.WithinTx(ctx, func(ctx context.Context) error {
		known, err := database.All(e.db.Read(ctx).Raw("SELECT person FROM erasure_receipts WHERE person IN ? LIMIT 1", e.hashes(user)), database.Scalar[string])
		if err != nil || len(known) == 0 {
			return err
		}
		return forget(ctx, user, known[0])
	})
}

// eraseAgain names a deleted user of whom nothing may be left.
type eraseAgain struct {
	UserID string `json:"user_id"`
}

// Kind returns the name of the kind.
func (eraseAgain) Kind() string { return "jobs.erase_again" }

// handle returns the handler of an event about a user. One that names nobody is errs.Invalid.
func (e *Erasure) handle(run func(ctx context.Context, user id.Scope) error) func(context.Context, events.Envelope) error {
	return func(ctx context.Context, happened events.Envelope) error {
		if happened.Aggregate == "" {
			return errs.New(errs.Invalid, "The event doesn't say who is gone")
		}
		return run(ctx, id.Of(happened.Aggregate))
	}
}

// erase has one module erase, and writes the receipt, in one transaction.
func (e *Erasure) erase(ctx context.Context, m module.Descriptor, user id.Scope, pass string) error {
	return e.db.WithinTx(ctx, func(ctx context.Context) error {
		erased, err := m.Eraser.Erase(ctx, user)
		if err != nil {
			return err
		}
		return e.record(ctx, m.Name, user, pass, erased)
	})
}

// Record writes the receipt of a module that erases by itself, in the transaction that ctx carries, in which it does.
func (e *Erasure) Record(ctx context.Context, module string, user id.Scope, erased map[string]int64) error {
	return e.record(ctx, module, user, first, erased)
}

// record adds what was erased to what the same pass erased already: a pass may be repeated.
func (e *Erasure) record(ctx context.Context, module string, user id.Scope, pass string, erased map[string]int64) error {
	counts := map[string]int64{}
	for table, rows := range erased {
		counts[table] += rows
	}
	known, err := e.receipts(ctx, user, "module = ? AND pass = ?", module, pass)
	if err != nil {
		return err
	}
	for _, receipt := range known {
		for _, count := range receipt.Tables {
			counts[count.Table] += count.Rows
		}
	}
	said, err := json.Marshal(counts)
	if err != nil {
		return err
	}
	hashes := e.hashes(user)
	if len(hashes) > 1 && len(known) > 0 { // what was added up goes to the key in use
		before := e.db.Tx(ctx).Exec("DELETE FROM erasure_receipts WHERE person IN ? AND module = ? AND pass = ?", hashes[1:], module, pass)
		if before.Error != nil {
			return database.Classify(before.Error)
		}
	}
	return database.Classify(e.db.Tx(ctx).Exec(`INSERT INTO erasure_receipts (id, person, module, pass, counts, erased_at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (person, module, pass) DO UPDATE SET counts = excluded.counts, erased_at = excluded.erased_at`,
		id.New(), hashes[0], module, pass, string(said), e.clock.Now()).Error)
}

// hashes returns what the user may be called here, by the key in use first.
func (e *Erasure) hashes(user id.Scope) []string {
	var hashes []string
	for _, signature := range e.person.Signatures([]byte(user.User)) {
		hashes = append(hashes, hex.EncodeToString(signature))
	}
	return hashes
}

// receipts returns the receipts of a user, in the order of the modules and their passes.
func (e *Erasure) receipts(ctx context.Context, user id.Scope, where string, args ...any) ([]ErasedModule, error) {
	return database.All(e.db.Read(ctx).Raw("SELECT module, pass, counts, erased_at FROM erasure_receipts WHERE person IN ? AND "+where+
		" ORDER BY module, pass, erased_at", append([]any{e.hashes(user)}, args...)...), scan)
}

func scan(row database.Row) (ErasedModule, error) {
	var receipt ErasedModule
	var said string
	if err := row.Scan(&receipt.Module, &receipt.Pass, &said, &receipt.ErasedAt); err != nil {
		return ErasedModule{}, err
	}
	receipt.ErasedAt = receipt.ErasedAt.UTC()
	var counts map[string]int64
	if err := json.Unmarshal([]byte(said), &counts); err != nil {
		return ErasedModule{}, err
	}
	receipt.Tables = make([]ErasedTable, 0, len(counts))
	for table, rows := range counts {
		receipt.Tables = append(receipt.Tables, ErasedTable{Table: table, Rows: rows})
	}
	slices.SortFunc(receipt.Tables, func(a, b ErasedTable) int { return cmp.Compare(a.Table, b.Table) })
	return receipt, nil
}
