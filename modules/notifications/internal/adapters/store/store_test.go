package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/notifications/internal/app"
	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/testkit"
)

// The conformance suite of app.Store. It runs on both engines.

var (
	alice = id.Of("alice")
	bob   = id.Of("bob")
	birth = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	later = birth.Add(time.Hour)
)

func eachStore(t *testing.T, test func(t *testing.T, s suite)) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) { test(t, suite{db, store.New(db)}) })
}

// suite is a store under test.
type suite struct {
	db *database.DB
	*store.Store
}

func (s suite) commit(t testing.TB, fn func(ctx context.Context) error) {
	t.Helper()
	storetest.Commit(t, s.db, fn)
}

func (s suite) notify(t testing.TB, all ...domain.Notification) {
	t.Helper()
	s.commit(t, func(ctx context.Context) error {
		for _, n := range all {
			if err := s.AddNotification(ctx, n, n.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s suite) post(t testing.TB, all ...domain.Letter) {
	t.Helper()
	s.commit(t, func(ctx context.Context) error {
		for _, l := range all {
			if added, err := s.AddLetter(ctx, l); err != nil || !added {
				return fmt.Errorf("%s: added is %t, %w", l.ID, added, err)
			}
		}
		return nil
	})
}

// letter returns a letter as it is in the database.
func (s suite) letter(t testing.TB, letterID string) (found domain.Letter, err error) {
	t.Helper()
	err = s.db.WithinTx(t.Context(), func(ctx context.Context) (err error) {
		found, err = s.LockLetter(ctx, letterID)
		return err
	})
	return found, err
}

func notification(owner id.Scope, notificationID string) domain.Notification {
	return domain.Notification{
		ID: notificationID, Owner: owner, Kind: domain.KindWelcome, Topic: "welcome", Data: domain.Data{}, CreatedAt: birth,
	}
}

func letter(user, letterID string) domain.Letter {
	return domain.Letter{
		ID: letterID, Key: "key of " + letterID, Kind: domain.KindWelcome, User: user, Template: "welcome", Data: domain.Data{},
		State: domain.Queued, CreatedAt: birth,
	}
}

func optionalTime(r *rand.Rand) *time.Time {
	if r.IntN(2) == 0 {
		return nil
	}
	return new(storetest.Time(r))
}

func data(r *rand.Rand) domain.Data {
	all := domain.Data{}
	for range r.IntN(4) {
		all[storetest.Text(r, 10)] = storetest.Text(r, 40)
	}
	return all
}

func TestLettersComeBackAsTheyWere(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		r := storetest.Random(t)
		random := func(letterID string) domain.Letter {
			l := domain.Letter{
				ID: letterID, Key: letterID + storetest.Text(r, 200), Kind: storetest.Text(r, 20), Template: storetest.Text(r, 20),
				State: domain.Queued, Reason: storetest.Text(r, 20), Receipt: storetest.Text(r, 100), CreatedAt: storetest.Time(r),
				ExpiresAt: optionalTime(r), ClaimedUntil: optionalTime(r), EndedAt: optionalTime(r),
				Unanswered: r.IntN(3), UnansweredSince: optionalTime(r),
			}
			if r.IntN(2) == 0 {
				l.User, l.Data = storetest.Text(r, 40), data(r)
			} else {
				l.Sealed = []byte(storetest.Text(r, 500) + "\x00\xff")
			}
			return l
		}
		for range 50 {
			l := random(id.New())
			s.post(t, l)
			if found, err := s.letter(t, l.ID); err != nil || !reflect.DeepEqual(found, l) {
				t.Fatalf("added %+v\nfound %+v, %v", l, found, err)
			}
			changed := random(l.ID)
			changed.Key, changed.Kind, changed.User, changed.Template, changed.Data = l.Key, l.Kind, l.User, l.Template, l.Data
			changed.CreatedAt, changed.ExpiresAt, changed.Sealed = l.CreatedAt, l.ExpiresAt, nil
			changed.State = domain.Sent
			s.commit(t, func(ctx context.Context) error { return s.SaveLetter(ctx, changed) })
			if found, err := s.letter(t, l.ID); err != nil || !reflect.DeepEqual(found, changed) {
				t.Fatalf("saved %+v\nfound %+v, %v", changed, found, err)
			}
		}
		if rows := testkit.Rows(t, s.db, "notifications_mails", "sealed IS NOT NULL"); rows != 0 {
			t.Errorf("%d letters hold what was cleared", rows)
		}
		if _, err := s.letter(t, "none"); !errs.Is(err, errs.NotFound) {
			t.Errorf("one that isn't there: %v", err)
		}
	})
}

func TestThereIsOneLetterAndOneNotificationOfAKey(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		first, second := letter("alice", "first"), letter("bob", "second")
		second.Key = first.Key
		s.post(t, first)
		s.commit(t, func(ctx context.Context) error {
			added, err := s.AddLetter(ctx, second)
			if added {
				t.Error("there are two letters of one key")
			}
			for _, n := range []domain.Notification{notification(alice, "1"), notification(bob, "2")} {
				err = errors.Join(err, s.AddNotification(ctx, n, "one key"))
			}
			return err
		})
		if found, err := s.letter(t, "first"); err != nil || found.User != "alice" {
			t.Errorf("the first is %+v, %v", found, err)
		}
		if rows := testkit.Rows(t, s.db, "notifications", ""); rows != 1 {
			t.Errorf("there are %d notifications of one key", rows)
		}
	})
}

