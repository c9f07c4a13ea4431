package aimod_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/modules/ai/aimod"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/config/configtest"
)

func load(t *testing.T, environ ...string) (aimod.Settings, *config.Report, error) {
	t.Helper()
	var s aimod.Settings
	report, err := configtest.Load(t, s.Group(), environ...)
	return s, report, err
}

func TestDefaults(t *testing.T) {
	s, report, err := load(t)
	want := aimod.Settings{DefaultProvider: "openai", DefaultModel: "gpt-4o"}
	if err != nil || !reflect.DeepEqual(s, want) || s.Available() || len(report.Warnings) > 0 {
		t.Errorf("%+v, %v, %v", s, report.Warnings, err)
	}
}

func TestSettings(t *testing.T) {
	s, _, err := load(t, "OPENAI_BASE_URL=http://localhost:1/v1/", "PERPLEXITY_API_KEY=k")
	if err != nil || s.OpenAIBaseURL != "http://localhost:1/v1" || !s.Available() {
		t.Errorf("%+v, %v", s, err)
	}
	for _, c := range []struct{ variable, part string }{
		{"AI_DEFAULT_PROVIDER=perplexity", "must be openai or anthropic"},
		{"AI_CATALOG_FILE=none.yaml", "must be a file that exists"},
		{"ANTHROPIC_BASE_URL=anthropic", "must be an absolute URL"},
		{"AI_REDACT=email,names", "must be any of email, card, phone"},
		{"OPENAI_API_KEY=sk-a,,sk-b", "has an empty key beside a comma"},
	} {
		_, _, err := load(t, c.variable)
		name, _, _ := strings.Cut(c.variable, "=")
		if !slices.Equal(configtest.Refused(err), []string{name}) || !strings.Contains(err.Error(), c.part) {
			t.Errorf("%s: %v", c.variable, err)
		}
	}
}

// TestFallbackRoute proves that a route without a key is a warning, never an error.
func TestFallbackRoute(t *testing.T) {
	for _, c := range []struct {
		name    string
		environ []string
		warns   string
	}{
		{"no key in production", []string{"ENVIRONMENT=production"}, "OPENAI_API_KEY"},
		{"no key on a desk", []string{"AI_DEFAULT_PROVIDER=anthropic"}, ""},
		{"another provider's key", []string{"AI_DEFAULT_PROVIDER=anthropic", "OPENAI_API_KEY=k"}, "ANTHROPIC_API_KEY"},
		{"its key", []string{"ENVIRONMENT=production", "OPENAI_API_KEY=k"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, report, err := load(t, c.environ...)
			warned := ""
			for _, w := range report.Warnings {
				warned += w.Name
			}
			if err != nil || warned != c.warns {
				t.Errorf("%v, warnings %v", err, report.Warnings)
			}
		})
	}
}
