package app_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

func TestSignInOfAKnownUser(t *testing.T) {
	suspended, deleted := person("sam"), person("sam")
	suspended.Active, deleted.Deleted = false, true
	for name, test := range map[string]struct {
		user    domain.User
		failing string
		is      func(err error) bool
	}{
		"active":            {user: person("sam"), is: errstest.Success},
		"suspended":         {user: suspended, is: errstest.Kind(errs.Forbidden)},
		"deleted":           {user: deleted, is: errstest.Kind(errs.Forbidden)},
		"the look-up fails": {user: person("sam"), failing: "identify", is: errstest.Boom},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.failing, test.user)
			got, err := f.SignIn(t.Context(), domain.Claims{Identity: sam, Email: "new@example.com"})
			if !test.is(err) || err == nil && !reflect.DeepEqual(got, test.user) {
				t.Errorf("got %+v and %v", got, err)
			}
			f.store.Expect(t, "identify") // the hot path: one look-up, no transaction
			f.events.Expect(t)
		})
	}
}

// Who the settings name becomes an administrator by signing in with an address that the issuer vouches for, new or not.
func TestSignInOfWhomTheSettingsAppoint(t *testing.T) {
	for name, test := range map[string]struct {
		known   bool
		claims  domain.Claims
		failing string
		want    domain.Role
	}{
		"new":                 {claims: domain.Claims{Email: "Grace@Example.com", EmailVerified: true}, want: domain.RoleAdmin},
		"known":               {known: true, claims: domain.Claims{Email: "grace@example.com", EmailVerified: true}, want: domain.RoleAdmin},
		"without a guarantee": {known: true, claims: domain.Claims{Email: "grace@example.com"}, want: domain.RoleUser},
		"another address":     {known: true, claims: domain.Claims{Email: "sam@example.com", EmailVerified: true}, want: domain.RoleUser},
		"no address":          {known: true, claims: domain.Claims{EmailVerified: true}, want: domain.RoleUser},
		"when it can't be":    {known: true, claims: domain.Claims{Email: "grace@example.com", EmailVerified: true}, failing: "save", want: domain.RoleUser},
	} {
		t.Run(name, func(t *testing.T) {
			var there []domain.User
			if test.known {
				there = append(there, person("sam"))
			}
			f := newFixture(test.failing, there...)
			test.claims.Identity = sam
			got, err := f.SignIn(t.Context(), test.claims)
			if err != nil || got.Role != test.want {
				t.Errorf("got %s and %v, want %s", got.Role, err, test.want)
			}
			if test.failing == "" && f.store.users["sam"].Role != test.want {
				t.Errorf("kept is %s", f.store.users["sam"].Role)
			}
		})
	}
}