func TestTheStoreIsTransactional(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		has := func(table, column string) func(ctx context.Context, name string) bool {
			return func(ctx context.Context, name string) bool {
				var rows int64
				if err := s.db.Read(ctx).Table(table).Where(column+" = ?", name).Count(&rows).Error; err != nil {
					t.Error(err)
				}
				return rows == 1
			}
		}
		storetest.Transactional(t, s.db, func(ctx context.Context, name string) error {
			_, err := s.AddLetter(ctx, letter("alice", name))
			return err
		}, has("notifications_mails", "id"))
		storetest.Transactional(t, s.db, func(ctx context.Context, name string) error {
			return s.AddNotification(ctx, notification(alice, name), name)
		}, has("notifications", "id"))
		storetest.Transactional(t, s.db, func(ctx context.Context, name string) error {
			return s.Suppress(ctx, []domain.Suppression{{Hash: name, Reason: domain.Bounced, At: birth}})
		}, has("notifications_suppressions", "address_hash"))
		storetest.Transactional(t, s.db, func(ctx context.Context, name string) error {
			return s.AddContact(ctx, name, []byte("x"), birth)
		}, has("notifications_contacts", "id"))
		storetest.Transactional(t, s.db, func(ctx context.Context, name string) error {
			_, err := s.LockPreferences(ctx, id.Of(name))
			return err
		}, has("notifications_preferences", "user_id"))
	})
}

func TestPreferences(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		got, err := s.Preferences(t.Context(), alice)
		if want := (domain.Preferences{Owner: alice, Version: 1}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("who never chose: %+v, %v", got, err)
		}
		off := []domain.Choice{{Kind: domain.KindWelcome, Channel: domain.InApp}, {Kind: domain.KindProjectDeleted, Channel: domain.ByMail}}
		want := domain.Preferences{Owner: alice, Off: off, Version: 2, UpdatedAt: later}
		s.commit(t, func(ctx context.Context) error {
			locked, err := s.LockPreferences(ctx, alice)
			if err != nil || locked.Version != 1 || locked.Off != nil {
				t.Errorf("locked %+v, %v", locked, err)
			}
			return s.SavePreferences(ctx, want)
		})
		for _, read := range []func(context.Context, id.Scope) (domain.Preferences, error){s.Preferences, func(ctx context.Context, owner id.Scope) (p domain.Preferences, err error) {
			err = s.db.WithinTx(ctx, func(ctx context.Context) error { p, err = s.LockPreferences(ctx, owner); return err })
			return p, err
		}} {
			if got, err := read(t.Context(), alice); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("saved %+v and found %+v, %v", want, got, err)
			}
		}
		err = s.db.WithinTx(t.Context(), func(ctx context.Context) error { return s.SavePreferences(ctx, want) })
		if !errs.Is(err, errs.Precondition) {
			t.Errorf("saved over the same version: %v", err)
		}
		if got, err := s.Preferences(t.Context(), bob); err != nil || got.Off != nil {
			t.Errorf("bob has alice's: %+v, %v", got, err)
		}
	})
}

