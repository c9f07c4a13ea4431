package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

// Stripe is where money is taken. Every call leaves the process, so none is made inside a transaction. Errors are
// errs.External, RateLimited, Unavailable or Timeout when another try may help, else errs.Invalid or errs.NotFound.
type Stripe interface {
	// CreateCustomer makes a customer for the user, and the same one again for the same key within a day.
	CreateCustomer(ctx context.Context, key string, user id.Scope) (customerID string, err error)

	// Checkout begins a checkout and returns the address of its page. The same key has the same page.
	Checkout(ctx context.Context, key string, checkout Checkout) (url string, err error)

	// Portal returns the address of a page where the customer changes the subscription and what it is paid with.
	Portal(ctx context.Context, customerID string) (url string, err error)

	// Fetch returns all that counts of a customer, also of one that was deleted. One that was never there is errs.NotFound.
	Fetch(ctx context.Context, customerID string) (domain.Snapshot, error)

	// Forget deletes a customer, which ends all subscriptions at once. One that is gone is no error.
	Forget(ctx context.Context, customerID string) error

	// ReportUsage adds what was taken to what the customer pays for, once for its id within a day.
	ReportUsage(ctx context.Context, customerID string, usage Usage) error

	// Undelivered calls each with every event since the time that no webhook delivered.
	Undelivered(ctx context.Context, since time.Time, each func(Post) error) error
}

// Checkout is what a checkout is for.
type Checkout struct {
	User       id.Scope
	CustomerID string
	PriceID    string
	TrialDays  int // 0 for none
}

// Hook verifies what is posted in the name of Stripe.
type Hook interface {
	// Verify returns what a post says, which the signature in the header Stripe-Signature proves. Else it is errs.Malformed.
	Verify(signature string, body []byte) (Post, error)
}

// Post is what a webhook says: a hint that something changed, and with whom.
type Post struct {
	ID         string // of the event; the same when it is posted again
	Type       string // Stripe's name for what happened
	CustomerID string // empty when it is about none
}

// Webhook is a post as it is kept.
type Webhook struct {
	Post
	Seen        int64 // how many fetches of the customer had begun when it came
	ReceivedAt  time.Time
	ProcessedAt time.Time // zero for not yet
}

// Store keeps what the context owns. Writes run in the transaction that ctx carries.
type Store interface {
	// AddAccount adds an account unless the user has one.
	AddAccount(ctx context.Context, account domain.Account) error

	// FindAccount returns the account of a user, or errs.NotFound.
	FindAccount(ctx context.Context, user id.Scope) (domain.Account, error)

	// FindCustomer returns the account that a customer is of, or errs.NotFound.
	FindCustomer(ctx context.Context, customerID string) (domain.Account, error)

	// LockAccount is FindAccount for a change: nobody else changes the account until the transaction ends.
	LockAccount(ctx context.Context, user id.Scope) (domain.Account, error)

	// SaveAccount writes an account that LockAccount returned.
	SaveAccount(ctx context.Context, account domain.Account) error

	// LiveAccounts returns the users behind the given one, in the order of their ids, whose subscription isn't over, and at most
	// limit of them.
	LiveAccounts(ctx context.Context, after string, limit int) ([]id.Scope, error)

	// FindInvoices returns those of the user's invoices that are kept, by their ids.
	FindInvoices(ctx context.Context, user id.Scope, invoiceIDs []string) (map[string]domain.Invoice, error)

	// SaveInvoices writes invoices of the user, new ones and known ones.
	SaveInvoices(ctx context.Context, user id.Scope, invoices []domain.Invoice) error

	// ListInvoices returns the items of one page without drafts, the newest first, and the number of all.
	ListInvoices(ctx context.Context, user id.Scope, window page.Window) (items []domain.Invoice, total int64, err error)

	// Erase removes the account of the user and all that hangs on it, and returns how many rows of which table that was.
	Erase(ctx context.Context, user id.Scope) (map[string]int64, error)

	// AddWebhook adds what was posted unless it is there, and tells whether it did.
	AddWebhook(ctx context.Context, webhook Webhook) (added bool, err error)

	// FindWebhook returns what was posted, or errs.NotFound.
	FindWebhook(ctx context.Context, webhookID string) (Webhook, error)

	// SaveWebhook writes what can change of a webhook: what it saw, and that it is processed. None is errs.NotFound.
	SaveWebhook(ctx context.Context, webhook Webhook) error

	// ListWebhooks returns the items of one page, the newest first, and the number of all.
	ListWebhooks(ctx context.Context, window page.Window) (items []Webhook, total int64, err error)

	// PurgeWebhooks removes at most limit of the webhooks that came before the time, and returns how many.
	PurgeWebhooks(ctx context.Context, before time.Time, limit int) (int64, error)

	// Tally counts for a report. Of subscriptions that are over those count that ended since the time.
	Tally(ctx context.Context, since time.Time) (Tally, error)
}

// Tally is how the product earns.
type Tally struct {
	Active  int64 // subscriptions that are paid for
	Trial   int64 // subscriptions in their trial
	PastDue int64 // subscriptions with a late payment
	Ended   int64 // subscriptions that ended lately
	Extra   int64 // subscriptions that are paid for beside another one of the same user
	Waiting int64 // webhooks that aren't processed
	Prices  []Sold
}

// Sold is how many active subscriptions have a price, and what they pay together for its interval.
type Sold struct {
	PriceID  string
	Currency string
	Amount   int64 // in the currency's smallest unit
	Count    int64
}

// Queue does things later, when the transaction in ctx has committed.
type Queue interface {
	// ProcessWebhook makes App.ProcessWebhook happen.
	ProcessWebhook(ctx context.Context, webhookID string) error

	// Sync makes App.Sync happen for each of the users.
	Sync(ctx context.Context, users ...id.Scope) error

	// SyncAt makes App.Sync happen at that time.
	SyncAt(ctx context.Context, user id.Scope, at time.Time) error

	// Forget makes App.Forget happen.
	Forget(ctx context.Context, customerID string) error

	// ReportUsage makes App.ReportUsage happen.
	ReportUsage(ctx context.Context, usage Usage) error
}

// Transactor runs a function in one transaction, joining an outer one.
type Transactor interface {
	WithinTx(ctx context.Context, fn func(ctx context.Context) error) error
}
