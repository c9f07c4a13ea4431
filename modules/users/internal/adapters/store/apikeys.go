package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// keyRow is the table users_api_keys. The scopes are their names with spaces in between. A revoked key stays for a while:
// it can't be used, and can still be told from one that never was.
type keyRow struct {
	ID         database.Key `gorm:"primaryKey;index:users_api_keys_by_owner,priority:3"`
	UserID     database.Key `gorm:"not null;index:users_api_keys_by_owner,priority:1"`
	User       *userRow     `gorm:"foreignKey:UserID;constraint:OnDelete:CASCADE"`
	Name       string       `gorm:"type:text;not null"`
	Scopes     string       `gorm:"type:text;not null"`
	Prefix     string       `gorm:"type:text;not null"`
	Hash       database.Key `gorm:"not null;uniqueIndex:users_api_keys_by_hash"`
	CreatedAt  time.Time    `gorm:"not null;index:users_api_keys_by_owner,priority:2"`
	ExpiresAt  *time.Time
	LastUsedAt *time.Time
	RevokedAt  *time.Time
}

// TableName returns the name of the table.
func (keyRow) TableName() string { return "users_api_keys" }

// keyFields are what a key is read from, in the order in which scanKey takes them.
const keyFields = "k.id, k.user_id, k.name, k.scopes, k.prefix, k.hash, k.created_at, k.expires_at, k.last_used_at, k.revoked_at"

// InsertAPIKey adds a key.
func (s *Store) InsertAPIKey(ctx context.Context, key domain.APIKey) error {
	names := make([]string, len(key.Scopes))
	for i, scope := range key.Scopes {
		names[i] = string(scope)
	}
	added := keyRow{
		ID: database.Key(key.ID), UserID: database.Key(key.Owner.User), Name: key.Name, Scopes: strings.Join(names, " "),
		Prefix: key.Prefix, Hash: database.Key(key.Hash), CreatedAt: key.CreatedAt, ExpiresAt: key.ExpiresAt,
		LastUsedAt: key.LastUsedAt, RevokedAt: key.RevokedAt,
	}
	return database.Classify(s.db.Tx(ctx).Omit(clause.Associations).Create(&added).Error)
}

// CountAPIKeys counts the owner's good keys.
func (s *Store) CountAPIKeys(ctx context.Context, owner id.Scope, at time.Time) (int, error) {
	return database.One(s.db.Read(ctx).Raw(`SELECT count(*) FROM users_api_keys
		WHERE user_id = ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)`, owner.User, at), database.Scalar[int])
}

// ListAPIKeys returns one page of the owner's keys and the number of all.
func (s *Store) ListAPIKeys(ctx context.Context, owner id.Scope, listing app.KeyListing) ([]domain.APIKey, int64, error) {
	mine, args := " FROM users_api_keys k WHERE user_id = ? AND revoked_at IS NULL", []any{owner.User}
	total, err := database.One(s.db.Read(ctx).Raw("SELECT count(*)"+mine, args...), database.Scalar[int64])
	if err != nil {
		return nil, 0, err
	}
	if listing.After != nil {
		at, err := listing.After.Time()
		if err != nil {
			return nil, 0, err
		}
		mine += " AND (created_at, id) < (?, ?)"
		args = append(args, at, listing.After.ID)
	}
	args = append(args, listing.Limit, listing.Skip)
	items, err := database.All(
		s.db.Read(ctx).Raw("SELECT "+keyFields+mine+" ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?", args...),
		func(row database.Row) (domain.APIKey, error) { return scanKey(row) })
	return items, total, err
}

// FindAPIKey returns a key and what of its owner decides whether, and how much, it may be used.
func (s *Store) FindAPIKey(ctx context.Context, hash string) (domain.APIKey, domain.User, error) {
	var owner domain.User
	key, err := database.One(s.db.Read(ctx).Raw("SELECT u.is_active, u.erase_at, u.deleted_at IS NOT NULL, u.subscription_plan, "+keyFields+
		" FROM users_api_keys k JOIN users u ON u.id = k.user_id WHERE k.hash = ?", hash),
		func(row database.Row) (domain.APIKey, error) {
			return scanKey(row, &owner.Active, &owner.EraseAt, &owner.Deleted, &owner.SubscriptionPlan)
		})
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return domain.APIKey{}, domain.User{}, errs.New(errs.NotFound, "API key not found") // the hash is nobody's business
	}
	owner.ID = key.Owner.User
	return key, owner, err
}

// RevokeAPIKey marks a key that isn't.
func (s *Store) RevokeAPIKey(ctx context.Context, owner id.Scope, keyID string, at time.Time) error {
	done := s.db.Tx(ctx).Model(&keyRow{}).
		Where("id = ? AND user_id = ? AND revoked_at IS NULL", keyID, owner.User).UpdateColumn("revoked_at", at)
	if done.Error == nil && done.RowsAffected == 0 {
		return errs.Missing("API key", keyID)
	}
	return database.Classify(done.Error)
}

// NoteAPIKeyUse writes the last use.
func (s *Store) NoteAPIKeyUse(ctx context.Context, keyID string, at, since time.Time) error {
	return database.Classify(s.db.Tx(ctx).Model(&keyRow{}).
		Where("id = ? AND (last_used_at IS NULL OR last_used_at <= ?)", keyID, since).UpdateColumn("last_used_at", at).Error)
}

// PurgeAPIKeys deletes what ended before that time.
func (s *Store) PurgeAPIKeys(ctx context.Context, owner id.Scope, before time.Time) error {
	return database.Classify(s.db.Tx(ctx).
		Where("user_id = ? AND (revoked_at < ? OR expires_at < ?)", owner.User, before, before).Delete(&keyRow{}).Error)
}

// PurgeEndedKeys deletes keys that ended before that time. It runs once a day and reads the whole table.
func (s *Store) PurgeEndedKeys(ctx context.Context, before time.Time, limit int) (int64, error) {
	done := s.db.Tx(ctx).Exec("DELETE FROM users_api_keys WHERE id IN "+
		"(SELECT id FROM users_api_keys WHERE revoked_at < ? OR expires_at < ? LIMIT ?)", before, before, limit)
	return done.RowsAffected, database.Classify(done.Error)
}

// scanKey believes the row, like scan. What comes before the fields of the key goes where it is told.
func scanKey(found database.Row, before ...any) (domain.APIKey, error) {
	var key domain.APIKey
	var scopes string
	err := found.Scan(append(before, &key.ID, &key.Owner.User, &key.Name, &scopes, &key.Prefix, &key.Hash,
		&key.CreatedAt, &key.ExpiresAt, &key.LastUsedAt, &key.RevokedAt)...)
	for scope := range strings.FieldsSeq(scopes) {
		key.Scopes = append(key.Scopes, domain.KeyScope(scope))
	}
	key.CreatedAt = key.CreatedAt.UTC()
	for _, at := range []*time.Time{key.ExpiresAt, key.LastUsedAt, key.RevokedAt} {
		if at != nil {
			*at = at.UTC()
		}
	}
	return key, err
}
