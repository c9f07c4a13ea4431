// Package store keeps notifications, mails on their way, and who doesn't want which, in the database.
package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/omnistack/omnistack/modules/notifications/internal/app"
	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// Store is an app.Store in the database.
type Store struct{ db *database.DB }

var _ app.Store = (*Store)(nil)

// New returns a store over the database.
func New(db *database.DB) *Store { return &Store{db: db} }

// one returns the first row of the query, or errs.NotFound of the resource.
func one[T any](query *gorm.DB, scan func(database.Row) (T, error), resource, wanted string) (T, error) {
	found, err := database.One(query, scan)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return found, errs.Missing(resource, wanted)
	}
	return found, err
}

// addNew inserts a row unless there is one like it, and tells whether it did.
func (s *Store) addNew(ctx context.Context, added any) (bool, error) {
	done := s.db.Tx(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(added)
	return done.RowsAffected == 1, database.Classify(done.Error)
}

// AddNotification adds a notification unless there is one of the key.
func (s *Store) AddNotification(ctx context.Context, n domain.Notification, key string) error {
	_, err := s.addNew(ctx, &notificationRow{
		ID: database.Key(n.ID), Key: database.Key(key), UserID: database.Key(n.Owner.User), Kind: n.Kind, Topic: n.Topic,
		Data: *jsonOf(n.Data), ReadAt: n.ReadAt, CreatedAt: n.CreatedAt,
	})
	return err
}

// LockNotification returns one notification of the owner and holds its row.
func (s *Store) LockNotification(ctx context.Context, owner id.Scope, notificationID string) (domain.Notification, error) {
	query := s.db.Tx(ctx).Raw(notificationFields+" WHERE user_id = ? AND id = ?"+s.db.ForUpdate(), owner.User, notificationID)
	return one(query, scanNotification, "Notification", notificationID)
}

// MarkRead sets when the notification was read.
func (s *Store) MarkRead(ctx context.Context, owner id.Scope, notificationID string, at time.Time) error {
	done := s.db.Tx(ctx).Model(&notificationRow{}).Where("user_id = ? AND id = ?", owner.User, notificationID).UpdateColumn("read_at", at)
	return database.Classify(done.Error)
}

// ListNotifications returns one page and the number of all matches.
func (s *Store) ListNotifications(ctx context.Context, owner id.Scope, listing app.Listing) ([]domain.Notification, int64, error) {
	matching, args := " WHERE user_id = ?", []any{owner.User}
	if listing.Unread {
		matching += " AND read_at IS NULL"
	}
	total, err := database.One(s.db.Read(ctx).Raw("SELECT count(*) FROM notifications"+matching, args...), database.Scalar[int64])
	if err != nil {
		return nil, 0, err
	}
	if listing.After != nil {
		place, err := listing.After.Time()
		if err != nil {
			return nil, 0, err
		}
		matching += " AND (created_at, id) < (?, ?)"
		args = append(args, place, listing.After.ID)
	}
	args = append(args, listing.Limit, listing.Skip)
	items, err := database.All(s.db.Read(ctx).Raw(
		notificationFields+matching+" ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?", args...), scanNotification)
	return items, total, err
}

const preferencesFields = "SELECT user_id, switched_off, version, updated_at FROM notifications_preferences WHERE user_id = ?"

// Preferences returns what the user chose, or that nothing was chosen.
func (s *Store) Preferences(ctx context.Context, owner id.Scope) (domain.Preferences, error) {
	found, err := database.One(s.db.Read(ctx).Raw(preferencesFields, owner.User), scanPreferences)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return domain.Preferences{Owner: owner, Version: 1}, nil
	}
	return found, err
}

// LockPreferences makes the row if it isn't there, so that there is something to hold.
func (s *Store) LockPreferences(ctx context.Context, owner id.Scope) (domain.Preferences, error) {
	_, err := s.addNew(ctx, &preferencesRow{UserID: database.Key(owner.User), Version: 1})
	if err != nil {
		return domain.Preferences{}, err
	}
	found, err := database.One(s.db.Tx(ctx).Raw(preferencesFields+s.db.ForUpdate(), owner.User), scanPreferences)
	return found, database.Classify(err)
}

// SavePreferences writes what can change, over the version that was locked.
func (s *Store) SavePreferences(ctx context.Context, p domain.Preferences) error {
	done := s.db.Tx(ctx).Model(&preferencesRow{}).Where("user_id = ? AND version = ?", p.Owner.User, p.Version-1).
		UpdateColumns(map[string]any{"switched_off": linesOf(p.Off), "version": p.Version, "updated_at": p.UpdatedAt})
	if done.Error == nil && done.RowsAffected == 0 {
		return errs.Stale()
	}
	return database.Classify(done.Error)
}

// AddLetter adds a letter unless there is one of its key.
func (s *Store) AddLetter(ctx context.Context, l domain.Letter) (bool, error) {
	added := &mailRow{
		ID: database.Key(l.ID), Key: database.Key(l.Key), Kind: l.Kind, Template: l.Template, Data: jsonOf(l.Data), Sealed: l.Sealed,
		State: string(l.State), Reason: l.Reason, Receipt: l.Receipt, CreatedAt: l.CreatedAt, ExpiresAt: l.ExpiresAt,
		ClaimedUntil: l.ClaimedUntil, EndedAt: l.EndedAt, Unanswered: l.Unanswered, UnansweredSince: l.UnansweredSince,
	}
	if l.User != "" {
		added.UserID = new(database.Key(l.User))
	}
	return s.addNew(ctx, added)
}

