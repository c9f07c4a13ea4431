package database_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	if database.Classify(nil) != nil {
		t.Error("no error becomes one")
	}
	state := func(code string) error { return fmt.Errorf("a query: %w", &pgconn.PgError{Code: code}) }
	for _, test := range []struct {
		name string
		err  error
		kind errs.Kind
	}{
		{"what nobody knows", errBoom, errs.Internal},
		{"a broken constraint", gorm.ErrDuplicatedKey, errs.Internal},
		{"a kind is kept", fmt.Errorf("a store: %w", errs.Missing("Thing", "1")), errs.NotFound},
		{"a kind is kept, whatever its cause", errs.New(errs.Conflict, "no").Because(io.EOF), errs.Conflict},
		{"a deadline", fmt.Errorf("a query: %w", context.DeadlineExceeded), errs.Timeout},
		{"a caller that left", fmt.Errorf("a query: %w", context.Canceled), errs.Internal},
		{"a statement timeout", state("57014"), errs.Timeout},
		{"a syntax error", state("42601"), errs.Internal},
		{"a connection failure", state("08006"), errs.Unavailable},
		{"too many connections", state("53300"), errs.Unavailable},
		{"a full disk", state("53100"), errs.Unavailable},
		{"a shutdown", state("57P01"), errs.Unavailable},
		{"a start", state("57P03"), errs.Unavailable},
		{"a serialization failure", state("40001"), errs.Unavailable},
		{"a lock that wasn't given", state("55P03"), errs.Unavailable},
		{"a standby", state("25006"), errs.Unavailable},
		{"a connection that ends", fmt.Errorf("reading: %w", io.ErrUnexpectedEOF), errs.Unavailable},
		{"a connection that ended", pgconn.ErrConnClosed, errs.Unavailable},
	} {
		got := database.Classify(test.err)
		if !errs.Is(got, test.kind) || !errors.Is(got, test.err) {
			t.Errorf("%s: got %v of kind %s, want kind %s", test.name, got, errs.From(got).Code(), test.kind.Code())
		}
	}
}

// A server that is killed under running work makes every step of it unavailable, and needs no reopening once it is back.
func TestAServerThatDies(t *testing.T) {
	t.Parallel()
	server := testkit.NewPostgresServer(t)
	db := testkit.OpenDatabase(t, database.Options{Engine: database.Postgres, Target: server.URL, PoolSize: 4})
	makeThings(t, db)

	back := func(name string) {
		t.Helper()
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
		if err := db.WithinTx(t.Context(), add(db, name)); err != nil {
			t.Errorf("after the restart that follows %q: %v", name, err)
		}
		if got := testkit.Rows(t, db, "things", "id LIKE 'lost%'"); got > 0 {
			t.Errorf("after the restart that follows %q there is what was never committed", name)
		}
	}
	unavailable := func(what string, err error) {
		t.Helper()
		if !errs.Is(err, errs.Unavailable) {
			t.Errorf("%s: got %v of kind %s, want it unavailable", what, err, errs.From(err).Code())
		}
		if shown := errs.From(err).Message; strings.Contains(shown, "127.0.0.1") {
			t.Errorf("%s: clients are shown %q", what, shown)
		}
	}

	err := db.WithinTx(t.Context(), func(ctx context.Context) error {
		err := add(db, "lost 1")(ctx)
		server.Kill()
		return err
	})
	unavailable("a commit", err)
	unavailable("the beginning of a transaction", db.WithinTx(t.Context(), add(db, "lost 2")))
	_, err = database.All(db.Read(t.Context()).Raw("SELECT id FROM things"), database.Scalar[string])
	unavailable("a query", err)
	if db.Ping(t.Context()) == nil {
		t.Error("a ping of a dead server succeeds")
	}
	back("a commit")

	err = db.WithinTx(t.Context(), func(ctx context.Context) error {
		server.Kill()
		first := add(db, "lost 3")(ctx)
		unavailable("a statement", database.Classify(first))
		second := add(db, "lost 4")(ctx)
		unavailable("the statement after it", database.Classify(second))
		return second
	})
	unavailable("the transaction of both", err)
	back("a statement")

	err = db.WithinTx(t.Context(), func(ctx context.Context) error {
		server.Kill()
		_ = add(db, "lost 5")(ctx)
		return nil
	})
	unavailable("a commit after a statement whose error was ignored", err)
	back("an ignored statement")

	running, stopped := make(chan struct{}), make(chan error)
	go func() {
		stopped <- db.WithinTx(t.Context(), func(ctx context.Context) error {
			close(running)
			return endless(db)(ctx)
		})
	}()
	<-running
	server.Kill()
	unavailable("a statement that was running", <-stopped)
	back("a running statement")
}

func TestAServerThatNeverAnswersIsUnavailable(t *testing.T) {
	t.Parallel()
	server := testkit.NewPostgresServer(t)
	db := testkit.OpenDatabase(t, database.Options{Engine: database.Postgres, Target: server.URL + "&connect_timeout=1", PoolSize: 1, MaxLifetime: time.Nanosecond})
	server.Kill()
	testkit.Silence(t, hostOf(t, server.URL))
	if err := db.WithinTx(t.Context(), add(db, "1")); !errs.Is(err, errs.Unavailable) {
		t.Errorf("got %v of kind %s, want it unavailable", err, errs.From(err).Code())
	}
}

func hostOf(t *testing.T, target string) string {
	t.Helper()
	parsed, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Host
}

