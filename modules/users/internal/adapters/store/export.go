package store

import (
	"context"
	"errors"

	"gorm.io/gorm"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

var _ app.PersonStore = (*Store)(nil)

// ExportProfile returns what a living user's row holds, but for what serves to find and to change it.
func (s *Store) ExportProfile(ctx context.Context, user id.Scope) (app.ExportedProfile, error) {
	profile, err := database.One(s.db.Read(ctx).Raw(`SELECT id, email, email_verified, full_name, avatar_url, role, is_active,
		stripe_customer_id, subscription_status, subscription_plan, last_login_at, login_count, created_at, updated_at FROM users
		WHERE id = ? AND deleted_at IS NULL`, user.User),
		func(row database.Row) (app.ExportedProfile, error) {
			var p app.ExportedProfile
			err := row.Scan(&p.ID, &p.Email, &p.EmailVerified, &p.FullName, &p.AvatarURL, &p.Role, &p.IsActive, &p.CustomerID,
				&p.SubscriptionStatus, &p.SubscriptionPlan, &p.LastLoginAt, &p.LoginCount, &p.CreatedAt, &p.UpdatedAt)
			p.LastLoginAt, p.CreatedAt, p.UpdatedAt = database.InUTC(p.LastLoginAt), p.CreatedAt.UTC(), p.UpdatedAt.UTC()
			return p, err
		})
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return app.ExportedProfile{}, errs.Missing("User", user.User)
	}
	return profile, err
}

// ExportIdentities reads all identities of the user.
func (s *Store) ExportIdentities(ctx context.Context, user id.Scope, after *app.ExportedIdentity, limit int) ([]app.ExportedIdentity, error) {
	matching, args := " WHERE user_id = ?", []any{user.User}
	if after != nil {
		matching += " AND (issuer, subject) > (?, ?)"
		args = append(args, after.Issuer, after.Subject)
	}
	return database.All(s.db.Read(ctx).Raw("SELECT issuer, subject, created_at FROM users_identities"+
		matching+" ORDER BY issuer, subject LIMIT ?", append(args, limit)...),
		func(row database.Row) (app.ExportedIdentity, error) {
			var identity app.ExportedIdentity
			err := row.Scan(&identity.Issuer, &identity.Subject, &identity.LinkedAt)
			identity.LinkedAt = identity.LinkedAt.UTC()
			return identity, err
		})
}

// ExportAPIKeys reads all keys of the user, in the order of an index.
func (s *Store) ExportAPIKeys(ctx context.Context, user id.Scope, after *app.ExportedAPIKey, limit int) ([]app.ExportedAPIKey, error) {
	matching, args := " WHERE user_id = ?", []any{user.User}
	if after != nil {
		matching += " AND (created_at, id) > (?, ?)"
		args = append(args, after.CreatedAt, after.ID)
	}
	return database.All(s.db.Read(ctx).Raw("SELECT "+keyFields+" FROM users_api_keys k"+
		matching+" ORDER BY created_at, id LIMIT ?", append(args, limit)...),
		func(row database.Row) (app.ExportedAPIKey, error) {
			key, err := scanKey(row)
			exported := app.ExportedAPIKey{
				ID: key.ID, Name: key.Name, Prefix: key.Prefix, Scopes: []string{}, CreatedAt: key.CreatedAt, ExpiresAt: key.ExpiresAt,
				LastUsedAt: key.LastUsedAt, RevokedAt: key.RevokedAt,
			}
			for _, scope := range key.Scopes {
				exported.Scopes = append(exported.Scopes, string(scope))
			}
			return exported, err
		})
}

// ExportExports reads all exports of the user.
func (s *Store) ExportExports(ctx context.Context, user id.Scope, after *app.ExportedExport, limit int) ([]app.ExportedExport, error) {
	var last string
	if after != nil {
		last = after.ID
	}
	return database.All(s.db.Read(ctx).Raw(exportFields+" WHERE user_id = ? AND id > ? ORDER BY id LIMIT ?", user.User, last, limit),
		func(row database.Row) (app.ExportedExport, error) {
			export, err := scanExport(row)
			return app.ExportedExport{ID: export.ID, Status: string(export.Status), CreatedAt: export.CreatedAt, ExpiresAt: export.ExpiresAt}, err
		})
}
