package config

import (
	"strings"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/webhook"
)

// The sources of identity. They are the values of AUTH_PROVIDER.
const (
	ProviderSupabase = "supabase"
	ProviderClerk    = "clerk"
	ProviderCustom   = "custom" // any OpenID Connect or OAuth issuer
	ProviderDev      = "dev"    // this process signs tokens itself; local and test only
)

// Auth says whose tokens are believed.
type Auth struct {
	Provider          string `env:"AUTH_PROVIDER" local:"dev" oneof:"supabase clerk custom dev" help:"Whose tokens are believed: supabase, clerk, custom, or dev (local and test only)."`
	ProviderSecondary string `env:"AUTH_PROVIDER_SECONDARY" oneof:"supabase clerk custom dev" help:"A second provider, while users move from one to the other."`

	SupabaseProjectURL    string `env:"SUPABASE_PROJECT_URL" is:"base" help:"The Supabase project, such as https://xxx.supabase.co."`
	SupabaseJWTSecret     Secret `env:"SUPABASE_JWT_SECRET" min:"32" help:"The project's legacy HS256 secret; only while it still signs with it."`
	SupabaseWebhookSecret Secret `env:"SUPABASE_WEBHOOK_SECRET" help:"Verifies Supabase's webhook; without it there is none."`

	ClerkIssuerURL         string   `env:"CLERK_ISSUER_URL" is:"base" help:"The Clerk instance, such as https://xxx.clerk.accounts.dev."`
	ClerkSecretKey         Secret   `env:"CLERK_SECRET_KEY" help:"For Clerk's API, which knows the e-mail addresses that its tokens lack."`
	ClerkAuthorizedParties []string `env:"CLERK_AUTHORIZED_PARTIES" is:"origin" help:"The web origins whose Clerk tokens are believed (azp)."`
	ClerkWebhookSecret     Secret   `env:"CLERK_WEBHOOK_SECRET" help:"Verifies Clerk's webhook; without it there is none."`

	OAuthIssuer     string `env:"OAUTH_ISSUER" is:"url" help:"The custom issuer, exactly as its tokens name it (iss)."`
	OAuthJWKSURL    string `env:"OAUTH_JWKS_URL" is:"url" help:"The custom issuer's keys; unset, they are looked up in its OpenID configuration."`
	OAuthAudience   string `env:"OAUTH_AUDIENCE" help:"The audience that a custom token must have (aud)."`
	OAuthRoleClaim  string `env:"OAUTH_ROLE_CLAIM" help:"The path of the claim with the role, such as app.role; unset, tokens give no role."`
	OAuthEmailClaim string `env:"OAUTH_EMAIL_CLAIM" default:"email" help:"The path of the claim with the e-mail address."`
}

// JWKSURL returns where the provider publishes its keys. It is empty when the provider isn't configured, for dev, and
// for custom without OAUTH_JWKS_URL, where discovery finds it.
func (a Auth) JWKSURL(provider string) string {
	switch {
	case provider == ProviderSupabase && a.SupabaseProjectURL != "":
		return a.SupabaseProjectURL + "/auth/v1/.well-known/jwks.json"
	case provider == ProviderClerk && a.ClerkIssuerURL != "":
		return a.ClerkIssuerURL + "/.well-known/jwks.json"
	case provider == ProviderCustom:
		return a.OAuthJWKSURL
	}
	return ""
}

// Issuer returns the iss that the provider's tokens must have. It is empty when the provider isn't configured, and for
// dev.
func (a Auth) Issuer(provider string) string {
	switch {
	case provider == ProviderSupabase && a.SupabaseProjectURL != "":
		return a.SupabaseProjectURL + "/auth/v1"
	case provider == ProviderClerk:
		return a.ClerkIssuerURL
	case provider == ProviderCustom:
		return a.OAuthIssuer
	}
	return ""
}

// Providers returns the chosen providers, the primary first.
func (a Auth) Providers() []string {
	var chosen []string
	for _, provider := range []string{a.Provider, a.ProviderSecondary} {
		if provider != "" {
			chosen = append(chosen, provider)
		}
	}
	return chosen
}

// Validate checks that every chosen provider can be asked for its keys, and that dev stays on the desk.
func (a *Auth) Validate(check *Check) {
	if a.Provider == "" {
		check.Refuse("AUTH_PROVIDER", "must be supabase, clerk or custom outside local and test")
	}
	if a.ProviderSecondary != "" && a.ProviderSecondary == a.Provider {
		check.Refuse("AUTH_PROVIDER_SECONDARY", "must differ from AUTH_PROVIDER")
	}
	if issuer := a.Issuer(a.ProviderSecondary); issuer != "" && a.ProviderSecondary != a.Provider && issuer == a.Issuer(a.Provider) {
		check.Refuse("AUTH_PROVIDER_SECONDARY", "has the issuer of AUTH_PROVIDER: whose rules its tokens must meet would be a guess")
	}
	for _, webhooks := range []struct {
		name   string
		secret Secret
	}{{"CLERK_WEBHOOK_SECRET", a.ClerkWebhookSecret}, {"SUPABASE_WEBHOOK_SECRET", a.SupabaseWebhookSecret}} {
		if webhooks.secret == "" {
			continue
		}
		if _, err := webhook.New(clock.System{}, webhooks.secret.Reveal()); err != nil {
			check.Refuse(webhooks.name, `must be "whsec_" and at least 24 bytes in base64, as the provider shows it`)
		}
	}
	a.validateProvider(check, "AUTH_PROVIDER", a.Provider)
	if a.ProviderSecondary != a.Provider {
		a.validateProvider(check, "AUTH_PROVIDER_SECONDARY", a.ProviderSecondary)
	}
	if check.Environment == Production {
		for _, plain := range []struct{ name, url string }{
			{"SUPABASE_PROJECT_URL", a.SupabaseProjectURL}, {"CLERK_ISSUER_URL", a.ClerkIssuerURL},
			{"OAUTH_ISSUER", a.OAuthIssuer}, {"OAUTH_JWKS_URL", a.OAuthJWKSURL},
		} {
			if strings.HasPrefix(plain.url, "http:") && !onThisMachine(plain.url) {
				check.Refuse(plain.name, "must be https:// in production: whoever is between here and there could sign tokens")
			}
		}
	}
}

func (a *Auth) validateProvider(check *Check, chosenBy, provider string) {
	switch provider {
	case ProviderDev:
		if !check.Environment.OnDesk() {
			check.Refuse(chosenBy, "must be supabase, clerk or custom: dev lets anybody be anybody, and works in local and test only")
		}
	case ProviderSupabase:
		if a.SupabaseProjectURL == "" {
			check.Refuse("SUPABASE_PROJECT_URL", "must be set when %s is supabase", chosenBy)
		}
	case ProviderClerk:
		if a.ClerkIssuerURL == "" {
			check.Refuse("CLERK_ISSUER_URL", "must be set when %s is clerk", chosenBy)
		}
		if len(a.ClerkAuthorizedParties) == 0 && !check.Environment.OnDesk() {
			check.Warn("CLERK_AUTHORIZED_PARTIES", "tokens made for any site of the Clerk instance are believed")
		}
	case ProviderCustom:
		if a.OAuthIssuer == "" {
			check.Refuse("OAUTH_ISSUER", "must be set when %s is custom", chosenBy)
		}
		if a.OAuthAudience == "" && !check.Environment.OnDesk() {
			check.Warn("OAUTH_AUDIENCE", "tokens that the issuer made for other services are believed")
		}
	}
}
