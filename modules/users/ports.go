package users

import "context"

// Directory answers what other modules ask about users. It changes nothing.
type Directory interface {
	// Find returns a living user, suspended ones too, or errs.NotFound.
	Find(ctx context.Context, userID string) (User, error)
}

// User is what other modules may know of a user.
type User struct {
	ID       string
	Email    string // empty when the issuer told none
	FullName string // empty when unknown
	Active   bool   // false while suspended
}
