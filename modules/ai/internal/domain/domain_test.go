package domain_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
)

func day(text string) time.Time {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return at
}

func TestMoneyIsWrittenInDollars(t *testing.T) {
	for amount, want := range map[domain.Pico]string{
		0: "0", 1: "0.000000000001", 125_000_000: "0.000125", domain.Dollar: "1", domain.Cent: "0.01", 12*domain.Dollar + domain.Cent: "12.01",
		-domain.Cent: "-0.01", math.MaxInt64: "9223372.036854775807", math.MinInt64: "-9223372.036854775808",
	} {
		if amount.String() != want {
			t.Errorf("%d is %s, want %s", amount, amount, want)
		}
	}
}

func TestCosts(t *testing.T) {
	model := domain.Model{Prices: []domain.Price{
		{From: day("2026-01-01"), Input: 2_000_000, Output: 10_000_000},
		{From: day("2026-06-01"), Input: 1_000_000, CachedRead: 50_000, CachedWrite: 1_250_000, Output: 5_000_000,
			Long: domain.Long{Above: 272_000, InputPercent: 200, OutputPercent: 150}},
	}}
	for name, test := range map[string]struct {
		on    string
		usage domain.Usage
		want  domain.Cost
	}{
		"the price of then":      {"2026-05-31", domain.Usage{Input: 1000, Output: 100}, domain.Cost{Amount: 3_000_000_000, Known: true}},
		"the price of now":       {"2026-06-01", domain.Usage{Input: 1000, Output: 100}, domain.Cost{Amount: 1_500_000_000, Known: true}},
		"before there was one":   {"2025-12-31", domain.Usage{Input: 1}, domain.Cost{}},
		"nothing of no price":    {"2025-12-31", domain.Usage{}, domain.Cost{Known: true}},
		"kinds of a prompt":      {"2026-06-01", domain.Usage{Input: 10, CachedRead: 100, CachedWrite: 4}, domain.Cost{Amount: 20_000_000, Known: true}},
		"a long prompt, whole":   {"2026-06-01", domain.Usage{Input: 272_001, Output: 10}, domain.Cost{Amount: 544_077_000_000, Known: true}},
		"what the provider says": {"2026-06-01", domain.Usage{Input: 10, Cost: 7}, domain.Cost{Amount: 7, Known: true}},
		"more than can be":       {"2026-01-01", domain.Usage{Output: math.MaxInt}, domain.Cost{Amount: math.MaxInt64, Known: true}},
	} {
		if got := model.CostAt(day(test.on), test.usage); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

// models returns a good catalogue's models, for tests to spoil.
func models() []domain.Model {
	all := domain.Accepts{Tools: true, JSONSchema: true, Images: true}
	return []domain.Model{
		{ID: "big", Provider: "one", Aliases: []string{"big-2026"}, Context: 1_000_000, MaxOutput: 1000, Accepts: all},
		{ID: "small", Provider: "two", Context: 1000, MaxOutput: 100},
		{ID: "old", Provider: "one", Context: 1000, MaxOutput: 100, RetiresOn: day("2026-06-15"), Replacement: "big"},
		{ID: "older", Provider: "one", Context: 1000, MaxOutput: 100, RetiresOn: day("2026-01-01"), Replacement: "old"},
		{ID: "gone", Provider: "one", Context: 1000, MaxOutput: 100, RetiresOn: day("2026-01-01")},
		{ID: "vectors", Provider: "two", Context: 1000, Accepts: domain.Accepts{Embeddings: true}},
	}
}

func routes() map[string][]string {
	return map[string][]string{
		"simple": {"small", "big"}, "moderate": {"old", "big"}, "complex": {"big"}, "search": {"gone", "vectors"},
	}
}

func families() map[string]string { return map[string]string{"gpt-": "one", "gpt-oss-": "two"} }

func catalog(t *testing.T) *domain.Catalog {
	t.Helper()
	c, err := domain.NewCatalog("1", models(), routes(), families())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWrongCataloguesAreRefusedWhole(t *testing.T) {
	models, routes := models(), routes()
	models[0].Context = 0
	models[1].Aliases = []string{"big"}
	models[2].Replacement = "none"
	models[3].RetiresOn = time.Time{}
	models[4].Prices = []domain.Price{{From: day("2026-01-01"), Input: -1}, {From: day("2026-01-01"), Long: domain.Long{Above: 1}}}
	models[5].ID = ""
	routes["complex"] = nil
	routes["auto"] = []string{"nobody"}
	_, err := domain.NewCatalog("", models, routes, nil)
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, part := range []string{
		"no version", `model "big": its context`, `the name "big" is taken`, `replacement "none" isn't there`, "doesn't retire",
		"below zero", "order of their days", "costs less", "no id", `route "complex" leads nowhere`, `route "auto" has the name`,
		`there is no model "nobody"`,
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q isn't in: %v", part, err)
		}
	}
}

func TestAModelIsFoundByItsNames(t *testing.T) {
	c := catalog(t)
	for name, test := range map[string]struct{ on, want, provider, replaced string }{
		"big":              {"2026-11-26", "big", "one", ""},
		"big-2026":         {"2026-11-26", "big", "one", ""},
		"one/big":          {"2026-11-26", "big", "one", ""},
		"old":              {"2026-06-14", "old", "one", ""},
		"older":            {"2026-11-26", "big", "one", "older"},
		"gpt-99":           {"2026-11-26", "gpt-99", "one", ""},
		"gpt-oss-120b":     {"2026-11-26", "gpt-oss-120b", "two", ""},
		"two/llama3.3:70b": {"2026-11-26", "llama3.3:70b", "two", ""},
	} {
		found, err := c.Find(name, day(test.on))
		if err != nil || found.Model.ID != test.want || found.Model.Provider != test.provider || found.Replaced != test.replaced {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
		if found.Known != (found.Model.Context > 0) {
			t.Errorf("%s: whether it is known: %v", name, found.Known)
		}
	}
	for _, name := range []string{"gone", "bug", "", "three/x", "two/", strings.Repeat("x", 10_000)} {
		if _, err := c.Find(name, day("2026-11-26")); !errs.Is(err, errs.Invalid) {
			t.Errorf("%.20q: %v", name, err)
		}
	}
	near, _ := c.NoSuch("bug").Details["near"].([]string)
	if len(near) != 3 || near[0] != "big" {
		t.Errorf("near to bug are %q", near)
	}
}

func TestReplacementsInACircle(t *testing.T) {
	models := models()
	models[0].RetiresOn, models[0].Replacement = day("2026-01-01"), "old"
	c, err := domain.NewCatalog("1", models, routes(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Find("big", day("2026-11-26")); !errs.Is(err, errs.Invalid) {
		t.Errorf("got %v", err)
	}
}

func TestCandidates(t *testing.T) {
	c, now := catalog(t), day("2026-11-26")
	anyone := func(string) bool { return true }
	for name, test := range map[string]struct {
		route  string
		usable func(string) bool
		needs  domain.Needs
		want   []string
	}{
		"in order":                 {"simple", anyone, domain.Needs{}, []string{"small", "big"}},
		"whose provider is usable": {"simple", func(p string) bool { return p == "one" }, domain.Needs{}, []string{"big"}},
		"that fit":                 {"simple", anyone, domain.Needs{Prompt: 1001}, []string{"big"}},
		"that fit as they answer":  {"simple", anyone, domain.Needs{Prompt: 500, Answer: 100_000}, []string{"small", "big"}},
		"that take tools":          {"simple", anyone, domain.Needs{Tools: true}, []string{"big"}},
		"that see":                 {"simple", anyone, domain.Needs{Images: true}, []string{"big"}},
		"that keep to a schema":    {"simple", anyone, domain.Needs{JSONSchema: true}, []string{"big"}},
		"each once":                {"moderate", anyone, domain.Needs{}, []string{"big"}},
		"none":                     {"search", anyone, domain.Needs{}, nil},
		"of no route":              {"scenic", anyone, domain.Needs{}, nil},
	} {
		var got []string
		for _, model := range c.Candidates(test.route, now, test.usable, test.needs) {
			got = append(got, model.ID)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestWhatRetires(t *testing.T) {
	c := catalog(t)
	retiring := c.Retiring(day("2026-06-15"))
	if len(retiring) != 2 || retiring[0].Model.ID != "old" || !slices.Equal(retiring[0].Routes, []string{"moderate"}) ||
		retiring[1].Model.ID != "gone" {
		t.Errorf("%+v", retiring)
	}
	if retiring := c.Retiring(day("2026-06-14")); len(retiring) != 1 {
		t.Errorf("%+v", retiring)
	}
}

func asking(texts ...string) *domain.Call {
	call := &domain.Call{}
	for _, text := range texts {
		call.Messages = append(call.Messages, domain.Message{Role: domain.User, Parts: []domain.Part{{Text: text}}})
	}
	return call
}

func TestARouteIsChosen(t *testing.T) {
	tools := asking("Hello")
	tools.Tools = []domain.Tool{{Name: "clock"}}
	object := asking("Hello")
	object.Format.JSON = true
	for name, test := range map[string]struct {
		call *domain.Call
		want string
	}{
		"nothing":            {&domain.Call{}, "simple"},
		"short":              {asking("What is a monad?"), "simple"},
		"the last one":       {asking("What is the latest news?", "Thanks!"), "simple"},
		"news":               {asking("What's the latest on it?"), "search"},
		"a word in a word":   {asking("What is a newsreel?"), "simple"},
		"code":               {asking("Why?\n```go\nx := 1\n```"), "complex"},
		"reasons":            {asking("Compare Rust and Go."), "complex"},
		"in capitals":        {asking("COMPARE RUST AND GO"), "complex"},
		"long":               {asking(strings.Repeat("word ", 2000)), "complex"},
		"a few sentences":    {asking(strings.Repeat("word ", 200)), "moderate"},
		"tools":              {tools, "complex"},
		"JSON":               {object, "moderate"},
		"nothing but UTF-8":  {asking("今日は \xff\x00"), "simple"},
		"of several, in all": {asking(strings.Repeat("word ", 1900), "Thanks!"), "complex"},
	} {
		if route, reason := domain.Choose(test.call); route != test.want || reason == "" {
			t.Errorf("%s: %s because %q, want %s", name, route, reason, test.want)
		}
	}
}

func TestWhatACallNeeds(t *testing.T) {
	call := asking(strings.Repeat("x", 4000))
	call.MaxTokens = 500
	if needs := call.Needs(); needs.Prompt < 1000 || needs.Prompt > 1010 || needs.Answer != 500 || needs.Images || needs.Tools || needs.JSONSchema {
		t.Errorf("%+v", needs)
	}
	call.Messages[0].Parts = append(call.Messages[0].Parts, domain.Part{Image: "https://example.test/a.png"})
	call.Tools = []domain.Tool{{Name: "t", Parameters: []byte(strings.Repeat(" ", 400))}}
	call.Format.Schema = []byte(`{}`)
	if needs := call.Needs(); needs.Prompt < 2700 || !needs.Images || !needs.Tools || !needs.JSONSchema {
		t.Errorf("%+v", needs)
	}
}

func TestWhatAFailureAllows(t *testing.T) {
	for reason, want := range map[domain.Reason][2]bool{
		domain.RateLimited: {true, true}, domain.Overloaded: {true, true}, domain.Broken: {true, true}, domain.Unreachable: {true, true},
		domain.Late: {true, true}, domain.KeyRefused: {false, true}, domain.NoModel: {false, true}, domain.TooLong: {false, true},
		domain.Refused: {false, false}, domain.Cancelled: {false, false},
	} {
		if reason.Again() != want[0] || reason.Elsewhere() != want[1] {
			t.Errorf("%s: again %v, elsewhere %v", reason, reason.Again(), reason.Elsewhere())
		}
	}
	cause := errors.New("no more")
	failure := &domain.Failure{Provider: "one", Reason: domain.RateLimited, Status: 429, Code: "tokens", Cause: cause}
	if failure.Error() != "one: rate_limited 429 tokens: no more" || !errors.Is(failure, cause) {
		t.Errorf("it says %q", failure.Error())
	}
}