// LockLetter returns a letter and holds its row.
func (s *Store) LockLetter(ctx context.Context, letterID string) (domain.Letter, error) {
	return one(s.db.Tx(ctx).Raw(mailFields+" WHERE id = ?"+s.db.ForUpdate(), letterID), scanLetter, "Mail", letterID)
}

// SaveLetter writes what can change.
func (s *Store) SaveLetter(ctx context.Context, l domain.Letter) error {
	done := s.db.Tx(ctx).Model(&mailRow{}).Where("id = ?", l.ID).UpdateColumns(map[string]any{
		"sealed":           l.Sealed,
		"state":            string(l.State),
		"reason":           l.Reason,
		"receipt":          l.Receipt,
		"claimed_until":    l.ClaimedUntil,
		"ended_at":         l.EndedAt,
		"unanswered":       l.Unanswered,
		"unanswered_since": l.UnansweredSince,
	})
	return database.Classify(done.Error)
}

// CountLetters returns how many letters of the kind were written to the user since the time.
func (s *Store) CountLetters(ctx context.Context, user id.Scope, kind string, since time.Time) (int64, error) {
	return database.One(s.db.Read(ctx).Raw(
		"SELECT count(*) FROM notifications_mails WHERE user_id = ? AND kind = ? AND created_at > ?", user.User, kind, since,
	), database.Scalar[int64])
}

// suppressBatch is how many addresses one statement takes: PostgreSQL and SQLite bound its arguments.
const suppressBatch = 1000

// Suppress puts those of the addresses on the list that aren't there, in their order.
func (s *Store) Suppress(ctx context.Context, suppressions []domain.Suppression) error {
	for batch := range slices.Chunk(suppressions, suppressBatch) {
		rows := make([]suppressionRow, len(batch))
		for i, one := range batch {
			rows[i] = suppressionRow{AddressHash: database.Key(one.Hash), Reason: one.Reason, CreatedAt: one.At}
		}
		if _, err := s.addNew(ctx, &rows); err != nil {
			return err
		}
	}
	return nil
}

// Suppressed returns those of the hashes that are on the list.
func (s *Store) Suppressed(ctx context.Context, hashes []string) ([]string, error) {
	if len(hashes) == 0 {
		return nil, nil
	}
	return database.All(s.db.Read(ctx).Raw(
		"SELECT address_hash FROM notifications_suppressions WHERE address_hash IN ?", hashes), database.Scalar[string])
}

// AddContact adds a message.
func (s *Store) AddContact(ctx context.Context, messageID string, sealed []byte, at time.Time) error {
	return database.Classify(s.db.Tx(ctx).Create(&contactRow{ID: database.Key(messageID), Sealed: sealed, CreatedAt: at}).Error)
}

// Contact returns one message.
func (s *Store) Contact(ctx context.Context, messageID string) ([]byte, error) {
	query := s.db.Read(ctx).Raw("SELECT sealed FROM notifications_contacts WHERE id = ?", messageID)
	return one(query, database.Scalar[[]byte], "Message", messageID)
}

// Erase removes the user's rows.
func (s *Store) Erase(ctx context.Context, user id.Scope) (map[string]int64, error) {
	return s.db.Erase(ctx, "user_id", user.User, "notifications", "notifications_preferences", "notifications_mails")
}

// ExpireLetters closes letters that expired and weren't sent.
func (s *Store) ExpireLetters(ctx context.Context, now time.Time, limit int) (int64, error) {
	done := s.db.Tx(ctx).Exec(`UPDATE notifications_mails SET state = ?, sealed = NULL, claimed_until = NULL, ended_at = ? WHERE id IN
		(SELECT id FROM notifications_mails WHERE (state = 'queued' OR state = 'failed') AND expires_at IS NOT NULL AND expires_at <= ? ORDER BY expires_at LIMIT ?)`,
		string(domain.Expired), now, now, limit)
	return done.RowsAffected, database.Classify(done.Error)
}

// AbandonLetters closes letters, as failed, that were written before the time and still wait.
func (s *Store) AbandonLetters(ctx context.Context, before, now time.Time, limit int) (int64, error) {
	done := s.db.Tx(ctx).Exec(`UPDATE notifications_mails SET state = ?, reason = ?, claimed_until = NULL, ended_at = ? WHERE id IN
		(SELECT id FROM notifications_mails WHERE state = 'queued' AND created_at < ? ORDER BY created_at LIMIT ?)`,
		string(domain.Failed), domain.Abandoned, now, before, limit)
	return done.RowsAffected, database.Classify(done.Error)
}

// PurgeLetters removes letters that were written before the time.
func (s *Store) PurgeLetters(ctx context.Context, before time.Time, limit int) (int64, error) {
	return s.purge(ctx, "notifications_mails", before, limit)
}

// PurgeContacts removes messages that came before the time.
func (s *Store) PurgeContacts(ctx context.Context, before time.Time, limit int) (int64, error) {
	return s.purge(ctx, "notifications_contacts", before, limit)
}

// PurgeNotifications removes notifications that were made before the time.
func (s *Store) PurgeNotifications(ctx context.Context, before time.Time, limit int) (int64, error) {
	return s.purge(ctx, "notifications", before, limit)
}

func (s *Store) purge(ctx context.Context, table string, before time.Time, limit int) (int64, error) {
	done := s.db.Tx(ctx).Exec("DELETE FROM "+table+" WHERE id IN (SELECT id FROM "+table+
		" WHERE created_at < ? ORDER BY created_at LIMIT ?)", before, limit)
	return done.RowsAffected, database.Classify(done.Error)
}
