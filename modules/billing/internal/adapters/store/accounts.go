package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// accountRow is the table billing_accounts. The columns from subscription_id to subscription_created_at are null without a
// subscription. The index of those whose subscription isn't over says so in the words of
// liveStatement.
type accountRow struct {
	UserID     database.Key  `gorm:"primaryKey;index:billing_accounts_live,where:status <> 'canceled' AND status <> 'incomplete_expired'"`
	CustomerID *database.Key `gorm:"uniqueIndex:billing_accounts_by_customer,where:customer_id IS NOT NULL"`
	Customers  int64         `gorm:"not null"`

	SubscriptionID        *database.Key
	Status                *string `gorm:"type:text"`
	PriceID               *database.Key
	Amount                *int64
	Currency              *string `gorm:"type:text"`
	PeriodStart           *time.Time
	PeriodEnd             *time.Time
	CancelAtPeriodEnd     *bool
	TrialEnd              *time.Time
	SubscriptionCreatedAt *time.Time
	SubscriptionEndedAt   *time.Time

	Plan      string  `gorm:"type:text;not null"`
	Interval  *string `gorm:"type:text"`
	Extra     int64   `gorm:"not null"`
	DueSince  *time.Time
	HadTrial  bool `gorm:"not null"`
	TrialTold *time.Time
	Asked     int64     `gorm:"not null"`
	Applied   int64     `gorm:"not null"`
	Version   int64     `gorm:"not null"`
	CreatedAt time.Time `gorm:"not null"`
	UpdatedAt time.Time `gorm:"not null"`
}

// TableName returns the name of the table.
func (accountRow) TableName() string { return "billing_accounts" }

// accountFields are what an account is read from, in the order in which scanAccount takes them.
const accountFields = `SELECT user_id, customer_id, customers, subscription_id, status, price_id, amount, currency, period_start,
	period_end, cancel_at_period_end, trial_end, subscription_created_at, subscription_ended_at, plan, interval, extra, due_since, had_trial, trial_told,
	asked, applied, version, created_at, updated_at FROM billing_accounts`

// liveStatement asks for accounts whose subscription isn't over: that is domain.Status.Over in SQL, in the words of the index, or
// SQLite wouldn't use it.
const liveStatement = `SELECT user_id FROM billing_accounts
	WHERE user_id > ? AND status <> 'canceled' AND status <> 'incomplete_expired' ORDER BY user_id LIMIT ?`

// AddAccount inserts the account if the user has none. A customer that another account has is errs.Conflict.
func (s *Store) AddAccount(ctx context.Context, account domain.Account) error {
	added := toAccountRow(account)
	known := clause.OnConflict{Columns: []clause.Column{{Name: "user_id"}}, DoNothing: true}
	return classifyAccount(s.db.Tx(ctx).Clauses(known).Create(&added).Error)
}

// FindAccount returns the account of a user.
func (s *Store) FindAccount(ctx context.Context, user id.Scope) (domain.Account, error) {
	return one(s.db.Read(ctx).Raw(accountFields+" WHERE user_id = ?", user.User), scanAccount, "Account", user.User)
}

// FindCustomer returns the account of a customer. Accounts without one are nobody's.
func (s *Store) FindCustomer(ctx context.Context, customerID string) (domain.Account, error) {
	return one(s.db.Read(ctx).Raw(accountFields+" WHERE customer_id = ?", customerID), scanAccount, "Customer", customerID)
}

// LockAccount returns the account of a user and holds its row.
func (s *Store) LockAccount(ctx context.Context, user id.Scope) (domain.Account, error) {
	return one(s.db.Tx(ctx).Raw(accountFields+" WHERE user_id = ?"+s.db.ForUpdate(), user.User), scanAccount, "Account", user.User)
}

// SaveAccount writes all of the account, without looking at the version: the row is held. An account that isn't there is
// errs.NotFound, a customer that another one has errs.Conflict.
func (s *Store) SaveAccount(ctx context.Context, account domain.Account) error {
	done := s.db.Tx(ctx).Model(&accountRow{}).Where("user_id = ?", account.User.User).
		Select("*").Omit("user_id").UpdateColumns(toAccountRow(account))
	if done.Error == nil && done.RowsAffected == 0 {
		return errs.Missing("Account", account.User.User)
	}
	return classifyAccount(done.Error)
}

