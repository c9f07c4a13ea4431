package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/testkit"
)

// key returns a good key of the owner, which its name tells from others.
func key(owner, name string) domain.APIKey {
	return domain.APIKey{
		ID: id.New(), Owner: id.Of(owner), Name: name, Scopes: []domain.KeyScope{domain.ScopeRead}, Prefix: "omni_ab12", Hash: hashOf(name), CreatedAt: birth,
	}
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func wantedKey(name string) domain.NewAPIKey {
	return domain.NewAPIKey{Name: name, Scopes: []domain.KeyScope{domain.ScopeRead}, Prefix: "omni_ab12", Hash: hashOf(name)}
}

// give stores the keys, whose owners have to be there.
func (s suite) give(t testing.TB, keys ...domain.APIKey) {
	t.Helper()
	storetest.Commit(t, s.db, func(ctx context.Context) error {
		for _, key := range keys {
			if err := s.InsertAPIKey(ctx, key); err != nil {
				return err
			}
		}
		return nil
	})
}

func randomKey(r *rand.Rand, owner string) domain.APIKey {
	made := key(owner, storetest.Text(r, domain.MaxAPIKeyName))
	made.Hash, made.Prefix, made.CreatedAt = hashOf(made.ID), "omni_"+made.ID[:4], storetest.Time(r)
	made.Scopes = [][]domain.KeyScope{{domain.ScopeAI}, {domain.ScopeRead, domain.ScopeWrite}, {domain.ScopeRead, domain.ScopeWrite, domain.ScopeAI}}[r.IntN(3)]
	for _, at := range []**time.Time{&made.ExpiresAt, &made.LastUsedAt, &made.RevokedAt} {
		if r.IntN(2) == 0 {
			*at = new(storetest.Time(r))
		}
	}
	return made
}

func TestAPIKeysComeBackAsTheyWere(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		r := storetest.Random(t)
		gone := plain("gone")
		s.add(t, plain("sam"), gone)
		s.exec(t, "UPDATE users SET deleted_at = ?, is_active = ? WHERE id = 'gone'", later, false) // as before there were tombstones of their own
		suspended := plain("suspended")
		suspended.Active = false
		s.add(t, suspended)
		for i := range 60 {
			owner := []string{"sam", "gone", "suspended"}[i%3]
			made := randomKey(r, owner)
			s.give(t, made)
			found, who, err := s.FindAPIKey(t.Context(), made.Hash)
			if err != nil || !reflect.DeepEqual(found, made) || who.ID != owner || who.Active != (owner == "sam") || who.Deleted != (owner == "gone") {
				t.Fatalf("inserted %+v\nfound    %+v of %+v, %v", made, found, who, err)
			}
			// One digit off is another hash, wherever it is.
			other := []byte(made.Hash)
			other[r.IntN(len(other))] ^= 1
			for _, hash := range []string{string(other), made.Hash[:63], made.Hash + "0", "", made.ID, made.Prefix} {
				if found, _, err := s.FindAPIKey(t.Context(), hash); !errs.Is(err, errs.NotFound) || found.ID != "" {
					t.Errorf("by %q: found %+v, %v", hash, found, err)
				}
			}
		}
	})
}

func TestAHashIsOneKey(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, plain("sam"), plain("bob"))
		s.give(t, key("sam", "one"))
		if err := s.db.WithinTx(t.Context(), func(ctx context.Context) error { return s.InsertAPIKey(ctx, key("bob", "one")) }); !database.Duplicate(err) {
			t.Errorf("a second key with one hash: got %v", err)
		}
		if err := s.db.WithinTx(t.Context(), func(ctx context.Context) error { return s.InsertAPIKey(ctx, key("nobody", "two")) }); err == nil {
			t.Error("nobody has a key")
		}
	})
}

