package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/keyring"
)

// BenchmarkFindByIdentity is what every request with a token begins with. It looks up one of 200 users through the store,
// and by the same SQL on plain database/sql, which is the floor.
func BenchmarkFindByIdentity(b *testing.B) {
	const people = 200
	storetest.EachEngine(b, func(b *testing.B, db *database.DB) {
		s := suite{db: db, Store: store.New(db, keyring.New(strings.Repeat("k", 32), ""))}
		identity := func(i int) domain.Identity {
			return domain.Identity{Issuer: "https://issuer.example.com", Subject: fmt.Sprintf("person-%d", i%people)}
		}
		storetest.Commit(b, s.db, func(ctx context.Context) error {
			for i := range people {
				user := plain(identity(i).Subject)
				user.Email, user.FullName, user.LastLoginAt = new("someone@example.com"), new("Some One"), &birth
				if err := s.join(ctx, identity(i), user); err != nil {
					return err
				}
			}
			return nil
		})
		if _, err := db.SQL().Exec("ANALYZE"); err != nil {
			b.Fatal(err)
		}

		b.Run("store", func(b *testing.B) {
			storetest.Measure(b, func(round int) error {
				_, err := s.FindByIdentity(b.Context(), identity(round))
				return err
			})
		})
		b.Run("floor", func(b *testing.B) {
			query := storetest.SQL(db.Engine(), `SELECT users.id, email, email_verified, full_name, avatar_url, role, is_active,
				subscription_status, subscription_plan, last_login_at, token_role, last_session, own_full_name, own_avatar_url, version, users.created_at, updated_at, deleted_at
				FROM users JOIN users_identities ON user_id = users.id WHERE issuer = ? AND subject = ?`)
			storetest.Measure(b, func(round int) error {
				var u domain.User
				var deletedAt *time.Time
				who := identity(round)
				return db.SQL().QueryRowContext(b.Context(), query, who.Issuer, who.Subject).Scan(&u.ID, &u.Email, &u.EmailVerified,
					&u.FullName, &u.AvatarURL, &u.Role, &u.Active, &u.SubscriptionStatus, &u.SubscriptionPlan, &u.LastLoginAt,
					&u.TokenRole, &u.LastSession, &u.OwnFullName, &u.OwnAvatarURL, &u.Version, &u.CreatedAt, &u.UpdatedAt, &deletedAt)
			})
		})
	})
}
