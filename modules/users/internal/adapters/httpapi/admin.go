package httpapi

import (
	"context"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/patch"
)

// caller returns who is asking, with the role that counts for this request, which the token may have named.
func caller(ctx context.Context) domain.Administrator {
	principal := httpserver.Principal(ctx)
	return domain.Administrator{ID: principal.UserID, Role: domain.Role(principal.Role)}
}

// OneInput names one user. It is exported because huma passes over what an unexported embedded struct holds.
type OneInput struct {
	ID string `path:"id" maxLength:"255"`
}

type listInput struct {
	httpserver.Paging
	Search string    `query:"q" maxLength:"100" doc:"Only users whose name or e-mail address holds this text, in any case"`
	Role   auth.Role `query:"role" enum:"user,admin,superadmin" doc:"Only users with this role"`
	Active string    `query:"is_active" enum:"true,false" doc:"Only users who may act, or only suspended ones"`
}

func (a *API) list(ctx context.Context, in *listInput) (*httpserver.List[User], error) {
	wanted, err := in.Page()
	if err != nil {
		return nil, err
	}
	filter := app.Filter{Search: in.Search, Role: domain.Role(in.Role)}
	if in.Active != "" {
		filter.Active = new(in.Active == "true")
	}
	found, err := a.app.List(ctx, filter, wanted)
	if err != nil {
		return nil, err
	}
	return httpserver.ListOf(found, toUser), nil
}

func (a *API) get(ctx context.Context, in *OneInput) (*httpserver.Object[User], error) {
	user, err := a.app.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return toObject(user), nil
}

// Administration is what administrators may change about a user. What is absent stays.
type Administration struct {
	Role     patch.Field[string] `json:"role,omitempty" nullable:"false" enum:"user,admin,superadmin" doc:"Only superadmins change it, and nobody their own"`
	IsActive patch.Field[bool]   `json:"is_active,omitempty" nullable:"false" doc:"false suspends the user, who can do nothing until it is true again; true also brings back an account that is closed and not erased yet"`
}

type administerInput struct {
	OneInput
	httpserver.IfMatch
	Body Administration
}

func (a *API) administer(_ context.Context, in *administerInput) (httpserver.Commit[httpserver.Object[User]], error) {
	version, err := in.Version()
	if err != nil {
		return nil, err
	}
	change := domain.Administration{Active: in.Body.IsActive.Value()}
	if role := in.Body.Role.Value(); role != nil {
		change.Role = new(domain.Role(*role))
	}
	return func(ctx context.Context) (*httpserver.Object[User], error) {
		user, err := a.app.Administer(ctx, caller(ctx), in.ID, version, change)
		if err != nil {
			return nil, err
		}
		return toObject(user), nil
	}, nil
}

type deleteInput struct {
	OneInput
	httpserver.IfMatch
}

func (a *API) delete(_ context.Context, in *deleteInput) (httpserver.Commit[httpserver.Empty], error) {
	version, err := in.Version()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*httpserver.Empty, error) {
		return &httpserver.Empty{}, a.app.Delete(ctx, caller(ctx), in.ID, version)
	}, nil
}
