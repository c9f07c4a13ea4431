package store

import (
	"context"
	"database/sql"
	"time"

	"gorm.io/gorm/clause"

	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/page"
)

// webhookRow is the table billing_webhooks: what Stripe posted, by the id of its event. One index serves list and purge.
type webhookRow struct {
	ID          database.Key `gorm:"primaryKey;index:billing_webhooks_by_age,priority:2"`
	Type        string       `gorm:"type:text;not null"`
	CustomerID  *database.Key
	Seen        int64     `gorm:"not null"`
	ReceivedAt  time.Time `gorm:"not null;index:billing_webhooks_by_age,priority:1"`
	ProcessedAt *time.Time
}

// TableName returns the name of the table.
func (webhookRow) TableName() string { return "billing_webhooks" }

// webhookFields are what a webhook is read from, in the order in which scanWebhook takes them.
const webhookFields = "SELECT id, type, customer_id, seen, received_at, processed_at"

// AddWebhook inserts the post if its id isn't there.
func (s *Store) AddWebhook(ctx context.Context, webhook app.Webhook) (bool, error) {
	done := s.db.Tx(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&webhookRow{
		ID: database.Key(webhook.ID), Type: webhook.Type, CustomerID: orNull(database.Key(webhook.CustomerID)), Seen: webhook.Seen,
		ReceivedAt: webhook.ReceivedAt, ProcessedAt: timeOrNull(webhook.ProcessedAt),
	})
	return done.RowsAffected == 1, database.Classify(done.Error)
}

// FindWebhook returns a post.
func (s *Store) FindWebhook(ctx context.Context, webhookID string) (app.Webhook, error) {
	return one(s.db.Read(ctx).Raw(webhookFields+" FROM billing_webhooks WHERE id = ?", webhookID), scanWebhook, "Webhook", webhookID)
}

// SaveWebhook writes what can change of a post.
func (s *Store) SaveWebhook(ctx context.Context, webhook app.Webhook) error {
	done := s.db.Tx(ctx).Model(&webhookRow{}).Where("id = ?", webhook.ID).
		UpdateColumns(map[string]any{"seen": webhook.Seen, "processed_at": timeOrNull(webhook.ProcessedAt)})
	if done.Error == nil && done.RowsAffected == 0 {
		return errs.Missing("Webhook", webhook.ID)
	}
	return database.Classify(done.Error)
}

// ListWebhooks returns one page of what was posted and the number of all.
func (s *Store) ListWebhooks(ctx context.Context, window page.Window) ([]app.Webhook, int64, error) {
	return listing[app.Webhook]{
		fields:   webhookFields,
		matching: " FROM billing_webhooks WHERE TRUE",
		by:       "received_at",
		scan:     scanWebhook,
	}.read(ctx, s.db, window)
}

// PurgeWebhooks removes the oldest of what came before the time.
func (s *Store) PurgeWebhooks(ctx context.Context, before time.Time, limit int) (int64, error) {
	done := s.db.Tx(ctx).Exec(`DELETE FROM billing_webhooks WHERE id IN
		(SELECT id FROM billing_webhooks WHERE received_at < ? ORDER BY received_at LIMIT ?)`, before, limit)
	return done.RowsAffected, database.Classify(done.Error)
}

// scanWebhook believes the row, like scanAccount.
func scanWebhook(found database.Row) (app.Webhook, error) {
	var webhook app.Webhook
	var customerID sql.Null[string]
	var processedAt sql.Null[time.Time]
	err := found.Scan(&webhook.ID, &webhook.Type, &customerID, &webhook.Seen, &webhook.ReceivedAt, &processedAt)
	webhook.CustomerID, webhook.ReceivedAt, webhook.ProcessedAt = customerID.V, webhook.ReceivedAt.UTC(), processedAt.V.UTC()
	return webhook, err
}