// Changes to one user's preferences at once, the first ones too, are all there in the end.
func TestConcurrentChangesOfPreferencesLoseNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		storetest.Concurrent(t, 5, func(int) error {
			return s.db.WithinTx(t.Context(), func(ctx context.Context) error {
				p, err := s.LockPreferences(ctx, alice)
				if err != nil {
					return err
				}
				p.Version, p.UpdatedAt = p.Version+1, later
				return s.SavePreferences(ctx, p)
			})
		})
		if got, err := s.Preferences(t.Context(), alice); err != nil || got.Version != 1+16*5 {
			t.Errorf("the version is %d, %v", got.Version, err)
		}
	})
}

func TestNotificationsComeBackAsTheyWere(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		r := storetest.Random(t)
		for range 50 {
			n := domain.Notification{
				ID: id.New(), Owner: id.Of(storetest.Text(r, 40)), Kind: storetest.Text(r, 20), Topic: storetest.Text(r, 20), Data: data(r),
				CreatedAt: storetest.Time(r),
			}
			s.notify(t, n)
			at := storetest.Time(r)
			s.commit(t, func(ctx context.Context) error {
				if found, err := s.LockNotification(ctx, n.Owner, n.ID); err != nil || !reflect.DeepEqual(found, n) {
					t.Errorf("added %+v\nfound %+v, %v", n, found, err)
				}
				if _, err := s.LockNotification(ctx, id.Of("somebody else"), n.ID); !errs.Is(err, errs.NotFound) {
					t.Errorf("another's: %v", err)
				}
				return errors.Join(s.MarkRead(ctx, id.Of("somebody else"), n.ID, birth), s.MarkRead(ctx, n.Owner, n.ID, at))
			})
			n.ReadAt = &at
			found, total, err := s.ListNotifications(t.Context(), n.Owner, app.Listing{Limit: 10})
			if err != nil || total != int64(len(found)) || !slices.ContainsFunc(found, func(f domain.Notification) bool { return reflect.DeepEqual(f, n) }) {
				t.Fatalf("read %+v\nlisted %+v of %d, %v", n, found, total, err)
			}
		}
	})
}

// Whoever walks the list by cursors meets everything once, the newest first, whatever the indexes.
func TestListsAreInATotalOrder(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		r := storetest.Random(t)
		var all []domain.Notification
		for i := range 60 {
			n := notification(alice, fmt.Sprintf("%02d", i))
			n.CreatedAt = birth.Add(time.Duration(r.IntN(10)) * time.Microsecond)
			all = append(all, n)
		}
		s.notify(t, all...)
		s.notify(t, notification(bob, "bob's"))
		s.commit(t, func(ctx context.Context) error {
			for i := 0; i < len(all); i += 3 {
				if err := s.MarkRead(ctx, alice, all[i].ID, later); err != nil {
					return err
				}
				all[i].ReadAt = &later
			}
			return nil
		})
		slices.SortFunc(all, func(a, b domain.Notification) int {
			if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
				return c
			}
			return bytes.Compare([]byte(b.ID), []byte(a.ID))
		})
		notifications := app.New(app.Ports{Store: s.Store, Cursors: page.NewCursors(keyring.New("k", "")), Clock: clock.System{}}, app.Identity{})
		for _, unread := range []bool{false, true} {
			var want, got []string
			for _, n := range all {
				if !unread || n.ReadAt == nil {
					want = append(want, n.ID)
				}
			}
			request := page.Request{Limit: 7}
			for pages := 0; pages == 0 || request.Cursor != ""; pages++ {
				found, err := notifications.List(t.Context(), alice, unread, request)
				if err != nil || found.Total != int64(len(want)) || pages > 10 {
					t.Fatalf("page %d: %d in all, %v", pages, found.Total, err)
				}
				for _, n := range found.Items {
					got = append(got, n.ID)
				}
				request.Cursor = found.Next
			}
			if !slices.Equal(got, want) {
				t.Errorf("unread is %t:\ngot  %v\nwant %v", unread, got, want)
			}
			if found, _, err := s.ListNotifications(t.Context(), alice, app.Listing{Unread: unread, Skip: 5, Limit: 2}); err != nil ||
				len(found) != 2 || found[0].ID != want[5] || found[1].ID != want[6] {
				t.Errorf("with a skip: %v, %v", found, err)
			}
		}
	})
}

