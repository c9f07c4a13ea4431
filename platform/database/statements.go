package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"modernc.org/sqlite"
)

// keeping opens connections to a SQLite file that keep the writes they have prepared. SQLite is in this process, so reading
// the text of a statement is what costs: a third of the time of a transaction that writes a row and a job.
type keeping struct{ dsn string }

// Connect opens a connection.
func (k keeping) Connect(context.Context) (driver.Conn, error) {
	conn, err := k.Driver().Open(k.dsn)
	if err != nil {
		return nil, err
	}
	plain, ok := conn.(sqliteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("database: the driver's connections are %T", conn), conn.Close())
	}
	return &keepingConn{sqliteConn: plain, kept: map[string]execer{}}, nil
}

// Driver returns what opens the connections.
func (keeping) Driver() driver.Driver { return &sqlite.Driver{} }

// sqliteConn is what the driver's connections can do and database/sql asks for.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// execer is a prepared statement.
type execer interface {
	driver.Stmt
	driver.StmtExecContext
}

// keepingConn is a connection with what it has prepared. database/sql lets one goroutine at a time use it.
type keepingConn struct {
	sqliteConn

	kept map[string]execer
}

// mostKept is how many statements are kept. When there are more, all of them go.
const mostKept = 200

// ExecContext runs a statement. One with parameters is kept: it comes again with others. (A PRAGMA has none, and some of them
// work when they are prepared, not when they run.) SQLite prepares a kept one anew by itself when the schema has changed. One
// that failed is not kept.
func (c *keepingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if len(args) == 0 {
		return c.sqliteConn.ExecContext(ctx, query, args)
	}
	statement, known := c.kept[query]
	if !known {
		prepared, err := c.PrepareContext(ctx, query)
		if err != nil {
			return nil, err
		}
		var ok bool
		if statement, ok = prepared.(execer); !ok {
			return nil, errors.Join(fmt.Errorf("database: the driver's statements are %T", prepared), prepared.Close())
		}
		if len(c.kept) == mostKept {
			if err := c.drop(); err != nil {
				return nil, errors.Join(err, statement.Close())
			}
		}
		c.kept[query] = statement
	}
	result, err := statement.ExecContext(ctx, args)
	if err != nil {
		delete(c.kept, query)
		_ = statement.Close() // says again what has failed
	}
	return result, err
}

// drop closes what is kept.
func (c *keepingConn) drop() error {
	var failed []error
	for query, statement := range c.kept {
		failed = append(failed, statement.Close())
		delete(c.kept, query)
	}
	return errors.Join(failed...)
}

// Close closes what is kept, and the connection.
func (c *keepingConn) Close() error { return errors.Join(c.drop(), c.sqliteConn.Close()) }
