package app_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

// give adds good keys of the owner, with the ids 0, 1, 2 and so on, and the hashes h0, h1, h2.
func (f fixture) give(owner string, count int) {
	for i := range count {
		keyID := fmt.Sprint(i)
		f.store.keys[keyID] = domain.APIKey{ID: keyID, Owner: id.Of(owner), Name: "Deploy", Hash: "h" + keyID, CreatedAt: birth}
	}
}

func TestMakeAPIKey(t *testing.T) {
	wanted := domain.NewAPIKey{Name: "Deploy", Scopes: []domain.KeyScope{domain.ScopeRead}, Prefix: "omni_ab12", Hash: "hash"}
	nameless := wanted
	nameless.Name = ""
	suspended, deleted := person("sam"), person("sam")
	suspended.Active, deleted.Deleted = false, true
	looked := []string{"lock in tx"}
	counted := append(slices.Clone(looked), "count keys in tx")
	purged := append(slices.Clone(counted), "purge keys in tx")
	made := append(slices.Clone(purged), "insert key in tx")
	for name, test := range map[string]struct {
		sam     domain.User
		has     int
		wanted  domain.NewAPIKey
		failing string
		is      func(error) bool
		calls   []string
	}{
		"the first":           {sam: person("sam"), wanted: wanted, is: errstest.Success, calls: made},
		"the last":            {sam: person("sam"), has: domain.MaxAPIKeys - 1, wanted: wanted, is: errstest.Success, calls: made},
		"one too many":        {sam: person("sam"), has: domain.MaxAPIKeys, wanted: wanted, is: errstest.Kind(errs.Conflict), calls: counted},
		"that breaks a rule":  {sam: person("sam"), wanted: nameless, is: errstest.Kind(errs.Invalid), calls: counted},
		"of who is suspended": {sam: suspended, wanted: wanted, is: errstest.Kind(errs.Forbidden), calls: looked},
		"of who is gone":      {sam: deleted, wanted: wanted, is: errstest.Kind(errs.NotFound), calls: looked},
		"the look-up fails":   {sam: person("sam"), wanted: wanted, failing: "lock", is: errstest.Boom, calls: looked},
		"the count fails":     {sam: person("sam"), wanted: wanted, failing: "count keys", is: errstest.Boom, calls: counted},
		"the clean-up fails":  {sam: person("sam"), wanted: wanted, failing: "purge keys", is: errstest.Boom, calls: purged},
		"the insert fails":    {sam: person("sam"), wanted: wanted, failing: "insert key", is: errstest.Boom, calls: made},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.failing, test.sam)
			f.give("sam", test.has)
			got, err := f.MakeAPIKey(t.Context(), id.Of("sam"), test.wanted)
			if !test.is(err) {
				t.Errorf("got %v", err)
			}
			want := domain.APIKey{}
			if err == nil {
				want, _ = domain.MakeAPIKey(got.ID, id.Of("sam"), wanted, 0, now)
				if !id.Valid(got.ID) || !reflect.DeepEqual(f.store.keys[got.ID], want) || !f.store.purged.Equal(now.Add(-domain.KeptAPIKey)) {
					t.Errorf("stored %+v, purged what ended before %s", f.store.keys[got.ID], f.store.purged)
				}
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
			f.store.Expect(t, test.calls...)
			f.tx.ExpectOne(t, err)
			f.events.Expect(t)
		})
	}
}

func TestListAPIKeys(t *testing.T) {
	f := newFixture("")
	f.give("sam", 3)
	got, err := f.ListAPIKeys(t.Context(), id.Of("sam"), page.Request{Limit: 2})
	if err != nil || len(got.Items) != 2 || got.Total != 3 || got.Limit != 2 || got.Next == "" || f.store.keyListing.Limit != 3 {
		t.Fatalf("got %+v and %v", got, err)
	}
	if _, err := f.ListAPIKeys(t.Context(), id.Of("sam"), page.Request{Limit: 5, Cursor: got.Next}); err != nil {
		t.Fatal(err)
	}
	if want := (app.KeyListing{Limit: 6, After: new(page.At(birth, "1"))}); !reflect.DeepEqual(f.store.keyListing, want) {
		t.Errorf("the store was asked for %+v, want %+v", f.store.keyListing, want)
	}
	if all, err := f.ListAPIKeys(t.Context(), id.Of("sam"), page.Request{Skip: 1, Limit: 3}); err != nil || all.Next != "" || all.Skip != 1 || f.store.keyListing.Skip != 1 {
		t.Errorf("got %+v and %v", all, err)
	}
	if _, err := f.ListAPIKeys(t.Context(), id.Of("bob"), page.Request{Limit: 2, Cursor: got.Next}); !errs.Is(err, errs.Invalid) {
		t.Errorf("a cursor of somebody else: got %v", err)
	}
	f = newFixture("list keys")
	if _, err := f.ListAPIKeys(t.Context(), id.Of("sam"), page.Request{Limit: 2}); !errors.Is(err, errstest.ErrBoom) {
		t.Errorf("got %v", err)
	}
}