func TestSuppressions(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.commit(t, func(ctx context.Context) error {
			return errors.Join(
				s.Suppress(ctx, []domain.Suppression{{Hash: "a", Reason: domain.Bounced, At: birth}, {Hash: "b", Reason: domain.Complained, At: birth}}),
				s.Suppress(ctx, []domain.Suppression{{Hash: "a", Reason: domain.Complained, At: later}}),
				s.Suppress(ctx, nil))
		})
		if rows := testkit.Rows(t, s.db, "notifications_suppressions", "reason = ? OR address_hash = ?", domain.Bounced, "b"); rows != 2 {
			t.Errorf("%d rows are as they were first", rows)
		}
		got, err := s.Suppressed(t.Context(), []string{"c", "b", "a"})
		slices.Sort(got)
		if err != nil || !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("suppressed are %v, %v", got, err)
		}
		if got, err := s.Suppressed(t.Context(), nil); err != nil || got != nil {
			t.Errorf("of nobody: %v, %v", got, err)
		}
	})
}

// More than one statement takes.
func TestManySuppressions(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		var all []domain.Suppression
		for i := range 1100 {
			all = append(all, domain.Suppression{Hash: fmt.Sprintf("%04d", i), Reason: domain.Bounced, At: birth})
		}
		for range 2 {
			s.commit(t, func(ctx context.Context) error { return s.Suppress(ctx, all) })
		}
		if rows := testkit.Rows(t, s.db, "notifications_suppressions", ""); rows != len(all) {
			t.Errorf("%d addresses are suppressed", rows)
		}
	})
}

func TestLettersAreCounted(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		for i := range 5 {
			l := letter("alice", fmt.Sprint(i))
			l.CreatedAt = birth.Add(time.Duration(i) * time.Hour)
			s.post(t, l)
		}
		other := letter("alice", "other")
		other.Kind, other.CreatedAt = domain.KindSecurity, later
		s.post(t, other, letter("bob", "bob's"))
		if count, err := s.CountLetters(t.Context(), alice, domain.KindWelcome, birth.Add(time.Hour)); err != nil || count != 3 {
			t.Errorf("there are %d, %v, want those behind the second", count, err)
		}
		s.commit(t, func(ctx context.Context) error {
			l := letter("alice", "now")
			l.CreatedAt = later
			if _, err := s.AddLetter(ctx, l); err != nil {
				return err
			}
			if count, err := s.CountLetters(ctx, alice, domain.KindWelcome, birth); err != nil || count != 5 {
				t.Errorf("within a transaction there are %d, %v", count, err)
			}
			return nil
		})
	})
}

func TestContactMessagesComeBackAsTheyWere(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		r := storetest.Random(t)
		for range 20 {
			messageID, sealed := id.New(), []byte(storetest.Text(r, 5000)+"\x00\xff")
			s.commit(t, func(ctx context.Context) error { return s.AddContact(ctx, messageID, sealed, birth) })
			if found, err := s.Contact(t.Context(), messageID); err != nil || !bytes.Equal(found, sealed) {
				t.Fatalf("added %q\nfound %q, %v", sealed, found, err)
			}
		}
		if _, err := s.Contact(t.Context(), "none"); !errs.Is(err, errs.NotFound) {
			t.Errorf("one that isn't there: %v", err)
		}
	})
}