func TestAPIKeysOfOneOwner(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, plain("sam"), plain("bob"))
		now := birth.Add(24 * time.Hour)
		forever, until, expired, revoked := key("sam", "forever"), key("sam", "until"), key("sam", "expired"), key("sam", "revoked")
		until.ExpiresAt, expired.ExpiresAt, revoked.RevokedAt = new(now.Add(time.Microsecond)), &now, &birth
		until.CreatedAt, expired.CreatedAt = birth.Add(time.Hour), birth.Add(-time.Hour)
		s.give(t, forever, until, expired, revoked, key("bob", "bob's"))

		if good, err := s.CountAPIKeys(t.Context(), id.Of("sam"), now); err != nil || good != 2 {
			t.Errorf("%d are good, %v", good, err)
		}
		names := func(listing app.KeyListing) []string {
			t.Helper()
			found, total, err := s.ListAPIKeys(t.Context(), id.Of("sam"), listing)
			if err != nil || total != 3 {
				t.Errorf("%+v finds %d, %v", listing, total, err)
			}
			names := []string{}
			for _, key := range found {
				names = append(names, key.Name)
			}
			return names
		}
		for _, test := range []struct {
			listing app.KeyListing
			want    []string
		}{
			{app.KeyListing{Limit: 9}, []string{"until", "forever", "expired"}},
			{app.KeyListing{Limit: 1, Skip: 1}, []string{"forever"}},
			{app.KeyListing{Limit: 9, Skip: 3}, []string{}},
			{app.KeyListing{Limit: 9, After: new(page.At(until.CreatedAt, until.ID))}, []string{"forever", "expired"}},
			{app.KeyListing{Limit: 9, After: new(page.At(expired.CreatedAt, expired.ID))}, []string{}},
		} {
			if got := names(test.listing); !slices.Equal(got, test.want) {
				t.Errorf("%+v lists %v, want %v", test.listing, got, test.want)
			}
		}
		if _, total, err := s.ListAPIKeys(t.Context(), id.Of("nobody"), app.KeyListing{Limit: 9}); err != nil || total != 0 {
			t.Errorf("nobody has %d, %v", total, err)
		}

		revoke := func(owner, keyID string) error {
			return s.db.WithinTx(t.Context(), func(ctx context.Context) error { return s.RevokeAPIKey(ctx, id.Of(owner), keyID, later) })
		}
		for what, err := range map[string]error{
			"another's": revoke("bob", forever.ID), "none": revoke("sam", id.New()), "what is revoked": revoke("sam", revoked.ID),
		} {
			if !errs.Is(err, errs.NotFound) {
				t.Errorf("revoking %s: got %v", what, err)
			}
		}
		if err := revoke("sam", forever.ID); err != nil {
			t.Error(err)
		}
		if found, _, err := s.FindAPIKey(t.Context(), forever.Hash); err != nil || found.RevokedAt == nil || !found.RevokedAt.Equal(later) {
			t.Errorf("revoked it is %+v, %v", found, err)
		}

		storetest.Commit(t, s.db, func(ctx context.Context) error { return s.PurgeAPIKeys(ctx, id.Of("sam"), later) })
		if left := testkit.Rows(t, s.db, "users_api_keys", ""); left != 4 { // the one of before is gone
			t.Errorf("%d are left", left)
		}
		storetest.Commit(t, s.db, func(ctx context.Context) error { return s.PurgeAPIKeys(ctx, id.Of("sam"), now.Add(time.Hour)) })
		if left := testkit.Rows(t, s.db, "users_api_keys", "name = 'bob''s'"); left != 1 || testkit.Rows(t, s.db, "users_api_keys", "") != 1 {
			t.Error("what isn't over, or another's, was purged, or what is wasn't")
		}
	})
}

// Keys that ended long ago go, whoever's they are, as many as are wanted.
func TestEndedKeysArePurged(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, plain("sam"), plain("bob"))
		good, revoked, expired, later := key("sam", "good"), key("sam", "revoked"), key("bob", "expired"), key("bob", "later")
		revoked.RevokedAt, expired.ExpiresAt, later.ExpiresAt = &birth, &birth, new(birth.Add(2*time.Hour))
		s.give(t, good, revoked, expired, later)
		for _, want := range []int64{1, 1, 0} {
			storetest.Commit(t, s.db, func(ctx context.Context) error {
				if purged, err := s.PurgeEndedKeys(ctx, birth.Add(time.Hour), 1); err != nil || purged != want {
					t.Errorf("purged %d, %v, want %d", purged, err, want)
				}
				return nil
			})
		}
		if left := testkit.Rows(t, s.db, "users_api_keys", "name IN ('good', 'later')"); left != 2 {
			t.Errorf("%d good ones are left", left)
		}
	})
}

