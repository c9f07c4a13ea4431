package usersmod

import (
	"slices"

	"github.com/omnistack/omnistack/modules/users/internal/adapters/clerk"
	"github.com/omnistack/omnistack/modules/users/internal/adapters/httpapi"
	"github.com/omnistack/omnistack/modules/users/internal/adapters/supabase"
	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
)

// providers returns what reads the webhooks of the providers that are chosen and whose secret is set.
func providers(conf config.Auth, clock clock.Clock) (map[string]app.Provider, error) {
	readers := map[string]app.Provider{}
	chosen := conf.Providers()
	if slices.Contains(chosen, config.ProviderClerk) && conf.ClerkWebhookSecret != "" {
		reader, err := clerk.NewWebhook(clock, conf.Issuer(config.ProviderClerk), conf.ClerkWebhookSecret.Reveal())
		if err != nil {
			return nil, err
		}
		readers[httpapi.Clerk] = reader
	}
	if slices.Contains(chosen, config.ProviderSupabase) && conf.SupabaseWebhookSecret != "" {
		reader, err := supabase.NewWebhook(clock, conf.Issuer(config.ProviderSupabase), conf.SupabaseWebhookSecret.Reveal())
		if err != nil {
			return nil, err
		}
		readers[httpapi.Supabase] = reader
	}
	return readers, nil
}

// profiles returns the providers that can be asked of their users, by issuer.
func profiles(conf config.Auth, clerkAPI string) map[string]app.ProfileSource {
	sources := map[string]app.ProfileSource{}
	if slices.Contains(conf.Providers(), config.ProviderClerk) && conf.ClerkSecretKey != "" {
		issuer := conf.Issuer(config.ProviderClerk)
		sources[issuer] = clerk.NewAPI(clerk.Options{Issuer: issuer, Key: conf.ClerkSecretKey, BaseURL: clerkAPI})
	}
	return sources
}
