package database_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
)

// SQLite keeps times as text. They come back to the nanosecond, and sort as text exactly as they do as times, whatever
// zone they were given in. SQLite's own functions understand them.
func TestTimesOnSQLite(t *testing.T) {
	t.Parallel()
	db := testkit.SQLite(t)
	run(t, db, "CREATE TABLE moments (n integer PRIMARY KEY, at datetime)")
	second := time.Date(2026, 3, 29, 0, 59, 59, 0, time.UTC)
	east, west := time.FixedZone("east", 5*3600+1800), time.FixedZone("west", -8*3600)
	var moments []time.Time // in their order
	for _, step := range []time.Duration{0, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 999_999_000, time.Second, time.Second + 1000, time.Hour} {
		at := second.Add(step)
		moments = append(moments, []time.Time{at, at.In(east), at.In(west), at.Local()}[len(moments)%4])
	}
	for _, i := range []int{7, 2, 9, 0, 5, 10, 1, 8, 3, 6, 4} {
		err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			return db.Tx(ctx).Exec("INSERT INTO moments VALUES (?, ?)", i, moments[i]).Error
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	read, err := database.All(db.Read(t.Context()).Raw("SELECT at FROM moments ORDER BY CAST(at AS text)"), database.Scalar[time.Time])
	if err != nil || len(read) != len(moments) {
		t.Fatal(read, err)
	}
	for i := range read {
		if !read[i].Equal(moments[i]) || read[i].Location() != time.UTC {
			t.Errorf("place %d has %v, want %v", i, read[i], moments[i].UTC())
		}
	}
	for i, at := range moments {
		second, err := database.One(db.Read(t.Context()).Raw("SELECT unixepoch(at) FROM moments WHERE n = ?", i), database.Scalar[int64])
		if err != nil || second != at.Unix() {
			t.Errorf("SQLite takes %v for %d, %v", at, second, err)
		}
		behind, err := database.One(db.Read(t.Context()).Raw("SELECT count(*) FROM moments WHERE at > ?", at), database.Scalar[int])
		if want := len(moments) - 1 - i; err != nil || behind != want {
			t.Errorf("%d moments come after %v, want %d (%v)", behind, at, want, err)
		}
	}
}

// Several processes on one file, from its creation on, lose nothing and never see it locked.
func TestProcessesShareASQLiteFile(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "app.db")
	const processes = 3
	ended := make(chan error, processes)
	for range processes {
		go func() {
			cmd := exec.CommandContext(t.Context(), self)
			cmd.Env = append(os.Environ(), "DATABASE_TEST_COUNT_IN="+file)
			out, err := cmd.CombinedOutput()
			if err != nil {
				err = fmt.Errorf("%w: %s", err, out)
			}
			ended <- err
		}()
	}
	for range processes {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	db := testkit.OpenDatabase(t, database.Options{Engine: database.SQLite, Target: file})
	if got := things(t, t.Context(), db); !slices.Equal(got, []string{"counter"}) {
		t.Errorf("there is %v", got)
	}
	if testkit.Rows(t, db, "things", "n = ?", processes*rounds) != 1 {
		t.Error("an update was lost")
	}
}

// rounds is how often a process counts.
const rounds = 150

// countIn is what each of the processes does. It returns the exit code.
func countIn(file string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, err := database.Open(ctx, database.Options{Engine: database.SQLite, Target: file}, zap.NewNop())
	if err != nil {
		fmt.Println("opening:", err)
		return 1
	}
	defer db.Close()
	err = db.WithinTx(ctx, func(ctx context.Context) error {
		if err := db.Tx(ctx).Exec("CREATE TABLE IF NOT EXISTS things (id text PRIMARY KEY, n integer NOT NULL)").Error; err != nil {
			return err
		}
		return db.Tx(ctx).Exec("INSERT INTO things (id, n) VALUES ('counter', 0) ON CONFLICT DO NOTHING").Error
	})
	for range rounds {
		if err == nil {
			err = db.WithinTx(ctx, increment(db))
		}
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}
