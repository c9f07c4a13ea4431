package database_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit"
)

// thing is a row of the table things, for what GORM does with structs.
type thing struct {
	ID string `gorm:"primaryKey"`
	N  int64
}

func TestReadSeesItsOwnTransactionOnly(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		makeThings(t, db)
		err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			if err := add(db, "new")(ctx); err != nil {
				return err
			}
			if got := things(t, ctx, db); !slices.Equal(got, []string{"new"}) {
				t.Errorf("inside, the transaction sees %v", got)
			}
			if got := things(t, t.Context(), db); len(got) > 0 {
				t.Errorf("outside, a reader sees what isn't committed: %v", got)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := things(t, t.Context(), db); !slices.Equal(got, []string{"new"}) {
			t.Errorf("after the commit a reader sees %v", got)
		}
	})
}

// A library that speaks database/sql joins the transaction, and gets none where there is none.
func TestSQLTxIsTheTransactionItself(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		makeThings(t, db)
		if _, err := db.SQLTx(t.Context()); !errors.Is(err, database.ErrNoTransaction) {
			t.Errorf("outside: got %v, want ErrNoTransaction", err)
		}
		boom := errors.New("boom")
		err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			return db.WithinTx(ctx, func(ctx context.Context) error {
				tx, err := db.SQLTx(ctx)
				if err != nil {
					return err
				}
				if _, err := tx.ExecContext(ctx, "INSERT INTO things (id) VALUES ('a')"); err != nil {
					return err
				}
				if got := things(t, ctx, db); !slices.Equal(got, []string{"a"}) {
					t.Errorf("inside, the transaction sees %v", got)
				}
				return boom
			})
		})
		if !errors.Is(err, boom) {
			t.Error(err)
		}
		if got := things(t, t.Context(), db); len(got) > 0 {
			t.Errorf("after the rollback a reader sees %v", got)
		}
	})
}

func TestNothingWritesOutsideOfATransaction(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		makeThings(t, db)
		other := testkit.SQLite(t)
		var ended context.Context
		err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			ended = ctx
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, write := range map[string]func(tx *gorm.DB) error{
			"create": func(tx *gorm.DB) error { return tx.Create(&thing{ID: "a"}).Error },
			"update": func(tx *gorm.DB) error { return tx.Model(&thing{}).Where("id = ?", "a").Update("n", 1).Error },
			"delete": func(tx *gorm.DB) error { return tx.Where("id = ?", "a").Delete(&thing{}).Error },
			"exec":   func(tx *gorm.DB) error { return tx.Exec("INSERT INTO things (id) VALUES ('a')").Error },
			"raw":    func(tx *gorm.DB) error { return tx.Raw("SELECT 1").Scan(new(int)).Error },
			"find":   func(tx *gorm.DB) error { return tx.Find(new([]thing)).Error },
			"one": func(tx *gorm.DB) error {
				_, err := database.One(tx.Raw("SELECT 1"), database.Scalar[int])
				return err
			},
		} {
			if err := write(db.Tx(t.Context())); !errors.Is(err, database.ErrNoTransaction) {
				t.Errorf("%s: got %v, want ErrNoTransaction", name, err)
			}
			err := other.WithinTx(t.Context(), func(ctx context.Context) error { return write(db.Tx(ctx)) })
			if !errors.Is(err, database.ErrNoTransaction) {
				t.Errorf("%s in the transaction of another database: got %v, want ErrNoTransaction", name, err)
			}
			if err := write(db.Tx(ended)); !errors.Is(err, sql.ErrTxDone) {
				t.Errorf("%s after the transaction: got %v, want ErrTxDone", name, err)
			}
		}
		if got := things(t, t.Context(), db); len(got) > 0 {
			t.Errorf("something was written: %v", got)
		}
	})
}

// On PostgreSQL readers and writers share a pool; what a store writes through Read by mistake shows up here.
func TestSQLiteReadersRefuseToWrite(t *testing.T) {
	t.Parallel()
	db := testkit.SQLite(t)
	makeThings(t, db)
	if err := db.Read(t.Context()).Create(&thing{ID: "a"}).Error; err == nil {
		t.Error("a reader created a row")
	}
	if err := db.Read(t.Context()).Exec("DROP TABLE things").Error; err == nil {
		t.Error("a reader dropped a table")
	}
}

