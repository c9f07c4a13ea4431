package accounts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/platform/auth"
)

// Keys is an auth.Keys over the users context.
type Keys struct{ app *app.App }

var _ auth.Keys = Keys{}

// NewKeys returns the API keys of the context.
func NewKeys(app *app.App) Keys { return Keys{app: app} }

// FindKey returns the good key with that SHA-256. Scopes that a later version made mean nothing to this one.
func (k Keys) FindKey(ctx context.Context, hash [sha256.Size]byte) (auth.Key, error) {
	found, owner, err := k.app.FindAPIKey(ctx, hex.EncodeToString(hash[:]))
	if err != nil {
		return auth.Key{}, err
	}
	key := auth.Key{ID: found.ID, UserID: found.Owner.User, Plan: owner.Plan()}
	for _, scope := range found.Scopes {
		known, _ := auth.ParseScopes([]string{string(scope)})
		key.Scopes |= known
	}
	if found.ExpiresAt != nil {
		key.ExpiresAt = *found.ExpiresAt
	}
	return key, nil
}

// NoteUse notes that the key is used now.
func (k Keys) NoteUse(ctx context.Context, keyID string) error {
	return k.app.NoteAPIKeyUse(ctx, keyID, auth.KeyUseNoted)
}
