package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/page"
)

// Tokens says whose a token is.
type Tokens interface {
	Verify(ctx context.Context, token string) (auth.Identity, error)
}

const identities = "/app/users/me/identities"

func (a *API) registerIdentities(r *httpserver.Router) {
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: identities, Guard: httpserver.User, People: true,
		Summary: "List the identities that you sign in with",
	}, a.identities)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPost, Path: identities, Guard: httpserver.User, People: true,
		Summary: "Sign in with another identity, too", Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, a.link)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodDelete, Path: identities + "/{id}", Guard: httpserver.User, People: true,
		Summary: "Don't sign in with an identity any more", Status: http.StatusNoContent,
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.unlink)
}

// Identity is one way in which a user signs in.
type Identity struct {
	ID       string    `json:"id"`
	Issuer   string    `json:"issuer" doc:"The iss of its tokens"`
	Subject  string    `json:"subject" doc:"The sub of its tokens"`
	LinkedAt time.Time `json:"linked_at"`
}

func toIdentity(linked domain.LinkedIdentity) Identity {
	return Identity{ID: linked.ID(), Issuer: linked.Issuer, Subject: linked.Subject, LinkedAt: linked.LinkedAt}
}

// identities lists them all on one page: there are few.
func (a *API) identities(ctx context.Context, _ *struct{}) (*httpserver.List[Identity], error) {
	linked, err := a.app.Identities(ctx, httpserver.Principal(ctx).UserID)
	if err != nil {
		return nil, err
	}
	all := page.Page[domain.LinkedIdentity]{Items: linked, Total: int64(len(linked)), Limit: domain.MaxIdentities}
	return httpserver.ListOf(all, toIdentity), nil
}

// signedIn returns the identity that the request came with. Only a token of a provider changes how somebody signs in.
func (a *API) signedIn(ctx context.Context, authorization string) (domain.Identity, error) {
	token, err := auth.BearerToken(authorization)
	if err == nil {
		var who auth.Identity
		if who, err = a.tokens.Verify(ctx, token); err == nil {
			return domain.Identity{Issuer: who.Issuer, Subject: who.Subject}, nil
		}
	}
	if !errs.Is(err, errs.Unauthenticated) {
		return domain.Identity{}, err
	}
	return domain.Identity{}, errs.New(errs.Forbidden, "Only a token of an identity provider changes how you sign in").Because(err)
}

// NewIdentity proves that an identity is the caller's.
type NewIdentity struct {
	Token string `json:"token" minLength:"1" maxLength:"8192" doc:"A valid token of the identity to add, of any accepted provider"`
}

// BearerInput holds the token that the request came with. It is exported because huma passes over what an unexported embedded
// struct holds.
type BearerInput struct {
	Authorization string `header:"Authorization" hidden:"true"`
}

type linkInput struct {
	BearerInput
	Body NewIdentity
}

func (a *API) link(ctx context.Context, in *linkInput) (httpserver.Commit[httpserver.Object[Identity]], error) {
	if _, err := a.signedIn(ctx, in.Authorization); err != nil {
		return nil, err
	}
	who, err := a.tokens.Verify(ctx, in.Body.Token)
	if errs.Is(err, errs.Unauthenticated) { // a 401 would say that the caller isn't signed in
		err = errs.InvalidFields(errs.Field{Name: "token", Message: "must be a valid token of an accepted provider"})
	}
	if err != nil {
		return nil, err
	}
	identity := domain.Identity{Issuer: who.Issuer, Subject: who.Subject}
	return func(ctx context.Context) (*httpserver.Object[Identity], error) {
		linked, err := a.app.LinkIdentity(ctx, httpserver.Principal(ctx).UserID, identity)
		if err != nil {
			return nil, err
		}
		return &httpserver.Object[Identity]{Location: a.address(linked.ID()), Body: toIdentity(linked)}, nil
	}, nil
}

type unlinkInput struct {
	OneInput
	BearerInput
}

func (a *API) unlink(ctx context.Context, in *unlinkInput) (httpserver.Commit[httpserver.Empty], error) {
	signedIn, err := a.signedIn(ctx, in.Authorization)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*httpserver.Empty, error) {
		return &httpserver.Empty{}, a.app.UnlinkIdentity(ctx, httpserver.Principal(ctx).UserID, in.ID, signedIn)
	}, nil
}
