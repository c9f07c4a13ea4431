// Package userstest holds the fakes of the users contract, for other modules' tests.
package userstest

import (
	"context"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/platform/errs"
)

// Directory is a users.Directory that answers from a map of id to user.
type Directory map[string]users.User

var _ users.Directory = Directory{}

// Find returns what the map holds, or errs.NotFound.
func (d Directory) Find(_ context.Context, userID string) (users.User, error) {
	if user, ok := d[userID]; ok {
		return user, nil
	}
	return users.User{}, errs.Missing("User", userID)
}
