package httpapi

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/httpserver"
)

// registerKeys adds the operations on API keys. Only people manage them: a key that leaks must not make others.
func registerKeys(r *httpserver.Router, api *API) {
	const list, one = "/app/api-keys", "/app/api-keys/{id}"
	api.keyAddress = func(keyID string) string { return r.URL(list + "/" + keyID) }
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: list, Guard: httpserver.User, People: true,
		Summary: "List your API keys, the newest first",
	}, api.listKeys)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPost, Path: list, Guard: httpserver.User, People: true, Secret: true,
		Summary: "Make an API key, which is shown this once", Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, api.makeKey)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodDelete, Path: one, Guard: httpserver.User, People: true,
		Summary: "Revoke an API key", Errors: []int{http.StatusNotFound},
	}, api.revokeKey)
}

// APIKey is an API key as its owner sees it, without the secret.
type APIKey struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Prefix     string            `json:"prefix" doc:"How the key begins, for recognition" example:"omni_ab12"`
	Scopes     []domain.KeyScope `json:"scopes" enum:"read,write,ai" nullable:"false"`
	CreatedAt  time.Time         `json:"created_at"`
	ExpiresAt  *time.Time        `json:"expires_at" doc:"null for never"`
	LastUsedAt *time.Time        `json:"last_used_at" doc:"To about a minute; null for never"`
}

// MadeAPIKey is an API key when it is made.
type MadeAPIKey struct {
	APIKey
	Key string `json:"key" doc:"The key itself. Keep it: it is shown only now, and kept nowhere here"`
}

func toKey(key domain.APIKey) APIKey {
	return APIKey{
		ID: key.ID, Name: key.Name, Prefix: key.Prefix, Scopes: key.Scopes,
		CreatedAt: key.CreatedAt, ExpiresAt: key.ExpiresAt, LastUsedAt: key.LastUsedAt,
	}
}

type listKeysInput struct{ httpserver.Paging }

func (a *API) listKeys(ctx context.Context, in *listKeysInput) (*httpserver.List[APIKey], error) {
	wanted, err := in.Page()
	if err != nil {
		return nil, err
	}
	found, err := a.app.ListAPIKeys(ctx, httpserver.Principal(ctx).Scope(), wanted)
	if err != nil {
		return nil, err
	}
	return httpserver.ListOf(found, toKey), nil
}

// NewAPIKey is what an API key is made of.
type NewAPIKey struct {
	Name      string            `json:"name" minLength:"1" maxLength:"100" doc:"For you, to tell your keys apart"`
	Scopes    []domain.KeyScope `json:"scopes" enum:"read,write,ai" minItems:"1" maxItems:"3" nullable:"false" doc:"read is to get what is yours, write to change it, ai to ask models. No key does more: not administration, not API keys, not the end of your account"`
	ExpiresAt *time.Time        `json:"expires_at,omitempty" nullable:"true" doc:"From then on the key isn't good any more; absent or null for never"`
}

type makeKeyInput struct{ Body NewAPIKey }

func (a *API) makeKey(_ context.Context, in *makeKeyInput) (httpserver.Commit[httpserver.Object[MadeAPIKey]], error) {
	secret := auth.NewAPIKey()
	hash := secret.Hash()
	wanted := domain.NewAPIKey{
		Name: in.Body.Name, Scopes: in.Body.Scopes, ExpiresAt: in.Body.ExpiresAt,
		Prefix: secret.Prefix(), Hash: hex.EncodeToString(hash[:]),
	}
	return func(ctx context.Context) (*httpserver.Object[MadeAPIKey], error) {
		key, err := a.app.MakeAPIKey(ctx, httpserver.Principal(ctx).Scope(), wanted)
		if err != nil {
			return nil, err
		}
		return &httpserver.Object[MadeAPIKey]{
			Location: a.keyAddress(key.ID), Body: MadeAPIKey{APIKey: toKey(key), Key: string(secret)},
		}, nil
	}, nil
}

func (a *API) revokeKey(_ context.Context, in *OneInput) (httpserver.Commit[httpserver.Empty], error) {
	return func(ctx context.Context) (*httpserver.Empty, error) {
		return &httpserver.Empty{}, a.app.RevokeAPIKey(ctx, httpserver.Principal(ctx).Scope(), in.ID)
	}, nil
}
