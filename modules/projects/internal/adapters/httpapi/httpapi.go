// Package httpapi drives the projects context by HTTP.
package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/omnistack/omnistack/modules/projects/internal/app"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/patch"
)

// API is the operations on projects.
type API struct {
	app     *app.App
	address func(projectID string) string
}

// Register adds the operations to the router.
func Register(r *httpserver.Router, app *app.App) {
	const list, one = "/app/projects", "/app/projects/{id}"
	api := &API{app: app, address: func(projectID string) string { return r.URL(list + "/" + projectID) }}

	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: list, Guard: httpserver.User,
		Summary: "List your projects",
	}, api.list)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPost, Path: list, Guard: httpserver.User,
		Summary: "Create a project", Status: http.StatusCreated, Errors: []int{http.StatusPaymentRequired},
	}, api.create)
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: one, Guard: httpserver.User,
		Summary: "Get a project", Errors: []int{http.StatusNotFound},
	}, api.get)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPatch, Path: one, Guard: httpserver.User,
		Summary: "Change a project", Errors: []int{http.StatusNotFound, http.StatusPreconditionFailed},
	}, api.update)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodDelete, Path: one, Guard: httpserver.User,
		Summary: "Delete a project", Errors: []int{http.StatusNotFound, http.StatusPreconditionFailed},
	}, api.delete)
}

// Project is a project as clients see it.
type Project struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Description *string   `json:"description"`
	OwnerID     string    `json:"owner_id"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

func toProject(project domain.Project) Project {
	return Project{
		ID: project.ID, Name: project.Name, Description: project.Description, OwnerID: project.Owner.User,
		CreatedAt: project.CreatedAt, UpdatedAt: project.UpdatedAt,
	}
}

func toObject(project domain.Project) *httpserver.Object[Project] {
	return &httpserver.Object[Project]{ETag: httpserver.ETag(project.Version), Body: toProject(project)}
}

// OneInput names one project. It is exported because huma passes over what an unexported embedded struct holds.
type OneInput struct {
	ID string `path:"id" maxLength:"255"`
}

type listInput struct {
	httpserver.Paging
	Search string   `query:"q" maxLength:"100" doc:"Only projects whose name holds this text, in any case"`
	Sort   app.Sort `query:"sort" enum:"-created_at,created_at,name,-name" default:"-created_at" doc:"A minus turns the order round"`
}

func (a *API) list(ctx context.Context, in *listInput) (*httpserver.List[Project], error) {
	wanted, err := in.Page()
	if err != nil {
		return nil, err
	}
	found, err := a.app.List(ctx, httpserver.Principal(ctx).Scope(), in.Search, in.Sort, wanted)
	if err != nil {
		return nil, err
	}
	return httpserver.ListOf(found, toProject), nil
}

func (a *API) get(ctx context.Context, in *OneInput) (*httpserver.Object[Project], error) {
	project, err := a.app.Get(ctx, httpserver.Principal(ctx).Scope(), in.ID)
	if err != nil {
		return nil, err
	}
	return toObject(project), nil
}

// NewProject is what a project is made of.
type NewProject struct {
	Name        string  `json:"name" minLength:"1" maxLength:"100"`
	Description *string `json:"description,omitempty" nullable:"true" maxLength:"2000"`
}

type createInput struct{ Body NewProject }

func (a *API) create(_ context.Context, in *createInput) (httpserver.Commit[httpserver.Object[Project]], error) {
	return func(ctx context.Context) (*httpserver.Object[Project], error) {
		project, err := a.app.Create(ctx, httpserver.Principal(ctx).Scope(), domain.Draft(in.Body))
		if err != nil {
			return nil, err
		}
		out := toObject(project)
		out.Location = a.address(project.ID)
		return out, nil
	}, nil
}

// ProjectChange is what an owner may change. What is absent stays.
type ProjectChange struct {
	Name        patch.Field[string] `json:"name,omitempty" nullable:"false" minLength:"1" maxLength:"100"`
	Description patch.Field[string] `json:"description,omitempty" maxLength:"2000" doc:"null clears it"`
}

type updateInput struct {
	OneInput
	httpserver.IfMatch
	Body ProjectChange
}

func (a *API) update(_ context.Context, in *updateInput) (httpserver.Commit[httpserver.Object[Project]], error) {
	version, err := in.Version()
	if err != nil {
		return nil, err
	}
	change := domain.Change{
		Name: in.Body.Name.Value(), SetDescription: in.Body.Description.Present(), Description: in.Body.Description.Value(),
	}
	return func(ctx context.Context) (*httpserver.Object[Project], error) {
		project, err := a.app.Update(ctx, httpserver.Principal(ctx).Scope(), in.ID, version, change)
		if err != nil {
			return nil, err
		}
		return toObject(project), nil
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
		return &httpserver.Empty{}, a.app.Delete(ctx, httpserver.Principal(ctx).Scope(), in.ID, version)
	}, nil
}
