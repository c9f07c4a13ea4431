package idp

import "time"

// Shape is whose tokens and addresses an Issuer imitates. It is a value of AUTH_PROVIDER.
type Shape string

// The shapes.
const (
	Supabase Shape = "supabase"
	Clerk    Shape = "clerk"
	Custom   Shape = "custom" // as Keycloak writes them
	Dev      Shape = "dev"    // the product's own
)

// Shapes returns every shape.
func Shapes() []Shape { return []Shape{Supabase, Clerk, Custom, Dev} }

const (
	// Secret is the legacy HS256 secret of every Supabase.
	Secret = "a legacy secret of more than 32 bytes"
	// Audience is whom the tokens of Custom are for.
	Audience = "api"
	// Origin is the site that the tokens of Clerk and Custom are made for.
	Origin = "https://app.example.com"
)

// audience is the aud of a shape's tokens, "" for none.
func (s Shape) audience() string {
	return map[Shape]string{Supabase: "authenticated", Custom: Audience, Dev: "omnistack"}[s]
}

// keysPath is where a shape publishes its keys.
func (s Shape) keysPath() string {
	return map[Shape]string{
		Supabase: "/auth/v1/.well-known/jwks.json", Clerk: "/.well-known/jwks.json", Custom: "/protocol/openid-connect/certs",
	}[s]
}

// Name returns the iss of the tokens.
func (i *Issuer) Name() string {
	switch i.Shape {
	case Supabase:
		return i.URL + "/auth/v1"
	case Dev:
		return "omnistack-dev"
	}
	return i.URL
}

// Settings are those of a product that believes the provider, chosen by AUTH_PROVIDER or AUTH_PROVIDER_SECONDARY. The keys
// of a custom one are discovered, and Supabase's legacy secret is believed too.
func (i *Issuer) Settings(chosenBy string) []string {
	chosen := chosenBy + "=" + string(i.Shape)
	switch i.Shape {
	case Supabase:
		return []string{chosen, "SUPABASE_PROJECT_URL=" + i.URL, "SUPABASE_JWT_SECRET=" + Secret}
	case Clerk:
		return []string{chosen, "CLERK_ISSUER_URL=" + i.URL, "CLERK_AUTHORIZED_PARTIES=" + Origin}
	case Custom:
		return []string{chosen, "OAUTH_ISSUER=" + i.URL, "OAUTH_AUDIENCE=" + Audience, "OAUTH_ROLE_CLAIM=realm_access.roles"}
	}
	return []string{chosen}
}

// Person is who a token is about.
type Person struct {
	Subject string
	Email   string // verified, where a shape says so
	Name    string
	Role    string // as the product knows it, given by the provider's server side
}

// Claims are what the provider says of a person in a token that was issued at a time and is good for an hour. What users
// may edit themselves says that they are superadmins.
func (i *Issuer) Claims(who Person, at time.Time) Object {
	claims := Object{"iss": i.Name(), "sub": who.Subject, "iat": at.Unix(), "exp": at.Add(time.Hour).Unix()}
	if audience := i.Shape.audience(); audience != "" {
		claims["aud"] = audience
	}
	return With(claims, map[Shape]func(Person, time.Time) Object{
		Supabase: supabaseClaims, Clerk: clerkClaims, Custom: customClaims, Dev: devClaims,
	}[i.Shape](who, at))
}

// supabaseClaims are those of an access token of Supabase Auth.
func supabaseClaims(who Person, at time.Time) Object {
	server := Object{"provider": "email", "providers": []string{"email"}}
	if who.Role != "" {
		server["role"] = who.Role
	}
	return Object{
		"role": "authenticated", "aal": "aal1", "amr": []Object{{"method": "password", "timestamp": at.Unix()}},
		"session_id": "0f0a1c1e-52f7-4d1c-a9c1-5b4dd4bd2a7e", "is_anonymous": false, "email": who.Email, "phone": "",
		"app_metadata":  server,
		"user_metadata": Object{"role": "superadmin", "email_verified": true, "full_name": who.Name, "sub": "somebody-else"},
	}
}

// clerkClaims are those of a session token of Clerk, version 2, customised as auth.Clerk documents.
func clerkClaims(who Person, at time.Time) Object {
	claims := Object{
		"v": 2, "azp": Origin, "nbf": at.Add(-10 * time.Second).Unix(), "sid": "sess_2xG4qT1Yb0WcW4hPzv1kH3nJm9L", "sts": "active",
		"jti": "2b7f0e9a4c", "fva": []int{7, -1}, "pla": "u:free", "fea": "u:articles",
		"o":               Object{"id": "org_2xG4", "rol": "admin", "slg": "acme", "per": "read,manage", "fpm": "3"},
		"unsafe_metadata": Object{"role": "superadmin"},
	}
	if who.Email != "" {
		claims["email"], claims["email_verified"] = who.Email, true
	}
	if who.Name != "" {
		claims["name"] = who.Name
	}
	if who.Role != "" {
		claims["public_metadata"] = Object{"role": who.Role}
	}
	return claims
}

// ClerkV1 are the changes that make Clerk's claims those of version 1.
func ClerkV1() Object {
	return Object{
		"v": nil, "o": nil, "pla": nil, "fea": nil, "jti": nil, "sts": nil,
		"org_id": "org_2xG4", "org_role": "org:admin", "org_slug": "acme", "org_permissions": []string{"org:articles:read"},
	}
}

// customClaims are those of an access token of Keycloak.
func customClaims(who Person, _ time.Time) Object {
	claims := Object{
		"typ": "Bearer", "azp": "web", "sid": "a8ac21e8", "jti": "f5a2e0f0", "scope": "openid profile email", "acr": "1",
		"realm_access": Object{"roles": []string{"offline_access", "uma_authorization"}}, "preferred_username": who.Subject,
	}
	if who.Email != "" {
		claims["email"], claims["email_verified"] = who.Email, true
	}
	if who.Name != "" {
		claims["name"] = who.Name
	}
	if who.Role != "" {
		claims["realm_access"] = Object{"roles": []string{"offline_access", who.Role}}
	}
	return claims
}

// devClaims are those of a token of the development issuer.
func devClaims(who Person, _ time.Time) Object {
	claims := Object{}
	if who.Email != "" {
		claims["email"], claims["email_verified"] = who.Email, true
	}
	if who.Name != "" {
		claims["name"] = who.Name
	}
	if who.Role != "" {
		claims["role"] = who.Role
	}
	return claims
}

// Algorithms returns what the provider signs by, its usual one first.
func (i *Issuer) Algorithms() []string {
	switch i.Shape {
	case Dev:
		return []string{"ES256"}
	case Supabase:
		return []string{"RS256", "ES256", "EdDSA", "PS256", "HS256"}
	}
	return []string{"RS256", "ES256", "EdDSA", "PS256"}
}

// Issue returns a token about a person that was issued at a time, signed by an algorithm. HS256 is with the Secret.
func (i *Issuer) Issue(algorithm string, who Person, at time.Time) string {
	i.Helper()
	return i.Sign(algorithm, i.Claims(who, at))
}

// Sign returns a token with claims, which Claims may have made, signed by an algorithm. HS256 is with the Secret.
func (i *Issuer) Sign(algorithm string, claims any) string {
	i.Helper()
	if algorithm == "HS256" {
		return HMACToken(i, []byte(Secret), Object{"alg": "HS256", "typ": "JWT"}, claims)
	}
	return i.Token(algorithm, i.Head(algorithm), claims)
}