func TestRevokeAPIKey(t *testing.T) {
	for name, test := range map[string]struct {
		owner, failing string
		times          int
		is             func(error) bool
	}{
		"one's own":      {owner: "sam", times: 1, is: errstest.Success},
		"twice":          {owner: "sam", times: 2, is: errstest.Kind(errs.NotFound)},
		"another's":      {owner: "bob", times: 1, is: errstest.Kind(errs.NotFound)},
		"the mark fails": {owner: "sam", times: 1, failing: "revoke key", is: errstest.Boom},
	} {
		f := newFixture(test.failing, person("sam"), person("bob"))
		f.give("sam", 1)
		var err error
		for range test.times {
			f.principals.forgotten = nil
			err = f.RevokeAPIKey(t.Context(), id.Of(test.owner), "0")
		}
		if !test.is(err) {
			t.Errorf("%s: got %v", name, err)
		}
		want := []string{"sam"}
		if err != nil {
			want = nil // nothing was committed
		}
		if !slices.Equal(f.principals.forgotten, want) {
			t.Errorf("%s: the memory of %v was cleared", name, f.principals.forgotten)
		}
		if revoked := f.store.keys["0"].RevokedAt; test.owner == "bob" && revoked != nil || err == nil && !revoked.Equal(now) {
			t.Errorf("%s: it was revoked at %v", name, revoked)
		}
		f.events.Expect(t)
	}
}

func TestFindAPIKey(t *testing.T) {
	suspended, deleted := person("sam"), person("sam")
	suspended.Active, deleted.Deleted = false, true
	for name, test := range map[string]struct {
		sam     domain.User
		hash    string
		key     func(*domain.APIKey)
		failing string
		is      func(error) bool
	}{
		"a good one":          {sam: person("sam"), hash: "h0", is: errstest.Success},
		"until later":         {sam: person("sam"), hash: "h0", key: func(k *domain.APIKey) { k.ExpiresAt = new(now.Add(1)) }, is: errstest.Success},
		"none":                {sam: person("sam"), hash: "h9", is: errstest.Kind(errs.NotFound)},
		"an expired one":      {sam: person("sam"), hash: "h0", key: func(k *domain.APIKey) { k.ExpiresAt = new(now) }, is: errstest.Kind(errs.NotFound)},
		"a revoked one":       {sam: person("sam"), hash: "h0", key: func(k *domain.APIKey) { k.RevokedAt = new(birth) }, is: errstest.Kind(errs.NotFound)},
		"of who is suspended": {sam: suspended, hash: "h0", is: errstest.Kind(errs.Forbidden)},
		"of who is gone":      {sam: deleted, hash: "h0", is: errstest.Kind(errs.Forbidden)},
		"the look-up fails":   {sam: person("sam"), hash: "h0", failing: "find key", is: errstest.Boom},
	} {
		f := newFixture(test.failing, test.sam)
		f.give("sam", 1)
		if key := f.store.keys["0"]; test.key != nil {
			test.key(&key)
			f.store.keys["0"] = key
		}
		got, owner, err := f.FindAPIKey(t.Context(), test.hash)
		want := domain.APIKey{}
		if err == nil {
			want = f.store.keys["0"]
		}
		if !test.is(err) || !reflect.DeepEqual(got, want) || owner.ID != want.Owner.User {
			t.Errorf("%s: got %+v and %v", name, got, err)
		}
		f.store.Expect(t, "find key") // one look-up, no transaction
	}
}

func TestNoteAPIKeyUse(t *testing.T) {
	for _, test := range []struct {
		last *time.Time
		want time.Time
	}{
		{nil, now}, {new(now.Add(-time.Minute)), now}, {new(now.Add(-time.Minute + 1)), now.Add(-time.Minute + 1)}, {new(now.Add(time.Hour)), now.Add(time.Hour)},
	} {
		f := newFixture("")
		f.store.keys["0"] = domain.APIKey{ID: "0", LastUsedAt: test.last}
		if err := f.NoteAPIKeyUse(t.Context(), "0", time.Minute); err != nil || !f.store.keys["0"].LastUsedAt.Equal(test.want) {
			t.Errorf("after %v: noted %v, %v", test.last, f.store.keys["0"].LastUsedAt, err)
		}
		f.store.Expect(t, "note key in tx")
	}
	f := newFixture("note key")
	if err := f.NoteAPIKeyUse(t.Context(), "0", time.Minute); !errors.Is(err, errstest.ErrBoom) {
		t.Errorf("got %v", err)
	}
}
