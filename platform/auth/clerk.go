package auth

import "strings"

// Clerk trusts the instance whose Frontend API is at issuer. authorizedParties are the origins whose tokens are
// accepted; a token without azp is accepted too, as Clerk omits it for requests without an Origin.
//
// A session that is pending, because its user hasn't chosen a new password yet or the like, isn't signed in, as in Clerk's own
// libraries.
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
		SessionStatus:           "sts",
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
