package auth

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/platform/id"
)

// Identity is what a verified token says about its bearer. Issuer and Subject together name the person; the same
// subject of another issuer is another person, and an e-mail address identifies nobody.
type Identity struct {
	Issuer        string
	Subject       string // 1 to 255 printable ASCII characters
	Email         string // "" when the token has none
	EmailVerified bool   // the issuer vouches for Email
	Name          string // for display; the bearer may have chosen it
	AvatarURL     string // http or https; for display; the bearer may have chosen it
	Role          Role   // "" when the token names none that is known
	ExpiresAt     time.Time
}

// Principal is the account on whose behalf a call is made. Its zero value is nobody.
type Principal struct {
	UserID string
	Role   Role
}

// Scope returns the scope of what the principal owns.
func (p Principal) Scope() id.Scope { return id.Of(p.UserID) }

// Accounts finds the account of an identity, and creates it when there is none yet. It returns errs.Forbidden for one
// that is suspended or deleted.
type Accounts interface {
	Resolve(ctx context.Context, who Identity) (Principal, error)
}
