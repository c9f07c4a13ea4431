package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// keepWebhooks is how long what providers posted is remembered.
const keepWebhooks = 30 * 24 * time.Hour

// Post is what a provider posted and signed.
type Post struct {
	ID   string // the same when it is posted again
	Type string // the provider's name for what happened
}

// Webhook is a post as it is kept.
type Webhook struct {
	ID         string
	Provider   string
	Post       Post
	Sealed     []byte // what was posted; nil once it was processed
	ReceivedAt time.Time
}

// Verify returns what a provider posted, of the header that get returns by its name in small letters. A provider that isn't
// configured is errs.NotFound, and what it didn't sign errs.Malformed.
func (a *App) Verify(provider string, get func(name string) string, body []byte) (Post, error) {
	signed, configured := a.providers[provider]
	if !configured {
		return Post{}, errs.New(errs.NotFound, "This webhook isn't configured")
	}
	return signed.Verify(get, body)
}

// Receive keeps a post that Verify returned, sealed, to be processed soon. The second time it does nothing.
func (a *App) Receive(ctx context.Context, provider string, post Post, body []byte) error {
	webhook := Webhook{ID: id.New(), Provider: provider, Post: post, ReceivedAt: a.clock.Now()}
	webhook.Sealed = a.sealer.Seal(body, []byte(webhook.ID))
	return a.tx.WithinTx(ctx, func(ctx context.Context) error {
		added, err := a.webhooks.AddWebhook(ctx, webhook)
		if err != nil || !added {
			return err
		}
		return a.queue.ProcessWebhook(ctx, webhook.ID)
	})
}

// ProcessWebhook does what a post leads to, once, and forgets what it said.
func (a *App) ProcessWebhook(ctx context.Context, webhookID string) error {
	webhook, err := a.webhooks.FindWebhook(ctx, webhookID)
	if err != nil || webhook.Sealed == nil {
		return err
	}
	provider, configured := a.providers[webhook.Provider]
	if !configured {
		return errs.New(errs.NotFound, "This webhook isn't configured any more")
	}
	body, err := a.sealer.Open(webhook.Sealed, []byte(webhook.ID))
	if err != nil {
		return errs.New(errs.Invalid, "The webhook can't be opened: it was sealed with a key that is gone").Because(err)
	}
	notice, err := provider.Read(body)
	if err != nil {
		return err
	}
	if notice.UpdatedAt.IsZero() {
		notice.UpdatedAt = webhook.ReceivedAt
	}
	return a.tx.WithinTx(ctx, func(ctx context.Context) error {
		open, err := a.webhooks.CloseWebhook(ctx, webhookID, a.clock.Now())
		if err != nil || !open {
			return err
		}
		return a.apply(ctx, notice)
	})
}

// PurgeWebhooks removes what providers posted long ago, processed or not.
func (a *App) PurgeWebhooks(ctx context.Context) error {
	return a.purge(ctx, keepWebhooks, a.webhooks.PurgeWebhooks)
}

// PurgeAPIKeys removes keys that ended long ago, whoever's they are.
func (a *App) PurgeAPIKeys(ctx context.Context) error {
	return a.purge(ctx, domain.KeptAPIKey, a.store.PurgeEndedKeys)
}

// purgeBatch is how many rows go in one transaction: on SQLite everybody waits for it.
const purgeBatch = 500

// purge removes, in pieces, what is older than it is kept.
func (a *App) purge(ctx context.Context, kept time.Duration, remove func(ctx context.Context, before time.Time, limit int) (int64, error)) error {
	before := a.clock.Now().Add(-kept)
	for {
		var removed int64
		err := a.tx.WithinTx(ctx, func(ctx context.Context) (err error) {
			removed, err = remove(ctx, before, purgeBatch)
			return err
		})
		if err != nil || removed < purgeBatch {
			return err
		}
	}
}
