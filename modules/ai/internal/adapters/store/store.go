// Package store keeps the ledger of calls and the budgets in the database.
package store

import (
	"context"
	"errors"
	"math"
	"time"

	"gorm.io/gorm"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/id"
)

// begun are the columns of what is known of a call when it begins. In a ledger's row they are what was so in the end.
type begun struct {
	ID           database.Key `gorm:"primaryKey"`
	Endpoint     string       `gorm:"type:text;not null"`
	Route        string       `gorm:"type:text;not null"`
	Requested    string       `gorm:"type:text;not null"`
	Stream       bool         `gorm:"not null"`
	Provider     string       `gorm:"type:text;not null"`
	Model        string       `gorm:"type:text;not null"`
	Attempts     int64        `gorm:"not null"`
	Input        int64        `gorm:"not null"`
	CachedRead   int64        `gorm:"not null"`
	CachedWrite  int64        `gorm:"not null"`
	Output       int64        `gorm:"not null"`
	Reasoning    int64        `gorm:"not null"`
	UsageSource  string       `gorm:"type:text;not null"`
	Cost         int64        `gorm:"not null"` // in picodollars
	CostKnown    bool         `gorm:"not null"`
	PriceVersion string       `gorm:"type:text;not null"`
	StartedAt    time.Time    `gorm:"not null"`
}

// begunColumns are those of begun, in the order in which values and targets give them.
const begunColumns = `id, endpoint, route, requested, stream, provider, model, attempts, input, cached_read, cached_write, output,
	reasoning, usage_source, cost, cost_known, price_version, started_at`

func values(e *domain.Entry) []any {
	return []any{
		e.ID, string(e.Endpoint), e.Route, e.Requested, e.Stream, e.Provider, e.Model, e.Attempts, e.Usage.Input, e.Usage.CachedRead,
		e.Usage.CachedWrite, e.Usage.Output, e.Usage.Reasoning, string(e.Usage.Source), int64(e.Cost.Amount), e.Cost.Known,
		e.PriceVersion, e.StartedAt,
	}
}

func targets(e *domain.Entry) []any {
	return []any{
		&e.ID, &e.Endpoint, &e.Route, &e.Requested, &e.Stream, &e.Provider, &e.Model, &e.Attempts, &e.Usage.Input, &e.Usage.CachedRead,
		&e.Usage.CachedWrite, &e.Usage.Output, &e.Usage.Reasoning, &e.Usage.Source, &e.Cost.Amount, &e.Cost.Known,
		&e.PriceVersion, &e.StartedAt,
	}
}

// The statements of every call, and what fills them.
const (
	reserve = `INSERT INTO ai_budgets (user_id, month, spent, reserved) VALUES (?, ?, 0, ?)
		ON CONFLICT (user_id, month) DO UPDATE SET reserved = ai_budgets.reserved + excluded.reserved
		WHERE ai_budgets.spent + ai_budgets.reserved <= CAST(? AS bigint)`
	count = "UPDATE ai_budgets SET spent = spent + ?, reserved = reserved - ? WHERE user_id = ? AND month = ?"

	begunValues = "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
	insertHold  = "INSERT INTO ai_holds (" + begunColumns + ", user_id, month, amount, expires_at)"
	holdValues  = begunValues + ", ?, ?, ?, ?"
	insertCall  = "INSERT INTO ai_calls (" + begunColumns + ", user_id, status, finish, reason, day, ended_at, first_us)"
	callValues  = begunValues + ", ?, ?, ?, ?, ?, ?, ?"
)

func called(entry *domain.Entry, hold *domain.Hold) []any {
	return append(values(entry), hold.User.User, string(entry.Status), string(entry.Finish), string(entry.Reason),
		string(domain.DayOf(entry.EndedAt)), entry.EndedAt, entry.First.Microseconds())
}

func counted(entry *domain.Entry, hold *domain.Hold) []any {
	return []any{int64(entry.Cost.Amount), int64(hold.Amount), hold.User.User, string(hold.Month)}
}

