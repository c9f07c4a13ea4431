package domain

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
)

// Catalog holds the models that there are, and the routes to them. It doesn't change.
type Catalog struct {
	version  string
	models   []Model
	byName   map[string]int // ids, aliases and "provider/id"
	routes   map[string][]string
	families map[string]string // beginnings of names, such as "claude-", and who serves those
}

// Routes are the names of the routes that every catalogue has.
var Routes = [...]string{"simple", "moderate", "complex", "search"}

// NewCatalog returns a catalogue of the models. A route is a list of names of models, the best first. A family is the
// beginning of names that a provider serves. The error lists all that is wrong.
func NewCatalog(version string, models []Model, routes map[string][]string, families map[string]string) (*Catalog, error) {
	c := &Catalog{version: version, models: models, byName: map[string]int{}, routes: routes, families: families}
	var wrong []error
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if version == "" {
		complain("it has no version")
	}
	for i := range models {
		for _, problem := range models[i].problems() {
			complain("model %q: %s", models[i].ID, problem)
		}
		names := append([]string{models[i].ID, models[i].Provider + "/" + models[i].ID}, models[i].Aliases...)
		for _, name := range names {
			if _, taken := c.byName[name]; taken {
				complain("model %q: the name %q is taken", models[i].ID, name)
			}
			c.byName[name] = i
		}
	}
	for i := range models {
		if next := models[i].Replacement; next != "" && !c.has(next) {
			complain("model %q: its replacement %q isn't there", models[i].ID, next)
		}
	}
	for _, route := range Routes {
		if len(routes[route]) == 0 {
			complain("route %q leads nowhere", route)
		}
	}
	for _, route := range slices.Sorted(maps.Keys(routes)) {
		if c.has(route) || route == Auto {
			complain("route %q has the name of something else", route)
		}
		for _, name := range routes[route] {
			if !c.has(name) {
				complain("route %q: there is no model %q", route, name)
			}
		}
	}
	return c, errors.Join(wrong...)
}

func (c *Catalog) has(name string) bool { _, found := c.byName[name]; return found }

// Lists tells whether a provider's model of that id is in the catalogue.
func (c *Catalog) Lists(provider, id string) bool { return c.has(provider + "/" + id) }

// problems returns what is wrong with a model by itself.
func (m *Model) problems() (wrong []string) {
	if m.ID == "" || m.Provider == "" {
		wrong = append(wrong, "it has no id or no provider")
	}
	if m.Context <= 0 || m.MaxOutput < 0 || m.MaxOutput > m.Context || m.MaxOutput == 0 && !m.Accepts.Embeddings {
		wrong = append(wrong, "its context and max_output make no sense")
	}
	if m.Replacement != "" && m.RetiresOn.IsZero() {
		wrong = append(wrong, "it is replaced, but doesn't retire")
	}
	for i, price := range m.Prices {
		if i > 0 && !m.Prices[i-1].From.Before(price.From) {
			wrong = append(wrong, "its prices aren't in the order of their days")
		}
		if min(price.Input, price.CachedRead, price.CachedWrite, price.Output) < 0 {
			wrong = append(wrong, "a price is below zero")
		}
		if l := price.Long; l.Above < 0 || l.Above > 0 && (l.InputPercent < 100 || l.OutputPercent < 100) {
			wrong = append(wrong, "a long prompt costs less than a short one")
		}
	}
	return wrong
}

// Version returns the catalogue's own name for its state, which is kept with everything that was paid by it.
func (c *Catalog) Version() string { return c.version }

// Models returns all models, in the order of the catalogue.
func (c *Catalog) Models() []Model { return slices.Clone(c.models) }

// RouteNames returns the names of the routes, sorted.
func (c *Catalog) RouteNames() []string { return slices.Sorted(maps.Keys(c.routes)) }

// Found is a model that was asked for by name.
type Found struct {
	Model    Model
	Replaced string // the model that was asked for, when it has retired and this one took its place
	Known    bool   // whether it is in the catalogue
}

// Find returns the model of that name at that time: an id, an alias or "provider/id". A retired one is replaced, as often
// as needed. A name that isn't in the catalogue but begins like a family's is a model of which nothing is known: it takes
// the least that models take, and has no price. Everything else is errs.Invalid, with details.near, the names that look
// most like it.
func (c *Catalog) Find(name string, now time.Time) (Found, error) {
	i, known := c.byName[name]
	if !known {
		return c.unknown(name)
	}
	found := Found{Model: c.models[i], Known: true}
	for range c.models { // replacements may go round in a circle
		if !found.Model.Retired(now) {
			return found, nil
		}
		if found.Model.Replacement == "" {
			break
		}
		found = Found{Model: c.models[c.byName[found.Model.Replacement]], Replaced: c.models[i].ID, Known: true}
	}
	return Found{}, errs.New(errs.Invalid, "The model isn't served any more").With("model", name)
}