// LiveAccounts returns users whose subscription isn't over.
func (s *Store) LiveAccounts(ctx context.Context, after string, limit int) ([]id.Scope, error) {
	return database.All(s.db.Read(ctx).Raw(liveStatement, after, limit), func(row database.Row) (id.Scope, error) {
		var user id.Scope
		err := row.Scan(&user.User)
		return user, err
	})
}

// classifyAccount is database.Classify for a write of accounts, whose only unique column beside the user is the customer.
func classifyAccount(err error) error {
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return errs.New(errs.Conflict, "This customer belongs to another account").Because(err)
	}
	return database.Classify(err)
}

func toAccountRow(account domain.Account) accountRow {
	row := accountRow{
		UserID:     database.Key(account.User.User),
		CustomerID: orNull(database.Key(account.CustomerID)),
		Customers:  account.Customers,
		Plan:       account.Plan,
		Interval:   orNull(string(account.Interval)),
		Extra:      account.Extra,
		DueSince:   timeOrNull(account.DueSince),
		HadTrial:   account.HadTrial,
		TrialTold:  timeOrNull(account.TrialTold),
		Asked:      account.Asked,
		Applied:    account.Applied,
		Version:    account.Version,
		CreatedAt:  account.CreatedAt,
		UpdatedAt:  account.UpdatedAt,
	}
	if subscription := account.Subscription; subscription != nil {
		row.SubscriptionID = new(database.Key(subscription.ID))
		row.Status = new(string(subscription.Status))
		row.PriceID = new(database.Key(subscription.PriceID))
		row.Amount = &subscription.Amount
		row.Currency = &subscription.Currency
		row.PeriodStart = timeOrNull(subscription.PeriodStart)
		row.PeriodEnd = timeOrNull(subscription.PeriodEnd)
		row.CancelAtPeriodEnd = &subscription.CancelAtPeriodEnd
		row.TrialEnd = timeOrNull(subscription.TrialEnd)
		row.SubscriptionCreatedAt = timeOrNull(subscription.CreatedAt)
		row.SubscriptionEndedAt = timeOrNull(subscription.EndedAt)
	}
	return row
}

// scanAccount believes the row: a rule that came later must not make an old row unreadable.
func scanAccount(found database.Row) (domain.Account, error) {
	var account domain.Account
	var customerID, subscriptionID, priceID, currency sql.Null[string]
	var status sql.Null[domain.Status]
	var interval sql.Null[domain.Interval]
	var amount sql.Null[int64]
	var cancels sql.Null[bool]
	var periodStart, periodEnd, trialEnd, subscribed, ended, dueSince, trialTold sql.Null[time.Time]
	err := found.Scan(&account.User.User, &customerID, &account.Customers, &subscriptionID, &status, &priceID, &amount, &currency,
		&periodStart, &periodEnd, &cancels, &trialEnd, &subscribed, &ended, &account.Plan, &interval, &account.Extra, &dueSince,
		&account.HadTrial, &trialTold, &account.Asked, &account.Applied, &account.Version, &account.CreatedAt, &account.UpdatedAt)
	account.CustomerID, account.Interval = customerID.V, interval.V
	account.DueSince, account.TrialTold = dueSince.V.UTC(), trialTold.V.UTC()
	account.CreatedAt, account.UpdatedAt = account.CreatedAt.UTC(), account.UpdatedAt.UTC()
	if subscriptionID.Valid {
		account.Subscription = &domain.Subscription{
			ID: subscriptionID.V, Status: status.V, PriceID: priceID.V, Amount: amount.V, Currency: currency.V,
			PeriodStart: periodStart.V.UTC(), PeriodEnd: periodEnd.V.UTC(), CancelAtPeriodEnd: cancels.V,
			TrialEnd: trialEnd.V.UTC(), CreatedAt: subscribed.V.UTC(), EndedAt: ended.V.UTC(),
		}
	}
	return account, err
}
