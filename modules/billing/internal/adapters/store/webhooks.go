package store

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/page"
)

// webhookRow is the table billing_webhooks: that something was posted, and about whom. What stood in it isn't kept.
type webhookRow struct {
	ID          database.Key  `gorm:"primaryKey;index:billing_webhooks_by_age,priority:2;index:billing_webhooks_waiting,where:processed_at IS NULL"`
	Type        string        `gorm:"type:text;not null"`
	CustomerID  *database.Key // null when it is about none
	Seen        int64         `gorm:"not null"`
	ReceivedAt  time.Time     `gorm:"not null;index:billing_webhooks_by_age,priority:1"`
	ProcessedAt *time.Time
}

// TableName returns the name of the table.
func (webhookRow) TableName() string { return "billing_webhooks" }

const webhookFields = "SELECT id, type, customer_id, seen, received_at, processed_at FROM billing_webhooks"

// AddWebhook inserts what was posted if its id isn't there.
func (s *Store) AddWebhook(ctx context.Context, webhook app.Webhook) (bool, error) {
	done := s.db.Tx(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&webhookRow{
		ID: database.Key(webhook.ID), Type: webhook.Type, CustomerID: orNull(database.Key(webhook.CustomerID)), Seen: webhook.Seen,
		ReceivedAt: webhook.ReceivedAt, ProcessedAt: orNull(webhook.ProcessedAt),
	})
	return done.RowsAffected == 1, database.Classify(done.Error)
}

// FindWebhook returns what was posted.
func (s *Store) FindWebhook(ctx context.Context, webhookID string) (app.Webhook, error) {
	found, err := database.One(s.db.Read(ctx).Raw(webhookFields+" WHERE id = ?", webhookID), scanWebhook)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return app.Webhook{}, errs.Missing("Webhook", webhookID)
	}
	return found, err
}

// SaveWebhook writes what can change of it.
func (s *Store) SaveWebhook(ctx context.Context, webhook app.Webhook) error {
	done := s.db.Tx(ctx).Model(&webhookRow{}).Where("id = ?", webhook.ID).
		UpdateColumns(map[string]any{"seen": webhook.Seen, "processed_at": orNull(webhook.ProcessedAt)})
	if done.Error != nil {
		return database.Classify(done.Error)
	}
	if done.RowsAffected == 0 {
		return errs.Missing("Webhook", webhook.ID)
	}
	return nil
}

// ListWebhooks returns one page of what was posted, and the number of all.
func (s *Store) ListWebhooks(ctx context.Context, window page.Window) ([]app.Webhook, int64, error) {
	total, err := database.One(s.db.Read(ctx).Raw("SELECT count(*) FROM billing_webhooks"), database.Scalar[int64])
	if err != nil {
		return nil, 0, err
	}
	behind, args := "", []any{}
	if window.After != nil {
		at, err := window.After.Time()
		if err != nil {
			return nil, 0, err
		}
		behind, args = " WHERE (received_at, id) < (?, ?)", append(args, at, window.After.ID)
	}
	args = append(args, window.Limit, window.Skip)
	items, err := database.All(s.db.Read(ctx).Raw(webhookFields+behind+" ORDER BY received_at DESC, id DESC LIMIT ? OFFSET ?", args...), scanWebhook)
	return items, total, err
}

// PurgeWebhooks deletes what came before that time.
func (s *Store) PurgeWebhooks(ctx context.Context, before time.Time, limit int) (int64, error) {
	done := s.db.Tx(ctx).Exec(`DELETE FROM billing_webhooks
		WHERE id IN (SELECT id FROM billing_webhooks WHERE received_at < ? ORDER BY received_at LIMIT ?)`, before, limit)
	return done.RowsAffected, database.Classify(done.Error)
}