func (c *Catalog) unknown(name string) (Found, error) {
	provider, id, named := strings.Cut(name, "/")
	if named && id != "" && slices.Contains(slices.Collect(maps.Values(c.families)), provider) {
		return Found{Model: Model{ID: id, Provider: provider}}, nil
	}
	best := ""
	for beginning := range c.families {
		if strings.HasPrefix(name, beginning) && len(beginning) > len(best) {
			best = beginning
		}
	}
	if best != "" {
		return Found{Model: Model{ID: name, Provider: c.families[best]}}, nil
	}
	return Found{}, c.NoSuch(name)
}

// NoSuch returns the error for a name that is no model's.
func (c *Catalog) NoSuch(name string) *errs.Error {
	near := slices.Collect(maps.Keys(c.byName))
	slices.SortFunc(near, func(a, b string) int {
		if d := distance(a, name) - distance(b, name); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return errs.New(errs.Invalid, "There is no such model").With("near", near[:min(3, len(near))])
}

// distance returns how many letters must be changed, added or taken away to make one name of the other (Levenshtein). Of a
// name only the beginning counts.
func distance(a, b string) int {
	b = b[:min(len(b), 100)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, above+1, row[j]+1)
			diagonal = above
		}
	}
	return row[len(b)]
}

// Needs is what a call needs of a model.
type Needs struct {
	Tools, JSONSchema, Images, Embeddings bool

	Prompt int // tokens, as far as is known; of vectors, those of the longest text
	Answer int // tokens, at most
}

// Needs returns what the call needs.
func (c *Call) Needs() Needs {
	if longest := 0; len(c.Embed.Inputs) > 0 {
		for _, input := range c.Embed.Inputs {
			longest = max(longest, len(input))
		}
		return Needs{Embeddings: true, Prompt: longest / bytesPerToken}
	}
	needs := Needs{Tools: len(c.Tools) > 0, JSONSchema: c.Format.Schema != nil}
	for i := range c.Messages {
		for _, part := range c.Messages[i].Parts {
			needs.Images = needs.Images || part.Image != ""
		}
	}
	needs.Prompt, needs.Answer = c.PromptEstimate(), c.MaxTokens
	return needs
}

// Fits tells whether a model has what a call needs.
func (m *Model) Fits(needs Needs) bool {
	return m.Accepts.Embeddings == needs.Embeddings && (m.Accepts.Tools || !needs.Tools) && (m.Accepts.JSONSchema || !needs.JSONSchema) &&
		(m.Accepts.Images || !needs.Images) && needs.Prompt+min(needs.Answer, m.MaxOutput) <= m.Context
}

// Candidates returns the models of a route that can answer now, the best first: they haven't retired, their provider is
// usable, and they fit what is needed. Retired ones are replaced. None is an empty list.
func (c *Catalog) Candidates(route string, now time.Time, usable func(provider string) bool, needs Needs) []Model {
	var candidates []Model
	for _, name := range c.routes[route] {
		found, err := c.Find(name, now)
		if err != nil || !usable(found.Model.Provider) || !found.Model.Fits(needs) {
			continue
		}
		if !slices.ContainsFunc(candidates, func(m Model) bool { return m.ID == found.Model.ID && m.Provider == found.Model.Provider }) {
			candidates = append(candidates, found.Model)
		}
	}
	return candidates
}

// Retiring is a model that is served no more from a day on, and the routes that still name it.
type Retiring struct {
	Model  Model
	Routes []string
}

// Retiring returns the models that retire before that time, or have, and that a route names.
func (c *Catalog) Retiring(before time.Time) []Retiring {
	var retiring []Retiring
	for _, model := range c.models {
		if !model.Retired(before) {
			continue
		}
		var routes []string
		for _, route := range c.RouteNames() {
			if slices.ContainsFunc(c.routes[route], func(name string) bool { return c.models[c.byName[name]].ID == model.ID }) {
				routes = append(routes, route)
			}
		}
		if len(routes) > 0 {
			retiring = append(retiring, Retiring{Model: model, Routes: routes})
		}
	}
	return retiring
}

// bytesPerToken is how many bytes of a text a token has, while nothing better is known: in English about four.
const bytesPerToken = 4

// imageTokens is what an image is taken for. Providers count by its size, which isn't known here: 85 for a small one at
// OpenAI, up to about 1,600 at Anthropic.
const imageTokens = 1600

// PromptEstimate returns about how many tokens the prompt has, rather too many than too few.
func (c *Call) PromptEstimate() int {
	bytes, images := len(c.Format.Schema), 0
	for i := range c.Messages {
		message := &c.Messages[i]
		bytes += bytesPerToken * 4 // what is around a message
		for _, part := range message.Parts {
			bytes += len(part.Text)
			if part.Image != "" {
				images++
			}
		}
		for _, call := range message.Calls {
			bytes += len(call.Name) + len(call.Arguments)
		}
	}
	for _, input := range c.Embed.Inputs {
		bytes += len(input)
	}
	for _, tool := range c.Tools {
		bytes += len(tool.Name) + len(tool.Description) + len(tool.Parameters)
	}
	return int(math.Ceil(float64(bytes)/bytesPerToken)) + images*imageTokens
}