func TestSignInOfANewUser(t *testing.T) {
	t.Run("the subject becomes the id", func(t *testing.T) {
		f := newFixture("")
		got, err := f.SignIn(t.Context(), domain.Claims{Identity: sam, Email: "sam@example.com"})
		want := domain.Register("sam", domain.Claims{Email: "sam@example.com"}, now)
		want.LastLoginAt = &now
		if err != nil || !reflect.DeepEqual(got, want) || !reflect.DeepEqual(f.store.users["sam"], want) {
			t.Errorf("got %+v and %v, want %+v", got, err, want)
		}
		if f.store.identities[sam] != "sam" || f.tx.Committed != 1 {
			t.Errorf("the identity stands for %q", f.store.identities[sam])
		}
		f.store.Expect(t, "identify", "claim in tx", "insert in tx", "link in tx")
		f.events.Expect(t, users.UserRegistered{UserID: "sam", Version: 1})
	})
	t.Run("whose subject is somebody's id gets another", func(t *testing.T) {
		f := newFixture("")
		f.store.users["sam"] = person("sam") // who signs in with another issuer
		got, err := f.SignIn(t.Context(), domain.Claims{Identity: sam, Email: "sam@example.com"})
		if err != nil || got.ID == "sam" || !id.Valid(got.ID) || f.store.identities[sam] != got.ID {
			t.Errorf("got %+v and %v, and the identity stands for %q", got, err, f.store.identities[sam])
		}
		if !reflect.DeepEqual(f.store.users["sam"], person("sam")) {
			t.Errorf("somebody is now %+v", f.store.users["sam"])
		}
		f.store.Expect(t, "identify", "claim in tx", "insert in tx", "insert in tx", "link in tx")
		f.events.Expect(t, users.UserRegistered{UserID: got.ID, Version: 1})
	})
	t.Run("who is being made at the same time", func(t *testing.T) {
		suspended := person("sam")
		suspended.Active = false
		for _, made := range []domain.User{person("sam"), suspended} {
			f := newFixture("")
			f.store.beforeTx = func() { f.store.users["sam"], f.store.identities[sam] = made, "sam" }
			got, err := f.SignIn(t.Context(), domain.Claims{Identity: sam})
			if made.Active != (err == nil) || !made.Active && !errs.Is(err, errs.Forbidden) || err == nil && got.Version != made.Version {
				t.Errorf("got %+v and %v", got, err)
			}
			f.store.Expect(t, "identify", "claim in tx", "identify in tx")
			f.events.Expect(t) // whoever made the user said so
		}
	})
	for _, failing := range []string{"claim", "insert", "link", "publish"} {
		t.Run("the "+failing+" fails", func(t *testing.T) {
			f := newFixture(failing)
			if _, err := f.SignIn(t.Context(), domain.Claims{Identity: sam}); !errors.Is(err, errstest.ErrBoom) || f.tx.RolledBack != 1 {
				t.Errorf("got %v, and %d transactions were rolled back", err, f.tx.RolledBack)
			}
		})
	}
}

func TestGetAndFind(t *testing.T) {
	bare, suspended, deleted := person("bare"), person("suspended"), person("deleted")
	bare.Email, bare.FullName = nil, nil
	suspended.Active, deleted.Deleted = false, true
	f := newFixture("", person("sam"), bare, suspended, deleted)
	for userID, want := range map[string]users.User{
		"sam":       {ID: "sam", Email: "sam@example.com", FullName: "Sam", Active: true},
		"bare":      {ID: "bare", Active: true},
		"suspended": {ID: "suspended", Email: "suspended@example.com", FullName: "Sam"},
	} {
		if got, err := f.Find(t.Context(), userID); err != nil || got != want {
			t.Errorf("find %s: got %+v and %v, want %+v", userID, got, err, want)
		}
		if got, err := f.Get(t.Context(), userID); err != nil || !reflect.DeepEqual(got, f.store.users[userID]) {
			t.Errorf("get %s: got %+v and %v", userID, got, err)
		}
	}
	for _, userID := range []string{"deleted", "nobody", ""} {
		if got, err := f.Find(t.Context(), userID); !errs.Is(err, errs.NotFound) || got != (users.User{}) {
			t.Errorf("find %q: got %+v and %v, want it not found", userID, got, err)
		}
	}
}

func TestUpdate(t *testing.T) {
	rename := domain.Profile{SetFullName: true, FullName: new("Sue")}
	changed := person("sam")
	changed.FullName, changed.OwnFullName, changed.Version, changed.UpdatedAt = new("Sue"), true, 4, now
	saved := []string{"lock in tx", "save in tx"}
	looked := []string{"lock in tx"}
	for name, test := range map[string]struct {
		userID  string
		version int64
		profile domain.Profile
		failing string
		want    domain.User
		is      func(err error) bool
		calls   []string
	}{
		"whatever the version":   {userID: "sam", profile: rename, want: changed, is: errstest.Success, calls: saved},
		"of the current version": {userID: "sam", version: 3, profile: rename, want: changed, is: errstest.Success, calls: saved},
		"of an older version":    {userID: "sam", version: 2, profile: rename, is: errstest.Kind(errs.Precondition), calls: looked},
		"that changes nothing":   {userID: "sam", version: 3, want: person("sam"), is: errstest.Success, calls: looked},
		"that breaks a rule":     {userID: "sam", profile: domain.Profile{SetFullName: true, FullName: new("")}, is: errstest.Kind(errs.Invalid), calls: looked},
		"of nobody":              {userID: "nobody", profile: rename, is: errstest.Kind(errs.NotFound), calls: looked},
		"the look-up fails":      {userID: "sam", profile: rename, failing: "lock", is: errstest.Boom, calls: looked},
		"the save fails":         {userID: "sam", profile: rename, failing: "save", is: errstest.Boom, calls: saved},
		"nobody can be told":     {userID: "sam", profile: rename, failing: "publish", is: errstest.Boom, calls: saved},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.failing, person("sam"))
			got, err := f.Update(t.Context(), test.userID, test.version, test.profile)
			if !test.is(err) || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v and %v, want %+v", got, err, test.want)
			}
			f.store.Expect(t, test.calls...)
			f.tx.ExpectOne(t, err)
			var told []events.Event
			if got.Version == 4 {
				told = append(told, users.UserProfileChanged{UserID: "sam", Version: 4})
			}
			f.events.Expect(t, told...)
		})
	}
}

