// Package store keeps accounts, their invoices and what Stripe posted in the database. What is empty in the domain is null in
// a row.
package store

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

// Models returns the rows of this store, for the schema tooling.
func Models() []any { return []any{&accountRow{}, &invoiceRow{}, &webhookRow{}} }

// Store is an app.Store in the database.
type Store struct{ db *database.DB }

var _ app.Store = (*Store)(nil)

// New returns a store over the database.
func New(db *database.DB) *Store { return &Store{db: db} }

// Erase removes the user's rows. What Stripe posted stays until its purge: it names a customer, whom nothing here says to be
// anybody any more, and Stripe posts of the end of that customer after it.
func (s *Store) Erase(ctx context.Context, user id.Scope) (map[string]int64, error) {
	return s.db.Erase(ctx, "user_id", user.User, "billing_invoices", "billing_accounts")
}

// Tally counts accounts by their status, and active ones by what they pay. PostgreSQL's sum of bigints is a numeric, hence the
// casts.
func (s *Store) Tally(ctx context.Context, since time.Time) (app.Tally, error) {
	tally, err := database.One(s.db.Read(ctx).Raw(`SELECT
		count(*) FILTER (WHERE status = ?), count(*) FILTER (WHERE status = ?), count(*) FILTER (WHERE status = ?),
		count(*) FILTER (WHERE subscription_ended_at >= ?), CAST(coalesce(sum(extra), 0) AS bigint),
		(SELECT count(*) FROM billing_webhooks WHERE processed_at IS NULL)
		FROM billing_accounts`, string(domain.Active), string(domain.Trialing), string(domain.PastDue), since),
		func(row database.Row) (app.Tally, error) {
			var tally app.Tally
			err := row.Scan(&tally.Active, &tally.Trial, &tally.PastDue, &tally.Ended, &tally.Extra, &tally.Waiting)
			return tally, err
		})
	if err != nil {
		return app.Tally{}, err
	}
	tally.Prices, err = database.All(s.db.Read(ctx).Raw(`SELECT price_id, currency, CAST(sum(amount) AS bigint), count(*)
		FROM billing_accounts WHERE status = ? GROUP BY price_id, currency ORDER BY price_id, currency`, string(domain.Active)),
		func(row database.Row) (app.Sold, error) {
			var sold app.Sold
			err := row.Scan(&sold.PriceID, &sold.Currency, &sold.Amount, &sold.Count)
			return sold, err
		})
	return tally, err
}

// one returns the first row of the query, or errs.NotFound of the resource.
func one[T any](query *gorm.DB, scan func(database.Row) (T, error), resource, wanted string) (T, error) {
	found, err := database.One(query, scan)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return found, errs.Missing(resource, wanted)
	}
	return found, err
}

// listing is a list in SQL, the newest first.
type listing[T any] struct {
	fields   string // the SELECT, in the order in which scan takes it
	matching string // FROM and WHERE
	args     []any  // of matching
	by       string // the column of the time
	scan     func(database.Row) (T, error)
}

// read returns one page and the number of all matches.
func (l listing[T]) read(ctx context.Context, db *database.DB, window page.Window) ([]T, int64, error) {
	matching, args := l.matching, l.args
	total, err := database.One(db.Read(ctx).Raw("SELECT count(*)"+matching, args...), database.Scalar[int64])
	if err != nil {
		return nil, 0, err
	}
	if window.After != nil {
		at, err := window.After.Time()
		if err != nil {
			return nil, 0, err
		}
		matching += " AND (" + l.by + ", id) < (?, ?)"
		args = append(args, at, window.After.ID)
	}
	args = append(args, window.Limit, window.Skip)
	items, err := database.All(db.Read(ctx).Raw(
		l.fields+matching+" ORDER BY "+l.by+" DESC, id DESC LIMIT ? OFFSET ?", args...), l.scan)
	return items, total, err
}

// orNull returns nil for an empty value. Of times it is timeOrNull.
func orNull[T comparable](value T) *T {
	var empty T
	if value == empty {
		return nil
	}
	return &value
}

func timeOrNull(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
