// Package jobs drives the billing context by background work, and enqueues it.
package jobs

import (
	"context"
	"strconv"
	"time"

	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

// processWebhook names what was posted.
type processWebhook struct {
	ID string `json:"id"`
}

// Kind returns the name of the kind.
func (processWebhook) Kind() string { return "billing.process_webhook" }

// sync names whose account to bring up to date.
type sync struct {
	UserID string `json:"user_id"`
}

// Kind returns the name of the kind.
func (sync) Kind() string { return "billing.sync" }

// forget names the customer to delete.
type forget struct {
	CustomerID string `json:"customer_id"`
}

// Kind returns the name of the kind.
func (forget) Kind() string { return "billing.forget_customer" }

// reportUsage says what was taken.
type reportUsage struct {
	UsageID      string    `json:"usage_id"`
	UserID       string    `json:"user_id"`
	Microdollars int64     `json:"microdollars"`
	At           time.Time `json:"at"`
}

// Kind returns the name of the kind.
func (reportUsage) Kind() string { return "billing.report_usage" }

// reconcile has no arguments: it is for all accounts.
type reconcile struct{}

// Kind returns the name of the kind.
func (reconcile) Kind() string { return "billing.reconcile" }

// purgeWebhooks has no arguments: it is for all of them.
type purgeWebhooks struct{}

// Kind returns the name of the kind.
func (purgeWebhooks) Kind() string { return "billing.purge_webhooks" }

// askTimeout is for what asks Stripe, which may be slow, several times.
const askTimeout = 90 * time.Second

// longTimeout is for what goes through a whole table.
const longTimeout = 300 * time.Second

// behind is the priority of what nobody waits for.
const behind = 3

// Kinds returns the kinds of jobs, worked by the use cases.
func Kinds(billing *app.App) []module.Job {
	return []module.Job{
		jobs.Kind(module.Job{
			Summary: "does what a webhook of Stripe's leads to", Timeout: askTimeout,
		}, func(ctx context.Context, args processWebhook) error { return billing.ProcessWebhook(ctx, args.ID) }),
		jobs.Kind(module.Job{
			Summary: "brings an account up to date by what Stripe says", Timeout: askTimeout, Priority: behind,
		}, func(ctx context.Context, args sync) error { return billing.Sync(ctx, id.Of(args.UserID)) }),
		jobs.Kind(module.Job{
			Summary: "deletes the customer of an erased user at Stripe", Timeout: askTimeout,
		}, func(ctx context.Context, args forget) error { return billing.Forget(ctx, args.CustomerID) }),
		jobs.Kind(module.Job{
			Summary: "reports to Stripe what a user took that is paid by how much it is", Timeout: askTimeout, Priority: behind,
		}, func(ctx context.Context, args reportUsage) error {
			return billing.ReportUsage(ctx, app.Usage{ID: args.UsageID, User: id.Of(args.UserID), Microdollars: args.Microdollars, At: args.At})
		}),
		jobs.Kind(module.Job{
			Summary: "takes in what no webhook delivered, and has every live account looked at", Cron: "10 4 * * *", Timeout: longTimeout,
		}, func(ctx context.Context, _ reconcile) error { return billing.Reconcile(ctx) }),
		jobs.Kind(module.Job{
			Summary: "removes webhooks after 30 days", Cron: "20 3 * * *", Timeout: longTimeout,
		}, func(ctx context.Context, _ purgeWebhooks) error { return billing.PurgeWebhooks(ctx) }),
	}
}

// Client enqueues jobs in the transaction of ctx, as jobs.Client does.
type Client interface {
	Enqueue(ctx context.Context, args jobs.Args, options ...jobs.Option) error
	EnqueueMany(ctx context.Context, jobs ...jobs.Request) error
}

// Queue is an app.Queue of jobs.
type Queue struct{ client Client }

var _ app.Queue = Queue{}

// NewQueue returns a queue over the client.
func NewQueue(client Client) Queue { return Queue{client} }

// ProcessWebhook enqueues the job that processes a webhook.
func (q Queue) ProcessWebhook(ctx context.Context, webhookID string) error {
	return q.client.Enqueue(ctx, processWebhook{ID: webhookID})
}

// Sync enqueues the jobs that bring accounts up to date.
func (q Queue) Sync(ctx context.Context, users ...id.Scope) error {
	many := make([]jobs.Request, len(users))
	for i, user := range users {
		many[i].Args = sync{UserID: user.User}
	}
	return q.client.EnqueueMany(ctx, many...)
}

// SyncAt enqueues the job that brings an account up to date at that time, once for the time.
func (q Queue) SyncAt(ctx context.Context, user id.Scope, at time.Time) error {
	once := user.User + " " + strconv.FormatInt(at.UnixMicro(), 10)
	return q.client.Enqueue(ctx, sync{UserID: user.User}, jobs.At(at), jobs.Unique(once))
}

// Forget enqueues the job that deletes a customer.
func (q Queue) Forget(ctx context.Context, customerID string) error {
	return q.client.Enqueue(ctx, forget{CustomerID: customerID})
}

// ReportUsage enqueues the job that reports usage.
func (q Queue) ReportUsage(ctx context.Context, usage app.Usage) error {
	return q.client.Enqueue(ctx, reportUsage{UsageID: usage.ID, UserID: usage.User.User, Microdollars: usage.Microdollars, At: usage.At})
}
