package app_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	contract "github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/modules/projects/internal/app"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

func TestCreate(t *testing.T) {
	t.Run("a project is born", func(t *testing.T) {
		f := newFixture("")
		got, err := f.Create(t.Context(), alice, domain.Draft{Name: "Artemis 🚀", Description: new("")})
		if err != nil {
			t.Fatal(err)
		}
		want := domain.Project{
			ID: got.ID, Owner: alice, Name: "Artemis 🚀", Description: new(""),
			Version: 1, CreatedAt: now, UpdatedAt: now,
		}
		if !reflect.DeepEqual(got, want) || !id.Valid(got.ID) || !reflect.DeepEqual(*f.store.project, want) {
			t.Errorf("got %+v and stored %+v, want %+v", got, f.store.project, want)
		}
		f.store.Expect(t, "lock plan in tx", "count in tx", "insert in tx")
		f.events.Expect(t, contract.ProjectCreated{ProjectID: got.ID, OwnerID: "alice", Version: 1})
	})
	t.Run("the plan includes no more", func(t *testing.T) {
		f := newFixture("")
		f.store.plan = "tiny"
		_, err := f.Create(t.Context(), alice, domain.Draft{Name: "Artemis"})
		if !errs.Is(err, errs.PaymentRequired) || errs.From(err).Details["limit"] != int64(7) {
			t.Errorf("got %v, want the payment required", err)
		}
		f.store.Expect(t, "lock plan in tx", "count in tx")
		f.events.Expect(t)
	})
	t.Run("the plan includes any number", func(t *testing.T) {
		f := newFixture("")
		f.store.plan = "vast"
		if _, err := f.Create(t.Context(), alice, domain.Draft{Name: "Artemis"}); err != nil {
			t.Error(err)
		}
		f.store.Expect(t, "lock plan in tx", "insert in tx")
	})
	t.Run("a gift is over the plan", func(t *testing.T) {
		f := newFixture("")
		f.store.plan = "tiny"
		if _, err := f.Give(t.Context(), alice, domain.Draft{Name: "Artemis"}); err != nil {
			t.Error(err)
		}
		f.store.Expect(t, "insert in tx")
	})
	t.Run("a broken rule reaches nothing", func(t *testing.T) {
		f := newFixture("")
		if _, err := f.Create(t.Context(), alice, domain.Draft{Name: " "}); !errs.Is(err, errs.Invalid) {
			t.Errorf("got %v, want it invalid", err)
		}
		f.store.Expect(t)
		f.events.Expect(t)
	})
	for _, failing := range []string{"lock plan", "count", "insert", "publish"} {
		t.Run("the "+failing+" fails", func(t *testing.T) {
			f := newFixture(failing)
			if got, err := f.Create(t.Context(), alice, domain.Draft{Name: "Artemis"}); !errors.Is(err, errstest.ErrBoom) || got.ID != "" || f.tx.RolledBack != 1 {
				t.Errorf("got %+v and %v", got, err)
			}
			f.events.Expect(t)
		})
	}
}

func TestNotePlan(t *testing.T) {
	f := newFixture("")
	if err := f.NotePlan(t.Context(), alice, "vast", 3); err != nil || f.store.saved != "alice vast 3" {
		t.Errorf("saved %s, %v", f.store.saved, err)
	}
	f.store.Expect(t, "save plan in tx")
}

func TestGet(t *testing.T) {
	f := newFixture("")
	if got, err := f.Get(t.Context(), alice, "apollo"); err != nil || !reflect.DeepEqual(got, apollo()) {
		t.Errorf("got %+v and %v", got, err)
	}
	if _, err := f.Get(t.Context(), bob, "apollo"); !errs.Is(err, errs.NotFound) {
		t.Errorf("another's: got %v, want it not found", err)
	}
}

