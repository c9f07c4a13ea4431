package auth

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// Identity is what a verified token says about its bearer. Issuer and Subject together name the person; the same
// subject of another issuer is another person, and an e-mail address identifies nobody.
type Identity struct {
	Issuer        string
	Subject       string    // 1 to 255 printable ASCII characters
	Email         string    // "" when the token has none
	EmailVerified bool      // the issuer vouches for Email
	Name          string    // for display; the bearer may have chosen it
	AvatarURL     string    // http or https; for display; the bearer may have chosen it
	Role          Role      // "" when the token names none that is known
	Session       string    // what the issuer calls the sign-in that the token comes from; "" when it names none
	IssuedAt      time.Time // zero when the token doesn't say
	ExpiresAt     time.Time
}

// Principal is the account on whose behalf a call is made. Its zero value is nobody.
type Principal struct {
	UserID string
	Role   Role   // RoleUser with an API key, whoever's it is
	KeyID  string // the API key that a program calls with; empty for a person's token
	Scopes Scopes // what that key may do; a person needs none
	Plan   string // what the user pays for, or whoever's the API key is; empty for nothing
}

// Permit returns nil for a person, and for an API key that has the needed scope; none has 0, which is for people only.
// Else it is errs.Forbidden with InsufficientScope behind it.
func (p Principal) Permit(needed Scopes) error {
	if p.KeyID == "" || p.Scopes&needed != 0 {
		return nil
	}
	message := "An API key can't do this: sign in"
	if needed != 0 {
		message = "The API key lacks the scope " + needed.String()
	}
	return errs.New(errs.Forbidden, message).Because(InsufficientScope{Needed: needed})
}

// Scope returns the scope of what the principal owns.
func (p Principal) Scope() id.Scope { return id.Of(p.UserID) }

// Accounts finds the account of an identity, and creates it when there is none yet. It returns errs.Forbidden for one
// that is suspended or deleted.
type Accounts interface {
	Resolve(ctx context.Context, who Identity) (Principal, error)
}

// Key is an API key that is good, without the secret.
type Key struct {
	ID        string
	UserID    string
	Scopes    Scopes
	ExpiresAt time.Time // zero for never
	Plan      string    // what the user pays for; empty for nothing
}

// principal returns who a call with the key is made by. It has the role of a user, also when its owner is an administrator:
// a key that leaks must not be one to the whole product.
func (k Key) principal() Principal {
	return Principal{UserID: k.UserID, Role: RoleUser, KeyID: k.ID, Scopes: k.Scopes, Plan: k.Plan}
}

// Keys finds API keys, of which only hashes are kept.
type Keys interface {
	// FindKey returns the key with that SHA-256. It is errs.NotFound for none that is good now: one that never was, was revoked
	// or has expired; and errs.Forbidden for one whose account is suspended or deleted.
	FindKey(ctx context.Context, hash [sha256.Size]byte) (Key, error)

	// NoteUse notes that the key is used now, unless that was noted within the last KeyUseNoted.
	NoteUse(ctx context.Context, keyID string) error
}

// KeyUseNoted is how exactly the last use of a key is known. A write for each call would cost more than most calls.
const KeyUseNoted = time.Minute
