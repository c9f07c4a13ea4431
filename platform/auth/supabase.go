package auth

import "strings"

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