// Conditions of one query must not leak into the next one on the same handle.
func TestAHandleRemembersNothing(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		makeThings(t, db)
		err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			tx := db.Tx(ctx)
			for _, id := range []string{"a", "b"} {
				if err := tx.Create(&thing{ID: id}).Error; err != nil {
					return err
				}
			}
			return tx.Where("id = ?", "a").Delete(&thing{}).Error
		})
		if err != nil {
			t.Fatal(err)
		}
		read := db.Read(t.Context())
		for _, id := range []string{"a", "b", "a"} {
			var found []thing
			if err := read.Where("id = ?", id).Find(&found).Error; err != nil {
				t.Fatal(err)
			}
			if want := map[string]int{"a": 0, "b": 1}[id]; len(found) != want {
				t.Errorf("%d things are called %s, want %d", len(found), id, want)
			}
		}
	})
}

func TestOneAndAll(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		makeThings(t, db)
		const query = "SELECT id FROM things WHERE id >= ? ORDER BY id"
		if _, err := database.One(db.Read(t.Context()).Raw(query, "a"), database.Scalar[string]); !errors.Is(err, gorm.ErrRecordNotFound) {
			t.Errorf("one of none: got %v, want ErrRecordNotFound", err)
		}
		if got, err := database.All(db.Read(t.Context()).Raw(query, "a"), database.Scalar[string]); err != nil || len(got) != 0 {
			t.Errorf("all of none: %v, %v", got, err)
		}
		run(t, db, "INSERT INTO things (id) VALUES ('a'), ('b'), ('c')")
		if got, err := database.One(db.Read(t.Context()).Raw(query, "b"), database.Scalar[string]); err != nil || got != "b" {
			t.Errorf("one: %v, %v", got, err)
		}
		if got, err := database.All(db.Read(t.Context()).Raw(query, "b"), database.Scalar[string]); err != nil || !slices.Equal(got, []string{"b", "c"}) {
			t.Errorf("all: %v, %v", got, err)
		}
		refuse := func(database.Row) (string, error) { return "", errBoom }
		if _, err := database.All(db.Read(t.Context()).Raw(query, "a"), refuse); !errors.Is(err, errBoom) {
			t.Errorf("a scan that fails: got %v", err)
		}
		if _, err := database.All(db.Read(t.Context()).Raw("SELECT id FROM nothing"), database.Scalar[string]); err == nil {
			t.Error("a query of a table that isn't there succeeds")
		}
	})
}

func TestATransactionIsAllOrNothing(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		makeThings(t, db)
		within := func(fn func(ctx context.Context) error) (panicked any, err error) {
			defer func() { panicked = recover() }()
			return nil, db.WithinTx(t.Context(), fn)
		}
		boom := func(context.Context) error { return errBoom }
		swallow := func(fn func(ctx context.Context) error) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				_ = fn(ctx)
				return nil
			}
		}
		inner := func(parts ...func(ctx context.Context) error) func(ctx context.Context) error {
			return func(ctx context.Context) error { return db.WithinTx(ctx, sequence(parts...)) }
		}

		for name, test := range map[string]struct {
			fn    func(ctx context.Context) error
			err   error
			panic any
			want  []string
		}{
			"success":                             {fn: sequence(add(db, "1"), add(db, "2")), want: []string{"1", "2"}},
			"an error":                            {fn: sequence(add(db, "1"), boom), err: errBoom},
			"a panic":                             {fn: sequence(add(db, "1"), func(context.Context) error { panic("oh") }), panic: "oh"},
			"a part joins":                        {fn: sequence(add(db, "1"), inner(add(db, "2"))), want: []string{"1", "2"}},
			"a part of a part joins":              {fn: sequence(add(db, "1"), inner(inner(add(db, "2")))), want: []string{"1", "2"}},
			"an error of a part":                  {fn: sequence(add(db, "1"), inner(add(db, "2"), boom)), err: errBoom},
			"an error after a part":               {fn: sequence(inner(add(db, "1")), boom), err: errBoom},
			"an error of a part that is ignored":  {fn: sequence(add(db, "1"), swallow(inner(add(db, "2"), boom))), err: errBoom},
			"an error two parts down, ignored":    {fn: sequence(add(db, "1"), swallow(inner(swallow(inner(boom))))), err: errBoom},
			"a panic of a part":                   {fn: sequence(add(db, "1"), inner(func(context.Context) error { panic("oh") })), panic: "oh"},
			"nothing at all":                      {fn: sequence()},
			"an error with a kind keeps it":       {fn: sequence(add(db, "1"), func(context.Context) error { return errs.Missing("Thing", "1") }), err: errs.Missing("Thing", "1")},
			"a constraint that is broken":         {fn: sequence(add(db, "1"), add(db, "1")), err: gorm.ErrDuplicatedKey},
			"a constraint that a part has broken": {fn: sequence(add(db, "1"), swallow(inner(add(db, "1")))), err: gorm.ErrDuplicatedKey},
		} {
			panicked, err := within(test.fn)
			var kind *errs.Error
			switch {
			case panicked != test.panic:
				t.Errorf("%s: panicked with %v, want %v", name, panicked, test.panic)
			case errors.As(test.err, &kind):
				if !errs.Is(err, kind.Kind) {
					t.Errorf("%s: got %v, want %v", name, err, test.err)
				}
			case !errors.Is(err, test.err):
				t.Errorf("%s: got %v, want %v", name, err, test.err)
			}
			if got := things(t, t.Context(), db); !slices.Equal(got, test.want) {
				t.Errorf("%s leaves %v, want %v", name, got, test.want)
			}
			run(t, db, "DELETE FROM things")
		}
	})
}

