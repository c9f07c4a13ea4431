package auth

import (
	"context"
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

	// SessionStatus names a claim that must be "active" where a token has it. "" is none.
	SessionStatus string

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

// CheckKeys fetches the provider's keys now and returns why no token of it can be verified, nil when one can.
func (p *Provider) CheckKeys(ctx context.Context) error {
	if p.Keys == nil {
		return nil
	}
	if err := p.Keys.Refresh(ctx); err != nil {
		return err
	}
	if len(p.Keys.current.Load().all) == 0 && len(p.HMACSecret) == 0 {
		return errors.New("it publishes no key that can verify a token")
	}
	return nil
}

// userEdited tells whether a claim path leads to what users write themselves, at Supabase and at Clerk.
func userEdited(path string) bool {
	names := strings.Split(path, ".")
	return slices.Contains(names, "user_metadata") || slices.Contains(names, "unsafe_metadata")
}
