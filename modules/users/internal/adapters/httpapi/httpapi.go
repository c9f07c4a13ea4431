// Package httpapi drives the users context by HTTP.
package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/patch"
)

// API is the operations on users.
type API struct{ app *app.App }

// Register adds the operations to the router.
func Register(r *httpserver.Router, app *app.App) {
	const me = "/app/users/me"
	api := &API{app: app}
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: me, Guard: httpserver.User,
		Summary: "Get yourself",
	}, api.me)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPatch, Path: me, Guard: httpserver.User,
		Summary: "Change your profile", Errors: []int{http.StatusPreconditionFailed},
	}, api.update)
}

// User is a user as that user sees it.
type User struct {
	ID                 string     `json:"id"`
	Email              *string    `json:"email" doc:"null when the identity provider told none"`
	FullName           *string    `json:"full_name"`
	AvatarURL          *string    `json:"avatar_url"`
	Role               auth.Role  `json:"role" enum:"user,admin,superadmin"`
	IsActive           bool       `json:"is_active"`
	SubscriptionStatus *string    `json:"subscription_status"`
	SubscriptionPlan   *string    `json:"subscription_plan"`
	LastLoginAt        *time.Time `json:"last_login_at"`
	CreatedAt          time.Time  `json:"created_at"`
	UpdatedAt          time.Time  `json:"updated_at"`
}

// toObject returns the user with the role that counts for this request, which the token may have named.
func toObject(ctx context.Context, user domain.User) *httpserver.Object[User] {
	return &httpserver.Object[User]{ETag: httpserver.ETag(user.Version), Body: User{
		ID: user.ID, Email: user.Email, FullName: user.FullName, AvatarURL: user.AvatarURL, Role: httpserver.Principal(ctx).Role,
		IsActive: user.Active, SubscriptionStatus: user.SubscriptionStatus, SubscriptionPlan: user.SubscriptionPlan,
		LastLoginAt: user.LastLoginAt, CreatedAt: user.CreatedAt, UpdatedAt: user.UpdatedAt,
	}}
}

func (a *API) me(ctx context.Context, _ *struct{}) (*httpserver.Object[User], error) {
	user, err := a.app.Get(ctx, httpserver.Principal(ctx).UserID)
	if err != nil {
		return nil, err
	}
	return toObject(ctx, user), nil
}

// ProfileChange is what people may change about themselves. What is absent stays.
type ProfileChange struct {
	FullName  patch.Field[string] `json:"full_name,omitempty" minLength:"1" maxLength:"200" doc:"null clears it"`
	AvatarURL patch.Field[string] `json:"avatar_url,omitempty" maxLength:"2048" doc:"An https URL; null clears it"`
}

type updateInput struct {
	httpserver.IfMatch
	Body ProfileChange
}

func (a *API) update(_ context.Context, in *updateInput) (httpserver.Commit[httpserver.Object[User]], error) {
	version, err := in.Version()
	if err != nil {
		return nil, err
	}
	profile := domain.Profile{
		SetFullName: in.Body.FullName.Present(), FullName: in.Body.FullName.Value(),
		SetAvatarURL: in.Body.AvatarURL.Present(), AvatarURL: in.Body.AvatarURL.Value(),
	}
	return func(ctx context.Context) (*httpserver.Object[User], error) {
		user, err := a.app.Update(ctx, httpserver.Principal(ctx).UserID, version, profile)
		if err != nil {
			return nil, err
		}
		return toObject(ctx, user), nil
	}, nil
}
