package app_test

import (
	"slices"
	"testing"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/events"
)

func TestAppoint(t *testing.T) {
	gone, last := person("gone"), person("last")
	gone.Deleted, last.Role = true, domain.RoleSuperadmin
	byIdentity := []string{"identify in tx", "hold in tx", "save in tx"}
	byUserID := []string{"identify in tx", "find in tx", "hold in tx", "save in tx"}
	became := func(userID string, role domain.Role) []events.Event {
		return []events.Event{users.UserRoleChanged{UserID: userID, Role: string(role), Version: 4}}
	}
	for name, test := range map[string]struct {
		issuer, subject string
		byID            bool
		role            domain.Role
		failing         string
		is              func(error) bool
		calls           []string
		told            []events.Event
	}{
		"the first superadmin":    {"issuer", "sam", true, domain.RoleSuperadmin, "", errstest.Success, byIdentity, became("sam", domain.RoleSuperadmin)},
		"by the id":               {"issuer", "id-7", true, domain.RoleAdmin, "", errstest.Success, byUserID, became("id-7", domain.RoleAdmin)},
		"the subject comes first": {"issuer", "bob", true, domain.RoleAdmin, "", errstest.Success, byIdentity, became("id-7", domain.RoleAdmin)},
		"no id of another issuer": {"other", "sam", false, domain.RoleAdmin, "", errstest.Kind(errs.NotFound), byIdentity[:1], nil},
		"nobody":                  {"issuer", "nobody", true, domain.RoleAdmin, "", errstest.Kind(errs.NotFound), byUserID[:2], nil},
		"a deleted user":          {"issuer", "gone", true, domain.RoleAdmin, "", errstest.Kind(errs.NotFound), byIdentity[:2], nil},
		"what is so already":      {"issuer", "sam", true, domain.RoleUser, "", errstest.Success, byIdentity[:2], nil},
		"a role that isn't":       {"issuer", "sam", true, "king", "", errstest.Kind(errs.Invalid), byIdentity[:2], nil},
		"the end of the last one": {"issuer", "last", true, domain.RoleAdmin, "", errstest.Kind(errs.Conflict), byIdentity[:2], nil},
		"the look-up fails":       {"issuer", "sam", true, domain.RoleAdmin, "identify", errstest.Boom, byIdentity[:1], nil},
		"the save fails":          {"issuer", "sam", true, domain.RoleAdmin, "save", errstest.Boom, byIdentity, nil},
		"nobody can be told":      {"issuer", "sam", true, domain.RoleAdmin, "publish", errstest.Boom, byIdentity, nil},
	} {
		t.Run(name, func(t *testing.T) {
			people := []domain.User{person("sam"), person("id-7"), gone}
			if test.subject == "last" {
				people = append(people, last)
			}
			f := newFixture(test.failing, people...)
			delete(f.store.identities, domain.Identity{Issuer: "issuer", Subject: "id-7"})
			f.store.identities[domain.Identity{Issuer: "issuer", Subject: "bob"}] = "id-7"
			got, err := f.Appoint(t.Context(), domain.Identity{Issuer: test.issuer, Subject: test.subject}, test.byID, test.role)
			if !test.is(err) || err == nil && got.Role != test.role {
				t.Errorf("got %+v and %v", got, err)
			}
			f.store.Expect(t, test.calls...)
			f.tx.ExpectOne(t, err)
			f.events.Expect(t, test.told...)
			if forgot := slices.Contains(f.principals.forgotten, got.ID); forgot != (len(test.told) > 0) {
				t.Errorf("the memory of %v was cleared", f.principals.forgotten)
			}
		})
	}
}
