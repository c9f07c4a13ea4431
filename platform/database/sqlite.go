package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"go.uber.org/zap"
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteDSN holds what every connection needs. Times are written in a format that sorts as text, provided they are all
// of one zone: a time.Unix of a machine in Berlin would sort two hours wrong without _timezone. Without _dqs=0 a
// misspelt column name in double quotes would silently be a string.
const sqliteDSN = "file:%s?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)" +
	"&_pragma=foreign_keys(1)&_time_format=sqlite&_timezone=UTC&_dqs=0&_txlock=immediate"

func (db *DB) openSQLite(ctx context.Context, opts Options, log *zap.Logger) error {
	if err := makePrivate(opts.Target); err != nil {
		return err
	}
	dsn := fmt.Sprintf(sqliteDSN, (&url.URL{Path: opts.Target}).EscapedPath())

	write := sql.OpenDB(keeping{dsn})
	write.SetMaxOpenConns(1)
	db.pools = append(db.pools, write)

	read, err := sql.Open("sqlite", dsn+"&_pragma=query_only(1)")
	if err != nil {
		return err
	}
	read.SetMaxOpenConns(readers())
	read.SetMaxIdleConns(readers())
	db.pools = append(db.pools, read)

	if err := db.awaitLock(ctx); err != nil {
		return fmt.Errorf("can't open the SQLite file %s: %w", opts.Target, err)
	}
	if db.writer, err = gorm.Open(sqliteDialector{gormsqlite.Dialector{Conn: write}}, gormConfig(opts, log)); err != nil {
		return err
	}
	db.reader, err = gorm.Open(sqliteDialector{gormsqlite.Dialector{Conn: read}}, gormConfig(opts, log))
	return err
}

// awaitLock pings until nobody else holds the lock that a new file needs to become a WAL file. SQLite doesn't apply
// busy_timeout to that change: of processes that start at once on a new file, some are told at once that it is locked.
func (db *DB) awaitLock(ctx context.Context) error {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for given := time.Now().Add(10 * time.Second); ; {
		err := db.ping(ctx)
		if busy, ok := errors.AsType[*sqlite.Error](err); !ok || busy.Code()&0xff != sqlite3.SQLITE_BUSY || time.Now().After(given) {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// makePrivate creates the file with mode 0600 if there is none, and its folder with mode 0700: what the product keeps is
// nobody else's. SQLite gives the files it puts beside it the same mode. A file that exists isn't opened here: closing
// it would drop the locks that this process may hold on it (https://www.sqlite.org/howtocorrupt.html, section 2.2).
func makePrivate(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("can't create the folder of the database: %w", err)
	}
	created, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("can't create the database: %w", err)
	}
	return created.Close()
}

// readers is how many connections read at once: more than the cores only wait for each other.
func readers() int { return max(4, runtime.NumCPU()) }

// sqliteDialector is GORM's own dialector over the pure Go driver, with values kept out of the log. That driver's errors
// are of another type than the one GORM knows, so the translation is ours.
type sqliteDialector struct{ gormsqlite.Dialector }

// Explain returns the statement for the log, without its values.
func (sqliteDialector) Explain(statement string, _ ...any) string { return statement }

// Translate returns GORM's error for a broken constraint.
func (sqliteDialector) Translate(err error) error {
	var broken *sqlite.Error
	if !errors.As(err, &broken) {
		return err
	}
	switch broken.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return gorm.ErrDuplicatedKey
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return gorm.ErrForeignKeyViolated
	case sqlite3.SQLITE_CONSTRAINT_CHECK:
		return gorm.ErrCheckConstraintViolated
	}
	return err
}

// sqliteUnavailable tells whether SQLite refused for a reason that passes: somebody holds the lock, or the disk is full.
func sqliteUnavailable(err error) bool {
	var failed *sqlite.Error
	if !errors.As(err, &failed) {
		return false
	}
	switch failed.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		return true
	}
	return false
}
