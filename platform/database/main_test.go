package database_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/omnistack/omnistack/platform/database"
)

// TestMain lets the test binary be another process that writes to the same SQLite file.
func TestMain(m *testing.M) {
	if file := os.Getenv("DATABASE_TEST_COUNT_IN"); file != "" {
		os.Exit(countIn(file))
	}
	os.Exit(m.Run())
}

// makeThings makes the table that most tests here write to.
func makeThings(t testing.TB, db *database.DB) {
	t.Helper()
	run(t, db, "CREATE TABLE things (id text PRIMARY KEY, n integer NOT NULL DEFAULT 0 CHECK (n >= 0))")
}

// run executes a statement outside of what is tested.
func run(t testing.TB, db *database.DB, statement string) {
	t.Helper()
	if _, err := db.SQL().ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// add is a function for WithinTx that adds a thing.
func add(db *database.DB, thing string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		return db.Tx(ctx).Exec("INSERT INTO things (id) VALUES (?)", thing).Error
	}
}

// things returns the ids of the things that ctx sees, in their order.
func things(t testing.TB, ctx context.Context, db *database.DB) []string {
	t.Helper()
	ids, err := database.All(db.Read(ctx).Raw("SELECT id FROM things ORDER BY id"), database.Scalar[string])
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// logger returns a logger and a channel that receives every message. The channel holds a hundred; more are dropped.
func logger() (*zap.Logger, <-chan zapcore.Entry) {
	heard := make(chan zapcore.Entry, 100)
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{}), zapcore.AddSync(discard{}), zapcore.DebugLevel)
	return zap.New(core, zap.Hooks(func(entry zapcore.Entry) error {
		select {
		case heard <- entry:
		default:
		}
		return nil
	})), heard
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// errBoom is an error of a function that has nothing to do with the database.
var errBoom = errors.New("boom")
