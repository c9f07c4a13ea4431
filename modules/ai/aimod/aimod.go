// Package aimod puts the AI context together.
package aimod

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/omnistack/omnistack/modules/ai"
	"github.com/omnistack/omnistack/modules/ai/internal/adapters/catalog"
	"github.com/omnistack/omnistack/modules/ai/internal/adapters/httpapi"
	"github.com/omnistack/omnistack/modules/ai/internal/adapters/jobs"
	"github.com/omnistack/omnistack/modules/ai/internal/adapters/langchain"
	"github.com/omnistack/omnistack/modules/ai/internal/adapters/pauses"
	"github.com/omnistack/omnistack/modules/ai/internal/adapters/simulator"
	"github.com/omnistack/omnistack/modules/ai/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/module"
)

// Deps are what the context needs from the house.
type Deps struct {
	DB          *database.DB
	Events      events.Publisher
	Clock       clock.Clock
	Plans       billing.Entitlements
	Settings    *Settings
	Environment config.Environment

	// NoteCatalog hears that the file of models has changed: its new version, or why it can't be used.
	NoteCatalog func(version string, err error)
}

// Module is the context, put together.
type Module struct {
	Deps
	app  *app.App
	read time.Time // when the file of models had been written that is in use
}

// New puts the context together. A catalogue that makes no sense is an error.
func New(deps Deps) (*Module, error) {
	read := changed(deps.Settings.CatalogFile) // before it is read: what is written meanwhile is a change
	models, err := deps.Settings.catalog()
	if err != nil {
		return nil, err
	}
	providers, err := deps.Settings.providers(deps.Environment, deps.Clock)
	if err != nil {
		return nil, err
	}
	redaction := domain.NewRedaction(deps.Settings.Redact...)
	for name, provider := range providers {
		providers[name] = app.Guard(provider, redaction)
	}
	m := &Module{Deps: deps, read: read}
	m.app = app.New(app.Ports{
		Providers: providers, Store: store.New(deps.DB), Tx: deps.DB, Events: deps.Events, Plans: deps.Plans, Pauses: pauses.Timer{}, Clock: deps.Clock,
	}, models, app.Rules{
		Fallback: deps.Settings.DefaultProvider + "/" + deps.Settings.DefaultModel, KnownOnly: deps.Environment == config.Production,
	})
	return m, nil
}

// catalog returns the models that the settings name.
func (s *Settings) catalog() (*domain.Catalog, error) {
	if s.CatalogFile != "" {
		return catalog.Read(s.CatalogFile)
	}
	return catalog.BuiltIn()
}

// simulated is the name of the simulator in the catalogue.
const simulated = "sim"

// providers returns those that have a key. Where none has while one develops, the simulator stands in for them. While somebody
// watches it speaks about as quickly as models do.
func (s *Settings) providers(environment config.Environment, now clock.Clock) (map[string]app.Provider, error) {
	providers := map[string]app.Provider{}
	for _, p := range []struct {
		name, base string
		key        config.Secret
		open       func(langchain.Options) (*langchain.Provider, error)
	}{
		{"openai", s.OpenAIBaseURL, s.OpenAIAPIKey, langchain.OpenAI},
		{"anthropic", s.AnthropicBaseURL, s.AnthropicAPIKey, langchain.Anthropic},
		{"perplexity", s.PerplexityBaseURL, s.PerplexityAPIKey, langchain.Perplexity},
	} {
		if p.key == "" {
			continue
		}
		var keys []app.Provider
		for _, key := range p.key.List() {
			opened, err := p.open(langchain.Options{Provider: p.name, Key: key.Reveal(), BaseURL: p.base, Bounds: langchain.Patience()})
			if err != nil {
				return nil, err
			}
			keys = append(keys, opened)
		}
		providers[p.name] = app.NewPool(now, keys...)
	}
	if len(providers) > 0 || !environment.OnDesk() {
		return providers, nil
	}
	var pace simulator.Options
	if environment == config.Local {
		pace = simulator.Options{FirstToken: 20 * time.Millisecond, Chunk: 10 * time.Millisecond}
	}
	opened, err := langchain.OpenAI(langchain.Options{
		Provider: simulated, Key: simulated, BaseURL: "http://simulator/v1", Bounds: langchain.Patience(), Transport: simulator.New(pace),
	})
	if err != nil {
		return nil, err
	}
	providers[simulated] = opened
	return providers, nil
}

