package users

import "context"

// Directory answers what other modules ask about users. It changes nothing.
type Directory interface {
	// Find returns a living user, suspended ones too, or errs.NotFound.
	Find(ctx context.Context, userID string) (User, error)

	// Administrators returns who is to be told what concerns the product as a whole, each address once: the living, active
	// users whose own role is admin or superadmin and whose address is known, by id, then whoever else ADMIN_EMAILS names,
	// as a User with an Email and nothing else.
	Administrators(ctx context.Context) ([]User, error)
}

// User is what other modules may know of a user.
type User struct {
	ID       string
	Email    string // empty when the issuer told none
	FullName string // empty when unknown
	Active   bool   // false while suspended
}
