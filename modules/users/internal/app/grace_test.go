package app_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
)

// With a grace a deletion closes the account, and nobody hears of it yet; the second time it stays closed until the same moment.
func TestDeleteWithAGrace(t *testing.T) {
	own, admin := domain.Administrator{ID: "sam", Role: domain.RoleUser}, domain.Administrator{ID: "admin", Role: domain.RoleAdmin}
	closed := []string{"hold in tx", "save in tx"}
	last, before := person("sam"), person("sam")
	last.Role = domain.RoleSuperadmin
	before.Close(now.Add(time.Minute), now)
	for name, test := range map[string]struct {
		sam     domain.User
		by      domain.Administrator
		failing string
		is      func(error) bool
		calls   []string
		eraseAt *time.Time
	}{
		"oneself":             {sam: person("sam"), by: own, is: errstest.Success, calls: closed, eraseAt: new(now.Add(time.Hour))},
		"by an administrator": {sam: person("sam"), by: admin, is: errstest.Success, calls: closed, eraseAt: new(now.Add(time.Hour))},
		"once more":           {sam: before, by: admin, is: errstest.Success, calls: closed[:1], eraseAt: new(now.Add(time.Minute))},
		"the last superadmin": {sam: last, by: own, is: errstest.Kind(errs.Conflict), calls: closed[:1]},
		"the save fails":      {sam: person("sam"), by: own, failing: "save", is: errstest.Boom, calls: closed, eraseAt: new(now.Add(time.Hour))},
	} {
		t.Run(name, func(t *testing.T) {
			f := newGrace(time.Hour, test.failing, test.sam)
			if err := f.Delete(t.Context(), test.by, "sam", 0); !test.is(err) {
				t.Errorf("got %v", err)
			}
			f.store.Expect(t, test.calls...)
			f.events.Expect(t)
			sam := f.store.users["sam"]
			if test.eraseAt != nil && test.failing == "" && (sam.Active || !sam.EraseAt.Equal(*test.eraseAt) || !errs.Is(sam.MayAct(), errs.Forbidden)) {
				t.Errorf("the account is %+v", sam)
			}
			if forgot := len(f.principals.forgotten) == 1; forgot != (len(test.calls) == 2 && test.failing == "") {
				t.Errorf("the memory of %v was cleared", f.principals.forgotten)
			}
		})
	}
}

// Only what is due is erased, and what can't be doesn't keep the others from it.
func TestEraseClosed(t *testing.T) {
	closed := func(userID string, at time.Time) domain.User {
		user := person(userID)
		user.Close(at, birth)
		return user
	}
	last := closed("ada", now.Add(-time.Hour))
	last.Role = domain.RoleSuperadmin
	f := newGrace(time.Hour, "", last, closed("sam", now), closed("sue", now.Add(time.Microsecond)), person("kim"))
	if err := f.EraseClosed(t.Context()); !errs.Is(err, errs.Conflict) {
		t.Errorf("with the last superadmin: %v", err)
	}
	f.events.Expect(t, users.UserDeleted{UserID: "sam", Version: 5})
	for userID, deleted := range map[string]bool{"ada": false, "sam": true, "sue": false, "kim": false} {
		if f.store.users[userID].Deleted != deleted {
			t.Errorf("%s is %+v", userID, f.store.users[userID])
		}
	}
	if !slices.Equal(f.receipts.of, []string{"users sam map[users:1]"}) {
		t.Errorf("the receipts are %v", f.receipts.of)
	}
	for _, failing := range []string{"closed", "hold", "erase", "receipt", "publish"} {
		f := newGrace(time.Hour, failing, closed("sam", now))
		if err := f.EraseClosed(t.Context()); !errstest.Boom(err) {
			t.Errorf("%s fails: %v", failing, err)
		}
	}
}

// What the identity provider deletes is erased at once, grace or not, and so is what was closed.
func TestAProvidersDeletionHasNoGrace(t *testing.T) {
	closed := person("sam")
	closed.Close(now.Add(time.Minute), now)
	for name, user := range map[string]domain.User{"open": person("sam"), "closed": closed} {
		f := newGrace(time.Hour, "", user)
		f.provider.says["it"] = app.Notice{Claims: domain.Claims{Identity: sam}, Deleted: true}
		if err := f.post(t, "it"); err != nil || !f.store.users["sam"].Deleted {
			t.Errorf("%s: %v, %+v", name, err, f.store.users["sam"])
		}
		f.events.Expect(t, users.UserDeleted{UserID: "sam", Version: user.Version + 1})
	}
}

// What is old goes in pieces, until nothing is left.
func TestPurgeAPIKeys(t *testing.T) {
	f := newFixture("")
	f.store.ended = 1200
	if err := f.PurgeAPIKeys(t.Context()); err != nil || f.store.ended != 0 || !f.store.purged.Equal(now.Add(-90*24*time.Hour)) {
		t.Errorf("%d are left of what ended before %s, %v", f.store.ended, f.store.purged, err)
	}
	f.store.Expect(t, "purge ended in tx", "purge ended in tx", "purge ended in tx")
	if err := newFixture("purge ended").PurgeAPIKeys(t.Context()); !errstest.Boom(err) {
		t.Errorf("got %v", err)
	}
}

// What was deleted before tombstones were hashed is hashed until nothing is left, or it fails.
func TestBuryOld(t *testing.T) {
	f := newFixture("")
	for i := range 250 {
		f.store.old = append(f.store.old, fmt.Sprint(i))
	}
	if err := f.BuryOld(t.Context()); err != nil || len(f.store.old) != 0 {
		t.Errorf("%d are left, %v", len(f.store.old), err)
	}
	for _, failing := range []string{"old", "erase"} {
		f := newFixture(failing)
		f.store.old = []string{"sam"}
		if err := f.BuryOld(t.Context()); !errstest.Boom(err) {
			t.Errorf("%s fails: %v", failing, err)
		}
	}
}
