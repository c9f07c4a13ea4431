package schema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/schema"
)

// errand is the variable that makes this binary one of the processes of TestEightProcesses: which database to migrate.
const errand = "OMNISTACK_TEST_MIGRATE"

// herd is ten migrations that can't be applied twice.
func herd() map[string]string {
	files := map[string]string{"20260101000000_herd.sql": "CREATE TABLE herd (number integer NOT NULL);"}
	for i := 1; i < 10; i++ {
		files[fmt.Sprintf("2026010100000%d_sheep.sql", i)] = fmt.Sprintf(
			"INSERT INTO herd (number) VALUES (%d);\nCREATE TABLE sheep_%d (id text);", i, i)
	}
	return files
}

func TestEightProcesses(t *testing.T) {
	for _, engine := range []database.Engine{database.SQLite, database.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			opts := testkit.EmptyDatabaseOptions(t, engine)
			want := len(herd())

			var applied []string
			for _, line := range together(t, 8, opts) {
				applied = append(applied, strings.Fields(line)...)
			}
			slices.Sort(applied)
			if len(applied) != want || len(slices.Compact(applied)) != want {
				t.Errorf("want each of %d files once, applied %v", want, applied)
			}
			db := testkit.OpenDatabase(t, opts)
			if n := testkit.Rows(t, db, "herd", ""); n != want-1 {
				t.Errorf("the migrations left %d rows, want %d", n, want-1)
			}
			if n := testkit.Rows(t, db, "atlas_schema_revisions", ""); n != want {
				t.Errorf("the ledger holds %d revisions, want %d", n, want)
			}
		})
	}
}

// together runs that many processes of this binary, lets them go when all have started, and returns what each wrote.
func together(t *testing.T, count int, opts database.Options) []string {
	t.Helper()
	what, err := json.Marshal(opts)
	if err != nil {
		t.Fatal(err)
	}
	processes := make([]*exec.Cmd, count)
	gates := make([]io.Closer, count)
	outputs := make([]bytes.Buffer, count)
	for i := range processes {
		process := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMigrateAsProcess$")
		process.Env = append(os.Environ(), errand+"="+string(what))
		process.Stdout, process.Stderr = &outputs[i], &outputs[i]
		if gates[i], err = process.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		if err := process.Start(); err != nil {
			t.Fatal(err)
		}
		processes[i] = process
	}
	for _, gate := range gates {
		_ = gate.Close()
	}

	lines := make([]string, count)
	for i, process := range processes {
		if err := process.Wait(); err != nil {
			t.Errorf("process %d: %v\n%s", i, err, outputs[i].String())
		}
		lines[i], _, _ = strings.Cut(outputs[i].String(), "\n")
	}
	return lines
}

// TestMigrateAsProcess is no test but what the processes of TestEightProcesses do: wait for the gate, migrate, and
// write what was applied.
func TestMigrateAsProcess(t *testing.T) {
	what := os.Getenv(errand)
	if what == "" {
		return
	}
	var opts database.Options
	if err := json.Unmarshal([]byte(what), &opts); err != nil {
		t.Fatal(err)
	}
	folder := hashed(t, herd())
	_, _ = io.Copy(io.Discard, os.Stdin)

	db := testkit.OpenDatabase(t, opts)
	applied, err := schema.UpFrom(t.Context(), db, folder, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(strings.Join(applied, " "))
}
