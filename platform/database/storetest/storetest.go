// Package storetest is the part of a store's conformance suite that is the same for every store. A suite runs on both
// engines through testkit.EachEngine; what it keeps is made with Random and Text, and Transactional and Concurrent prove
// what every store promises about transactions.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
)

// Random returns a source of randomness for one test. A test that fails prints its seed; TEST_SEED repeats the run.
func Random(t testing.TB) *rand.Rand {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("TEST_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// pieces are what databases, their drivers and their patterns get wrong.
var pieces = []string{
	"a", "Z", "0", " ", "  ", "é", "e\u0301", "ß", "ẞ", "İ", "ı", "ﬁ", "Σ", "ς", "Ä", "ö", "Ⅷ", "ｗｉｄｅ",
	"🚀", "👩🏽‍🚀", "🇩🇪", "\u200d", "\u202e", "שלום", "مشروع", "漢字", "\U0010ffff",
	"'", `"`, "`", `\`, `\\`, "%", "_", "%%", "?", "$1", ":name", "@name", "{}", "--", "/*", ";", "NULL", "null", "0x00", "\u00a0",
}

// Text returns a text of 1 to longest characters (code points), none of them a control character.
func Text(r *rand.Rand, longest int) string {
	length := 1 + r.IntN(longest)
	if r.IntN(10) == 0 {
		length = longest
	}
	var text strings.Builder
	for left := length; left > 0; {
		piece := []rune(pieces[r.IntN(len(pieces))])
		piece = piece[:min(left, len(piece))]
		text.WriteString(string(piece))
		left -= len(piece)
	}
	return text.String()
}

// Optional returns nil, a pointer to the empty text, or one to a Text.
func Optional(r *rand.Rand, longest int) *string {
	switch r.IntN(4) {
	case 0:
		return nil
	case 1:
		return new("")
	}
	return new(Text(r, longest))
}

// Time returns a time of the years 1970 to 2100 in UTC, to the microsecond, now and then a full second.
func Time(r *rand.Rand) time.Time {
	at := time.Unix(r.Int64N(4_102_444_800), 0).UTC()
	if r.IntN(8) == 0 {
		return at
	}
	return at.Add(time.Duration(r.IntN(1_000_000)) * time.Microsecond)
}

// Transactional proves that a store writes in the transaction of its ctx and nowhere else. Write adds what goes by the
// name; has tells whether ctx sees it.
func Transactional(t *testing.T, db *database.DB, write func(ctx context.Context, name string) error, has func(ctx context.Context, name string) bool) {
	t.Helper()
	boom := errors.New("boom")
	part := func(name string, then error) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			if err := write(ctx, name); err != nil {
				return err
			}
			if !has(ctx, name) {
				t.Errorf("%s: the transaction doesn't see its own write", name)
			}
			if has(t.Context(), name) {
				t.Errorf("%s: others see what isn't committed", name)
			}
			return then
		}
	}
	expect := func(name string, want bool) {
		t.Helper()
		if has(t.Context(), name) != want {
			t.Errorf("%s: it is there: %t, want %t", name, !want, want)
		}
	}

	if err := write(t.Context(), "outside"); !errors.Is(err, database.ErrNoTransaction) {
		t.Errorf("a write outside of a transaction: got %v, want ErrNoTransaction", err)
	}
	expect("outside", false)

	if err := db.WithinTx(t.Context(), part("committed", nil)); err != nil {
		t.Fatal(err)
	}
	expect("committed", true)

	if err := db.WithinTx(t.Context(), part("failed", boom)); !errors.Is(err, boom) {
		t.Errorf("a transaction that fails: got %v, want its error", err)
	}
	expect("failed", false)

	func() {
		defer func() {
			if recover() == nil {
				t.Error("a panic is swallowed")
			}
		}()
		_ = db.WithinTx(t.Context(), func(ctx context.Context) error {
			_ = part("panicked", nil)(ctx)
			panic("boom")
		})
	}()
	expect("panicked", false)

	err := db.WithinTx(t.Context(), func(ctx context.Context) error {
		if err := db.WithinTx(ctx, part("joined", nil)); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("a joined transaction that fails: got %v, want its error", err)
	}
	expect("joined", false)
}

// Commit runs fn in a transaction, which has to succeed.
func Commit(t testing.TB, db *database.DB, fn func(ctx context.Context) error) {
	t.Helper()
	if err := db.WithinTx(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// Concurrent calls the function from 16 goroutines, rounds times in each, and fails the test for the first error of each.
func Concurrent(t *testing.T, rounds int, do func(writer int) error) {
	t.Helper()
	const writers = 16
	failed := make(chan error, writers)
	for writer := range writers {
		go func() {
			for range rounds {
				if err := do(writer); err != nil {
					failed <- fmt.Errorf("writer %d: %w", writer, err)
					return
				}
			}
			failed <- nil
		}()
	}
	for range writers {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

// Measure runs the function for a benchmark, with the number of the round, and reports the processor time of this process
// beside the time that passed: on a machine that does other work too only the former can be compared.
func Measure(b *testing.B, do func(round int) error) {
	b.Helper()
	b.ReportAllocs()
	rounds, before := 0, used()
	for ; b.Loop(); rounds++ {
		if err := do(rounds); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(used()-before)/float64(rounds), "cpu-ns/op")
}

// turn is how many rounds of one function Compare does before it is the other's turn.
const turn = 20

// Compare is Measure for a function and one that does more, in turn, so that what else the machine does hits both alike. It
// reports what a round of each takes, and the ratios: x-bare of the times that passed, x-bare-cpu of the processor times.
func Compare(b *testing.B, bare, more func(round int) error) {
	b.Helper()
	both := []func(round int) error{bare, more}
	var took, cpu [2]float64
	rounds := 0
	for ; b.Loop(); rounds += turn {
		for i, do := range both {
			began, before := time.Now(), used()
			for round := range turn {
				if err := do(rounds + round); err != nil {
					b.Fatal(err)
				}
			}
			took[i] += float64(time.Since(began))
			cpu[i] += float64(used() - before)
		}
	}
	b.ReportMetric(0, "ns/op") // of both together: leaves it out
	b.ReportMetric(took[0]/float64(rounds), "bare-ns")
	b.ReportMetric(took[1]/float64(rounds), "more-ns")
	b.ReportMetric(took[1]/took[0], "x-bare")
	b.ReportMetric(cpu[0]/float64(rounds), "bare-cpu-ns")
	b.ReportMetric(cpu[1]/float64(rounds), "more-cpu-ns")
	b.ReportMetric(cpu[1]/cpu[0], "x-bare-cpu")
}

// used returns the processor time that this process has taken so far.
func used() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // can't fail with these arguments
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// EachEngine runs the benchmark on an empty database of both engines.
func EachEngine(b *testing.B, bench func(b *testing.B, db *database.DB)) {
	b.Run(string(database.SQLite), func(b *testing.B) { bench(b, testkit.SQLite(b)) })
	b.Run(string(database.Postgres), func(b *testing.B) { bench(b, testkit.Postgres(b)) })
}

// SQL returns the query with the placeholders of the engine instead of question marks, for a benchmark's floor.
func SQL(engine database.Engine, query string) string {
	if engine == database.SQLite {
		return query
	}
	var numbered strings.Builder
	for i, part := range strings.Split(query, "?") {
		if i > 0 {
			fmt.Fprintf(&numbered, "$%d", i)
		}
		numbered.WriteString(part)
	}
	return numbered.String()
}