func TestErase(t *testing.T) {
	f := newFixture("", person("sam"))
	if erased, err := f.Erase(t.Context(), id.Of("sam")); err != nil || erased["users"] != 1 {
		t.Errorf("erased %v, %v", erased, err)
	}
	f.store.Expect(t, "erase in tx")
	f.events.Expect(t)
	if !slices.Equal(f.principals.forgotten, []string{"sam"}) {
		t.Errorf("the memory of %v was cleared after the commit", f.principals.forgotten)
	}

	f = newFixture("erase", person("sam"))
	if _, err := f.Erase(t.Context(), id.Of("sam")); !errors.Is(err, errstest.ErrBoom) {
		t.Errorf("got %v", err)
	}
	if len(f.principals.forgotten) != 0 {
		t.Errorf("the memory of %v was cleared, though nothing was committed", f.principals.forgotten)
	}
}

func TestAdminister(t *testing.T) {
	root := domain.Administrator{ID: "root", Role: domain.RoleSuperadmin}
	admin := domain.Administrator{ID: "admin", Role: domain.RoleAdmin}
	promote, suspend := domain.Administration{Role: new(domain.RoleAdmin)}, domain.Administration{Active: new(false)}
	reactivate, both := domain.Administration{Active: new(true)}, domain.Administration{Role: new(domain.RoleAdmin), Active: new(false)}
	locked := []string{"hold in tx"}
	saved := append(slices.Clone(locked), "save in tx")
	changed := func(role domain.Role, active bool) domain.User {
		user := person("sam")
		user.Role, user.Active, user.Version, user.UpdatedAt = role, active, 4, now
		return user
	}
	suspended := person("sam")
	suspended.Active = false
	last := person("sam")
	last.Role = domain.RoleSuperadmin
	becameAdmin, wasSuspended := users.UserRoleChanged{UserID: "sam", Role: "admin", Version: 4}, users.UserSuspended{UserID: "sam", Version: 4}

	for name, test := range map[string]struct {
		sam     domain.User
		by      domain.Administrator
		userID  string
		version int64
		change  domain.Administration
		failing string
		want    domain.User
		is      func(error) bool
		calls   []string
		told    []events.Event
	}{
		"a new role":             {sam: person("sam"), by: root, userID: "sam", change: promote, want: changed(domain.RoleAdmin, true), is: errstest.Success, calls: saved, told: []events.Event{becameAdmin}},
		"a suspension":           {sam: person("sam"), by: admin, userID: "sam", change: suspend, want: changed(domain.RoleUser, false), is: errstest.Success, calls: saved, told: []events.Event{wasSuspended}},
		"its end":                {sam: suspended, by: admin, userID: "sam", version: 3, change: reactivate, want: changed(domain.RoleUser, true), is: errstest.Success, calls: saved, told: []events.Event{users.UserReactivated{UserID: "sam", Version: 4}}},
		"both at once":           {sam: person("sam"), by: root, userID: "sam", change: both, want: changed(domain.RoleAdmin, false), is: errstest.Success, calls: saved, told: []events.Event{becameAdmin, wasSuspended}},
		"of an older version":    {sam: person("sam"), by: root, userID: "sam", version: 2, change: promote, is: errstest.Kind(errs.Precondition), calls: locked},
		"that changes nothing":   {sam: person("sam"), by: admin, userID: "sam", version: 3, change: reactivate, want: person("sam"), is: errstest.Success, calls: locked},
		"that isn't allowed":     {sam: person("sam"), by: admin, userID: "sam", change: promote, is: errstest.Kind(errs.Forbidden), calls: locked},
		"of the last superadmin": {sam: last, by: root, userID: "sam", change: promote, is: errstest.Kind(errs.Conflict), calls: locked},
		"of nobody":              {sam: person("sam"), by: root, userID: "nobody", change: promote, is: errstest.Kind(errs.NotFound), calls: locked},
		"the look-up fails":      {sam: person("sam"), by: root, userID: "sam", change: promote, failing: "hold", is: errstest.Boom, calls: locked},
		"the save fails":         {sam: person("sam"), by: root, userID: "sam", change: promote, failing: "save", is: errstest.Boom, calls: saved},
		"nobody can be told":     {sam: person("sam"), by: root, userID: "sam", change: promote, failing: "publish", is: errstest.Boom, calls: saved},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.failing, test.sam)
			got, err := f.Administer(t.Context(), test.by, test.userID, test.version, test.change)
			if !test.is(err) || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v and %v, want %+v", got, err, test.want)
			}
			f.store.Expect(t, test.calls...)
			f.tx.ExpectOne(t, err)
			f.events.Expect(t, test.told...)
			if forgot := len(f.principals.forgotten) == 1; forgot != (len(test.told) > 0) {
				t.Errorf("the memory of %v was cleared", f.principals.forgotten)
			}
		})
	}
}

