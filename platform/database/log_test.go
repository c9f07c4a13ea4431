package database_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
)

// canary is a value that must not be in any log.
const canary = "canary-5f3a"

// logged opens a new database of the engine with a log.
func logged(t *testing.T, engine database.Engine, debug bool) (*database.DB, *observer.ObservedLogs) {
	t.Helper()
	opts := testkit.DatabaseOptions(t, engine)
	opts.Debug = debug
	core, logs := observer.New(zapcore.DebugLevel)
	db, err := database.Open(t.Context(), opts, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	makeThings(t, db)
	return db, logs
}

func eachEngineLogged(t *testing.T, debug bool, test func(t *testing.T, db *database.DB, logs *observer.ObservedLogs)) {
	for _, engine := range []database.Engine{database.SQLite, database.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			db, logs := logged(t, engine, debug)
			test(t, db, logs)
		})
	}
}

func TestStatementsAreLoggedWithoutTheirValues(t *testing.T) {
	eachEngineLogged(t, true, func(t *testing.T, db *database.DB, logs *observer.ObservedLogs) {
		within := func(statements ...func(ctx context.Context) error) {
			_ = db.WithinTx(t.Context(), sequence(statements...)) // some are meant to fail
		}
		within(add(db, canary))
		within(add(db, canary)) // breaks a constraint
		within(func(ctx context.Context) error { return db.Tx(ctx).Create(&thing{ID: canary + "2"}).Error })
		within(func(ctx context.Context) error {
			return db.Tx(ctx).Model(&thing{}).Where("id = ?", canary).Updates(map[string]any{"id": canary + "3"}).Error
		})
		within(func(ctx context.Context) error { return db.Tx(ctx).Exec("UPDATE things SET n = ?", canary).Error }) // isn't a number
		within(func(ctx context.Context) error {
			return db.Tx(ctx).Exec("SELECT CAST(CAST(? AS text) AS integer) FROM things", canary).Error // nor is this, says the server
		})
		within(func(ctx context.Context) error { return db.Tx(ctx).Delete(&thing{}, "id LIKE ?", canary+"%").Error })
		_ = db.Read(t.Context()).Take(&thing{}, "id = ?", canary).Error
		_, _ = database.One(db.Read(t.Context()).Raw("SELECT n FROM things WHERE id = ?", canary), database.Scalar[int])
		_ = db.Read(t.Context()).Where("id IN ?", []string{canary, canary}).Limit(3).Find(new([]thing)).Error
		_ = db.Read(t.Context()).Where(map[string]any{"id": canary}).First(&thing{}).Error
		_ = db.Read(t.Context()).Raw("SELECT ? FROM nothing", canary).Scan(new(string)).Error

		if logs.FilterMessage("statement").Len() < 10 {
			t.Errorf("only %d statements were logged", logs.FilterMessage("statement").Len())
		}
		var inserts int
		for _, entry := range logs.All() {
			text := fmt.Sprint(entry.Message, entry.ContextMap())
			if strings.Contains(text, canary) {
				t.Errorf("a value was logged: %s", text)
			}
			if strings.Contains(text, "INSERT INTO things") {
				inserts++
			}
		}
		if inserts < 2 {
			t.Errorf("the SQL was logged %d times, want it twice", inserts)
		}
	})
}

func TestWithoutDebugOnlySlowStatementsAreLogged(t *testing.T) {
	eachEngineLogged(t, false, func(t *testing.T, db *database.DB, logs *observer.ObservedLogs) {
		if err := db.WithinTx(t.Context(), add(db, canary)); err != nil {
			t.Fatal(err)
		}
		if logs.Len() > 0 {
			t.Fatalf("logged %v", logs.All())
		}

		// The statement log is told of a statement that began a second ago, instead of waiting for one.
		describe := func() (string, int64) { return "SELECT ?", 1 }
		read := db.Read(t.Context())
		read.Logger.Trace(t.Context(), time.Now().Add(-time.Second), describe, errors.New(canary))
		slow := logs.FilterMessage("slow statement").All()
		if len(slow) != 1 || slow[0].Level != zapcore.WarnLevel {
			t.Fatalf("logged %v", logs.All())
		}
		fields := slow[0].ContextMap()
		if fields["sql"] != "SELECT ?" || fields["took"].(time.Duration) < time.Second || strings.Contains(fmt.Sprint(fields), canary) {
			t.Errorf("it says %v", fields)
		}
	})
}