func TestTheLastUseOfAKey(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, plain("sam"))
		used := key("sam", "used")
		s.give(t, used, key("sam", "unused"))
		for _, test := range []struct{ at, want time.Duration }{
			{0, 0}, {time.Minute - time.Microsecond, 0}, {time.Minute, time.Minute}, {-time.Hour, time.Minute},
		} {
			storetest.Commit(t, s.db, func(ctx context.Context) error {
				return s.NoteAPIKeyUse(ctx, used.ID, later.Add(test.at), later.Add(test.at-time.Minute))
			})
			found, _, err := s.FindAPIKey(t.Context(), used.Hash)
			if err != nil || found.LastUsedAt == nil || !found.LastUsedAt.Equal(later.Add(test.want)) {
				t.Errorf("used at %s: noted is %v, %v", test.at, found.LastUsedAt, err)
			}
		}
		if testkit.Rows(t, s.db, "users_api_keys", "last_used_at IS NOT NULL") != 1 {
			t.Error("another key was used, too")
		}
	})
}

// However many keys are made at once, nobody has more than the most.
func TestNobodyHasTooManyKeys(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, plain("sam"), plain("bob"))
		var made, refused, number atomic.Int64
		storetest.Concurrent(t, 5, func(int) error { // 80 in all
			_, err := s.app.MakeAPIKey(t.Context(), id.Of("sam"), wantedKey(fmt.Sprint("key ", number.Add(1))))
			switch {
			case err == nil:
				made.Add(1)
			case errs.Is(err, errs.Conflict):
				refused.Add(1)
			default:
				return err
			}
			return nil
		})
		if made.Load() != domain.MaxAPIKeys || refused.Load() != 80-domain.MaxAPIKeys || testkit.Rows(t, s.db, "users_api_keys", "") != domain.MaxAPIKeys {
			t.Errorf("%d keys were made and %d refused", made.Load(), refused.Load())
		}
		if _, err := s.app.MakeAPIKey(t.Context(), id.Of("bob"), wantedKey("bob's")); err != nil {
			t.Errorf("somebody else: %v", err)
		}
	})
}

// An account that ends while keys are made for it leaves none.
func TestADeletedAccountHasNoKeys(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, plain("sam"), plain("bob"))
		s.give(t, key("bob", "bob's"))
		var number atomic.Int64
		storetest.Concurrent(t, 3, func(writer int) error {
			if writer == 0 {
				if err := s.app.Delete(t.Context(), domain.Administrator{ID: "sam"}, "sam", 0); err != nil && !errs.Is(err, errs.NotFound) {
					return err
				}
				return nil
			}
			_, err := s.app.MakeAPIKey(t.Context(), id.Of("sam"), wantedKey(fmt.Sprint("key ", number.Add(1))))
			if err != nil && !errs.Is(err, errs.NotFound) {
				return err
			}
			return nil
		})
		if testkit.Rows(t, s.db, "users_api_keys", "user_id = 'sam'") != 0 || testkit.Rows(t, s.db, "users_api_keys", "") != 1 {
			t.Error("keys are left, or another's are gone")
		}
	})
}

// Of any number of revocations at once one counts, and a note of a use doesn't undo it.
func TestAKeyIsRevokedOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, plain("sam"))
		made, err := s.app.MakeAPIKey(t.Context(), id.Of("sam"), wantedKey("one"))
		if err != nil {
			t.Fatal(err)
		}
		var revoked atomic.Int64
		storetest.Concurrent(t, 3, func(writer int) error {
			if writer%2 == 0 {
				return s.app.NoteAPIKeyUse(t.Context(), made.ID, 0)
			}
			err := s.app.RevokeAPIKey(t.Context(), id.Of("sam"), made.ID)
			switch {
			case err == nil:
				revoked.Add(1)
			case !errs.Is(err, errs.NotFound):
				return err
			}
			if _, _, err := s.app.FindAPIKey(t.Context(), made.Hash); !errs.Is(err, errs.NotFound) {
				return fmt.Errorf("revoked, it is found: %w", err)
			}
			return nil
		})
		if revoked.Load() != 1 {
			t.Errorf("it was revoked %d times", revoked.Load())
		}
	})
}
