package database

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/omnistack/omnistack/platform/errs"
)

// Classify returns err as the product's error model sees it: a database that can't be reached, is full of work or
// restarting is errs.Unavailable, a deadline is errs.Timeout, and an error that has a kind already keeps it. Stores
// call it on every error they don't handle themselves.
func Classify(err error) error {
	var known *errs.Error
	var connecting *pgconn.ConnectError
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.As(err, &connecting): // comes before the deadlines: the driver has one of its own for connecting
		return unavailable(err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	case sqlState(err) == queryCanceled:
		return errs.New(errs.Timeout, "The database took too long").Because(err)
	case postgresUnavailable(err), sqliteUnavailable(err):
		return unavailable(err)
	}
	return err
}

// Duplicate tells whether err is of a row that a unique index forbids, for libraries whose errors GORM doesn't translate.
func Duplicate(err error) bool {
	return sqlState(err) == uniqueViolation || errors.Is(sqliteDialector{}.Translate(err), gorm.ErrDuplicatedKey)
}

// LockTimeout tells whether err is of a statement that waited for a lock of another transaction for as long as lock_timeout
// says, on PostgreSQL. Its transaction is good for a rollback only.
func LockTimeout(err error) bool { return sqlState(err) == lockTimeout }

// lockTimeout is the state of a lock that wasn't given in time.
const lockTimeout = "55P03"

// uniqueViolation is the state of a row that a unique index forbids.
const uniqueViolation = "23505"

func unavailable(err error) error {
	return errs.New(errs.Unavailable, "The database is not available, try again").Because(err)
}
