package store_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events/eventstest"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/testkit"
)

// A closed account is erased when the grace is over, by the clock, and not before; who is brought back stays.
func TestTheGrace(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		keys, now := keyring.New(strings.Repeat("k", 32), ""), clock.NewManual(birth)
		people := store.New(db, keyring.New(strings.Repeat("k", 32), ""))
		s := suite{db: db, Store: people, events: eventstest.New(db, nil)}
		s.app = app.New(app.Ports{
			Store: people, Webhooks: people, Tx: db, Events: s.events, Principals: auth.NewPrincipalCache(now), Queue: noQueue{},
			Sealer: keys.Sealer("test"), Receipts: noReceipts{}, Cursors: page.NewCursors(keys), Clock: now,
		}, nil, 72*time.Hour)
		s.add(t, plain("sam"), plain("sue"), plain("kim"))
		s.give(t, key("sam", "hers"))
		root := domain.Administrator{ID: "root", Role: domain.RoleAdmin}
		run := func() {
			t.Helper()
			if err := s.app.EraseClosed(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, userID := range []string{"sam", "sue"} {
			if err := s.app.Delete(t.Context(), root, userID, 0); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := s.app.FindAPIKey(t.Context(), key("sam", "hers").Hash); !errs.Is(err, errs.Forbidden) || !strings.Contains(err.Error(), "closed") {
			t.Errorf("the key of a closed account: %v", err)
		}
		now.Advance(72*time.Hour - time.Microsecond)
		run()
		sam, err := s.Find(t.Context(), "sam")
		if err != nil || !sam.EraseAt.Equal(birth.Add(72*time.Hour)) || sam.Email != nil && *sam.Email == "" {
			t.Fatalf("before it is over: %+v, %v", sam, err)
		}
		if _, err := s.app.Administer(t.Context(), root, "sue", 0, domain.Administration{Active: new(true)}); err != nil {
			t.Fatal(err)
		}
		now.Advance(time.Microsecond)
		storetest.Commit(t, db, func(ctx context.Context) error {
			due, err := s.Closed(ctx, now.Now(), 9)
			if !slices.Equal(due, []string{"sam"}) {
				t.Errorf("due are %v", due)
			}
			return err
		})
		run()
		run()
		if _, err := s.Find(t.Context(), "sam"); !errs.Is(err, errs.NotFound) {
			t.Errorf("when it is over: %v", err)
		}
		for _, userID := range []string{"sue", "kim"} {
			if user, err := s.Find(t.Context(), userID); err != nil || user.MayAct() != nil || user.EraseAt != nil {
				t.Errorf("%s is %+v, %v", userID, user, err)
			}
		}
		if s.told()["users.user_deleted.v1"] != 1 || testkit.Rows(t, db, "users_api_keys", "") != 0 {
			t.Errorf("told is %v", s.told())
		}
	})
}
