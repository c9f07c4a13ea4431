package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/zap"
	gormpostgres "gorm.io/driver/postgres"
	"gorm.io/gorm"
)

func (db *DB) openPostgres(ctx context.Context, opts Options, log *zap.Logger) error {
	conf, err := pgx.ParseConfig(opts.Target)
	if err != nil {
		return fmt.Errorf("DATABASE_URL is not a PostgreSQL URL: %w", redact(err))
	}
	if conf.ConnectTimeout == 0 {
		conf.ConnectTimeout = 5 * time.Second
	}
	conf.RuntimeParams["timezone"] = "UTC"
	if opts.Pooled {
		conf.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
		conf.StatementCacheCapacity = 0
		conf.DescriptionCacheCapacity = 0
	}

	if !opts.Pooled {
		db.listen = conf.Copy()
	}

	pool := stdlib.OpenDB(*conf)
	pool.SetMaxOpenConns(opts.PoolSize)
	pool.SetMaxIdleConns(opts.PoolSize)
	if opts.Pooled {
		pool.SetMaxIdleConns(0)
	}
	pool.SetConnMaxLifetime(opts.MaxLifetime)
	db.pools = append(db.pools, pool)

	dialector := postgresDialector{gormpostgres.Dialector{Config: &gormpostgres.Config{Conn: pool}}}
	db.writer, err = gorm.Open(dialector, gormConfig(opts, log))
	db.reader = db.writer
	if err != nil {
		return err
	}
	return db.await(ctx, opts.Patience, log)
}

// ListenPool returns a pool of one connection to LISTEN on, which opens nothing before it is asked to. It is nil on SQLite,
// which has no LISTEN, and behind a transaction pooler, where it would be deaf. The caller closes it.
func (db *DB) ListenPool(ctx context.Context) (*pgxpool.Pool, error) {
	if db.listen == nil {
		return nil, nil
	}
	conf, err := pgxpool.ParseConfig(db.listen.ConnString())
	if err != nil {
		return nil, err
	}
	conf.ConnConfig, conf.MaxConns, conf.MinConns = db.listen.Copy(), 1, 0
	return pgxpool.NewWithConfig(ctx, conf)
}

// postgresDialector is GORM's own dialector, with values kept out of the log.
type postgresDialector struct{ gormpostgres.Dialector }

// Explain returns the statement for the log, without its values.
func (postgresDialector) Explain(statement string, _ ...any) string { return statement }

// await pings until the server answers or patience has passed.
func (db *DB) await(ctx context.Context, patience time.Duration, log *zap.Logger) error {
	deadline := time.Now().Add(patience)
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := db.Ping(ctx)
		if err == nil {
			return nil
		}
		if time.Now().Add(wait).After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("the database can't be reached: is it running, and is DATABASE_URL right? (%w)", redact(err))
		}
		log.Warn("the database doesn't answer yet, trying again", zap.Duration("in", wait), zap.Error(redact(err)))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// queryCanceled is the state of a statement that the server's statement_timeout ended.
const queryCanceled = "57014"

// passing are the states, or classes of states, in which the server refuses now but may not later
// (https://www.postgresql.org/docs/current/errcodes-appendix.html).
var passing = []string{
	"08",    // connection trouble
	"25006", // read only: it has become a standby
	"25P03", // the transaction idled too long
	"40",    // a conflict with another transaction
	"53",    // short of memory, disk or connections
	lockTimeout,
	"57P", // shutting down, or starting up
}

// postgresUnavailable tells whether the server couldn't be talked to or refused for a reason that passes.
func postgresUnavailable(err error) bool {
	if state := sqlState(err); state != "" {
		return slices.ContainsFunc(passing, func(class string) bool { return strings.HasPrefix(state, class) })
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// sqlState returns the SQLSTATE of PostgreSQL's answer, or "" for an error that isn't one.
func sqlState(err error) string {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refused.Code
	}
	return ""
}

// redact takes out what a connection error says of the URL, which may hold a password. What is left is the reason.
func redact(err error) error {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return fmt.Errorf("the server says: %s (SQLSTATE %s)", refused.Message, refused.Code)
	}
	if network, ok := errors.AsType[*net.OpError](err); ok {
		return network
	}
	if _, ok := errors.AsType[*pgconn.ParseConfigError](err); ok {
		return errors.New("it can't be parsed")
	}
	return err
}
