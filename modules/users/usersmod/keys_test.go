package usersmod_test

import (
	"context"
	"encoding/hex"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/testkit"
)

// What the rest of the house learns of an API key: whose it is, what for, and until when.
func TestKeys(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		module := newModule(t, db)
		keys := module.Keys()
		exec := func(statement string, args ...any) {
			t.Helper()
			err := db.WithinTx(t.Context(), func(ctx context.Context) error { return db.Tx(ctx).Exec(statement, args...).Error })
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := module.Describe().Seeder.Seed(t.Context(), []id.Scope{id.Of("sam")}, 0); err != nil {
			t.Fatal(err)
		}
		now := time.Now().UTC().Truncate(time.Microsecond)
		secret := auth.NewAPIKey()
		hash := secret.Hash()
		exec(`INSERT INTO users_api_keys (id, user_id, name, scopes, prefix, hash, created_at) VALUES ('k1', 'sam', 'x', 'read ai later', 'omni_', ?, ?)`,
			hex.EncodeToString(hash[:]), now)

		finds := func(when string, want auth.Key) {
			t.Helper()
			got, err := keys.FindKey(t.Context(), hash)
			if !got.ExpiresAt.Equal(want.ExpiresAt) {
				t.Errorf("%s: it expires at %s, want %s", when, got.ExpiresAt, want.ExpiresAt)
			}
			got.ExpiresAt, want.ExpiresAt = time.Time{}, time.Time{}
			if err != nil || got != want {
				t.Errorf("%s: got %+v, %v, want %+v", when, got, err, want)
			}
		}
		refuses := func(when string, kind errs.Kind) {
			t.Helper()
			if got, err := keys.FindKey(t.Context(), hash); !errs.Is(err, kind) || got != (auth.Key{}) {
				t.Errorf("%s: got %+v, %v", when, got, err)
			}
		}
		good := auth.Key{ID: "k1", UserID: "sam", Scopes: auth.ScopeRead | auth.ScopeAI}
		finds("with a scope that isn't known yet", good)
		exec("UPDATE users_api_keys SET expires_at = ?", now.Add(time.Hour))
		finds("until later", auth.Key{ID: "k1", UserID: "sam", Scopes: good.Scopes, ExpiresAt: now.Add(time.Hour)})
		exec("UPDATE users_api_keys SET expires_at = ?", now)
		refuses("expired", errs.NotFound)
		exec("UPDATE users_api_keys SET expires_at = NULL, revoked_at = ?", now)
		refuses("revoked", errs.NotFound)
		exec("UPDATE users_api_keys SET revoked_at = NULL")

		for range 2 { // within a minute one of them counts
			if err := keys.NoteUse(t.Context(), "k1"); err != nil {
				t.Fatal(err)
			}
		}
		used, err := database.One(db.Read(t.Context()).Raw("SELECT last_used_at FROM users_api_keys"), database.Scalar[time.Time])
		if err != nil || used.Before(now) || used.After(time.Now()) {
			t.Errorf("it was used at %s, %v", used, err)
		}

		exec("UPDATE users SET is_active = ?", false)
		refuses("of who is suspended", errs.Forbidden)
		exec("UPDATE users SET is_active = ?", true)
		finds("of who may act again", good)
		if _, err := module.Describe().Eraser.Erase(t.Context(), id.Of("sam")); err != nil {
			t.Fatal(err)
		}
		refuses("of who is erased", errs.NotFound)
		if testkit.Rows(t, db, "users_api_keys", "") != 0 {
			t.Error("the key's row is left")
		}
	})
}