// Describe returns the table of contents.
func (m *Module) Describe() module.Descriptor {
	described := module.Descriptor{
		Name:      "ai",
		Summary:   "AI: one gateway to many models, with a ledger of every call and a budget for everybody.",
		Routes:    func(r *httpserver.Router) { httpapi.Register(r, m.app) },
		Publishes: ai.Published(),
		Jobs:      jobs.Kinds(m.app),
		Models:    store.Models(),
		Tables: []module.Table{
			{Name: "ai_calls", Summary: "the ledger: one row a call, however it ended; nothing of what was said. An erased user's rows stay, as nobody's", Owner: "user_id"},
			{Name: "ai_holds", Summary: "what is set aside of budgets for calls that go on", Owner: "user_id"},
			{Name: "ai_budgets", Summary: "what a user's month took", Owner: "user_id"},
		},
		Settings: m.Settings.Group(),
		Metrics:  []string{metricCalls, metricRequests, metricTokens, metricCost, metricOpenings},
		Measure:  m.measure,
		Reporter: reporter{m},
		Exporter: app.NewExporter(store.New(m.DB)),
		Eraser:   m.app,
	}
	if m.Settings.CatalogFile != "" {
		described.Run = m.follow
	}
	return described
}

// The metrics of the context.
const (
	metricCalls    = "ai_calls_total"
	metricRequests = "ai_requests_total"
	metricTokens   = "ai_tokens_total"
	metricCost     = "ai_cost_microdollars_total"
	metricOpenings = "ai_breaker_openings_total"
)

// measure adds the metrics of the context. Models that aren't in the catalogue count as one, "other".
func (m *Module) measure(meter module.Meter) {
	each := func(name, help string, read func(tell func(int64, ...string), counted *app.Counted), labels ...string) {
		meter.Counts(name, help, append([]string{"provider", "model"}, labels...), func(tell func(int64, ...string)) {
			for served, counted := range m.app.Counted() {
				read(func(count int64, values ...string) {
					tell(count, append([]string{served.Provider, served.Model}, values...)...)
				}, &counted)
			}
		})
	}
	each(metricCalls, "AI calls of this process, by how they ended; without a provider where none was asked.", func(tell func(int64, ...string), c *app.Counted) {
		for status, calls := range c.Calls {
			tell(calls, string(status))
		}
	}, "status")
	each(metricRequests, "Requests to AI providers, further tries too.", func(tell func(int64, ...string), c *app.Counted) { tell(c.Requests) })
	each(metricTokens, "Tokens of AI calls, those that are estimated too.", func(tell func(int64, ...string), c *app.Counted) {
		tell(c.Prompt, "prompt")
		tell(c.Completion, "completion")
	}, "kind")
	each(metricCost, "What AI calls cost whose price is known, in millionths of a US dollar.", func(tell func(int64, ...string), c *app.Counted) {
		tell(int64(c.Cost / (domain.Dollar / 1e6)))
	})
	each(metricOpenings, "How often calls of a model were stopped because it failed too often.", func(tell func(int64, ...string), c *app.Counted) { tell(c.Openings) })
}

// lookEvery is how often the file of models is looked at.
const lookEvery = 5 * time.Second

// follow puts a changed file of models to use, until ctx ends. One that makes no sense is passed over: what there was goes on.
func (m *Module) follow(ctx context.Context) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	seen := m.read
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		now := changed(m.Settings.CatalogFile)
		if now.Equal(seen) || now.IsZero() {
			continue
		}
		seen = now
		models, err := m.Settings.catalog()
		if err != nil {
			m.NoteCatalog("", err)
			continue
		}
		m.app.UseCatalog(models)
		m.NoteCatalog(models.Version(), nil)
	}
}

// changed returns when a file was written last; zero when it isn't there.
func changed(file string) time.Time {
	about, err := os.Stat(file)
	if err != nil {
		return time.Time{}
	}
	return about.ModTime()
}

// retireNotice is how long before its end a model is warned of.
const retireNotice = 60 * 24 * time.Hour

// reporter says for the daily report what AI cost, and what will end.
type reporter struct{ *Module }

// Report says what the calls of a time took, and warns of models on routes that retire soon or have: those are replaced.
func (r reporter) Report(ctx context.Context, from, to time.Time) ([]module.Figure, error) {
	totals, err := r.app.Usage(ctx, nil, from, to.Add(-time.Microsecond))
	if err != nil {
		return nil, err
	}
	var calls, failed int64
	var cost domain.Pico
	for _, total := range totals {
		calls, failed, cost = calls+total.Calls, failed+total.Failed, cost+total.Cost
	}
	figures := []module.Figure{
		{Name: "AI calls", Value: fmt.Sprintf("%d, %d of them without a whole answer", calls, failed)},
		{Name: "AI cost", Value: cost.String() + " USD"},
	}
	for _, ends := range r.app.Retiring(r.Clock.Now().Add(retireNotice)) {
		figures = append(figures, module.Figure{
			Name:  "A model on the routes " + strings.Join(ends.Routes, ", ") + " retires",
			Value: ends.Model.ID + " on " + ends.Model.RetiresOn.Format(time.DateOnly),
		})
	}
	return figures, nil
}
