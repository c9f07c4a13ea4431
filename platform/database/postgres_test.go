package database_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/schema"
)

// A transaction pooler hands every transaction another connection, so nothing may be prepared on one, and nothing kept.
func TestPooledSpeaksTheSimpleProtocol(t *testing.T) {
	t.Parallel()
	for name, pooled := range map[string]bool{"pooled": true, "not pooled": false} {
		t.Run(name, func(t *testing.T) {
			opts := testkit.DatabaseOptions(t, database.Postgres)
			opts.Pooled = pooled
			db := testkit.OpenDatabase(t, opts)
			makeThings(t, db)

			// The extended protocol takes one statement at a time.
			_, err := db.SQL().ExecContext(t.Context(), "INSERT INTO things (id) VALUES ($1); SELECT 1", "1")
			if simple := err == nil; simple != pooled {
				t.Errorf("it speaks the simple protocol: %t (%v), want %t", simple, err, pooled)
			}
			err = db.WithinTx(t.Context(), func(ctx context.Context) error {
				for _, id := range []string{"2", "3", `it's \ "4"; --`} {
					if err := add(db, id)(ctx); err != nil {
						return err
					}
				}
				prepared, err := database.One(db.Tx(ctx).Raw("SELECT count(*) FROM pg_prepared_statements"), database.Scalar[int])
				if (prepared == 0) != pooled {
					t.Errorf("%d statements are prepared", prepared)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if idle := db.SQL().Stats().Idle; (idle == 0) != pooled {
				t.Errorf("%d connections are kept", idle)
			}
			if got := testkit.Rows(t, db, "things", "id = ?", `it's \ "4"; --`); got != 1 {
				t.Error("a value with quotes isn't found again")
			}
		})
	}
}

func TestListenPoolHears(t *testing.T) {
	t.Parallel()
	opts := testkit.DatabaseOptions(t, database.Postgres)
	db := testkit.OpenDatabase(t, opts)
	pool, err := db.ListenPool(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(t.Context(), "LISTEN things"); err != nil {
		t.Fatal(err)
	}
	run(t, db, "NOTIFY things, 'heard'")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if heard, err := conn.Conn().WaitForNotification(ctx); err != nil || heard.Payload != "heard" {
		t.Errorf("heard %v, %v", heard, err)
	}

	opts.Pooled = true
	for name, deaf := range map[string]*database.DB{"behind a pooler": testkit.OpenDatabase(t, opts), "on SQLite": testkit.SQLite(t)} {
		if pool, err := deaf.ListenPool(t.Context()); pool != nil || err != nil {
			t.Errorf("%s there is a pool to listen on, %v", name, err)
		}
	}
}

// A migration that adds a column must not fail the requests of a process that is running, whose connections have
// prepared their statements before.
func TestAddingAColumnDisturbsNobody(t *testing.T) {
	t.Parallel()
	opts := testkit.DatabaseOptions(t, database.Postgres)
	opts.PoolSize = 1
	running, migrating := testkit.OpenDatabase(t, opts), testkit.OpenDatabase(t, opts)
	makeThings(t, running)
	run(t, running, "INSERT INTO things (id) VALUES ('a')")
	find := func() error { return running.Read(t.Context()).Take(&thing{}, "id = ?", "a").Error }
	for range 3 {
		if err := find(); err != nil {
			t.Fatal(err)
		}
	}
	run(t, migrating, "ALTER TABLE things ADD COLUMN added text")
	if err := find(); err != nil {
		t.Errorf("after the migration: %v", err)
	}
}

// Key columns sort by bytes in a database of any language; other text sorts as the language says.
func TestKeysSortByBytes(t *testing.T) {
	t.Parallel()
	home := testkit.Postgres(t)
	target := localized(t, home)
	db := testkit.OpenDatabase(t, database.Options{Engine: database.Postgres, Target: target, PoolSize: 2})
	if _, err := schema.Up(t.Context(), db, zap.NewNop()); err != nil {
		t.Fatal(err)
	}
	words := []string{"Zebra", "apple", "Ärger", "zebra", "Apple", "a-b", "ab", "_", "🚀", "z", "Å", "é", "e", "f"}
	run(t, db, "CREATE TABLE words (natural_order text)")
	err := db.WithinTx(t.Context(), func(ctx context.Context) error {
		for _, word := range words {
			insert := `INSERT INTO projects (id, owner_id, name, name_folded, version, created_at, updated_at)
				VALUES (?, ?, ?, ?, 1, now(), now())`
			if err := db.Tx(ctx).Exec(insert, word, word, word, word).Error; err != nil {
				return err
			}
			if err := db.Tx(ctx).Exec("INSERT INTO words VALUES (?)", word).Error; err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	sorted := func(table, column string) []string {
		got, err := database.All(db.Read(t.Context()).Raw("SELECT "+column+" FROM "+table+" ORDER BY "+column), database.Scalar[string])
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	byBytes := slices.Sorted(slices.Values(words))
	for _, column := range []string{"id", "owner_id", "name_folded"} {
		if got := sorted("projects", column); !slices.Equal(got, byBytes) {
			t.Errorf("%s sorts as %q, want %q", column, got, byBytes)
		}
	}
	if got := sorted("words", "natural_order"); slices.Equal(got, byBytes) {
		t.Errorf("the database has no language, so this proves nothing")
	}
}

// localized makes a database that sorts text as a language does, and returns its URL.
func localized(t *testing.T, home *database.DB) string {
	t.Helper()
	version, err := database.One(home.Read(t.Context()).Raw("SELECT current_setting('server_version_num')::int"), database.Scalar[int])
	if err != nil {
		t.Fatal(err)
	}
	const libc = `SELECT collcollate FROM pg_collation WHERE collprovider = 'c' AND collcollate LIKE 'en\_US.%' LIMIT 1`
	collations, err := database.All(home.Read(t.Context()).Raw(libc), database.Scalar[string])
	if err != nil {
		t.Fatal(err)
	}
	language := "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
	switch {
	case version >= 15_00_00:
	case len(collations) > 0:
		language = "LC_COLLATE '" + collations[0] + "'"
	default:
		testkit.SkipOrFail(t, "this server knows no language but C")
	}

	parsed, err := url.Parse(testkit.DatabaseOptions(t, database.Postgres).Target)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(parsed.Path, "/") + "_english"
	run(t, home, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8' "+language)
	t.Cleanup(func() {
		if _, err := home.SQL().Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("dropping the database: %v", err)
		}
	})
	parsed.Path = "/" + name
	return parsed.String()
}

// Times are the same instant whatever the zones of the server and of this machine.
func TestPostgresSpeaksUTC(t *testing.T) {
	t.Parallel()
	opts := testkit.DatabaseOptions(t, database.Postgres)
	db := testkit.OpenDatabase(t, opts)
	run(t, db, "ALTER ROLE CURRENT_USER IN DATABASE "+databaseName(t, opts.Target)+" SET timezone = 'America/New_York'")
	again := testkit.OpenDatabase(t, opts)
	zone, err := database.One(again.Read(t.Context()).Raw("SELECT current_setting('timezone')"), database.Scalar[string])
	if err != nil || zone != "UTC" {
		t.Errorf("the session's zone is %q, %v", zone, err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	text, err := database.One(again.Read(t.Context()).Raw("SELECT (?::timestamptz)::text", at), database.Scalar[string])
	if err != nil || text != "2026-01-02 03:04:05.000006+00" {
		t.Errorf("got %q, %v", text, err)
	}
}

func databaseName(t *testing.T, target string) string {
	t.Helper()
	parsed, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(parsed.Path, "/")
}

// A database whose default is stricter than what the product is written for changes nothing: writers that meet wait for
// each other, and none fails.
func TestAStricterDefaultIsolationChangesNothing(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	exec := func(statement string) {
		t.Helper()
		if _, err := db.SQL().ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	exec("DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database()); END$$")
	db.SQL().SetMaxIdleConns(0) // the connections from before have the old default
	db.SQL().SetMaxIdleConns(10)
	exec("CREATE TABLE counted (n bigint NOT NULL)")
	exec("INSERT INTO counted VALUES (0)")

	const writers = 16
	failed := make(chan error, writers)
	for range writers {
		go func() {
			failed <- db.WithinTx(t.Context(), func(ctx context.Context) error {
				var n int64
				if err := db.Tx(ctx).Raw("SELECT n FROM counted FOR UPDATE").Scan(&n).Error; err != nil {
					return err
				}
				return db.Tx(ctx).Exec("UPDATE counted SET n = ?", n+1).Error
			})
		}()
	}
	for range writers {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if testkit.Rows(t, db, "counted", "n = ?", writers) != 1 {
		t.Error("an update was lost")
	}
}
