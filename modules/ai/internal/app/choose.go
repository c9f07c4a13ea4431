package app

import (
	"slices"
	"strings"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// Ask is what somebody asks, and of whom.
type Ask struct {
	User     id.Scope
	Plan     string // that the user is on
	Endpoint domain.Endpoint
	Model    string // the name of a model, or of a route; empty leaves it to Route
	Route    string // domain.Auto, or empty, leaves it to what is asked
	Stream   bool
	Cache    bool        // the answer may be one that was given before, and is remembered
	Call     domain.Call // without the model
}

// Choice is who shall answer, the best first, and why.
type Choice struct {
	Requested  string // what was asked for
	Route      string // empty when a model was named
	Reason     string
	Candidates []domain.Model
}

// RoutePrefix may stand before the name of a route where the name of a model is expected, to tell them apart.
const RoutePrefix = "omni/"

// unbounded is how long an answer may be when nobody says it, in tokens: so much of a budget can be set aside for it.
const unbounded = 16_384

// Choose returns who shall answer. It asks nobody. What the plan doesn't include is errs.PaymentRequired, what no model takes
// errs.Invalid, and a route without a usable provider errs.Unavailable.
func (a *App) Choose(ask *Ask) (Choice, error) {
	vectors := len(ask.Call.Embed.Inputs) > 0
	routes := domain.Routes[:]
	if vectors {
		routes = []string{domain.Embedding}
	} else if ask.Call.MaxTokens == 0 {
		ask.Call.MaxTokens = unbounded
	}
	needs := ask.Call.Needs()
	plan, catalog := a.Plans.Plan(ask.Plan), a.catalog.Load()
	route, model := ask.Route, ask.Model
	if name := strings.TrimPrefix(model, RoutePrefix); name == domain.Auto || slices.Contains(routes, name) {
		route, model = name, ""
	}
	if model != "" {
		return a.named(catalog, plan, model, needs)
	}
	choice := Choice{Requested: route, Route: route, Reason: "it was asked for"}
	switch {
	case vectors && !includes(plan, domain.Embedding):
		return Choice{}, notIncluded(plan, "route", domain.Embedding)
	case vectors:
		choice.Route, choice.Reason = domain.Embedding, "it asks for vectors"
	case route == "" || route == domain.Auto:
		choice.Route, choice.Reason = domain.Choose(&ask.Call)
		if wanted := choice.Route; !includes(plan, wanted) {
			if choice.Route = nearest(plan); choice.Route == "" {
				return Choice{}, notIncluded(plan, "route", wanted)
			}
			choice.Reason += ", and the plan doesn't include " + wanted
		}
	case !slices.Contains(routes, route):
		return Choice{}, errs.InvalidFields(errs.Field{Name: "complexity", Message: "must be auto or one of " + strings.Join(domain.Routes[:], ", ")})
	case !includes(plan, route):
		return Choice{}, notIncluded(plan, "route", route)
	}
	if choice.Candidates = a.candidates(catalog, choice.Route, needs); len(choice.Candidates) > 0 {
		return choice, nil
	}
	if len(a.candidates(catalog, choice.Route, domain.Needs{Embeddings: vectors})) > 0 {
		return Choice{}, errUnfit
	}
	return Choice{}, errs.New(errs.Unavailable, "No AI provider is set up for this route").With("route", choice.Route)
}

var errUnfit = errs.New(errs.Invalid, "No model of this choice takes the request: it is too long, or has tools, a schema or images")

// candidates returns the models of a route, and behind them the one that the settings name for all routes.
func (a *App) candidates(catalog *domain.Catalog, route string, needs domain.Needs) []domain.Model {
	now := a.Clock.Now()
	found := catalog.Candidates(route, now, a.gateway.Usable, needs)
	last, err := catalog.Find(a.rules.Fallback, now)
	if err == nil && a.gateway.Usable(last.Model.Provider) && (last.Model.Fits(needs) || !last.Known && !needs.Embeddings) &&
		!slices.ContainsFunc(found, func(m domain.Model) bool { return m.ID == last.Model.ID }) {
		found = append(found, last.Model)
	}
	return found
}

// named returns a model that was asked for by its name. Another one isn't asked in its place.
func (a *App) named(catalog *domain.Catalog, plan billing.Plan, name string, needs domain.Needs) (Choice, error) {
	found, err := catalog.Find(name, a.Clock.Now())
	switch {
	case err != nil:
		return Choice{}, err
	case !found.Known && a.rules.KnownOnly:
		return Choice{}, catalog.NoSuch(name)
	case found.Known && found.Model.Accepts.Embeddings != needs.Embeddings:
		return Choice{}, errs.New(errs.Invalid, "The model doesn't make what is asked for: texts, or vectors").With("model", name)
	case !a.reaches(catalog, plan, found.Model):
		return Choice{}, notIncluded(plan, "model", name)
	case !a.gateway.Usable(found.Model.Provider):
		return Choice{}, errs.New(errs.Unavailable, "The provider of this model isn't set up").With("service", found.Model.Provider)
	case found.Known && !found.Model.Fits(needs):
		return Choice{}, errUnfit
	}
	choice := Choice{Requested: name, Reason: "the model was asked for", Candidates: []domain.Model{found.Model}}
	if found.Replaced != "" {
		choice.Reason = found.Replaced + " was asked for, which isn't served any more"
	}
	return choice, nil
}

// reaches tells whether one of the plan's routes leads to a model. Where all routes are open all models are.
func (a *App) reaches(catalog *domain.Catalog, plan billing.Plan, model domain.Model) bool {
	return includes(plan, everything) || slices.ContainsFunc(catalog.RouteNames(), func(route string) bool {
		needs := domain.Needs{Embeddings: model.Accepts.Embeddings}
		return includes(plan, route) && slices.ContainsFunc(a.candidates(catalog, route, needs), func(m domain.Model) bool {
			return m.ID == model.ID && m.Provider == model.Provider
		})
	})
}

// everything is the route of a plan that stands for all.
const everything = "*"

func includes(plan billing.Plan, route string) bool {
	return slices.Contains(plan.AIRoutes, route) || slices.Contains(plan.AIRoutes, everything)
}

// nearest returns the best route that the plan includes, empty for none.
func nearest(plan billing.Plan) string {
	for _, route := range []string{"complex", "moderate", "simple", "search"} {
		if includes(plan, route) {
			return route
		}
	}
	return ""
}

func notIncluded(plan billing.Plan, what, name string) error {
	return errs.New(errs.PaymentRequired, "Your plan doesn't include this "+what).
		With("reason", "ai_"+what+"_not_included").With("plan", plan.Name).With(what, name)
}

// Offer is a route, and whether it is open.
type Offer struct {
	Route  string
	Open   bool
	Models []domain.Model // the best first
}

// Offers returns the routes that lead somewhere.
func (a *App) Offers(plan string) []Offer {
	included, catalog := a.Plans.Plan(plan), a.catalog.Load()
	var offers []Offer
	for _, route := range append(domain.Routes[:], domain.Embedding) {
		if models := a.candidates(catalog, route, domain.Needs{Embeddings: route == domain.Embedding}); len(models) > 0 {
			offers = append(offers, Offer{Route: route, Open: includes(included, route), Models: models})
		}
	}
	return offers
}

// Models returns the models that a plan reaches, in the order of the catalogue.
func (a *App) Models(plan string) []domain.Model {
	included, catalog := a.Plans.Plan(plan), a.catalog.Load()
	now := a.Clock.Now()
	return slices.DeleteFunc(catalog.Models(), func(m domain.Model) bool {
		return m.Retired(now) || !a.gateway.Usable(m.Provider) || !a.reaches(catalog, included, m)
	})
}
