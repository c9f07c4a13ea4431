package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/platform/export"
	"github.com/omnistack/omnistack/platform/id"
)

// Exporter hands out what is kept of a person here. Of API keys it says which there are; what they are checked by stays here.
type Exporter struct{ store PersonStore }

// NewExporter returns an exporter over the store.
func NewExporter(store PersonStore) *Exporter { return &Exporter{store} }

// PersonStore reads what is handed out.
type PersonStore interface {
	// ExportProfile returns a living user, or errs.NotFound.
	ExportProfile(ctx context.Context, user id.Scope) (ExportedProfile, error)

	// ExportIdentities returns at most limit of the user's identities: those behind one of them, or from the beginning for nil.
	ExportIdentities(ctx context.Context, user id.Scope, after *ExportedIdentity, limit int) ([]ExportedIdentity, error)

	// ExportAPIKeys is ExportIdentities of API keys, revoked ones too as long as they are kept, the oldest first.
	ExportAPIKeys(ctx context.Context, user id.Scope, after *ExportedAPIKey, limit int) ([]ExportedAPIKey, error)

	// ExportExports is ExportIdentities of exports, by their ids.
	ExportExports(ctx context.Context, user id.Scope, after *ExportedExport, limit int) ([]ExportedExport, error)
}

// ExportedProfile is a user as it is handed out.
type ExportedProfile struct {
	ID                 string     `json:"id"`
	Email              *string    `json:"email"`
	EmailVerified      bool       `json:"email_verified"`
	FullName           *string    `json:"full_name"`
	AvatarURL          *string    `json:"avatar_url"`
	Role               string     `json:"role"`
	IsActive           bool       `json:"is_active"`
	CustomerID         *string    `json:"customer_id"`
	SubscriptionStatus *string    `json:"subscription_status"`
	SubscriptionPlan   *string    `json:"subscription_plan"`
	LastLoginAt        *time.Time `json:"last_login_at"`
	LoginCount         int64      `json:"login_count"`
	CreatedAt          time.Time  `json:"created_at"`
	UpdatedAt          time.Time  `json:"updated_at"`
}

// ExportedIdentity is an identity as it is handed out.
type ExportedIdentity struct {
	Issuer   string    `json:"issuer"`
	Subject  string    `json:"subject"`
	LinkedAt time.Time `json:"linked_at"`
}

// ExportedAPIKey is an API key as it is handed out.
type ExportedAPIKey struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Prefix     string     `json:"prefix"`
	Scopes     []string   `json:"scopes"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	RevokedAt  *time.Time `json:"revoked_at"`
}

// ExportedExport is an export as it is handed out, the one that is being made too.
type ExportedExport struct {
	ID        string     `json:"id"`
	Status    string     `json:"status"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"`
}

// Export writes the user's profile, identities, API keys and exports. A user who is gone is errs.NotFound.
func (e *Exporter) Export(ctx context.Context, user id.Scope, archive export.Archive) error {
	profile, err := e.store.ExportProfile(ctx, user)
	if err != nil {
		return err
	}
	if err := export.Value(archive, "profile.json", profile); err != nil {
		return err
	}
	err = export.Array(archive, "identities.json", func(after *ExportedIdentity, limit int) ([]ExportedIdentity, error) {
		return e.store.ExportIdentities(ctx, user, after, limit)
	})
	if err != nil {
		return err
	}
	err = export.Array(archive, "api_keys.json", func(after *ExportedAPIKey, limit int) ([]ExportedAPIKey, error) {
		return e.store.ExportAPIKeys(ctx, user, after, limit)
	})
	if err != nil {
		return err
	}
	return export.Array(archive, "exports.json", func(after *ExportedExport, limit int) ([]ExportedExport, error) {
		return e.store.ExportExports(ctx, user, after, limit)
	})
}
