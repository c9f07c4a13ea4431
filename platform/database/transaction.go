package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"gorm.io/gorm"
)

// txKey finds the transaction of one database in a context.
type txKey struct{ db *DB }

// transaction is one under way, kept in the context of the function that runs in it.
type transaction struct {
	handle *gorm.DB
	tx     *sql.Tx               // below the handle
	broken atomic.Pointer[error] // the first error of a function that joined

	mu    sync.Mutex
	after []func() // what to do when it is committed
}

// inTx returns the transaction of this database in ctx, or nil.
func (db *DB) inTx(ctx context.Context) *transaction {
	running, _ := ctx.Value(txKey{db}).(*transaction)
	return running
}

// Read returns the handle for queries: the transaction in ctx if there is one, so that a function sees its own writes,
// else a reader.
func (db *DB) Read(ctx context.Context) *gorm.DB {
	if running := db.inTx(ctx); running != nil {
		return fresh(ctx, running.handle)
	}
	return fresh(ctx, db.reader)
}

// ErrNoTransaction is the error of a write outside WithinTx.
var ErrNoTransaction = errors.New("database: a write outside of a transaction")

// Tx returns the handle for writes, inside WithinTx. Outside of it every statement on the handle fails with
// ErrNoTransaction.
func (db *DB) Tx(ctx context.Context) *gorm.DB {
	if running := db.inTx(ctx); running != nil {
		return fresh(ctx, running.handle)
	}
	refused := fresh(ctx, db.reader)
	_ = refused.AddError(ErrNoTransaction)
	return refused
}

// SQLTx returns the transaction in ctx, for libraries that speak database/sql themselves. Outside of WithinTx it is
// ErrNoTransaction.
func (db *DB) SQLTx(ctx context.Context) (*sql.Tx, error) {
	if running := db.inTx(ctx); running != nil {
		return running.tx, nil
	}
	return nil, ErrNoTransaction
}

// fresh returns a handle without conditions, on the same connection or pool. NewDB spares GORM two copies of what the
// handle remembers.
func fresh(ctx context.Context, handle *gorm.DB) *gorm.DB {
	return handle.Session(&gorm.Session{NewDB: true, Context: ctx})
}

// WithinTx runs fn in one transaction, carried by the ctx that fn is given, and commits if fn returns nil. If ctx ends
// before the commit nothing is kept, and the error is that of ctx. A panic rolls back and goes on.
//
// Within an outer transaction fn joins it, and an error of fn rolls the whole of it back, even if the outer function
// handles the error: half of what fn wanted is never committed.
//
// The error is fn's own; a database that can't be reached is errs.Unavailable. When the connection breaks during the
// commit nobody knows whether it happened.
func (db *DB) WithinTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if outer := db.inTx(ctx); outer != nil {
		return outer.join(ctx, fn)
	}
	tx, err := db.SQL().BeginTx(ctx, db.isolation())
	if err != nil {
		return Classify(err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit, and is reached by a panic

	// Not GORM's own Transaction: it would commit what a part has broken, and costs eight allocations more.
	running := &transaction{handle: fresh(ctx, db.writer), tx: tx}
	running.handle.Statement.ConnPool = tx
	if err = fn(context.WithValue(ctx, txKey{db}, running)); err == nil {
		err = running.commit(tx)
	}
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		err = ctx.Err() // which ended the transaction
	}
	return Classify(err)
}

// isolation names the level that the product is written for. A server, a database or a role may have a stricter default,
// under which writers that wait for each other here fail instead. SQLite has one level.
func (db *DB) isolation() *sql.TxOptions {
	if db.engine == Postgres {
		return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	return nil
}

// join runs fn as a part of the transaction.
func (t *transaction) join(ctx context.Context, fn func(ctx context.Context) error) error {
	err := fn(ctx)
	if err != nil {
		t.broken.CompareAndSwap(nil, &err)
	}
	return err
}

func (t *transaction) commit(tx *sql.Tx) error {
	if broken := t.broken.Load(); broken != nil {
		return fmt.Errorf("database: nothing is committed because a part of the transaction failed: %w", *broken)
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	for _, fn := range t.after {
		fn()
	}
	return nil
}

// AfterCommit calls fn when the transaction in ctx has been committed, and never if it isn't; outside of a transaction
// it calls fn at once. It is for what memory holds of the rows: a crash in between may skip it.
func (db *DB) AfterCommit(ctx context.Context, fn func()) {
	running := db.inTx(ctx)
	if running == nil {
		fn()
		return
	}
	running.mu.Lock()
	defer running.mu.Unlock()
	running.after = append(running.after, fn)
}

// ForUpdate returns what to append to a SELECT so that nobody else changes its rows before the transaction ends. SQLite
// has no row locks and needs none: its transactions write one at a time.
func (db *DB) ForUpdate() string {
	if db.engine == Postgres {
		return " FOR UPDATE"
	}
	return ""
}
