package blob_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/blob"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/testkit"
)

// eachRemovals runs the test over the files a, b and c in a folder, none of which is noted.
func eachRemovals(t *testing.T, test func(t *testing.T, db *database.DB, files blob.Store, at *clock.Manual)) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		at := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC))
		files, err := blob.OpenLocal(t.TempDir(), keyring.New(strings.Repeat("k", 32), ""), "http://localhost", at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(files.Close)
		for _, key := range []string{"a", "b", "c"} {
			if err := files.Put(t.Context(), key, strings.NewReader(key), 1, "text/plain"); err != nil {
				t.Fatal(err)
			}
		}
		test(t, db, files, at)
	})
}

func keysIn(t *testing.T, files blob.Store) string {
	t.Helper()
	var keys []string
	for object, err := range files.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, object.Key)
	}
	return strings.Join(keys, " ")
}

// What is noted is removed when its time has come, unless the note was taken back or moved before.
func TestRemovalsInTime(t *testing.T) {
	eachRemovals(t, func(t *testing.T, db *database.DB, files blob.Store, at *clock.Manual) {
		removals := blob.NewRemovals(db, files, at)
		note := func(in time.Duration, keys ...string) {
			t.Helper()
			storetest.Commit(t, db, func(ctx context.Context) error { return removals.Note(ctx, at.Now().Add(in), keys...) })
		}
		keep := func(key string, want bool) {
			t.Helper()
			storetest.Commit(t, db, func(ctx context.Context) error {
				kept, err := removals.Keep(ctx, key)
				if kept != want {
					t.Errorf("%s is kept: %v", key, kept)
				}
				return err
			})
		}
		left := func(want string) {
			t.Helper()
			if err := removals.RemoveDue(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := keysIn(t, files); got != want {
				t.Errorf("left are %s, want %s", got, want)
			}
		}
		note(time.Minute, "a", "b", "nothing")
		note(time.Minute, "c")
		note(time.Hour, "b")
		left("a b c")
		keep("c", true)
		keep("c", false)
		at.Advance(time.Minute)
		keep("a", false) // it may be gone already
		left("b c")
		at.Advance(time.Hour)
		left("c")
		if noted := testkit.Rows(t, db, "blob_removals", ""); noted != 0 {
			t.Errorf("%d are noted still", noted)
		}
	})
}

// A note is there if and only if its transaction commits.
func TestRemovalsGoWithTheirTransaction(t *testing.T) {
	eachRemovals(t, func(t *testing.T, db *database.DB, files blob.Store, at *clock.Manual) {
		removals, boom := blob.NewRemovals(db, files, at), errors.New("boom")
		storetest.Commit(t, db, func(ctx context.Context) error { return removals.Note(ctx, at.Now().Add(time.Minute), "a") })
		err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			if err := removals.Note(ctx, at.Now(), "b"); err != nil {
				return err
			}
			if kept, err := removals.Keep(ctx, "a"); err != nil || !kept {
				t.Errorf("a is kept: %v, %v", kept, err)
			}
			return boom
		})
		if !errors.Is(err, boom) {
			t.Fatal(err)
		}
		at.Advance(time.Minute)
		if err := removals.RemoveDue(t.Context()); err != nil || keysIn(t, files) != "b c" {
			t.Errorf("left are %s, %v", keysIn(t, files), err)
		}
	})
}

// stuck is a store that can't remove one of its files.
type stuck struct {
	blob.Store
	at *string
}

func (s stuck) Delete(ctx context.Context, key string) error {
	if key == *s.at {
		return errs.New(errs.Unavailable, "away")
	}
	return s.Store.Delete(ctx, key)
}

// A store in trouble forgets nothing; there may be more to remove than fit into one transaction.
func TestRemovalsFromAStoreInTrouble(t *testing.T) {
	eachRemovals(t, func(t *testing.T, db *database.DB, files blob.Store, at *clock.Manual) {
		trouble := "b"
		removals := blob.NewRemovals(db, stuck{files, &trouble}, at)
		keys := []string{"a", "b", "c"}
		for i := range 250 {
			keys = append(keys, "more/"+strings.Repeat("x", 1+i%100)+string(rune('a'+i%26)))
		}
		slices.Sort(keys)
		storetest.Commit(t, db, func(ctx context.Context) error { return removals.Note(ctx, at.Now(), slices.Compact(keys)...) })
		if err := removals.RemoveDue(t.Context()); !errs.Is(err, errs.Unavailable) || testkit.Rows(t, db, "blob_removals", "key = 'b'") != 1 {
			t.Errorf("got %v", err)
		}
		trouble = ""
		if err := removals.RemoveDue(t.Context()); err != nil || keysIn(t, files) != "" || testkit.Rows(t, db, "blob_removals", "") != 0 {
			t.Errorf("left are %q, %v", keysIn(t, files), err)
		}
	})
}
