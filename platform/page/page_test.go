package page_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/page"
)

func cursors() page.Cursors {
	return page.NewCursors(keyring.New("a secret that is 32 bytes long!!", ""))
}

func TestACursorComesBackAsItsKey(t *testing.T) {
	for _, key := range []page.Key{{Value: "2026-01-02T03:04:05.000006Z", ID: "a"}, {Value: "", ID: ""}, {Value: "straße 🚀", ID: "b"}} {
		got, err := cursors().Decode(cursors().Encode(key, "owner", "-created_at"), "owner", "-created_at")
		if err != nil || got != key {
			t.Errorf("got %v and %v, want %v", got, err, key)
		}
	}
}

func TestACursorHoldsForItsListOnly(t *testing.T) {
	cursor := cursors().Encode(page.Key{Value: "v", ID: "i"}, "owner", "name")
	for name, about := range map[string][]string{
		"another owner": {"other", "name"},
		"another order": {"owner", "-name"},
		"no list":       nil,
	} {
		if _, err := cursors().Decode(cursor, about...); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: got %v, want an invalid cursor", name, err)
		}
	}
}

// A time comes back from a key as it was, to the microsecond, wherever it was told.
func TestAPlaceInTimeComesBack(t *testing.T) {
	for _, at := range []time.Time{
		time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		time.Date(2026, 1, 2, 3, 4, 5, 999_999_000, time.UTC),
		time.Date(2026, 1, 2, 3, 4, 5, 1000, time.FixedZone("east", 7200)),
	} {
		key := page.At(at, "i")
		if got, err := key.Time(); err != nil || !got.Equal(at) || got.Location() != time.UTC || key.ID != "i" {
			t.Errorf("%s becomes %+v and that %s, %v", at, key, got, err)
		}
	}
	if _, err := (page.Key{Value: "a name"}).Time(); err == nil {
		t.Error("a name is a time")
	}
}

// FuzzDecode shows that no text but Encode's own is a cursor, and that none makes it fail otherwise.
func FuzzDecode(f *testing.F) {
	valid := cursors().Encode(page.Key{Value: "v", ID: "i"}, "owner")
	for _, seed := range []string{"", "=", "AAAA", valid, valid + "A", valid[1:], "\x00", "not base64!"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		key, err := cursors().Decode(cursor, "owner")
		if err != nil {
			if !errs.Is(err, errs.Invalid) {
				t.Errorf("%q: got %v, want an invalid cursor", cursor, err)
			}
			return
		}
		if cursors().Encode(key, "owner") != cursor {
			t.Errorf("%q was accepted, but is not what Encode makes", cursor)
		}
	})
}

// A list is walked to its end by the cursors of its pages, and every item comes once.
func TestListWalks(t *testing.T) {
	cursors := cursors()
	all := []string{"a", "b", "c", "d", "e"}
	read := func(part page.Window) ([]string, int64, error) {
		from := part.Skip
		if part.After != nil {
			from = slices.Index(all, part.After.ID) + 1
		}
		return all[from:min(from+part.Limit, len(all))], int64(len(all)), nil
	}
	place := func(item string) page.Key { return page.Key{ID: item} }
	var walked []string
	for request := (page.Request{Limit: 2}); ; {
		found, err := page.List(cursors, request, []string{"letters"}, place, read)
		if err != nil || found.Total != 5 || found.Limit != 2 {
			t.Fatalf("a page is %+v, %v", found, err)
		}
		walked = append(walked, found.Items...)
		if request.Cursor = found.Next; request.Cursor == "" {
			break
		}
		if _, err := page.List(cursors, request, []string{"numbers"}, place, read); !errs.Is(err, errs.Invalid) {
			t.Errorf("another list takes the cursor: %v", err)
		}
	}
	if !slices.Equal(walked, all) {
		t.Errorf("walked is %v", walked)
	}
	refused := errors.New("no")
	fails := func(page.Window) ([]string, int64, error) { return nil, 0, refused }
	if _, err := page.List(cursors, page.Request{Limit: 2}, nil, place, fails); !errors.Is(err, refused) {
		t.Errorf("a list that can't be read: %v", err)
	}
}