func TestDelete(t *testing.T) {
	own, admin := domain.Administrator{ID: "sam", Role: domain.RoleUser}, domain.Administrator{ID: "admin", Role: domain.RoleAdmin}
	locked := []string{"hold in tx"}
	erasing := append(slices.Clone(locked), "erase in tx")
	erased := append(slices.Clone(erasing), "receipt in tx")
	last, gone := person("sam"), person("sam")
	last.Role, gone.Deleted = domain.RoleSuperadmin, true
	for name, test := range map[string]struct {
		sam     domain.User
		by      domain.Administrator
		version int64
		failing string
		is      func(error) bool
		calls   []string
	}{
		"oneself":                {sam: person("sam"), by: own, is: errstest.Success, calls: erased},
		"of the current version": {sam: person("sam"), by: own, version: 3, is: errstest.Success, calls: erased},
		"by an administrator":    {sam: person("sam"), by: admin, is: errstest.Success, calls: erased},
		"of an older version":    {sam: person("sam"), by: own, version: 2, is: errstest.Kind(errs.Precondition), calls: locked},
		"that isn't allowed":     {sam: last, by: admin, is: errstest.Kind(errs.Forbidden), calls: locked},
		"the last superadmin":    {sam: last, by: own, is: errstest.Kind(errs.Conflict), calls: locked},
		"once more":              {sam: gone, by: own, is: errstest.Kind(errs.NotFound), calls: locked},
		"the look-up fails":      {sam: person("sam"), by: own, failing: "hold", is: errstest.Boom, calls: locked},
		"the erasure fails":      {sam: person("sam"), by: own, failing: "erase", is: errstest.Boom, calls: erasing},
		"there is no receipt":    {sam: person("sam"), by: own, failing: "receipt", is: errstest.Boom, calls: erased},
		"nobody can be told":     {sam: person("sam"), by: own, failing: "publish", is: errstest.Boom, calls: erased},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.failing, test.sam)
			err := f.Delete(t.Context(), test.by, "sam", test.version)
			if !test.is(err) {
				t.Errorf("got %v", err)
			}
			f.store.Expect(t, test.calls...)
			f.tx.ExpectOne(t, err)
			var told []events.Event
			if err == nil {
				told = append(told, users.UserDeleted{UserID: "sam", Version: 4})
			}
			f.events.Expect(t, told...)
			if len(f.principals.forgotten) != len(told) {
				t.Errorf("the memory of %v was cleared", f.principals.forgotten)
			}
		})
	}
}

