package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
)

// Appoint gives the user behind an identity a role, on behalf of whoever runs the product, and returns the user as it is
// now. With byID, a subject that nobody signs in with may be the id of a user. Nobody is errs.NotFound; the end of the last
// superadmin is errs.Conflict.
func (a *App) Appoint(ctx context.Context, who domain.Identity, byID bool, role domain.Role) (domain.User, error) {
	var user domain.User
	err := a.tx.WithinTx(ctx, func(ctx context.Context) error {
		found, err := a.store.FindByIdentity(ctx, who)
		if byID && errs.Is(err, errs.NotFound) {
			found, err = a.store.Find(ctx, who.Subject)
		}
		if err == nil {
			user, err = a.Administer(ctx, domain.Operator(), found.ID, 0, domain.Administration{Role: &role})
		}
		return err
	})
	if err != nil {
		return domain.User{}, err
	}
	return user, nil
}
