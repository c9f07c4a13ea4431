// Package jobs drives the users context by background work, and enqueues it.
package jobs

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

// processWebhook names what a provider posted.
type processWebhook struct {
	ID string `json:"id"`
}

// Kind returns the name of the kind.
func (processWebhook) Kind() string { return "users.process_webhook" }

// fetchProfile names the user to ask the provider about.
type fetchProfile struct {
	UserID string `json:"user_id"`
}

// Kind returns the name of the kind.
func (fetchProfile) Kind() string { return "users.fetch_profile" }

// purgeWebhooks has no arguments: it is for everything.
type purgeWebhooks struct{}

// Kind returns the name of the kind.
func (purgeWebhooks) Kind() string { return "users.purge_webhooks" }

// purgeAPIKeys has no arguments: it is for everything.
type purgeAPIKeys struct{}

// Kind returns the name of the kind.
func (purgeAPIKeys) Kind() string { return "users.purge_api_keys" }

// eraseClosed has no arguments: it is for everything.
type eraseClosed struct{}

// Kind returns the name of the kind.
func (eraseClosed) Kind() string { return "users.erase_closed" }

// buryOld has no arguments: it is for everything.
type buryOld struct{}

// Kind returns the name of the kind.
func (buryOld) Kind() string { return "users.bury_old" }

// longTimeout is for what goes through a whole table.
const longTimeout = 300 * time.Second

// Kinds returns the kinds of jobs, worked by the use cases.
func Kinds(users *app.App) []module.Job {
	return []module.Job{
		jobs.Kind(module.Job{
			Summary: "does what an identity provider's webhook leads to",
		}, func(ctx context.Context, args processWebhook) error { return users.ProcessWebhook(ctx, args.ID) }),
		jobs.Kind(module.Job{
			Summary: "asks the identity provider for the e-mail address that its token lacked",
		}, func(ctx context.Context, args fetchProfile) error { return users.FetchProfile(ctx, args.UserID) }),
		jobs.Kind(module.Job{
			Summary: "removes the webhooks of identity providers after 30 days", Cron: "20 3 * * *", Timeout: longTimeout,
		}, func(ctx context.Context, _ purgeWebhooks) error { return users.PurgeWebhooks(ctx) }),
		jobs.Kind(module.Job{
			Summary: "removes API keys that were revoked or expired 90 days ago", Cron: "25 3 * * *", Timeout: longTimeout,
		}, func(ctx context.Context, _ purgeAPIKeys) error { return users.PurgeAPIKeys(ctx) }),
		jobs.Kind(module.Job{
			Summary: "hashes the ids and identities of users who were deleted before tombstones were hashed", Cron: "40 * * * *", Timeout: longTimeout,
		}, func(ctx context.Context, _ buryOld) error { return users.BuryOld(ctx) }),
		jobs.Kind(module.Job{
			Summary: "erases the accounts that were closed ACCOUNT_DELETION_GRACE ago", Cron: "*/5 * * * *", Timeout: longTimeout,
		}, func(ctx context.Context, _ eraseClosed) error { return users.EraseClosed(ctx) }),
	}
}

// Client enqueues jobs in the transaction of ctx, as jobs.Client does.
type Client interface {
	Enqueue(ctx context.Context, args jobs.Args, options ...jobs.Option) error
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

// FetchProfile enqueues the job that asks for a user's profile.
func (q Queue) FetchProfile(ctx context.Context, userID string) error {
	return q.client.Enqueue(ctx, fetchProfile{UserID: userID})
}