// callRow is the table ai_calls, to which rows are only added. Its indexes serve the usage of a user, and of all.
type callRow struct {
	Begun   begun         `gorm:"embedded"`
	UserID  *database.Key `gorm:"index:ai_calls_by_user,priority:1"` // null when the user is erased
	Status  string        `gorm:"type:text;not null"`
	Finish  string        `gorm:"type:text;not null"`
	Reason  string        `gorm:"type:text;not null"`
	Day     string        `gorm:"type:text;not null;index:ai_calls_by_user,priority:2;index:ai_calls_by_day"` // of EndedAt, in UTC
	EndedAt time.Time     `gorm:"not null"`
	FirstUS int64         `gorm:"column:first_us;not null"` // microseconds until the first of a stream
}

// TableName returns the name of the table.
func (callRow) TableName() string { return "ai_calls" }

// holdRow is the table ai_holds: one row for each call that goes on.
type holdRow struct {
	Begun     begun        `gorm:"embedded"`
	UserID    database.Key `gorm:"not null;index:ai_holds_by_user"`
	Month     string       `gorm:"type:text;not null"`
	Amount    int64        `gorm:"not null"` // in picodollars
	ExpiresAt time.Time    `gorm:"not null;index:ai_holds_by_expiry"`
}

// TableName returns the name of the table.
func (holdRow) TableName() string { return "ai_holds" }

// budgetRow is the table ai_budgets, in picodollars.
type budgetRow struct {
	UserID   database.Key `gorm:"primaryKey"`
	Month    string       `gorm:"type:text;primaryKey"` // such as 2026-11, of UTC
	Spent    int64        `gorm:"not null"`
	Reserved int64        `gorm:"not null"`
}

// TableName returns the name of the table.
func (budgetRow) TableName() string { return "ai_budgets" }

// Models returns the rows of this store, for the schema tooling.
func Models() []any { return []any{&callRow{}, &holdRow{}, &budgetRow{}} }

// Store is an app.Store in the database.
type Store struct{ db *database.DB }

var _ app.Store = (*Store)(nil)

// New returns a store over the database.
func New(db *database.DB) *Store { return &Store{db: db} }

// Reserve adds the hold and sets its amount aside: one statement decides, so that many calls at once are no more than the limit.
func (s *Store) Reserve(ctx context.Context, hold domain.Hold, limit domain.Pico) (bool, error) {
	if limit < 0 {
		limit = math.MaxInt64
	}
	if hold.Amount > limit {
		return false, nil
	}
	setAside := []any{hold.User.User, string(hold.Month), int64(hold.Amount), int64(limit - hold.Amount)}
	held := append(values(&hold.Entry), hold.User.User, string(hold.Month), int64(hold.Amount), hold.ExpiresAt)
	if s.db.Engine() == database.Postgres { // in one round trip
		done := s.db.Tx(ctx).Exec("WITH reserved AS ("+reserve+" RETURNING 1) "+insertHold+" SELECT "+holdValues+" FROM reserved",
			append(setAside, held...)...)
		return done.RowsAffected == 1, database.Classify(done.Error)
	}
	done := s.db.Tx(ctx).Exec(reserve, setAside...)
	if done.Error != nil || done.RowsAffected == 0 {
		return false, database.Classify(done.Error)
	}
	return true, database.Classify(s.db.Tx(ctx).Exec(insertHold+" VALUES ("+holdValues+")", held...).Error)
}

// Take removes the hold and returns it.
func (s *Store) Take(ctx context.Context, holdID string) (domain.Hold, bool, error) {
	hold, err := database.One(s.db.Tx(ctx).Raw(
		"DELETE FROM ai_holds WHERE id = ? RETURNING user_id, month, amount, expires_at, "+begunColumns, holdID),
		func(row database.Row) (domain.Hold, error) {
			var hold domain.Hold
			err := row.Scan(append([]any{&hold.User.User, &hold.Month, &hold.Amount, &hold.ExpiresAt}, targets(&hold.Entry)...)...)
			hold.ExpiresAt, hold.StartedAt = hold.ExpiresAt.UTC(), hold.StartedAt.UTC()
			return hold, err
		})
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return domain.Hold{}, false, nil
	}
	return hold, err == nil, err
}

// Append adds an entry, and counts it for the hold's month.
func (s *Store) Append(ctx context.Context, entry domain.Entry, hold domain.Hold) error {
	if err := s.db.Tx(ctx).Exec(insertCall+" VALUES ("+callValues+")", called(&entry, &hold)...).Error; err != nil {
		return database.Classify(err)
	}
	return database.Classify(s.db.Tx(ctx).Exec(count, counted(&entry, &hold)...).Error)
}