func TestUpdate(t *testing.T) {
	artemis := domain.Change{Name: new("Artemis")}
	changed := apollo()
	changed.Name, changed.Version, changed.UpdatedAt = "Artemis", 4, now
	described := apollo()
	described.Description, described.Version, described.UpdatedAt = nil, 4, now
	saved := []string{"lock in tx", "save in tx"}
	looked := []string{"lock in tx"}
	for name, test := range map[string]struct {
		owner   id.Scope
		version int64
		change  domain.Change
		failing string
		want    domain.Project
		is      func(err error) bool
		calls   []string
	}{
		"whatever the version":      {owner: alice, change: artemis, want: changed, is: errstest.Success, calls: saved},
		"of the current version":    {owner: alice, version: 3, change: artemis, want: changed, is: errstest.Success, calls: saved},
		"of the description":        {owner: alice, change: domain.Change{Name: new("Apollo"), SetDescription: true}, want: described, is: errstest.Success, calls: saved},
		"of an older version":       {owner: alice, version: 2, change: artemis, is: errstest.Kind(errs.Precondition), calls: looked},
		"of a version to come":      {owner: alice, version: 4, change: artemis, is: errstest.Kind(errs.Precondition), calls: looked},
		"that changes nothing":      {owner: alice, version: 3, want: apollo(), is: errstest.Success, calls: looked},
		"to what it is":             {owner: alice, change: domain.Change{Name: new("Apollo")}, want: apollo(), is: errstest.Success, calls: looked},
		"that breaks a rule":        {owner: alice, change: domain.Change{Name: new("")}, is: errstest.Kind(errs.Invalid), calls: looked},
		"an old version and a rule": {owner: alice, version: 2, change: domain.Change{Name: new("")}, is: errstest.Kind(errs.Precondition), calls: looked},
		"of another's":              {owner: bob, version: 3, change: artemis, is: errstest.Kind(errs.NotFound), calls: looked},
		"the look-up fails":         {owner: alice, change: artemis, failing: "lock", is: errstest.Boom, calls: looked},
		"the save fails":            {owner: alice, change: artemis, failing: "save", is: errstest.Boom, calls: saved},
		"nobody can be told":        {owner: alice, change: artemis, failing: "publish", is: errstest.Boom, calls: saved},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.failing)
			got, err := f.Update(t.Context(), test.owner, "apollo", test.version, test.change)
			if !test.is(err) || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v and %v, want %+v", got, err, test.want)
			}
			f.store.Expect(t, test.calls...)
			f.tx.ExpectOne(t, err)
			var told []events.Event
			if got.Name == "Artemis" {
				told = append(told, contract.ProjectRenamed{ProjectID: "apollo", OwnerID: "alice", Version: 4})
			}
			f.events.Expect(t, told...)
		})
	}
}

func TestDelete(t *testing.T) {
	deleted := []string{"lock in tx", "delete in tx"}
	looked := []string{"lock in tx"}
	for name, test := range map[string]struct {
		owner   id.Scope
		version int64
		failing string
		is      func(err error) bool
		calls   []string
	}{
		"whatever the version":   {owner: alice, is: errstest.Success, calls: deleted},
		"of the current version": {owner: alice, version: 3, is: errstest.Success, calls: deleted},
		"of an older version":    {owner: alice, version: 2, is: errstest.Kind(errs.Precondition), calls: looked},
		"of another's":           {owner: bob, is: errstest.Kind(errs.NotFound), calls: looked},
		"the look-up fails":      {owner: alice, failing: "lock", is: errstest.Boom, calls: looked},
		"the deletion fails":     {owner: alice, failing: "delete", is: errstest.Boom, calls: deleted},
		"nobody can be told":     {owner: alice, failing: "publish", is: errstest.Boom, calls: deleted},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.failing)
			err := f.Delete(t.Context(), test.owner, "apollo", test.version)
			if !test.is(err) {
				t.Errorf("got %v", err)
			}
			f.store.Expect(t, test.calls...)
			f.tx.ExpectOne(t, err)
			var told []events.Event
			if err == nil {
				told = append(told, contract.ProjectDeleted{ProjectID: "apollo", OwnerID: "alice", Version: 4})
			}
			f.events.Expect(t, told...)
		})
	}
}

func TestCountAndErase(t *testing.T) {
	f := newFixture("")
	if count, err := f.Count(t.Context(), alice); count != 7 || err != nil {
		t.Errorf("got %d and %v", count, err)
	}
	if erased, err := f.Erase(t.Context(), alice); err != nil || erased["projects"] != 2 || erased["projects_files"] != 3 {
		t.Errorf("erased %v, %v", erased, err)
	}
	f.store.Expect(t, "count", "erase in tx")
	f.files.Expect(t, "drop files of in tx", "note in tx")
	f.events.Expect(t) // that the owner is gone was said already
}

func TestFindAndTally(t *testing.T) {
	f := newFixture("")
	if got, err := f.Find(t.Context(), alice, "apollo"); err != nil || got != (contract.Project{ID: "apollo", Name: "Apollo"}) {
		t.Errorf("got %+v and %v", got, err)
	}
	if _, err := f.Find(t.Context(), bob, "apollo"); !errs.Is(err, errs.NotFound) {
		t.Errorf("another's: got %v, want it not found", err)
	}
	if got, err := f.Tally(t.Context(), birth, now); err != nil || got != (app.Tally{Created: 1, Deleted: 5, All: 7}) {
		t.Errorf("got %+v and %v", got, err)
	}
}

// A purge goes on in transactions of their own until nothing is left.
func TestPurgeDeleted(t *testing.T) {
	for deleted, calls := range map[int64]int{0: 1, 1: 1, 499: 1, 500: 2, 1001: 3} {
		f := newFixture("")
		f.store.deleted = deleted
		if err := f.PurgeDeleted(t.Context()); err != nil {
			t.Error(err)
		}
		if f.tx.Committed != calls || len(f.store.Calls) != calls || f.store.deleted != 0 {
			t.Errorf("%d deleted: %q in %d transactions, %d are left", deleted, f.store.Calls, f.tx.Committed, f.store.deleted)
		}
	}
	f := newFixture("purge")
	f.store.deleted = 1001
	if err := f.PurgeDeleted(t.Context()); !errors.Is(err, errstest.ErrBoom) || f.tx.RolledBack != 1 {
		t.Errorf("got %v", err)
	}
	f.store.Expect(t, "purge in tx")
	f.files.Expect(t, "drop files of deleted in tx", "note in tx")
}

