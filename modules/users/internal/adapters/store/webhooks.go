package store

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
)

// webhookRow is the table users_webhooks: what identity providers posted.
type webhookRow struct {
	ID          database.Key `gorm:"primaryKey"`
	Provider    string       `gorm:"type:text;not null;uniqueIndex:users_webhooks_by_event,priority:1"`
	EventID     database.Key `gorm:"not null;uniqueIndex:users_webhooks_by_event,priority:2"`
	Type        string       `gorm:"type:text;not null"`
	Payload     []byte       // sealed; null once it was processed
	ReceivedAt  time.Time    `gorm:"not null;index:users_webhooks_by_age"`
	ProcessedAt *time.Time
}

// TableName returns the name of the table.
func (webhookRow) TableName() string { return "users_webhooks" }

var _ app.Webhooks = (*Store)(nil)

// AddWebhook inserts the post if its id isn't there.
func (s *Store) AddWebhook(ctx context.Context, webhook app.Webhook) (bool, error) {
	return s.insertNew(ctx, &webhookRow{
		ID: database.Key(webhook.ID), Provider: webhook.Provider, EventID: database.Key(webhook.Post.ID), Type: webhook.Post.Type,
		Payload: webhook.Sealed, ReceivedAt: webhook.ReceivedAt,
	})
}

// FindWebhook returns a post.
func (s *Store) FindWebhook(ctx context.Context, webhookID string) (app.Webhook, error) {
	found, err := database.One(s.db.Read(ctx).Raw(
		"SELECT id, provider, event_id, type, payload, received_at FROM users_webhooks WHERE id = ?", webhookID),
		func(row database.Row) (app.Webhook, error) {
			var webhook app.Webhook
			err := row.Scan(&webhook.ID, &webhook.Provider, &webhook.Post.ID, &webhook.Post.Type, &webhook.Sealed, &webhook.ReceivedAt)
			webhook.ReceivedAt = webhook.ReceivedAt.UTC()
			return webhook, err
		})
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return app.Webhook{}, errs.Missing("Webhook", webhookID)
	}
	return found, err
}

// CloseWebhook empties the row.
func (s *Store) CloseWebhook(ctx context.Context, webhookID string, at time.Time) (bool, error) {
	done := s.db.Tx(ctx).Model(&webhookRow{}).Where("id = ? AND processed_at IS NULL", webhookID).
		UpdateColumns(map[string]any{"payload": nil, "processed_at": at})
	return done.RowsAffected == 1, database.Classify(done.Error)
}

// PurgeWebhooks deletes the oldest of what was received before that time.
func (s *Store) PurgeWebhooks(ctx context.Context, before time.Time, limit int) (int64, error) {
	done := s.db.Tx(ctx).Exec("DELETE FROM users_webhooks WHERE id IN "+
		"(SELECT id FROM users_webhooks WHERE received_at < ? ORDER BY received_at LIMIT ?)", before, limit)
	return done.RowsAffected, database.Classify(done.Error)
}
