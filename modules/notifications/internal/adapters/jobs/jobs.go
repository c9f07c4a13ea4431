// Package jobs drives the notifications context by background work, and enqueues it.
package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/app"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

// sendMail names the mail to send.
type sendMail struct {
	MailID string `json:"mail_id"`
}

// Kind returns the name of the kind.
func (sendMail) Kind() string { return "notifications.send_mail" }

// generateDailyReport has no arguments: it is about the day before it is worked.
type generateDailyReport struct{}

// Kind returns the name of the kind.
func (generateDailyReport) Kind() string { return "notifications.generate_daily_report" }

// purge has no arguments: it is for everything.
type purge struct{}

// Kind returns the name of the kind.
func (purge) Kind() string { return "notifications.purge" }

// mailQueue is a queue of its own: a mail server that hangs holds up mails and nothing else.
const mailQueue = "mail"

// How often and how long is tried. A mail's carrier may be down for a day: 1 s, 16 s, 81 s, 4 min, 10 min, then every 20
// minutes, 33 hours in all. A report is tried for eight hours, within the day that it is made on.
const (
	mailAttempts   = 105
	mailBackoff    = 20 * time.Minute
	mailTimeout    = app.SendTimeout + 25*time.Second
	reportAttempts = 14
	longTimeout    = 300 * time.Second
)

// Kinds returns the kinds of jobs, worked by the use cases.
func Kinds(notifications *app.App) []module.Job {
	return []module.Job{
		jobs.Kind(module.Job{
			Summary: "sends one mail", Queue: mailQueue, Timeout: mailTimeout, Attempts: mailAttempts, Backoff: mailBackoff,
		}, func(ctx context.Context, args sendMail) error {
			err := notifications.SendMail(ctx, args.MailID)
			if err != nil && jobs.LastAttempt(ctx) {
				return errors.Join(err, notifications.GiveUp(ctx, args.MailID))
			}
			return err
		}),
		jobs.Kind(module.Job{
			Summary: "writes to administrators what happened yesterday", Cron: "0 9 * * *", Timeout: longTimeout, Attempts: reportAttempts,
		}, func(ctx context.Context, _ generateDailyReport) error { return notifications.DailyReport(ctx) }),
		jobs.Kind(module.Job{
			Summary: "closes mails that expired or were left behind, and removes mails after 30 days, the contact form's messages after 90 and notifications after 180",
			Cron:    "40 3 * * *", Timeout: longTimeout,
		}, func(ctx context.Context, _ purge) error { return notifications.Purge(ctx) }),
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

// SendMail enqueues the job that sends a mail.
func (q Queue) SendMail(ctx context.Context, letterID string) error {
	return q.client.Enqueue(ctx, sendMail{MailID: letterID})
}