// A test that fails inside a transaction ends its goroutine, without a panic and without returning.
func TestAGoroutineThatExitsRollsBack(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		makeThings(t, db)
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			_ = db.WithinTx(t.Context(), sequence(add(db, "1"), func(context.Context) error {
				runtime.Goexit()
				return nil
			}))
		}()
		<-gone
		if err := db.WithinTx(t.Context(), add(db, "2")); err != nil {
			t.Fatal(err)
		}
		if got := things(t, t.Context(), db); !slices.Equal(got, []string{"2"}) {
			t.Errorf("it leaves %v", got)
		}
	})
}

func TestNothingIsCommittedAfterTheContextEnds(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		makeThings(t, db)
		passed := func(parent context.Context) (context.Context, context.CancelFunc) {
			return context.WithDeadline(parent, time.Now())
		}
		for name, test := range map[string]struct {
			context func(parent context.Context) (context.Context, context.CancelFunc)
			cancel  bool // by the function, after its write
			after   func(ctx context.Context) error
			err     error
			kind    errs.Kind
		}{
			"cancelled before it begins":          {context: cancelled, err: context.Canceled},
			"a deadline that passed before":       {context: passed, err: context.DeadlineExceeded, kind: errs.Timeout},
			"cancelled before the commit":         {context: context.WithCancel, cancel: true, err: context.Canceled},
			"cancelled long before the commit":    {context: context.WithCancel, cancel: true, after: rolledBack(db), err: context.Canceled},
			"cancelled before the next statement": {context: context.WithCancel, cancel: true, after: add(db, "2"), err: context.Canceled},
			"a deadline during a statement":       {context: soon, after: endless(db), err: context.DeadlineExceeded, kind: errs.Timeout},
		} {
			ctx, cancel := test.context(t.Context())
			err := db.WithinTx(ctx, func(ctx context.Context) error {
				if err := add(db, "1")(ctx); err != nil {
					return err
				}
				if test.cancel {
					cancel()
				}
				if test.after != nil {
					return test.after(ctx)
				}
				return nil
			})
			cancel()
			if !errors.Is(err, test.err) || !errs.Is(err, test.kind) {
				t.Errorf("%s: got %v of kind %s, want %v of kind %s", name, err, errs.From(err).Code(), test.err, test.kind.Code())
			}
			if got := things(t, t.Context(), db); len(got) > 0 {
				t.Errorf("%s leaves %v", name, got)
			}
		}
		if err := db.WithinTx(t.Context(), add(db, "1")); err != nil {
			t.Errorf("afterwards the database is of no use: %v", err)
		}
	})
}

func cancelled(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	cancel()
	return ctx, cancel
}

func soon(parent context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(parent, 100*time.Millisecond)
}

// rolledBack waits until the transaction is over, which database/sql ends in the background when its context ends.
func rolledBack(db *database.DB) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		for {
			err := db.Tx(context.WithoutCancel(ctx)).Exec("SELECT 1").Error
			if errors.Is(err, sql.ErrTxDone) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
}

// endless is a statement that never comes back by itself.
func endless(db *database.DB) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		return db.Tx(ctx).Exec("WITH RECURSIVE endless(n) AS (SELECT 1 UNION ALL SELECT 1 FROM endless) SELECT count(*) FROM endless").Error
	}
}

