package domain

import (
	"slices"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
)

// Administrator is who changes somebody else's account, with the role that counts for the request.
type Administrator struct {
	ID   string
	Role Role
}

// Operator returns who runs the product and has no account: what a superadmin may do is allowed, and nobody is exempt.
func Operator() Administrator { return Administrator{Role: RoleSuperadmin} }

// Administration is what administrators may change about a user. What is nil stays.
type Administration struct {
	Role   *Role
	Active *bool
}

// Administer changes the user and tells whether anything is different now. A role that doesn't exist is errs.Invalid, what
// the administrator may not do errs.Forbidden, and an end of the last active superadmin, of all whose ids are given,
// errs.Conflict; then the user stays as it was.
func (u *User) Administer(by Administrator, change Administration, superadmins []string, now time.Time) (changed bool, err error) {
	next := *u
	if change.Role != nil {
		next.Role = *change.Role
	}
	if change.Active != nil {
		next.Active = *change.Active
		if next.Active {
			next.EraseAt = nil // it is brought back
		}
	}
	newRole := next.Role != u.Role
	switch {
	case newRole && !next.Role.known():
		return false, errs.InvalidFields(errs.Field{Name: "role", Message: "must be user, admin or superadmin"})
	case !newRole && next.Active == u.Active:
		return false, nil
	case by.ID == u.ID && newRole:
		return false, errs.New(errs.Forbidden, "Nobody changes their own role")
	case by.ID == u.ID && !next.Active:
		return false, errs.New(errs.Forbidden, "Nobody suspends themselves")
	case by.Role != RoleSuperadmin && (newRole || u.standing() == RoleSuperadmin):
		return false, errs.New(errs.Forbidden, "Only a superadmin changes roles, and what a superadmin may do")
	case newRole || !next.Active:
		if err := u.mayGo(superadmins); err != nil {
			return false, err
		}
	}
	next.Version++
	next.UpdatedAt = now
	*u = next
	return true, nil
}

// MayBeDeleted returns errs.Forbidden unless it is the user who wants it, or an administrator who may, and errs.Conflict for
// the last active superadmin, of all whose ids are given.
func (u User) MayBeDeleted(by Administrator, superadmins []string) error {
	if by.ID != u.ID && u.standing() != RoleUser && by.Role != RoleSuperadmin {
		return errs.New(errs.Forbidden, "Only a superadmin deletes administrators")
	}
	return u.mayGo(superadmins)
}

// MayBeErased returns errs.Conflict for a closed account of a superadmin as long as there is no active one, of all whose ids are
// given: the last superadmin may have gone since.
func (u User) MayBeErased(superadmins []string) error {
	if u.Role == RoleSuperadmin && len(superadmins) == 0 {
		return errs.New(errs.Conflict, "The last superadmin can't be demoted, suspended or deleted")
	}
	return nil
}

// mayGo keeps the product from being without anybody who can appoint administrators.
func (u User) mayGo(superadmins []string) error {
	if slices.Equal(superadmins, []string{u.ID}) {
		return errs.New(errs.Conflict, "The last superadmin can't be demoted, suspended or deleted")
	}
	return nil
}

// standing returns what the user may do by the role that is kept here or by that of the last token, whichever is more.
func (u User) standing() Role {
	for _, role := range []Role{RoleSuperadmin, RoleAdmin} {
		if u.Role == role || u.TokenRole == role {
			return role
		}
	}
	return u.Role
}

func (r Role) known() bool { return r == RoleUser || r == RoleAdmin || r == RoleSuperadmin }
