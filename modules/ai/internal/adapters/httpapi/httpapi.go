// Package httpapi drives the AI context by HTTP: in the product's own words below /app/ai, and in OpenAI's below /v1.
package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/httpserver"
)

// API is the operations of AI.
type API struct{ app *app.App }

// generates are the statuses of what has a model answer.
var generates = []int{http.StatusPaymentRequired, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}

// Register adds the operations to the router.
func Register(r *httpserver.Router, app *app.App) {
	api := &API{app}
	events := httpserver.Events{"start": CompletionStart{}, "delta": CompletionDelta{}, "done": Completion{}}
	httpserver.Stream(r, httpserver.Route{
		Method: http.MethodPost, Path: "/app/ai/complete", Guard: httpserver.User, Rate: httpserver.RateAI, Whole: true,
		Summary: "Have a model answer a prompt", Errors: generates,
	}, events, api.complete)
	httpserver.Stream(r, httpserver.Route{
		Method: http.MethodPost, Path: "/app/ai/chat", Guard: httpserver.User, Rate: httpserver.RateAI, Whole: true,
		Summary: "Have a model go on with a conversation", Errors: generates,
	}, events, api.chat)
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: "/app/ai/models", Guard: httpserver.User,
		Summary: "List the routes and models, and which are open to you",
	}, api.models)
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: "/app/ai/usage", Guard: httpserver.User,
		Summary: "See what your calls took, by day and model, and how your month's budget stands",
	}, api.usage)
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: "/admin/ai/usage", Guard: httpserver.Admin,
		Summary: "See what everybody's calls took, by day and model",
	}, api.allUsage)
	api.registerOpenAI(r)
}

// Wishes are what a caller may say of the answer. It is exported because huma passes over what an unexported embedded struct
// holds.
type Wishes struct {
	Complexity  string   `json:"complexity,omitempty" enum:"simple,moderate,complex,search,auto" doc:"The route: which models may answer. Absent, or auto, it is chosen by what is asked, among those that your plan includes"`
	Model       string   `json:"model,omitempty" maxLength:"255" doc:"The model that shall answer, instead of a route's"`
	Temperature *float64 `json:"temperature,omitempty" minimum:"0" maximum:"2" doc:"0.7 when absent; models that refuse one don't get it"`
	MaxTokens   int      `json:"max_tokens,omitempty" minimum:"1" maximum:"1000000" doc:"The longest answer; 1000 when absent"`
	Stream      bool     `json:"stream,omitempty" doc:"Have the answer as server-sent events"`
	Cache       bool     `json:"cache,omitempty" doc:"Take the answer that the same call of yours had within the last hour, if there was one: it costs nothing"`
}

// What the specification has for those who don't say it.
const (
	usualTemperature = 0.7
	usualMaxTokens   = 1000
)

func (w *Wishes) ask(ctx context.Context, endpoint domain.Endpoint, messages []domain.Message) *app.Ask {
	who := httpserver.Principal(ctx)
	ask := &app.Ask{
		User: who.Scope(), Plan: who.Plan, Endpoint: endpoint, Model: w.Model, Route: w.Complexity, Stream: w.Stream, Cache: w.Cache,
		Call: domain.Call{Messages: messages, Temperature: w.Temperature, MaxTokens: w.MaxTokens},
	}
	if ask.Call.Temperature == nil {
		ask.Call.Temperature = new(usualTemperature)
	}
	if ask.Call.MaxTokens == 0 {
		ask.Call.MaxTokens = usualMaxTokens
	}
	return ask
}

type completeInput struct {
	Body struct {
		Prompt       string `json:"prompt" minLength:"1" maxLength:"500000"`
		SystemPrompt string `json:"system_prompt,omitempty" maxLength:"100000"`
		Wishes
	}
}

func (a *API) complete(ctx context.Context, in *completeInput) (httpserver.Reply, error) {
	var messages []domain.Message
	if in.Body.SystemPrompt != "" {
		messages = append(messages, says(domain.System, in.Body.SystemPrompt))
	}
	return a.reply(in.Body.ask(ctx, domain.Complete, append(messages, says(domain.User, in.Body.Prompt))))
}

// ChatMessage is a part of a conversation.
type ChatMessage struct {
	Role    string `json:"role" enum:"system,user,assistant"`
	Content string `json:"content" minLength:"1" maxLength:"500000"`
}

type chatInput struct {
	Body struct {
		Messages []ChatMessage `json:"messages" minItems:"1" maxItems:"1000"`
		Wishes
	}
}

func (a *API) chat(ctx context.Context, in *chatInput) (httpserver.Reply, error) {
	messages := make([]domain.Message, len(in.Body.Messages))
	for i, message := range in.Body.Messages {
		messages[i] = says(domain.Role(message.Role), message.Content)
	}
	return a.reply(in.Body.ask(ctx, domain.Chat, messages))
}

