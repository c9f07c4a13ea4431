package httpserver

import (
	"context"
	"net/http"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
)

// DevClaims is what a development token shall say.
type DevClaims struct {
	Subject string `json:"sub" minLength:"1" maxLength:"255" doc:"Who to be; the user's id is the same, unless it is taken"`
	Email   string `json:"email,omitempty" maxLength:"254"`
	Name    string `json:"name,omitempty" maxLength:"200"`
	Role    string `json:"role,omitempty" enum:"user,admin,superadmin"`
}

// AccessToken is an access token as OAuth 2.0 answers it (RFC 6749, section 5.1).
type AccessToken struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type" enum:"Bearer"`
	ExpiresIn   int64  `json:"expires_in" doc:"Seconds"`
}

// AddDevIssuer registers the development issuer's routes: its keys, and a token for whoever asks.
func (s *Server) AddDevIssuer(issuer *auth.DevIssuer) {
	r := s.Router("platform")
	Query(r, Route{
		Method: http.MethodPost, Path: "/public/auth/dev-token", Guard: Public, Rate: RateAuth, Local: true,
		Summary: "Get a token to develop with; there is none outside of a developer's machine",
	}, func(_ context.Context, in *struct{ Body DevClaims }) (*Object[AccessToken], error) {
		signed, expires, err := issuer.Mint(auth.DevClaims{
			Subject: in.Body.Subject, Email: in.Body.Email, Name: in.Body.Name, Role: in.Body.Role,
		})
		if err != nil {
			return nil, err
		}
		lifetime := time.Until(expires).Round(time.Second)
		return &Object[AccessToken]{Body: AccessToken{AccessToken: signed, TokenType: "Bearer", ExpiresIn: int64(lifetime.Seconds())}}, nil
	})
	s.raw(Route{Method: http.MethodGet, Path: "/.well-known/jwks.json", Summary: "The keys that verify its tokens"},
		fixed(contentType, issuer.JWKS()))
}