func TestEraseLeavesNothingOfTheUserAndAllOfOthers(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		for _, user := range []string{"alice", "bob"} {
			s.notify(t, notification(id.Of(user), user+" 1"), notification(id.Of(user), user+" 2"))
			s.post(t, letter(user, user+" 1"), letter(user, user+" 2"))
			s.commit(t, func(ctx context.Context) error { _, err := s.LockPreferences(ctx, id.Of(user)); return err })
		}
		s.post(t, letter("", "nobody's"))
		for range 2 {
			s.commit(t, func(ctx context.Context) error { _, err := s.Erase(ctx, alice); return err })
		}
		for table, want := range map[string]int{"notifications": 2, "notifications_mails": 3, "notifications_preferences": 1} {
			if rows, hers := testkit.Rows(t, s.db, table, ""), testkit.Rows(t, s.db, table, "user_id = 'alice'"); rows != want || hers != 0 {
				t.Errorf("%s: %d rows are left, %d of them alice's", table, rows, hers)
			}
		}
	})
}

func TestPurges(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		for i := range 5 {
			at := birth.Add(time.Duration(i) * time.Hour)
			n, l := notification(alice, fmt.Sprint(i)), letter("alice", fmt.Sprint(i))
			n.CreatedAt, l.CreatedAt, l.ExpiresAt, l.Sealed = at, at, &at, []byte("x")
			s.notify(t, n)
			s.post(t, l)
			s.commit(t, func(ctx context.Context) error {
				return s.AddContact(ctx, n.ID, []byte("x"), at)
			})
		}
		never, sent := letter("alice", "never"), letter("alice", "sent")
		never.CreatedAt, sent.CreatedAt, sent.ExpiresAt, sent.State = later, later, &birth, domain.Sent
		failed := letter("alice", "failed")
		failed.CreatedAt, failed.State, failed.Sealed, failed.ExpiresAt = later, domain.Failed, []byte("x"), &birth
		s.post(t, never, sent, failed)

		before := birth.Add(3 * time.Hour) // behind three of five, and at the fourth
		steps := func(name string, purge func(ctx context.Context, before time.Time, limit int) (int64, error), want ...int64) {
			t.Helper()
			for round, want := range want {
				s.commit(t, func(ctx context.Context) error {
					got, err := purge(ctx, before, 2)
					if got != want {
						t.Errorf("%s, round %d: %d rows, want %d", name, round, got, want)
					}
					return err
				})
			}
		}
		steps("expire", s.ExpireLetters, 2, 2, 1, 0)
		if rows := testkit.Rows(t, s.db, "notifications_mails", "state = 'expired' AND sealed IS NULL AND ended_at = ?", before); rows != 5 {
			t.Errorf("%d letters expired, want those of before and of now, and the one that failed", rows)
		}
		if rows := testkit.Rows(t, s.db, "notifications_mails", "state = 'queued'"); rows != 2 {
			t.Errorf("%d letters wait, want the one that expires later and the one that never does", rows)
		}
		abandon := func(ctx context.Context, before time.Time, limit int) (int64, error) {
			return s.AbandonLetters(ctx, before, later, limit)
		}
		steps("abandon", abandon, 1, 0)
		if rows := testkit.Rows(t, s.db, "notifications_mails", "state = 'failed' AND reason = 'abandoned' AND ended_at = ?", later); rows != 1 {
			t.Errorf("%d letters are abandoned, want the one that waits since before", rows)
		}
		steps("notifications", s.PurgeNotifications, 2, 1, 0)
		steps("contacts", s.PurgeContacts, 2, 1, 0)
		steps("letters", s.PurgeLetters, 2, 2, 2, 0) // with the three that were written an hour after birth
		for table, want := range map[string]int{"notifications": 2, "notifications_mails": 2, "notifications_contacts": 2} {
			if rows := testkit.Rows(t, s.db, table, ""); rows != want {
				t.Errorf("%s: %d rows are left, want %d", table, rows, want)
			}
		}
	})
}