// Settle removes the hold and, if it was there, appends the entry.
func (s *Store) Settle(ctx context.Context, entry domain.Entry, hold domain.Hold) (bool, error) {
	const take = "DELETE FROM ai_holds WHERE id = ?"
	if s.db.Engine() == database.Postgres { // in one round trip
		args := append(append([]any{hold.ID}, counted(&entry, &hold)...), called(&entry, &hold)...)
		done := s.db.Tx(ctx).Exec("WITH taken AS ("+take+" RETURNING 1), counted AS ("+count+" AND EXISTS (SELECT 1 FROM taken)) "+
			insertCall+" SELECT "+callValues+" FROM taken", args...)
		return done.RowsAffected == 1, database.Classify(done.Error)
	}
	done := s.db.Tx(ctx).Exec(take, hold.ID)
	if done.Error != nil || done.RowsAffected == 0 {
		return false, database.Classify(done.Error)
	}
	return true, s.Append(ctx, entry, hold)
}

// Expired returns holds whose time is over, the oldest first.
func (s *Store) Expired(ctx context.Context, at time.Time, limit int) ([]string, error) {
	return database.All(s.db.Read(ctx).Raw("SELECT id FROM ai_holds WHERE expires_at <= ? ORDER BY expires_at, id LIMIT ?", at, limit), database.Scalar[string])
}

// HoldsOf returns all holds of a user.
func (s *Store) HoldsOf(ctx context.Context, user id.Scope) ([]string, error) {
	return database.All(s.db.Read(ctx).Raw("SELECT id FROM ai_holds WHERE user_id = ? ORDER BY id", user.User), database.Scalar[string])
}

// SpentIn returns what a user's month took: nothing for a month without a row.
func (s *Store) SpentIn(ctx context.Context, user id.Scope, month domain.Month) (domain.Spent, error) {
	spent, err := database.One(s.db.Read(ctx).Raw("SELECT spent, reserved FROM ai_budgets WHERE user_id = ? AND month = ?", user.User, string(month)),
		func(row database.Row) (domain.Spent, error) {
			var spent domain.Spent
			err := row.Scan(&spent.Spent, &spent.Reserved)
			return spent, err
		})
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return domain.Spent{}, nil
	}
	return spent, err
}

// Usage adds up calls by day and model. PostgreSQL's sum of bigints is a numeric, hence the casts.
func (s *Store) Usage(ctx context.Context, user *id.Scope, from, to domain.Day) ([]app.Total, error) {
	where, args := "WHERE day >= ? AND day <= ?", []any{string(domain.Completed), string(from), string(to)}
	if user != nil {
		where += " AND user_id = ?"
		args = append(args, user.User)
	}
	return database.All(s.db.Read(ctx).Raw(`SELECT day, provider, model, count(*), count(*) FILTER (WHERE status <> ?),
		CAST(sum(input) AS bigint), CAST(sum(cached_read) AS bigint), CAST(sum(cached_write) AS bigint), CAST(sum(output) AS bigint),
		CAST(sum(reasoning) AS bigint), count(*) FILTER (WHERE NOT cost_known), CAST(sum(cost) AS bigint)
		FROM ai_calls `+where+" GROUP BY day, provider, model ORDER BY day, provider, model", args...),
		func(row database.Row) (app.Total, error) {
			var t app.Total
			err := row.Scan(&t.Day, &t.Provider, &t.Model, &t.Calls, &t.Failed, &t.Usage.Input, &t.Usage.CachedRead, &t.Usage.CachedWrite,
				&t.Usage.Output, &t.Usage.Reasoning, &t.Unknown, &t.Cost)
			return t, err
		})
}

// Erase removes the user's budgets, and the user from the ledger. What goes on is accounted for before.
func (s *Store) Erase(ctx context.Context, user id.Scope) (map[string]int64, error) {
	erased, err := s.db.Erase(ctx, "user_id", user.User, "ai_budgets")
	if err != nil {
		return nil, err
	}
	done := s.db.Tx(ctx).Exec("UPDATE ai_calls SET user_id = NULL WHERE user_id = ?", user.User)
	erased["ai_calls"] = done.RowsAffected
	return erased, database.Classify(done.Error)
}
