package auth

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
