// Package accounts drives the users context by tokens: it tells the authentication whom a verified one stands for.
package accounts

import (
	"context"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/auth"
)

// Accounts is an auth.Accounts over the users context.
type Accounts struct{ app *app.App }

var _ auth.Accounts = Accounts{}

// New returns the accounts of the context.
func New(app *app.App) Accounts { return Accounts{app: app} }

// Resolve returns the user behind a verified identity. A role that the token names counts for this request; without
// one the user's own does.
func (a Accounts) Resolve(ctx context.Context, who auth.Identity) (auth.Principal, error) {
	user, err := a.app.SignIn(ctx, domain.Claims{
		Identity:      domain.Identity{Issuer: who.Issuer, Subject: who.Subject},
		Email:         who.Email,
		EmailVerified: who.EmailVerified,
		FullName:      who.Name,
		AvatarURL:     who.AvatarURL,
		Role:          domain.Role(who.Role),
		Session:       who.Session,
		IssuedAt:      who.IssuedAt,
	})
	if err != nil {
		return auth.Principal{}, err
	}
	role := who.Role
	if role == "" {
		role = auth.Role(user.Role)
	}
	return auth.Principal{UserID: user.ID, Role: role, Plan: user.Plan()}, nil
}
