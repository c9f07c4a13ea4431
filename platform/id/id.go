// Package id makes identifiers and says whose things a call may touch.
package id

import "github.com/google/uuid"

// New returns a UUIDv7 (RFC 9562) in its 36-character text form. Ids made later sort later, to the millisecond.
func New() string { return uuid.Must(uuid.NewV7()).String() }

// Valid tells whether s is a UUID in the text form that New makes: 36 characters, lower case.
func Valid(s string) bool {
	parsed, err := uuid.Parse(s)
	return err == nil && parsed.String() == s
}

// Scope is the owner whose rows a call may see and change. Every query on owned rows takes one, so that ownership
// is part of the query and can't be forgotten. Today an owner is a user; a tenant would join here.
type Scope struct {
	User string // the user's id
}

// Of returns the scope of one user.
func Of(user string) Scope { return Scope{User: user} }
