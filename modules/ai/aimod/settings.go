package aimod

import (
	"slices"
	"strings"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/config"
)

// Owner is the name under which the module's settings are listed.
const Owner = "ai"

// Settings holds the settings of the AI module. A provider is usable when its key is set.
type Settings struct {
	DefaultProvider   string        `env:"AI_DEFAULT_PROVIDER" default:"openai" oneof:"openai anthropic" help:"The provider of the fallback route: openai or anthropic."`
	DefaultModel      string        `env:"AI_DEFAULT_MODEL" default:"gpt-4o" help:"The model of the fallback route."`
	CatalogFile       string        `env:"AI_CATALOG_FILE" is:"file" help:"A file of routes, models and prices, instead of the built-in one; it is read again when it changes."`
	Redact            []string      `env:"AI_REDACT" help:"Personal data that no provider gets and no answer shows: any of email, card and phone, with commas between them; unset, nothing is masked."`
	OpenAIAPIKey      config.Secret `env:"OPENAI_API_KEY" help:"The key for OpenAI; several, with commas between them, take turns."`
	OpenAIBaseURL     string        `env:"OPENAI_BASE_URL" is:"base" help:"Another server that speaks OpenAI's API; unset, OpenAI itself."`
	AnthropicAPIKey   config.Secret `env:"ANTHROPIC_API_KEY" help:"The key for Anthropic; several, with commas between them, take turns."`
	AnthropicBaseURL  string        `env:"ANTHROPIC_BASE_URL" is:"base" help:"Another server that speaks Anthropic's API; unset, Anthropic itself."`
	PerplexityAPIKey  config.Secret `env:"PERPLEXITY_API_KEY" help:"The key for Perplexity, which answers with a web search; several, with commas between them, take turns."`
	PerplexityBaseURL string        `env:"PERPLEXITY_BASE_URL" is:"base" help:"Another server that speaks Perplexity's API; unset, Perplexity itself."`
}

// Group returns s as a group for config.Load.
func (s *Settings) Group() config.Group { return config.Group{Owner: Owner, Struct: s} }

// Available reports whether any provider can be called.
func (s *Settings) Available() bool {
	return s.OpenAIAPIKey != "" || s.AnthropicAPIKey != "" || s.PerplexityAPIKey != ""
}

// Validate refuses what are no keys, and warns about a fallback route that leads nowhere. A product without AI is a product, and
// routes whose provider has no key fall to the next one.
func (s *Settings) Validate(check *config.Check) {
	keys := map[string]struct {
		name string
		key  config.Secret
	}{
		"openai":    {"OPENAI_API_KEY", s.OpenAIAPIKey},
		"anthropic": {"ANTHROPIC_API_KEY", s.AnthropicAPIKey},
	}
	for name, key := range map[string]config.Secret{
		"OPENAI_API_KEY": s.OpenAIAPIKey, "ANTHROPIC_API_KEY": s.AnthropicAPIKey, "PERPLEXITY_API_KEY": s.PerplexityAPIKey,
	} {
		if slices.Contains(key.List(), "") {
			check.Refuse(name, "has an empty key beside a comma")
		}
	}
	for _, kind := range s.Redact {
		if !slices.Contains(domain.RedactionKinds(), kind) {
			check.Refuse("AI_REDACT", "must be any of %s, with commas between them", strings.Join(domain.RedactionKinds(), ", "))
		}
	}
	fallback := keys[s.DefaultProvider]
	if fallback.key != "" {
		return
	}
	switch {
	case s.Available():
		check.Warn(fallback.name, "without it the fallback route (AI_DEFAULT_PROVIDER=%s) is skipped", s.DefaultProvider)
	case !check.Environment.OnDesk():
		check.Warn(fallback.name, "without it, or another AI provider's key, AI routes answer that they are unavailable")
	}
}
