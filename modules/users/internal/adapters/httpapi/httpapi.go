// Package httpapi drives the users context by HTTP.
package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/patch"
)

// API is the operations on users, on their identities and on their API keys.
type API struct {
	app        *app.App
	tokens     Tokens
	address    func(identityID string) string // where an identity is
	keyAddress func(keyID string) string
}

// Register adds the operations to the router. Tokens says whose a token is that is shown to add an identity.
func Register(r *httpserver.Router, app *app.App, tokens Tokens) {
	const me, list, one = "/app/users/me", "/admin/users", "/admin/users/{id}"
	api := &API{app: app, tokens: tokens, address: func(identityID string) string { return r.URL(identities + "/" + identityID) }}
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: me, Guard: httpserver.User,
		Summary: "Get yourself",
	}, api.me)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPatch, Path: me, Guard: httpserver.User,
		Summary: "Change your profile", Errors: []int{http.StatusPreconditionFailed},
	}, api.update)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodDelete, Path: me, Guard: httpserver.User, People: true,
		Summary: "Delete your account, and all that is yours with it", Status: http.StatusAccepted,
		Errors: []int{http.StatusConflict, http.StatusPreconditionFailed},
	}, api.leave)
	registerKeys(r, api)
	api.registerIdentities(r)
	registerWebhooks(r, app)

	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: list, Guard: httpserver.Admin,
		Summary: "List users, the newest first",
	}, api.list)
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: one, Guard: httpserver.Admin,
		Summary: "Get a user", Errors: []int{http.StatusNotFound},
	}, api.get)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPatch, Path: one, Guard: httpserver.Admin,
		Summary: "Change what a user may do",
		Errors:  []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed},
	}, api.administer)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodDelete, Path: one, Guard: httpserver.Admin,
		Summary: "Delete a user's account, and all that is theirs with it",
		Errors:  []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed},
	}, api.delete)
}

// User is a user as that user, or an administrator, sees it.
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
	EraseAt            *time.Time `json:"erase_at,omitzero" doc:"When the account, which is closed, will be erased; absent for one that isn't"`
}

// toUser returns the user with the user's own role.
func toUser(user domain.User) User {
	return User{
		ID: user.ID, Email: user.Email, FullName: user.FullName, AvatarURL: user.AvatarURL, Role: auth.Role(user.Role),
		IsActive: user.Active, SubscriptionStatus: user.SubscriptionStatus, SubscriptionPlan: user.SubscriptionPlan,
		LastLoginAt: user.LastLoginAt, CreatedAt: user.CreatedAt, UpdatedAt: user.UpdatedAt, EraseAt: user.EraseAt,
	}
}

func toObject(user domain.User) *httpserver.Object[User] {
	return &httpserver.Object[User]{ETag: httpserver.ETag(user.Version), Body: toUser(user)}
}

// toMe returns the one who asks with the role that counts for this request, which the token may have named.
func toMe(ctx context.Context, user domain.User) *httpserver.Object[User] {
	out := toObject(user)
	out.Body.Role = httpserver.Principal(ctx).Role
	return out
}

func (a *API) me(ctx context.Context, _ *struct{}) (*httpserver.Object[User], error) {
	user, err := a.app.Get(ctx, httpserver.Principal(ctx).UserID)
	if err != nil {
		return nil, ofCaller(err)
	}
	return toMe(ctx, user), nil
}

// ofCaller returns the error of something done to whoever asks. One who isn't there was deleted after being let in, and is told
// what the next request will be told.
func ofCaller(err error) error {
	if errs.Is(err, errs.NotFound) {
		return domain.User{Deleted: true}.MayAct()
	}
	return err
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
			return nil, ofCaller(err)
		}
		return toMe(ctx, user), nil
	}, nil
}

// Deletion is how far a deletion is.
type Deletion struct {
	Status string `json:"status" enum:"deleting" doc:"The account is closed; what is held of you is being erased, or will be when the grace is over in which an administrator can bring it back"`
}

type leaveInput struct{ httpserver.IfMatch }

func (a *API) leave(_ context.Context, in *leaveInput) (httpserver.Commit[httpserver.Object[Deletion]], error) {
	version, err := in.Version()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*httpserver.Object[Deletion], error) {
		out := &httpserver.Object[Deletion]{Body: Deletion{Status: "deleting"}}
		return out, ofCaller(a.app.Delete(ctx, caller(ctx), httpserver.Principal(ctx).UserID, version))
	}, nil
}
