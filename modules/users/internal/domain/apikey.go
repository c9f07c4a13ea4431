package domain

import (
	"slices"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// The bounds of API keys.
const (
	MaxAPIKeys    = 50  // how many good ones a user may have
	MaxAPIKeyName = 100 // in characters
)

// KeptAPIKey is how long a key that was revoked or has expired is kept, to tell what it was.
const KeptAPIKey = 90 * 24 * time.Hour

// KeyScope is one thing that an API key may do.
type KeyScope string

// The scopes, in their order.
const (
	ScopeRead  KeyScope = "read"
	ScopeWrite KeyScope = "write"
	ScopeAI    KeyScope = "ai"
)

// APIKey is what a program calls with for its owner. The key itself is kept nowhere.
type APIKey struct {
	ID         string
	Owner      id.Scope
	Name       string
	Scopes     []KeyScope // in their order, each once
	Prefix     string     // the beginning of the key, for recognition
	Hash       string     // the SHA-256 of the key, in lower-case hexadecimal digits
	CreatedAt  time.Time
	ExpiresAt  *time.Time // nil for never
	LastUsedAt *time.Time // to the minute; nil for never
	RevokedAt  *time.Time
}

// NewAPIKey is what a key is made of.
type NewAPIKey struct {
	Name      string
	Scopes    []KeyScope
	ExpiresAt *time.Time
	Prefix    string
	Hash      string
}

// MakeAPIKey returns a key as it is made, or errs.Invalid with every rule that is broken. The owner has good keys already:
// with MaxAPIKeys of them it is errs.Conflict.
func MakeAPIKey(keyID string, owner id.Scope, wanted NewAPIKey, good int, now time.Time) (APIKey, error) {
	broken := errs.Line("name", wanted.Name, MaxAPIKeyName)
	broken = append(broken, checkScopes(wanted.Scopes)...)
	if wanted.ExpiresAt != nil && !wanted.ExpiresAt.After(now) {
		broken = append(broken, errs.Field{Name: "expires_at", Message: "must be in the future"})
	}
	if len(broken) > 0 {
		return APIKey{}, errs.InvalidFields(broken...)
	}
	if good >= MaxAPIKeys {
		return APIKey{}, errs.New(errs.Conflict, "You have 50 API keys, and can't have more: revoke one first")
	}
	key := APIKey{
		ID: keyID, Owner: owner, Name: wanted.Name, Prefix: wanted.Prefix, Hash: wanted.Hash, CreatedAt: now,
	}
	if wanted.ExpiresAt != nil {
		key.ExpiresAt = new(wanted.ExpiresAt.UTC().Truncate(time.Microsecond)) // as both databases keep it
	}
	for _, scope := range allScopes() {
		if slices.Contains(wanted.Scopes, scope) {
			key.Scopes = append(key.Scopes, scope)
		}
	}
	return key, nil
}

// Good tells whether the key can be used at that time.
func (k APIKey) Good(now time.Time) bool {
	return k.RevokedAt == nil && (k.ExpiresAt == nil || now.Before(*k.ExpiresAt))
}

func allScopes() []KeyScope { return []KeyScope{ScopeRead, ScopeWrite, ScopeAI} }

func checkScopes(scopes []KeyScope) []errs.Field {
	unknown := func(scope KeyScope) bool { return !slices.Contains(allScopes(), scope) }
	if len(scopes) == 0 || slices.ContainsFunc(scopes, unknown) {
		return []errs.Field{{Name: "scopes", Message: "must be one or more of read, write and ai"}}
	}
	return nil
}