// sequence runs the parts until one fails.
func sequence(parts ...func(ctx context.Context) error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		for _, part := range parts {
			if err := part(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

// A constraint that is checked at the commit breaks there, and leaves a connection that works.
func TestAnErrorOfTheCommitComesOut(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		makeThings(t, db)
		run(t, db, "CREATE TABLE parts (thing text NOT NULL REFERENCES things (id) DEFERRABLE INITIALLY DEFERRED)")
		orphan := func(ctx context.Context) error {
			return db.Tx(ctx).Exec("INSERT INTO parts (thing) VALUES ('nobody')").Error
		}
		var finished bool
		err := db.WithinTx(t.Context(), sequence(add(db, "1"), orphan, func(context.Context) error {
			finished = true
			return nil
		}))
		if !finished || err == nil {
			t.Fatalf("the function finished: %t; the commit: %v", finished, err)
		}
		if got := things(t, t.Context(), db); len(got) > 0 {
			t.Errorf("a commit that failed leaves %v", got)
		}
		if err := db.WithinTx(t.Context(), add(db, "2")); err != nil {
			t.Errorf("the next transaction: %v", err)
		}
	})
}

// PostgreSQL answers the COMMIT of a transaction in which a statement failed with ROLLBACK; that must not pass for success.
func TestAnIgnoredErrorOfAStatementFailsTheCommitOnPostgres(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	makeThings(t, db)
	err := db.WithinTx(t.Context(), func(ctx context.Context) error {
		_ = sequence(add(db, "1"), add(db, "1"))(ctx)
		return nil
	})
	if err == nil || len(things(t, t.Context(), db)) > 0 {
		t.Errorf("got %v, and %v is there", err, things(t, t.Context(), db))
	}
}

func TestTransactionsOfTwoDatabasesNest(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, one *database.DB) {
		two := testkit.SQLite(t)
		makeThings(t, one)
		makeThings(t, two)
		err := one.WithinTx(t.Context(), func(ctx context.Context) error {
			return two.WithinTx(ctx, sequence(add(one, "1"), add(two, "2")))
		})
		if err != nil {
			t.Fatal(err)
		}
		if a, b := things(t, t.Context(), one), things(t, t.Context(), two); !slices.Equal(a, []string{"1"}) || !slices.Equal(b, []string{"2"}) {
			t.Errorf("one has %v, two has %v", a, b)
		}
	})
}

// A key is compared by its bytes on both engines: on SQLite anyway, on PostgreSQL because its column says so.
func TestKeysAreComparedByBytes(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		want := map[database.Engine]string{database.SQLite: "text", database.Postgres: `text COLLATE "C"`}[db.Engine()]
		if got := database.Key("").GormDBDataType(db.Read(t.Context()), nil); got != want {
			t.Errorf("a key is a %s, want %s", got, want)
		}
	})
}

// Sixteen writers that read and then write lose no update: on SQLite because transactions come one after the other, on
// PostgreSQL because the row is held.
func TestSixteenWritersLoseNothing(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		makeThings(t, db)
		run(t, db, "INSERT INTO things (id) VALUES ('counter')")
		const rounds = 25
		storetest.Concurrent(t, rounds, func(int) error { return db.WithinTx(t.Context(), increment(db)) })
		if got := testkit.Rows(t, db, "things", "n = ?", 16*rounds); got != 1 {
			t.Error("an update was lost")
		}
	})
}

// increment reads the counter and writes one more.
func increment(db *database.DB) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		n, err := database.One(db.Tx(ctx).Raw("SELECT n FROM things WHERE id = 'counter'"+db.ForUpdate()), database.Scalar[int])
		if err != nil {
			return err
		}
		return db.Tx(ctx).Exec("UPDATE things SET n = ? WHERE id = 'counter'", n+1).Error
	}
}

func TestAfterCommitRunsWhenThereIsACommit(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		var done []string
		note := func(what string) func() { return func() { done = append(done, what) } }

		db.AfterCommit(t.Context(), note("outside"))
		if err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			db.AfterCommit(ctx, note("outer"))
			return db.WithinTx(ctx, func(ctx context.Context) error {
				db.AfterCommit(ctx, note("joined"))
				done = append(done, "before the commit")
				return nil
			})
		}); err != nil {
			t.Fatal(err)
		}
		if err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			db.AfterCommit(ctx, note("rolled back"))
			return errBoom
		}); !errors.Is(err, errBoom) {
			t.Fatal(err)
		}
		if want := []string{"outside", "before the commit", "outer", "joined"}; !slices.Equal(done, want) {
			t.Errorf("done %v, want %v", done, want)
		}
	})
}
