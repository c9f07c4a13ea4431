package auth

import "strings"

// Scopes is a set of what an API key may do. Administration is in no scope: no key may do that.
type Scopes uint8

// The scopes, each a set of one.
const (
	ScopeRead  Scopes = 1 << iota // what changes nothing
	ScopeWrite                    // what changes something
	ScopeAI                       // what asks a model, and costs
)

// scopeNames are the names of the scopes, in their order.
var scopeNames = [...]struct {
	scope Scopes
	name  string
}{{ScopeRead, "read"}, {ScopeWrite, "write"}, {ScopeAI, "ai"}}

// ParseScopes returns the set of the scopes that the names spell exactly, and whether each is one.
func ParseScopes(names []string) (Scopes, bool) {
	var set Scopes
	for _, name := range names {
		scope := scopeOf(name)
		if scope == 0 {
			return 0, false
		}
		set |= scope
	}
	return set, true
}

func scopeOf(name string) Scopes {
	for _, known := range scopeNames {
		if known.name == name {
			return known.scope
		}
	}
	return 0
}

// String returns the names of the scopes with spaces in between, as RFC 6750 writes them.
func (s Scopes) String() string {
	var names []string
	for _, known := range scopeNames {
		if s&known.scope != 0 {
			names = append(names, known.name)
		}
	}
	return strings.Join(names, " ")
}

// InsufficientScope is why a call with an API key was refused though the key is good. It is the cause behind an
// errs.Forbidden error. Needed is the scope that the key lacks, 0 when no key may make the call.
type InsufficientScope struct{ Needed Scopes }

// Error says what is lacking.
func (e InsufficientScope) Error() string {
	if e.Needed == 0 {
		return "insufficient scope: no API key may do this"
	}
	return "insufficient scope: needs " + e.Needed.String()
}

// Challenge returns the WWW-Authenticate header of the 403 (RFC 6750, section 3.1).
func (e InsufficientScope) Challenge() string {
	if e.Needed == 0 {
		return challenge + `, error="insufficient_scope"`
	}
	return challenge + `, error="insufficient_scope", scope="` + e.Needed.String() + `"`
}
