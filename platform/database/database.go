// Package database is the only way to the database, for both engines: PostgreSQL through pgx, and the embedded SQLite
// of modernc.org/sqlite, a pure Go engine, so that the product stays one static binary.
//
// There are three doors and no others. Read is for queries: the transaction in ctx if there is one, else a reader.
// WithinTx runs a function in one transaction and joins an outer one. Tx is the handle inside it; nothing writes
// outside a transaction. Call no other service inside one: on SQLite's single writer that blocks everybody.
//
// Rows that are read on every request go through One and All, which spare GORM's reflection.
//
// SQLite has one writer connection whose transactions take the write lock at BEGIN, and a pool of query-only readers.
// Measured under 16 writers for six seconds: deferred transactions fail 188,203 times with SQLITE_BUSY, immediate ones
// never; with more than one writer connection a transaction waits up to 7 s, with one 0.26 s.
//
// PostgreSQL behind a transaction pooler (pgbouncer, or DB_USE_NULL_POOL) is spoken to in the simple protocol: no
// prepared statements outlive their transaction there.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
	"gorm.io/gorm"
)

// Engine names a database product.
type Engine string

// The two engines.
const (
	Postgres Engine = "postgres"
	SQLite   Engine = "sqlite"
)

// Options says which database to open and how.
type Options struct {
	Engine Engine
	// Target is a postgres:// URL, or the path of the SQLite file. A new file gets mode 0600, a new folder 0700.
	Target string
	// PoolSize is the most connections to hold to PostgreSQL.
	PoolSize int
	// MaxLifetime is the age at which a connection to PostgreSQL is replaced; 0 keeps it for ever.
	MaxLifetime time.Duration
	// Pooled says that a transaction pooler stands in between, or that connections mustn't be kept: simple protocol,
	// no prepared statements, no idle connections.
	Pooled bool
	// Debug logs every statement, without its values.
	Debug bool
	// Patience bounds how long Open waits for a PostgreSQL that doesn't answer; 0 means one attempt. The last attempt
	// begins before it has passed and takes two seconds at most.
	Patience time.Duration
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	engine Engine
	writer *gorm.DB
	reader *gorm.DB // the same as writer on PostgreSQL
	pools  []*sql.DB
	listen *pgx.ConnConfig // nil where LISTEN can't be used
}

// Open connects and proves it with a ping. While PostgreSQL doesn't answer it tries again, logging each attempt, until
// opts.Patience has passed; then the error says what to check. The password never appears in it.
func Open(ctx context.Context, opts Options, log *zap.Logger) (*DB, error) {
	db := &DB{engine: opts.Engine}
	var err error
	switch opts.Engine {
	case Postgres:
		err = db.openPostgres(ctx, opts, log)
	case SQLite:
		err = db.openSQLite(ctx, opts, log)
	default:
		err = fmt.Errorf("unknown database engine %q", opts.Engine)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Engine returns which product this is.
func (db *DB) Engine() Engine { return db.engine }

// Ping asks for an answer within two seconds. On SQLite it asks a reader: a long write keeps the writer busy, and that
// is no reason to call the database down.
func (db *DB) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return db.pools[len(db.pools)-1].PingContext(ctx)
}

func (db *DB) ping(ctx context.Context) error {
	for _, pool := range db.pools {
		if err := pool.PingContext(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close waits for running queries and closes every connection.
func (db *DB) Close() error {
	var failed []error
	for _, pool := range db.pools {
		failed = append(failed, pool.Close())
	}
	return errors.Join(failed...)
}

// SQL returns the writing pool, for libraries that speak database/sql themselves, such as the migrations.
func (db *DB) SQL() *sql.DB { return db.pools[0] }
