package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/omnistack/omnistack/platform/clock"
)

// gormConfig is the same on both engines. Statements aren't prepared by GORM: pgx keeps its own per connection, and
// measured there was nothing to gain. No implicit transaction: writes run in WithinTx only. Columns are named: a
// SELECT * that a connection has prepared fails once when a migration adds a column ("cached plan must not change
// result type"), so a deployment would cost a running process some of its requests.
func gormConfig(opts Options, log *zap.Logger) *gorm.Config {
	return &gorm.Config{
		TranslateError:         true,
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		QueryFields:            true,
		NowFunc:                clock.System{}.Now,
		Logger:                 statementLog{log: log, debug: opts.Debug},
	}
}

// statementLog passes GORM's statements to zap. Values never appear: our dialectors' Explain, which GORM asks for the
// text, leaves the placeholders in. (GORM's ParamsFilter, meant for that, isn't asked by Raw(...).Scan.)
type statementLog struct {
	log   *zap.Logger
	debug bool
}

// slow is when a statement is worth a warning.
const slow = 500 * time.Millisecond

// LogMode has no effect: the level is zap's.
func (l statementLog) LogMode(logger.LogLevel) logger.Interface { return l }

// Info, Warn and Error carry GORM's own remarks; their arguments may hold values and are dropped.
func (l statementLog) Info(_ context.Context, text string, _ ...any) { l.log.Debug(text) }

// Warn logs a remark of GORM's.
func (l statementLog) Warn(_ context.Context, text string, _ ...any) { l.log.Warn(text) }

// Error logs a remark of GORM's. Its arguments are dropped: they may hold values.
func (l statementLog) Error(_ context.Context, text string, _ ...any) { l.log.Error(text) }

// Trace logs one statement: all of them when debugging, else the slow ones. Errors are the caller's to log.
func (l statementLog) Trace(_ context.Context, begin time.Time, describe func() (string, int64), err error) {
	took := time.Since(begin)
	if !l.debug && took < slow {
		return
	}
	query, rows := describe()
	fields := []zap.Field{zap.String("sql", query), zap.Int64("rows", rows), zap.Duration("took", took)}
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		fields = append(fields, zap.String("failed", wordless(err)))
	}
	if took >= slow {
		l.log.Warn("slow statement", fields...)
		return
	}
	l.log.Debug("statement", fields...)
}

// wordless says what kind of error it is. Its text may hold values: PostgreSQL repeats what it can't read, and the driver
// what it can't encode.
func wordless(err error) string {
	if state := sqlState(err); state != "" {
		return "SQLSTATE " + state
	}
	return fmt.Sprintf("%T", err)
}
