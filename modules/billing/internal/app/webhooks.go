package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/page"
)

// keepWebhooks is how long it is remembered what was posted. Stripe posts an event again for three days.
const keepWebhooks = 30 * 24 * time.Hour

// purgeBatch is how many webhooks go in one transaction: on SQLite everybody waits for it.
const purgeBatch = 500

// Verify returns what a post says. What Stripe didn't sign is errs.Malformed, and where no payments are taken errs.NotFound.
func (a *App) Verify(signature string, body []byte) (Post, error) {
	if a.Hook == nil {
		return Post{}, errs.New(errs.NotFound, "This webhook isn't configured")
	}
	return a.Hook.Verify(signature, body)
}

// Receive keeps a post that Verify returned, to be processed soon. The second time it does nothing.
func (a *App) Receive(ctx context.Context, post Post) error {
	return a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		seen, err := a.seen(ctx, post.CustomerID)
		if err != nil {
			return err
		}
		added, err := a.Store.AddWebhook(ctx, Webhook{Post: post, Seen: seen, ReceivedAt: a.Clock.Now()})
		if err != nil || !added {
			return err
		}
		return a.Queue.ProcessWebhook(ctx, post.ID)
	})
}

// seen returns how many fetches of a customer have begun, 0 for nobody's.
func (a *App) seen(ctx context.Context, customerID string) (int64, error) {
	if customerID == "" {
		return 0, nil
	}
	account, err := a.Store.FindCustomer(ctx, customerID)
	if errs.Is(err, errs.NotFound) {
		return 0, nil
	}
	return account.Asked, err
}

// trialWillEnd is the one post that says something which no fetch does: that it is three days to the end of a trial by Stripe's
// clock, which a test clock there may have put before ours.
const trialWillEnd = "customer.subscription.trial_will_end"

// ProcessWebhook brings the account that a post is about up to date. It does so once, and not at all when a fetch that began
// after the post came has been applied: that knew of it. So a burst of posts about one customer costs a few fetches.
func (a *App) ProcessWebhook(ctx context.Context, webhookID string) error {
	webhook, err := a.Store.FindWebhook(ctx, webhookID)
	if err != nil || !webhook.ProcessedAt.IsZero() {
		return err
	}
	closing := func(ctx context.Context) error {
		webhook.ProcessedAt = a.Clock.Now()
		return a.Store.SaveWebhook(ctx, webhook)
	}
	if webhook.CustomerID == "" {
		return a.Tx.WithinTx(ctx, closing)
	}
	trialEnds := webhook.Type == trialWillEnd
	account, err := a.Store.FindCustomer(ctx, webhook.CustomerID)
	switch {
	case errs.Is(err, errs.NotFound), err == nil && account.Applied > webhook.Seen && !trialEnds:
		return a.Tx.WithinTx(ctx, closing)
	case err != nil:
		return err
	}
	return a.sync(ctx, account.User, trialEnds, closing)
}

// ReplayWebhook has a webhook processed again, whatever has been fetched since it came, or returns errs.NotFound.
func (a *App) ReplayWebhook(ctx context.Context, webhookID string) error {
	return a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		webhook, err := a.Store.FindWebhook(ctx, webhookID)
		if err != nil {
			return err
		}
		if webhook.Seen, err = a.seen(ctx, webhook.CustomerID); err != nil {
			return err
		}
		webhook.ProcessedAt = time.Time{}
		if err := a.Store.SaveWebhook(ctx, webhook); err != nil {
			return err
		}
		return a.Queue.ProcessWebhook(ctx, webhookID)
	})
}

// Webhooks returns a page of what was posted, the newest first.
func (a *App) Webhooks(ctx context.Context, request page.Request) (page.Page[Webhook], error) {
	return page.List(a.Cursors, request, []string{"billing webhooks"},
		func(webhook Webhook) page.Key { return page.At(webhook.ReceivedAt, webhook.ID) },
		func(part page.Window) ([]Webhook, int64, error) { return a.Store.ListWebhooks(ctx, part) })
}

// PurgeWebhooks removes what was posted long ago.
func (a *App) PurgeWebhooks(ctx context.Context) error {
	before := a.Clock.Now().Add(-keepWebhooks)
	for {
		var purged int64
		err := a.Tx.WithinTx(ctx, func(ctx context.Context) (err error) {
			purged, err = a.Store.PurgeWebhooks(ctx, before, purgeBatch)
			return err
		})
		if err != nil || purged < purgeBatch {
			return err
		}
	}
}
