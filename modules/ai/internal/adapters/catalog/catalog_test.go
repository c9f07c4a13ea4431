package catalog_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/adapters/catalog"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
)

func TestTheBuiltInCatalogue(t *testing.T) {
	models, err := catalog.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	luna, err := models.Find("gpt-6-luna", at)
	if err != nil {
		t.Fatal(err)
	}
	// Above 272,000 tokens of prompt the whole call costs more: twice 0.10, and 1.5 times 0.50.
	if cost := luna.Model.CostAt(at, domain.Usage{Input: 1_000_000, Output: 1_000_000}); cost.Amount.String() != "0.95" {
		t.Errorf("a long call costs %s", cost.Amount)
	}
	if cost := luna.Model.CostAt(at, domain.Usage{Input: 100_000, CachedRead: 100_000, Output: 1_000_000}); cost.Amount.String() != "0.511" {
		t.Errorf("a call costs %s", cost.Amount)
	}
	if luna.Model.Accepts.Temperature || !luna.Model.Accepts.Tools {
		t.Errorf("it accepts %+v", luna.Model.Accepts)
	}
	// The spec's own default retired, and is answered by what took its place.
	if found, err := models.Find("claude-sonnet-4-20250514", at); err != nil || found.Model.ID != "claude-sonnet-5-5" || found.Replaced == "" {
		t.Errorf("%+v, %v", found, err)
	}
	// Without any key each route has a candidate, and none of them has retired.
	onlySim := func(provider string) bool { return provider == "sim" }
	for _, route := range domain.Routes {
		if len(models.Candidates(route, at, onlySim, domain.Needs{})) == 0 {
			t.Errorf("route %s leads nowhere without a key", route)
		}
	}
	if retiring := models.Retiring(at); len(retiring) > 0 {
		t.Errorf("routes name what has retired: %+v", retiring)
	}
}

func TestRead(t *testing.T) {
	const model = "  - {id: m, provider: p, context: 10, max_output: 5, source: me, checked: 2026-11-26"
	const routes = "routes: {simple: [m], moderate: [m], complex: [m], search: [m]}\n"
	file := func(more string) string { return "version: \"1\"\nmodels:\n" + model + more + "}\n" + routes }
	for name, test := range map[string]struct{ text, wrong string }{
		"good":           {file(", accepts: [tools], prices: [{from: 2026-01-01, input: 0.000001}]"), ""},
		"unknown field":  {file(", colour: red"), "colour"},
		"unknown accept": {file(", accepts: [music]"), "music"},
		"no day":         {file(", retires_on: soon"), "soon"},
		"price below":    {file(", prices: [{from: 2026-01-01, input: -1}]"), "no price"},
		"price, no sum":  {file(", prices: [{from: 2026-01-01, input: .nan}]"), "no price"},
		"price too fine": {file(", prices: [{from: 2026-01-01, input: 0.0000001}]"), "no price"},
		"price in words": {file(", prices: [{from: 2026-01-01, input: much}]"), "much"},
		"no source":      {strings.Replace(file(""), "source: me, ", "", 1), "where it comes from"},
		"no routes":      {strings.Replace(file(""), routes, "", 1), "leads nowhere"},
		"no YAML":        {"models: [", "yaml"},
		"empty":          {"", "EOF"},
	} {
		path := filepath.Join(t.TempDir(), "models.yaml")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := catalog.Read(path)
		if (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("%s: got %v, want %q in it", name, err, test.wrong)
		}
	}
	if _, err := catalog.Read("none.yaml"); err == nil {
		t.Error("a file that isn't there was read")
	}
}
