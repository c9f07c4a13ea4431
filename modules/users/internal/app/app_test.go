package app_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/id"
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
		})
	}
}

func TestSignInOfANewUser(t *testing.T) {
	t.Run("the subject becomes the id", func(t *testing.T) {
		f := newFixture("")
		got, err := f.SignIn(t.Context(), domain.Claims{Identity: sam, Email: "sam@example.com"})
		want := domain.Register("sam", domain.Claims{Email: "sam@example.com"}, now)
		if err != nil || !reflect.DeepEqual(got, want) || !reflect.DeepEqual(f.store.users["sam"], want) {
			t.Errorf("got %+v and %v, want %+v", got, err, want)
		}
		if f.store.identities[sam] != "sam" || f.tx.Committed != 1 {
			t.Errorf("the identity stands for %q", f.store.identities[sam])
		}
		f.store.Expect(t, "identify", "claim in tx", "insert in tx", "link in tx")
	})
	t.Run("whose subject is somebody's id gets another", func(t *testing.T) {
		f := newFixture("")
		f.store.users["sam"] = person("sam") // who signs in with another issuer
		got, err := f.SignIn(t.Context(), domain.Claims{Identity: sam})
		if err != nil || got.ID == "sam" || !id.Valid(got.ID) || f.store.identities[sam] != got.ID {
			t.Errorf("got %+v and %v, and the identity stands for %q", got, err, f.store.identities[sam])
		}
		if !reflect.DeepEqual(f.store.users["sam"], person("sam")) {
			t.Errorf("somebody is now %+v", f.store.users["sam"])
		}
		f.store.Expect(t, "identify", "claim in tx", "insert in tx", "insert in tx", "link in tx")
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
		}
	})
	for _, failing := range []string{"claim", "insert", "link"} {
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
	changed.FullName, changed.Version, changed.UpdatedAt = new("Sue"), 4, now
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
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.failing, person("sam"))
			got, err := f.Update(t.Context(), test.userID, test.version, test.profile)
			if !test.is(err) || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v and %v, want %+v", got, err, test.want)
			}
			f.store.Expect(t, test.calls...)
			f.tx.ExpectOne(t, err)
		})
	}
}

func TestErase(t *testing.T) {
	f := newFixture("", person("sam"))
	if err := f.Erase(t.Context(), id.Of("sam")); err != nil {
		t.Error(err)
	}
	f.store.Expect(t, "erase in tx")
	if !slices.Equal(f.principals.forgotten, []string{"sam"}) {
		t.Errorf("the memory of %v was cleared after the commit", f.principals.forgotten)
	}

	f = newFixture("erase", person("sam"))
	if err := f.Erase(t.Context(), id.Of("sam")); !errors.Is(err, errstest.ErrBoom) {
		t.Errorf("got %v", err)
	}
	if len(f.principals.forgotten) != 0 {
		t.Errorf("the memory of %v was cleared, though nothing was committed", f.principals.forgotten)
	}
}