// A list asks the store for one item more than wanted, which shows whether there is a next page.
func TestListCutsPages(t *testing.T) {
	for name, test := range map[string]struct {
		stored, skip, limit int
		items               int
		next                bool
	}{
		"nothing":          {stored: 0, limit: 3, items: 0},
		"less than a page": {stored: 2, limit: 3, items: 2},
		"just a page":      {stored: 3, limit: 3, items: 3},
		"one item more":    {stored: 4, limit: 3, items: 3, next: true},
		"many more":        {stored: 9, limit: 3, items: 3, next: true},
		"pages of one":     {stored: 2, limit: 1, items: 1, next: true},
		"with a skip":      {stored: 4, skip: 5, limit: 3, items: 3, next: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture("")
			f.store.page = projects(test.stored)
			got, err := f.List(t.Context(), alice, "", app.ByName, page.Request{Skip: test.skip, Limit: test.limit})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Items, f.store.page[:test.items]) || got.Total != int64(test.stored) || got.Skip != test.skip || got.Limit != test.limit {
				t.Errorf("got %+v", got)
			}
			if (got.Next != "") != test.next {
				t.Errorf("the next page is %q", got.Next)
			}
			if want := (app.Listing{Sort: app.ByName, Skip: test.skip, Limit: test.limit + 1}); f.store.listing != want {
				t.Errorf("the store was asked for %+v, want %+v", f.store.listing, want)
			}
			f.store.Expect(t, "list")
		})
	}
}

// The next page starts behind the last item shown, by the key of the order.
func TestListContinuesBehindTheLastItem(t *testing.T) {
	for sort, value := range map[app.Sort]string{
		app.NewestFirst: "2026-01-02T03:04:05.000006Z",
		app.OldestFirst: "2026-01-02T03:04:05.000006Z",
		app.ByName:      "strasse 2",
		app.ByNameDown:  "strasse 2",
	} {
		f := newFixture("")
		f.store.page = projects(5)
		first, err := f.List(t.Context(), alice, "STRASSE", sort, page.Request{Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		// The search may be spelled otherwise, as long as it means the same.
		if _, err := f.List(t.Context(), alice, "straße", sort, page.Request{Limit: 2, Cursor: first.Next}); err != nil {
			t.Fatal(err)
		}
		want := app.Listing{Search: "strasse", Sort: sort, Limit: 3, After: &page.Key{Value: value, ID: "p2"}}
		if !reflect.DeepEqual(f.store.listing, want) {
			t.Errorf("by %s the store was asked for %+v behind %+v, want %+v", sort, f.store.listing, f.store.listing.After, want.After)
		}
	}
}

func TestListRefusesForeignCursors(t *testing.T) {
	f := newFixture("")
	f.store.page = projects(5)
	first, err := f.List(t.Context(), alice, "a", app.ByName, page.Request{Limit: 3})
	if err != nil {
		t.Fatal(err)
	}
	f.store.Calls = nil
	for name, test := range map[string]struct {
		owner  id.Scope
		search string
		sort   app.Sort
		cursor string
	}{
		"of another owner":  {bob, "a", app.ByName, first.Next},
		"of another search": {alice, "b", app.ByName, first.Next},
		"of no search":      {alice, "", app.ByName, first.Next},
		"of another order":  {alice, "a", app.ByNameDown, first.Next},
		"that is forged":    {alice, "a", app.ByName, "x" + first.Next},
		"that is cut":       {alice, "a", app.ByName, first.Next[:10]},
		"of another kind":   {alice, "a", app.ByName, f.cursors.Encode(page.Key{Value: "a", ID: "p1"}, "files", "alice", "a", "name")},
	} {
		_, err := f.List(t.Context(), test.owner, test.search, test.sort, page.Request{Limit: 3, Cursor: test.cursor})
		if !errs.Is(err, errs.Invalid) {
			t.Errorf("a cursor %s: got %v, want it refused", name, err)
		}
	}
	f.store.Expect(t)
}

func TestListPassesErrorsOn(t *testing.T) {
	f := newFixture("list")
	if _, err := f.List(t.Context(), alice, "", app.ByName, page.Request{Limit: 3}); !errors.Is(err, errstest.ErrBoom) {
		t.Errorf("got %v", err)
	}
}

// projects returns count projects, called p0, p1 and so on.
func projects(count int) []domain.Project {
	all := make([]domain.Project, count)
	for i := range all {
		all[i] = domain.Project{
			ID: fmt.Sprintf("p%d", i), Owner: alice, Name: fmt.Sprintf("Straße %d", i),
			Version: 1, CreatedAt: birth, UpdatedAt: birth.Add(time.Minute),
		}
	}
	return all
}
