// Package store keeps what billing owns in the database.
package store

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// accountRow is the table billing_accounts. The subscription's columns are null without one. One index holds those whose
// subscription goes on, for the reconciliation and the report.
type accountRow struct {
	UserID            database.Key  `gorm:"primaryKey;index:billing_accounts_live,where:status NOT IN ('canceled'\\,'incomplete_expired')"`
	CustomerID        *database.Key `gorm:"uniqueIndex:billing_accounts_by_customer"`
	Customers         int64         `gorm:"not null"`
	SubscriptionID    *string       `gorm:"type:text"`
	Status            *string       `gorm:"type:text"`
	PriceID           *string       `gorm:"type:text"`
	Amount            *int64
	Currency          *string `gorm:"type:text"`
	PeriodStart       *time.Time
	PeriodEnd         *time.Time
	CancelAtPeriodEnd *bool
	TrialEnd          *time.Time
	SubscribedAt      *time.Time
	Plan              string `gorm:"type:text;not null"`
	Interval          string `gorm:"column:billed;type:text;not null"`
	Extra             int64  `gorm:"not null"`
	DueSince          *time.Time
	HadTrial          bool `gorm:"not null"`
	TrialTold         *time.Time
	Asked             int64     `gorm:"not null"`
	Applied           int64     `gorm:"not null"`
	Version           int64     `gorm:"not null"`
	CreatedAt         time.Time `gorm:"not null"`
	UpdatedAt         time.Time `gorm:"not null"`
}

// TableName returns the name of the table.
func (accountRow) TableName() string { return "billing_accounts" }

// invoiceRow is the table billing_invoices.
type invoiceRow struct {
	ID             database.Key `gorm:"primaryKey;index:billing_invoices_by_user,priority:3"`
	UserID         database.Key `gorm:"not null;index:billing_invoices_by_user,priority:1"`
	SubscriptionID string       `gorm:"type:text;not null"`
	Number         string       `gorm:"type:text;not null"`
	Status         string       `gorm:"type:text;not null"`
	Due            int64        `gorm:"not null"`
	Paid           int64        `gorm:"not null"`
	Refunded       int64        `gorm:"not null"`
	Currency       string       `gorm:"type:text;not null"`
	Attempts       int64        `gorm:"not null"`
	NextAttemptAt  *time.Time
	URL            string    `gorm:"type:text;not null"`
	Told           int64     `gorm:"not null"`
	CreatedAt      time.Time `gorm:"not null;index:billing_invoices_by_user,priority:2"`
}

// TableName returns the name of the table.
func (invoiceRow) TableName() string { return "billing_invoices" }

// Models returns the rows of this store, for the schema tooling.
func Models() []any { return []any{&accountRow{}, &invoiceRow{}, &webhookRow{}} }

// Store is an app.Store in the database.
type Store struct{ db *database.DB }

var _ app.Store = (*Store)(nil)

// New returns a store over the database.
func New(db *database.DB) *Store { return &Store{db: db} }

// AddAccount inserts the account if its user has none.
func (s *Store) AddAccount(ctx context.Context, account domain.Account) error {
	added := toRow(account)
	return database.Classify(s.db.Tx(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "user_id"}}, DoNothing: true,
	}).Create(&added).Error)
}

// fields are what an account is read from, in the order in which scan takes them.
const fields = `SELECT user_id, customer_id, customers, subscription_id, status, price_id, amount, currency, period_start, period_end,
	cancel_at_period_end, trial_end, subscribed_at, plan, billed, extra, due_since, had_trial, trial_told, asked, applied, version,
	created_at, updated_at FROM billing_accounts`

// FindAccount returns the account of a user.
func (s *Store) FindAccount(ctx context.Context, user id.Scope) (domain.Account, error) {
	return one(s.db.Read(ctx).Raw(fields+" WHERE user_id = ?", user.User), user.User)
}

// FindCustomer returns the account that a customer is of.
func (s *Store) FindCustomer(ctx context.Context, customerID string) (domain.Account, error) {
	return one(s.db.Read(ctx).Raw(fields+" WHERE customer_id = ?", customerID), customerID)
}

// LockAccount returns the account of a user and holds its row.
func (s *Store) LockAccount(ctx context.Context, user id.Scope) (domain.Account, error) {
	return one(s.db.Tx(ctx).Raw(fields+" WHERE user_id = ?"+s.db.ForUpdate(), user.User), user.User)
}

func one(query *gorm.DB, wanted string) (domain.Account, error) {
	account, err := database.One(query, scan)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return domain.Account{}, errs.Missing("Account", wanted)
	}
	return account, err
}

// SaveAccount writes every column of the account, which was locked.
func (s *Store) SaveAccount(ctx context.Context, account domain.Account) error {
	changed := toRow(account)
	done := s.db.Tx(ctx).Model(&accountRow{}).Where("user_id = ?", account.User.User).Select("*").Omit("UserID", "CreatedAt").UpdateColumns(&changed)
	if done.Error != nil {
		return database.Classify(done.Error)
	}
	if done.RowsAffected == 0 {
		return errs.Missing("Account", account.User.User)
	}
	return nil
}

// LiveAccounts returns users whose subscription isn't over.
func (s *Store) LiveAccounts(ctx context.Context, after string, limit int) ([]id.Scope, error) {
	return database.All(s.db.Read(ctx).Raw(`SELECT user_id FROM billing_accounts
		WHERE status NOT IN ('canceled','incomplete_expired') AND user_id > ? ORDER BY user_id LIMIT ?`, after, limit),
		func(row database.Row) (id.Scope, error) {
			var user id.Scope
			err := row.Scan(&user.User)
			return user, err
		})
}

// Erase deletes the account of the user and the invoices.
func (s *Store) Erase(ctx context.Context, user id.Scope) error {
	for _, table := range []any{&invoiceRow{}, &accountRow{}} {
		if err := s.db.Tx(ctx).Where("user_id = ?", user.User).Delete(table).Error; err != nil {
			return database.Classify(err)
		}
	}
	return nil
}

// Tally counts subscriptions and webhooks.
func (s *Store) Tally(ctx context.Context) (app.Tally, error) {
	tally, err := database.One(s.db.Read(ctx).Raw(`SELECT
		(SELECT count(*) FROM billing_accounts WHERE status = 'active'),
		(SELECT count(*) FROM billing_accounts WHERE status = 'trialing'),
		(SELECT count(*) FROM billing_accounts WHERE status = 'past_due'),
		(SELECT coalesce(sum(extra), 0) FROM billing_accounts),
		(SELECT count(*) FROM billing_webhooks WHERE processed_at IS NULL)`),
		func(row database.Row) (app.Tally, error) {
			var tally app.Tally
			err := row.Scan(&tally.Active, &tally.Trial, &tally.PastDue, &tally.Extra, &tally.Waiting)
			return tally, err
		})
	if err != nil {
		return app.Tally{}, err
	}
	tally.Prices, err = database.All(s.db.Read(ctx).Raw(`SELECT price_id, currency, sum(amount), count(*) FROM billing_accounts
		WHERE status = 'active' GROUP BY price_id, currency ORDER BY price_id, currency`),
		func(row database.Row) (app.Sold, error) {
			var sold app.Sold
			err := row.Scan(&sold.PriceID, &sold.Currency, &sold.Amount, &sold.Count)
			return sold, err
		})
	return tally, err
}
