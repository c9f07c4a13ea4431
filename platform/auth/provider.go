package auth

import (
	"errors"
	"slices"
	"strings"
)

// minSecret is the least length of an HS256 secret, in bytes: that of the hash (RFC 7518, section 3.2).
const minSecret = 32

// Provider is one issuer whose tokens are trusted, and how they are read. It must not change once a Verifier has it.
type Provider struct {
	Name   string // for logs: "supabase", "clerk", "custom", "dev"
	Issuer string // compared with iss, byte by byte

	// Audiences holds the accepted values of aud; one of the token's must be among them. Empty: aud isn't checked.
	Audiences []string

	// AuthorizedParties holds the accepted values of azp. Empty: azp isn't checked.
	AuthorizedParties []string

	// AuthorizedPartyOptional accepts a token without azp, though AuthorizedParties is set.
	AuthorizedPartyOptional bool

	Keys       *KeySource // the issuer's public keys; nil when only HS256 is used
	HMACSecret []byte     // the legacy HS256 secret, 32 bytes or more; shorter ones verify nothing
	Claims     ClaimPaths
}

// ClaimPaths says where a provider's tokens hold what an Identity needs. A path is a claim's name, or names joined by
// dots to reach into objects ("app_metadata.role"); a claim whose own name has dots is found first. "" is nowhere.
//
// Email, EmailVerified and Role are never read from below user_metadata or unsafe_metadata, which users edit themselves.
type ClaimPaths struct {
	Email         string
	EmailVerified string // a boolean
	Name          string
	Avatar        string
	Role          string // a string, or an array of strings of which the highest known role counts
	Session       string // the id of the session, the same in every token of it
}

// Supabase trusts the project at projectURL, such as "https://abc.supabase.co". With its legacy JWT secret, HS256 tokens
// are accepted beside those signed with its keys, as both are in use while a project rotates; "" accepts none.
//
// The role is app_metadata.role. The top-level role is the one in Postgres and means nothing here. Supabase has no claim
// for a verified e-mail that users can't edit, so EmailVerified stays false.
func Supabase(projectURL, legacySecret string) *Provider {
	issuer := strings.TrimRight(projectURL, "/") + "/auth/v1"
	return &Provider{
		Name:       "supabase",
		Issuer:     issuer,
		Audiences:  []string{"authenticated"},
		Keys:       NewKeySource(issuer + "/.well-known/jwks.json"),
		HMACSecret: []byte(legacySecret),
		Claims: ClaimPaths{
			Email:   "email",
			Name:    "user_metadata.full_name",
			Avatar:  "user_metadata.avatar_url",
			Role:    "app_metadata.role",
			Session: "session_id",
		},
	}
}

// Clerk trusts the instance whose Frontend API is at issuer. authorizedParties are the origins whose tokens are
// accepted; a token without azp is accepted too, as Clerk omits it for requests without an Origin.
//
// Clerk's tokens carry neither e-mail nor role unless the session token is customised. The names read here are email,
// email_verified, name, picture, and public_metadata for {{user.public_metadata}}, of which role counts.
func Clerk(issuer string, authorizedParties []string) *Provider {
	issuer = strings.TrimRight(issuer, "/")
	return &Provider{
		Name:                    "clerk",
		Issuer:                  issuer,
		AuthorizedParties:       authorizedParties,
		AuthorizedPartyOptional: true,
		Keys:                    NewKeySource(issuer + "/.well-known/jwks.json"),
		Claims: ClaimPaths{
			Email:         "email",
			EmailVerified: "email_verified",
			Name:          "name",
			Avatar:        "picture",
			Role:          "public_metadata.role",
			Session:       "sid",
		},
	}
}

// Custom trusts any OpenID Connect issuer. An empty jwksURL is discovered (OpenID Connect Discovery 1.0, section 4), an
// empty audience isn't checked, an empty roleClaim reads no role, and an empty emailClaim is "email".
func Custom(issuer, jwksURL, audience, roleClaim, emailClaim string) *Provider {
	provider := &Provider{
		Name:   "custom",
		Issuer: issuer,
		Claims: ClaimPaths{
			Email:         "email",
			EmailVerified: "email_verified",
			Name:          "name",
			Avatar:        "picture",
			Role:          roleClaim,
			Session:       "sid", // OpenID Connect Front-Channel Logout 1.0, section 3
		},
	}
	if audience != "" {
		provider.Audiences = []string{audience}
	}
	if emailClaim != "" {
		provider.Claims.Email = emailClaim
	}
	if jwksURL == "" {
		provider.Keys = DiscoverKeySource(issuer)
	} else {
		provider.Keys = NewKeySource(jwksURL)
	}
	return provider
}

// Validate returns what makes the provider useless or unsafe, nil for nothing. A Verifier is safe without it, as it
// refuses what isn't right; this tells whoever configures it at start.
func (p *Provider) Validate() error {
	var problems []error
	if p.Issuer == "" {
		problems = append(problems, errors.New("the issuer is empty"))
	}
	if p.Keys == nil && len(p.HMACSecret) == 0 {
		problems = append(problems, errors.New("there are neither keys nor a secret"))
	}
	if n := len(p.HMACSecret); n > 0 && n < minSecret {
		problems = append(problems, errors.New("the HS256 secret is shorter than 32 bytes"))
	}
	for _, path := range []string{p.Claims.Email, p.Claims.EmailVerified, p.Claims.Role} {
		if userEdited(path) {
			problems = append(problems, errors.New("users edit "+path+" themselves: it can't be trusted"))
		}
	}
	return errors.Join(problems...)
}

// userEdited tells whether a claim path leads to what users write themselves, at Supabase and at Clerk.
func userEdited(path string) bool {
	names := strings.Split(path, ".")
	return slices.Contains(names, "user_metadata") || slices.Contains(names, "unsafe_metadata")
}
