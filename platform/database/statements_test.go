package database_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"gorm.io/gorm"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
)

// kept returns how many statements the writer keeps.
func kept(t *testing.T, db *database.DB) (found int) {
	t.Helper()
	conn, err := db.SQL().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.Raw(func(driver any) error { found = database.Kept(driver); return nil }); err != nil {
		t.Fatal(err)
	}
	return found
}

// write runs one statement in a transaction of its own.
func write(t *testing.T, db *database.DB, statement string, values ...any) error {
	t.Helper()
	return db.WithinTx(t.Context(), func(ctx context.Context) error { return db.Tx(ctx).Exec(statement, values...).Error })
}

func TestTheWriterKeepsWhatItPrepared(t *testing.T) {
	t.Parallel()
	db := testkit.SQLite(t)
	makeThings(t, db)
	before := kept(t, db)
	const insert = "INSERT INTO things (id) VALUES (?)"
	for i := range 3 {
		if err := write(t, db, insert, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := kept(t, db) - before; got != 1 {
		t.Errorf("of one statement that ran three times %d are kept", got)
	}

	// One that failed isn't kept, and runs again.
	if err := write(t, db, insert, "1"); !errors.Is(err, gorm.ErrDuplicatedKey) {
		t.Errorf("a duplicate: %v", err)
	}
	if got := kept(t, db) - before; got != 0 {
		t.Errorf("%d are kept after one failed", got)
	}
	if err := write(t, db, insert, "3"); err != nil {
		t.Error(err)
	}
	if err := write(t, db, "INSERT INTO nothing VALUES (?)", "1"); err == nil {
		t.Error("a table that isn't there is written to")
	}

	// What has no parameters isn't kept: a PRAGMA must have its effect every time.
	before = kept(t, db)
	for _, on := range []int{0, 1, 0, 1} {
		run(t, db, fmt.Sprintf("PRAGMA foreign_keys = %d", on))
		if got := value[int](t, db, "PRAGMA foreign_keys"); got != on {
			t.Errorf("foreign_keys is %d, want %d", got, on)
		}
	}
	if got := kept(t, db); got != before {
		t.Errorf("%d are kept, want %d", got, before)
	}

	// The statement goes on when the schema changes under it.
	run(t, db, "ALTER TABLE things ADD COLUMN more text NOT NULL DEFAULT 'yes'")
	if err := write(t, db, insert, "4"); err != nil || value[string](t, db, "SELECT more FROM things WHERE id = '4'") != "yes" {
		t.Errorf("after a column was added: %v", err)
	}
	run(t, db, "DROP TABLE things")
	if err := write(t, db, insert, "5"); err == nil {
		t.Error("a table that is gone is written to")
	}
	run(t, db, "CREATE TABLE things (more text, id text)")
	if err := write(t, db, insert, "5"); err != nil || value[string](t, db, "SELECT id FROM things") != "5" {
		t.Errorf("into another table of the name: %v", err)
	}

	// So does one whose caller left.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.SQL().ExecContext(gone, insert, "6"); !errors.Is(err, context.Canceled) {
		t.Errorf("the caller has left: %v", err)
	}
	result, err := db.SQL().ExecContext(t.Context(), insert, "6")
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := result.RowsAffected(); err != nil || rows != 1 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// value returns the only value that the writer has for a query.
func value[T any](t *testing.T, db *database.DB, query string) (found T) {
	t.Helper()
	if err := db.SQL().QueryRowContext(t.Context(), query).Scan(&found); err != nil {
		t.Fatal(err)
	}
	return found
}

// What is kept has a bound, and is given back when the database is closed: SQLite keeps its log beside the file until then.
func TestWhatIsKeptHasAnEnd(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "kept.db")
	db := testkit.OpenDatabase(t, database.Options{Engine: database.SQLite, Target: file})
	makeThings(t, db)
	err := db.WithinTx(t.Context(), func(ctx context.Context) error {
		tx, err := db.SQLTx(ctx)
		if err != nil {
			return err
		}
		for i := range 3*database.MostKept + 1 {
			// A script is a statement too.
			statement := fmt.Sprintf("INSERT INTO things (id) VALUES (? || '%d'); INSERT INTO things (id) VALUES ('%d')", i, i)
			if _, err := tx.ExecContext(ctx, statement, "a"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := testkit.Rows(t, db, "things", "1 = 1"), 2*(3*database.MostKept+1); got != want {
		t.Errorf("there are %d things, want %d", got, want)
	}
	if got := kept(t, db); got < 1 || got > database.MostKept {
		t.Errorf("%d are kept", got)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("SQLite hasn't closed the file: %v", err)
	}
	if _, err := db.SQL().ExecContext(t.Context(), "INSERT INTO things (id) VALUES (?)", "b"); err == nil {
		t.Errorf("a closed database is written to: %v", err)
	}
}