// Everybody's address comes once: the account's before the setting's.
func TestAdministrators(t *testing.T) {
	ada, ann, suspended := person("ada"), person("ann"), person("suspended")
	ada.Role, ann.Role, suspended.Role = domain.RoleSuperadmin, domain.RoleAdmin, domain.RoleAdmin
	suspended.Active = false
	f := newFixture("", person("sam"), ann, ada, suspended)
	want := []users.User{
		{ID: "ada", Email: "ada@example.com", FullName: "Sam", Active: true},
		{ID: "ann", Email: "ann@example.com", FullName: "Sam", Active: true},
		{Email: "grace@example.com"},
	}
	if got, err := f.Administrators(t.Context()); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v and %v, want %+v", got, err, want)
	}
	f = newFixture("administrators")
	if got, err := f.Administrators(t.Context()); !errors.Is(err, errstest.ErrBoom) || got != nil {
		t.Errorf("got %+v and %v", got, err)
	}
}

func TestTally(t *testing.T) {
	f := newFixture("")
	if got, err := f.Tally(t.Context(), birth, now); err != nil || got.New != 1 || got.All != 7 {
		t.Errorf("got %+v and %v", got, err)
	}
	f.store.Expect(t, "tally")
}

// A list asks the store for one user more than wanted, which shows whether there is a next page, and that starts behind
// the last one shown.
func TestList(t *testing.T) {
	f := newFixture("", person("a"), person("b"), person("c"))
	filter := app.Filter{Search: "STRASSE", Role: domain.RoleAdmin, Active: new(true)}
	got, err := f.List(t.Context(), filter, page.Request{Limit: 2})
	if err != nil || len(got.Items) != 2 || got.Total != 3 || got.Limit != 2 || got.Next == "" {
		t.Fatalf("got %+v and %v", got, err)
	}
	folded := app.Filter{Search: "strasse", Role: domain.RoleAdmin, Active: new(true)}
	if want := (app.Listing{Filter: folded, Limit: 3}); !reflect.DeepEqual(f.store.listing, want) {
		t.Errorf("the store was asked for %+v, want %+v", f.store.listing, want)
	}
	filter.Search = "straße" // spelled otherwise, it means the same
	if _, err := f.List(t.Context(), filter, page.Request{Limit: 5, Cursor: got.Next}); err != nil {
		t.Fatal(err)
	}
	if want := (app.Listing{Filter: folded, Limit: 6, After: new(page.At(birth, "b"))}); !reflect.DeepEqual(f.store.listing, want) {
		t.Errorf("the store was asked for %+v, want %+v", f.store.listing, want)
	}
	if all, err := f.List(t.Context(), app.Filter{}, page.Request{Skip: 1, Limit: 3}); err != nil || all.Next != "" || all.Skip != 1 || f.store.listing.Skip != 1 {
		t.Errorf("got %+v and %v", all, err)
	}

	f.store.Calls = nil
	for name, other := range map[string]app.Filter{
		"another search": {Search: "x", Role: domain.RoleAdmin, Active: new(true)},
		"another role":   {Search: "strasse", Active: new(true)},
		"another state":  {Search: "strasse", Role: domain.RoleAdmin, Active: new(false)},
		"any state":      {Search: "strasse", Role: domain.RoleAdmin},
	} {
		if _, err := f.List(t.Context(), other, page.Request{Limit: 2, Cursor: got.Next}); !errs.Is(err, errs.Invalid) {
			t.Errorf("a cursor of %s: got %v", name, err)
		}
	}
	f.store.Expect(t)
	f = newFixture("list")
	if _, err := f.List(t.Context(), app.Filter{}, page.Request{Limit: 2}); !errors.Is(err, errstest.ErrBoom) {
		t.Errorf("got %v", err)
	}
}

func TestNoteSubscription(t *testing.T) {
	for _, failing := range []string{"", "save subscription"} {
		f := newFixture(failing, person("sam"))
		err := f.NoteSubscription(t.Context(), "sam", domain.Subscription{CustomerID: "cus_1", Status: "active", Plan: "pro", Version: 2})
		if (err == nil) != (failing == "") {
			t.Errorf("got %v", err)
		}
		if forgotten := len(f.principals.forgotten) == 1; forgotten != (err == nil) {
			t.Errorf("forgotten: %t, with %v", forgotten, err)
		}
		f.store.Expect(t, "save subscription in tx")
	}
}