func says(role domain.Role, text string) domain.Message {
	return domain.Message{Role: role, Parts: []domain.Part{{Text: text}}}
}

// headerReason says why a route or a model was taken.
const headerReason = "X-AI-Route-Reason"

func (a *API) reply(ask *app.Ask) (httpserver.Reply, error) {
	choice, err := a.app.Choose(ask)
	if err != nil {
		return httpserver.Reply{}, err
	}
	return httpserver.Reply{
		Header: map[string]string{headerReason: choice.Reason}, Whole: !ask.Stream,
		Feed: func(ctx context.Context, send httpserver.Send) (any, error) {
			var listener app.Listener
			if ask.Stream {
				listener = speaking{send}
			}
			answer, err := a.app.Generate(ctx, ask, choice, listener)
			if err != nil {
				return nil, err
			}
			completion := toCompletion(&answer)
			if !ask.Stream {
				completion.Content, completion.Reasoning = &answer.Result.Text, answer.Result.Reasoning
			}
			return completion, nil
		},
	}, nil
}

// CompletionStart is the first event of a stream.
type CompletionStart struct {
	ID       string `json:"id"`
	Model    string `json:"model"`
	Provider string `json:"provider"`
	Route    string `json:"route,omitzero" doc:"Absent when the model was named"`
}

// CompletionDelta is a piece of an answer.
type CompletionDelta struct {
	Content   string `json:"content,omitzero"`
	Reasoning string `json:"reasoning,omitzero" doc:"What the model thinks before it answers"`
}

// Completion is an answer, or how a streamed one ended.
type Completion struct {
	ID           string     `json:"id"`
	Content      *string    `json:"content,omitzero" doc:"The text; absent when it was streamed"`
	Reasoning    string     `json:"reasoning,omitzero" doc:"What the model thought before it answered"`
	Citations    []string   `json:"citations,omitzero" doc:"Where it was looked up"`
	Model        string     `json:"model"`
	Provider     string     `json:"provider"`
	Route        string     `json:"route,omitzero" doc:"Absent when the model was named"`
	Usage        TokenUsage `json:"usage"`
	FinishReason string     `json:"finish_reason" doc:"stop; length, when it was cut; content_filter"`
	LatencyMS    float64    `json:"latency_ms"`
	FirstMS      float64    `json:"ttft_ms,omitzero" doc:"Until the first piece of a stream"`
	Cost         AICost     `json:"cost"`
	Cached       bool       `json:"cached" doc:"It was answered before: usage is what that took, and it cost nothing now"`
}

// TokenUsage are what a call took.
type TokenUsage struct {
	Prompt     int  `json:"prompt_tokens"`
	Completion int  `json:"completion_tokens"`
	Total      int  `json:"total_tokens"`
	Cached     int  `json:"cached_tokens,omitzero" doc:"Of the prompt, what the provider had in its cache"`
	Reasoning  int  `json:"reasoning_tokens,omitzero" doc:"Of the completion, what was thought"`
	Estimated  bool `json:"estimated,omitzero" doc:"The provider didn't count them"`
}

// AICost is what something costs.
type AICost struct {
	USD   string `json:"amount_usd" doc:"In US dollars, as a decimal number"`
	Known bool   `json:"known" doc:"false: it isn't nothing, but nobody knows the price"`
}

func toCompletion(answer *app.Answer) Completion {
	usage := answer.Result.Usage
	return Completion{
		ID: answer.ID, Citations: answer.Result.Citations, Model: answer.Model.ID, Provider: answer.Model.Provider, Route: answer.Route,
		Usage: TokenUsage{
			Prompt: usage.Prompt(), Completion: usage.Output, Total: usage.Total(), Cached: usage.CachedRead, Reasoning: usage.Reasoning,
			Estimated: usage.Source == domain.Estimated,
		},
		FinishReason: string(answer.Result.Finish), LatencyMS: milliseconds(answer.Latency), FirstMS: milliseconds(answer.First),
		Cost: AICost{USD: answer.Cost.Amount.String(), Known: answer.Cost.Known}, Cached: answer.Cached,
	}
}

func milliseconds(long time.Duration) float64 { return float64(long.Microseconds()) / 1000 }

// speaking sends an answer as events.
type speaking struct{ send httpserver.Send }

// Start says whose answer it is.
func (s speaking) Start(started app.Started) error {
	return s.send("start", CompletionStart{ID: started.ID, Model: started.Model.ID, Provider: started.Model.Provider, Route: started.Route})
}

// Text sends a piece of text.
func (s speaking) Text(piece string) error { return s.send("delta", CompletionDelta{Content: piece}) }

// Reasoning sends a piece of what a model thinks.
func (s speaking) Reasoning(piece string) error {
	return s.send("delta", CompletionDelta{Reasoning: piece})
}

// Tool does nothing: nobody can offer tools here.
func (speaking) Tool(domain.ToolDelta) error { return nil }
