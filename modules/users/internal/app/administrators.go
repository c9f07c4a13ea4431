package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/platform/fold"
)

// Administrators returns who is to hear what concerns the product as a whole: the administrators with an account and an
// address, and whoever else the settings name, of whom only the address is known. An address comes once, however it is
// spelled.
func (a *App) Administrators(ctx context.Context) ([]users.User, error) {
	found, err := a.store.Administrators(ctx)
	if err != nil {
		return nil, err
	}
	var all []users.User
	for _, user := range found {
		all = append(all, toContract(user))
	}
	for _, address := range a.adminEmails {
		all = append(all, users.User{Email: address})
	}
	var administrators []users.User
	known := map[string]bool{}
	for _, user := range all {
		if folded := fold.Text(user.Email); !known[folded] {
			known[folded] = true
			administrators = append(administrators, user)
		}
	}
	return administrators, nil
}
