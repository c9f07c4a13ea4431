package aimod_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/ai/aimod"
	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/events/eventstest"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/testkit"
)

const retiring = `version: "1"
families: {}
models:
  - {id: old, provider: sim, context: 1000, max_output: 100, accepts: [], retires_on: 2027-01-14, replacement: new, source: a test, checked: 2026-11-27}
  - {id: new, provider: sim, context: 1000, max_output: 100, accepts: [], source: a test, checked: 2026-11-27}
routes: {simple: [old], moderate: [new], complex: [old, new], search: [new]}
`

// TestTheDailyReportWarnsOfModelsThatRetire proves that administrators read every day, for sixty days before it and from then on,
// that a model which a route names won't be served.
func TestTheDailyReportWarnsOfModelsThatRetire(t *testing.T) {
	file := filepath.Join(t.TempDir(), "models.yaml")
	if err := os.WriteFile(file, []byte(retiring), 0o600); err != nil {
		t.Fatal(err)
	}
	db := testkit.SQLite(t)
	settings := &aimod.Settings{CatalogFile: file, DefaultProvider: "openai", DefaultModel: "gpt-4o"}
	warning := module.Figure{Name: "A model on the routes complex, simple retires", Value: "old on 2027-01-14"}
	for day, warned := range map[string]bool{"2026-11-14": false, "2026-11-15": true, "2027-02-01": true} {
		today, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		m, err := aimod.New(aimod.Deps{
			DB: db, Events: eventstest.New(db, nil), Clock: clock.NewManual(today), Plans: billing.Null{}, Settings: settings, Environment: config.Test,
		})
		if err != nil {
			t.Fatal(err)
		}
		figures, err := m.Describe().Reporter.Report(t.Context(), today.AddDate(0, 0, -1), today)
		if err != nil || slices.Contains(figures, warning) != warned || !slices.Contains(figures, module.Figure{Name: "AI cost", Value: "0 USD"}) {
			t.Errorf("on %s it says %v, %v", day, figures, err)
		}
	}
	settings.CatalogFile = filepath.Join(t.TempDir(), "none.yaml")
	if _, err := aimod.New(aimod.Deps{DB: db, Settings: settings, Clock: clock.System{}}); err == nil {
		t.Error("a file that isn't there is one of models")
	}
}