// What PostgreSQL refuses for a while is unavailable; what takes too long is a timeout.
func TestWhatPostgresRefusesForAWhile(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	makeThings(t, db)
	run(t, db, "INSERT INTO things (id) VALUES ('a'), ('b')")
	exec := func(ctx context.Context, statement string) error { return db.Tx(ctx).Exec(statement).Error }

	t.Run("a connection that an operator ends", func(t *testing.T) {
		err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			return exec(ctx, "SELECT pg_terminate_backend(pg_backend_pid())")
		})
		if !errs.Is(err, errs.Unavailable) {
			t.Errorf("got %v of kind %s", err, errs.From(err).Code())
		}
	})
	t.Run("a statement timeout of the server's", func(t *testing.T) {
		err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			if err := exec(ctx, "SET LOCAL statement_timeout = '50ms'"); err != nil {
				return err
			}
			return exec(ctx, "SELECT pg_sleep(60)")
		})
		if !errs.Is(err, errs.Timeout) {
			t.Errorf("got %v of kind %s", err, errs.From(err).Code())
		}
	})
	t.Run("a lock that isn't given in time", func(t *testing.T) {
		err := db.WithinTx(t.Context(), func(holder context.Context) error {
			if err := exec(holder, "UPDATE things SET n = 1 WHERE id = 'a'"); err != nil {
				return err
			}
			err := db.WithinTx(t.Context(), func(ctx context.Context) error {
				if err := exec(ctx, "SET LOCAL lock_timeout = '50ms'"); err != nil {
					return err
				}
				return exec(ctx, "UPDATE things SET n = 2 WHERE id = 'a'")
			})
			if !errs.Is(err, errs.Unavailable) {
				t.Errorf("got %v of kind %s", err, errs.From(err).Code())
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("a deadlock", func(t *testing.T) {
		holds := make(chan struct{}, 2)
		both := make(chan struct{})
		crossing := func(first, second string) error {
			return db.WithinTx(t.Context(), func(ctx context.Context) error {
				if err := exec(ctx, "UPDATE things SET n = 1 WHERE id = '"+first+"'"); err != nil {
					return err
				}
				holds <- struct{}{}
				<-both
				return exec(ctx, "UPDATE things SET n = 1 WHERE id = '"+second+"'")
			})
		}
		ends := make(chan error)
		go func() { ends <- crossing("a", "b") }()
		go func() { ends <- crossing("b", "a") }()
		<-holds
		<-holds
		close(both)
		one, two := <-ends, <-ends
		if err := errors.Join(one, two); (one == nil) == (two == nil) || !errs.Is(err, errs.Unavailable) {
			t.Errorf("one ends with %v, the other with %v", one, two)
		}
	})
}

// On SQLite there is one lock for all writers, of other processes too: each handle here stands for one. It is waited for
// ten seconds, but no longer than the caller does.
func TestALockedSQLite(t *testing.T) {
	t.Parallel()
	opts := database.Options{Engine: database.SQLite, Target: filepath.Join(t.TempDir(), "app.db")}
	holder, waiter := testkit.OpenDatabase(t, opts), testkit.OpenDatabase(t, opts)
	makeThings(t, holder)
	err := holder.WithinTx(t.Context(), func(ctx context.Context) error {
		if err := add(holder, "1")(ctx); err != nil {
			return err
		}
		if got := things(t, t.Context(), waiter); len(got) > 0 {
			t.Errorf("a reader sees %v", got)
		}

		for name, db := range map[string]*database.DB{"another process": waiter, "the same process": holder} {
			short, cancel := soon(t.Context())
			if err := db.WithinTx(short, add(db, "2")); !errs.Is(err, errs.Timeout) {
				t.Errorf("%s, after the caller's deadline: got %v of kind %s", name, err, errs.From(err).Code())
			}
			if short.Err() == nil {
				t.Errorf("%s didn't wait", name)
			}
			cancel()
		}

		run(t, waiter, "PRAGMA busy_timeout = 1")
		if err := waiter.WithinTx(t.Context(), add(waiter, "3")); !errs.Is(err, errs.Unavailable) {
			t.Errorf("after SQLite's own patience: got %v of kind %s", err, errs.From(err).Code())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := waiter.WithinTx(t.Context(), add(waiter, "4")); err != nil {
		t.Errorf("when the lock is free: %v", err)
	}
}

func TestBrokenConstraintsHaveOneNameOnBothEngines(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		makeThings(t, db)
		run(t, db, "CREATE TABLE parts (thing text NOT NULL UNIQUE REFERENCES things (id))")
		run(t, db, "INSERT INTO things (id) VALUES ('a')")
		run(t, db, "INSERT INTO parts (thing) VALUES ('a')")
		for statement, want := range map[string]error{
			"INSERT INTO things (id) VALUES ('a')":           gorm.ErrDuplicatedKey, // primary key
			"INSERT INTO parts (thing) VALUES ('a')":         gorm.ErrDuplicatedKey, // unique
			"INSERT INTO parts (thing) VALUES ('b')":         gorm.ErrForeignKeyViolated,
			"DELETE FROM things":                             gorm.ErrForeignKeyViolated,
			"INSERT INTO things (id, n) VALUES ('minus',-1)": gorm.ErrCheckConstraintViolated,
		} {
			err := db.WithinTx(t.Context(), func(ctx context.Context) error { return db.Tx(ctx).Exec(statement).Error })
			if !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", statement, err, want)
			}
		}
	})
}

func TestDuplicateIsWhatAUniqueIndexForbids(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		makeThings(t, db)
		for statement, want := range map[string]bool{
			"INSERT INTO things (id) VALUES ('a'), ('b')": false,
			"INSERT INTO things (id) VALUES ('c'), ('c')": true,
			"INSERT INTO nothing (id) VALUES ('a')":       false,
		} {
			_, err := db.SQL().ExecContext(t.Context(), statement)
			if got := database.Duplicate(err); got != want {
				t.Errorf("%s: %v is a duplicate: %t", statement, err, got)
			}
		}
	})
}
