package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events/eventstest"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/testkit"
)

// under returns the store and its use cases under a secret, and the one before.
func under(db *database.DB, secret, previous string) suite {
	s := suite{db: db, Store: store.New(db, keyring.New(strings.Repeat(secret, 32), strings.Repeat(previous, 32))), events: eventstest.New(db, nil)}
	s.app = newApp(db, s.Store, s.events, nil)
	return s
}

// A deleted account stays deleted when the secret is rotated: what is seen meanwhile is renewed, by a token and by an id alike.
func TestTombstonesSurviveARotation(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		before := under(db, "a", "")
		user := before.signIn(t, "issuer", "sam")
		if _, err := before.app.Erase(t.Context(), id.Of(user.ID)); err != nil {
			t.Fatal(err)
		}
		old := before.buried(t)
		rotating := under(db, "b", "a")
		for range 2 {
			if _, err := rotating.app.SignIn(t.Context(), claims("issuer", "sam")); !errs.Is(err, errs.Forbidden) {
				t.Errorf("while rotating: %v", err)
			}
		}
		if other := rotating.signIn(t, "another issuer", "sam"); !id.Valid(other.ID) {
			t.Errorf("another sam got the id %q", other.ID)
		}
		for _, hash := range rotating.buried(t) {
			if hash == old[0] || hash == old[1] {
				t.Errorf("%s wasn't renewed", hash)
			}
		}
		after := under(db, "b", "")
		if _, err := after.app.SignIn(t.Context(), claims("issuer", "sam")); !errs.Is(err, errs.Forbidden) || len(after.buried(t)) != 2 {
			t.Errorf("after the rotation: %v, of %v", err, after.buried(t))
		}
		if other := after.signIn(t, "a third issuer", "sam"); !id.Valid(other.ID) {
			t.Errorf("a third sam got the id %q", other.ID)
		}
	})
}

// Whoever was deleted when tombstones were rows of users is hashed, too, and stays deleted.
func TestOldTombstonesAreHashed(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.signIn(t, "issuer", "sam")
		s.signIn(t, "issuer", "never")
		s.signIn(t, "issuer", "kim")
		s.exec(t, "UPDATE users SET deleted_at = ?, is_active = ? WHERE id = 'sam'", birth.Add(time.Hour), false)
		s.exec(t, "UPDATE users SET deleted_at = created_at, is_active = ? WHERE id = 'never'", false) // whose provider told first
		for range 2 {
			if err := s.app.BuryOld(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if left := testkit.Rows(t, s.db, "users", "") + testkit.Rows(t, s.db, "users_identities", ""); left != 2 || len(s.buried(t)) != 4 {
			t.Errorf("%d rows are left, and %d tombstones", left, len(s.buried(t)))
		}
		for _, subject := range []string{"sam", "never"} {
			if _, err := s.app.SignIn(t.Context(), claims("issuer", subject)); !errs.Is(err, errs.Forbidden) {
				t.Errorf("%s: %v", subject, err)
			}
		}
		if tally, err := s.Tally(t.Context(), birth, birth.Add(time.Minute)); err != nil || tally.New != 2 || tally.All != 2 {
			t.Errorf("the tally is %+v, %v", tally, err)
		}
		if testkit.Rows(t, s.db, "users_tombstones", "buried_at = ?", birth.Add(time.Hour)) != 2 {
			t.Error("sam was deleted at another time")
		}
	})
}

// An identity that is buried is nobody's, and isn't free, until the end of time.
func TestABuriedIdentityIsNotFree(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		identity := domain.Identity{Issuer: "issuer", Subject: "sam"}
		storetest.Commit(t, s.db, func(ctx context.Context) error {
			if free, err := s.ClaimIdentity(ctx, identity); err != nil || !free {
				t.Errorf("at first: free %t, %v", free, err)
			}
			if err := s.Bury(ctx, identity, birth); err != nil {
				return err
			}
			free, err := s.ClaimIdentity(ctx, identity)
			if free {
				t.Error("buried, it is free")
			}
			return err
		})
		found, err := s.FindByIdentity(t.Context(), identity)
		if err != nil || !found.Deleted || testkit.Rows(t, s.db, "users_identities", "") != 0 {
			t.Errorf("found %+v, %v", found, err)
		}
	})
}
