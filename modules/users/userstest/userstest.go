// Package userstest holds the fakes of the users contract, for other modules' tests.
package userstest

import (
	"context"
	"slices"
	"strings"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/platform/errs"
)

// Directory is a users.Directory that answers from what it is given.
type Directory struct {
	Users  map[string]users.User // by id
	Admins []string              // whose own role is admin or superadmin, by id
	Emails []string              // what ADMIN_EMAILS names
}

var _ users.Directory = Directory{}

// Find returns what the map holds, or errs.NotFound.
func (d Directory) Find(_ context.Context, userID string) (users.User, error) {
	if user, ok := d.Users[userID]; ok {
		return user, nil
	}
	return users.User{}, errs.Missing("User", userID)
}

// Administrators returns the active ones with an address, by id, and then who has only an address.
func (d Directory) Administrators(context.Context) ([]users.User, error) {
	var administrators []users.User
	add := func(user users.User) {
		known := func(other users.User) bool { return strings.EqualFold(other.Email, user.Email) }
		if user.Email != "" && !slices.ContainsFunc(administrators, known) {
			administrators = append(administrators, user)
		}
	}
	for _, userID := range slices.Sorted(slices.Values(d.Admins)) {
		if user := d.Users[userID]; user.Active {
			add(user)
		}
	}
	for _, address := range d.Emails {
		add(users.User{Email: address})
	}
	return administrators, nil
}
