package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
)

// Unlink deletes the identity.
func (s *Store) Unlink(ctx context.Context, identity domain.Identity) error {
	return database.Classify(s.db.Tx(ctx).Where("issuer = ? AND subject = ?", identity.Issuer, identity.Subject).Delete(&identityRow{}).Error)
}

// Identities returns the identities of a user, a tombstone's too.
func (s *Store) Identities(ctx context.Context, userID string) ([]domain.LinkedIdentity, error) {
	return database.All(s.db.Read(ctx).Raw(
		"SELECT issuer, subject, created_at FROM users_identities WHERE user_id = ? ORDER BY created_at, issuer, subject", userID),
		func(row database.Row) (domain.LinkedIdentity, error) {
			var linked domain.LinkedIdentity
			err := row.Scan(&linked.Issuer, &linked.Subject, &linked.LinkedAt)
			linked.LinkedAt = linked.LinkedAt.UTC()
			return linked, err
		})
}

// MarkTold moves the time of the identity forward.
func (s *Store) MarkTold(ctx context.Context, identity domain.Identity, userID string, at time.Time) (bool, error) {
	done := s.db.Tx(ctx).Model(&identityRow{}).
		Where("issuer = ? AND subject = ? AND user_id = ?", identity.Issuer, identity.Subject, userID).
		Where("(provider_updated_at IS NULL OR provider_updated_at < ?)", at).
		UpdateColumn("provider_updated_at", at)
	return done.RowsAffected == 1, database.Classify(done.Error)
}

// NoteLogin writes the login over one that is old enough. The version stays: nothing changes that anybody could have read to
// change it.
func (s *Store) NoteLogin(ctx context.Context, userID string, at time.Time, session string) error {
	done := s.db.Tx(ctx).Model(&userRow{}).
		Where("id = ? AND (last_login_at IS NULL OR last_login_at < ?)", userID, at.Add(-domain.LoginWindow)).
		UpdateColumns(map[string]any{"last_login_at": at, "last_session": session, "login_count": gorm.Expr("login_count + 1")})
	return database.Classify(done.Error)
}

// NoteTokenRole writes the role. The version stays, as with a login.
func (s *Store) NoteTokenRole(ctx context.Context, userID string, role domain.Role) error {
	done := s.db.Tx(ctx).Model(&userRow{}).Where("id = ? AND token_role <> ?", userID, string(role)).UpdateColumn("token_role", string(role))
	return database.Classify(done.Error)
}
