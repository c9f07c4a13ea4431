package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/httpserver"
)

// OpenAI's libraries work with these addresses as they are: all that they need is another base URL.
// Source: https://platform.openai.com/docs/api-reference/chat and https://platform.openai.com/docs/api-reference/models

func (a *API) registerOpenAI(r *httpserver.Router) {
	httpserver.Stream(r, httpserver.Route{
		Method: http.MethodPost, Path: "/v1/chat/completions", AtRoot: true, Guard: httpserver.User, Rate: httpserver.RateAI, Whole: true,
		Dialect: httpserver.OpenAI, Summary: "OpenAI's Chat Completions", Errors: append([]int{http.StatusNotFound}, generates...),
	}, httpserver.Events{"chunk": ChatChunk{}, "done": ChatCompletion{}}, a.chatCompletions)
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: "/v1/models", AtRoot: true, Guard: httpserver.User, Rate: httpserver.RateAI,
		Dialect: httpserver.OpenAI, Summary: "OpenAI's list of models: those that are open to you, and the routes",
	}, a.openAIModels)
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodPost, Path: "/v1/embeddings", AtRoot: true, Guard: httpserver.User, Rate: httpserver.RateAI,
		Dialect: httpserver.OpenAI, Summary: "OpenAI's embeddings", Errors: append([]int{http.StatusNotFound}, generates...),
	}, a.embeddings)
}

// OpenAIModel is a model in OpenAI's words.
type OpenAIModel struct {
	ID      string `json:"id" doc:"A model, or a route such as omni/simple"`
	Object  string `json:"object" enum:"model"`
	Created int64  `json:"created" doc:"Seconds since 1970; of the newest price, 0 without one"`
	OwnedBy string `json:"owned_by"`
}

// OpenAIModels is a list of models in OpenAI's words.
type OpenAIModels struct {
	Object string        `json:"object" enum:"list"`
	Data   []OpenAIModel `json:"data" nullable:"false"`
}

func (a *API) openAIModels(ctx context.Context, _ *struct{}) (*httpserver.Object[OpenAIModels], error) {
	plan := httpserver.Principal(ctx).Plan
	list := OpenAIModels{Object: "list", Data: []OpenAIModel{}}
	for _, offer := range a.app.Offers(plan) {
		if offer.Open {
			list.Data = append(list.Data, OpenAIModel{ID: app.RoutePrefix + offer.Route, Object: "model", OwnedBy: "omnistack"})
		}
	}
	for _, model := range a.app.Models(plan) {
		listed := OpenAIModel{ID: model.ID, Object: "model", OwnedBy: model.Provider}
		if prices := model.Prices; len(prices) > 0 {
			listed.Created = prices[len(prices)-1].From.Unix()
		}
		list.Data = append(list.Data, listed)
	}
	return &httpserver.Object[OpenAIModels]{Body: list}, nil
}

// OpenAIInput is a body in OpenAI's words, of which what isn't known is passed over.
type OpenAIInput struct {
	RawBody []byte `contentType:"application/json"`
}

func (a *API) chatCompletions(ctx context.Context, in *OpenAIInput) (httpserver.Reply, error) {
	asked, err := readChat(in.RawBody)
	if err != nil {
		return httpserver.Reply{}, err
	}
	who := httpserver.Principal(ctx)
	ask := &app.Ask{
		User: who.Scope(), Plan: who.Plan, Endpoint: domain.OpenAI, Model: asked.Model, Stream: asked.Stream, Call: asked.call,
	}
	choice, err := a.app.Choose(ask)
	if err != nil {
		return httpserver.Reply{}, ofModel(err)
	}
	reply := httpserver.Reply{Header: map[string]string{headerReason: choice.Reason}, Whole: !ask.Stream}
	reply.Feed = func(ctx context.Context, send httpserver.Send) (any, error) {
		w := &chunking{send: send, now: a.app.Clock.Now()}
		var listener app.Listener
		if ask.Stream {
			listener = w
		}
		answer, err := a.app.Generate(ctx, ask, choice, listener)
		if err != nil {
			return nil, err
		}
		if !ask.Stream {
			return toChatCompletion(&answer, a.app.Clock.Now()), nil
		}
		return nil, w.end(&answer, asked.StreamOptions.IncludeUsage)
	}
	return reply, nil
}

// ofModel has the error for a model that isn't there be what OpenAI's is.
func ofModel(err error) error {
	known := errs.From(err)
	if near, named := known.Details["near"]; named {
		return errs.New(errs.NotFound, "The model doesn't exist").With("near", near).With("param", "model")
	}
	return err
}

// ChatCompletion is an answer in OpenAI's words.
type ChatCompletion struct {
	ID        string       `json:"id"`
	Object    string       `json:"object" enum:"chat.completion"`
	Created   int64        `json:"created"`
	Model     string       `json:"model"`
	Choices   []ChatChoice `json:"choices" nullable:"false"`
	Usage     ChatUsage    `json:"usage"`
	Citations []string     `json:"citations,omitzero"`
}

// ChatChoice is the answer itself: there is one.
type ChatChoice struct {
	Index        int         `json:"index"`
	Message      ChatReply   `json:"message"`
	Logprobs     *[]struct{} `json:"logprobs" doc:"null"`
	FinishReason string      `json:"finish_reason"`
}

// ChatReply is what the model says.
type ChatReply struct {
	Role      string     `json:"role" enum:"assistant"`
	Content   *string    `json:"content" doc:"null when the model only calls tools"`
	Refusal   *string    `json:"refusal" doc:"null"`
	Reasoning string     `json:"reasoning_content,omitzero"`
	ToolCalls []ChatCall `json:"tool_calls,omitzero"`
}

// ChatCall is a call of a tool.
type ChatCall struct {
	ID       string       `json:"id"`
	Type     string       `json:"type" enum:"function"`
	Function ChatFunction `json:"function"`
}

// ChatFunction says what is called, and with what.
type ChatFunction struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments" doc:"JSON, as the model wrote it"`
}

// ChatUsage is what a call took, in OpenAI's words.
type ChatUsage struct {
	Prompt            int               `json:"prompt_tokens"`
	Completion        int               `json:"completion_tokens"`
	Total             int               `json:"total_tokens"`
	PromptDetails     PromptDetails     `json:"prompt_tokens_details"`
	CompletionDetails CompletionDetails `json:"completion_tokens_details"`
}

// PromptDetails are kinds of a prompt's tokens.
type PromptDetails struct {
	Cached int `json:"cached_tokens"`
}

// CompletionDetails are kinds of an answer's tokens.
type CompletionDetails struct {
	Reasoning int `json:"reasoning_tokens"`
}

func toChatUsage(usage domain.Usage) ChatUsage {
	return ChatUsage{
		Prompt: usage.Prompt(), Completion: usage.Output, Total: usage.Total(),
		PromptDetails: PromptDetails{usage.CachedRead}, CompletionDetails: CompletionDetails{usage.Reasoning},
	}
}

// idPrefix stands before the ids of answers, as OpenAI's have it.
const idPrefix = "chatcmpl-"

func toChatCompletion(answer *app.Answer, now time.Time) ChatCompletion {
	reply := ChatReply{Role: string(domain.Assistant), Reasoning: answer.Result.Reasoning}
	if answer.Result.Text != "" || len(answer.Result.Calls) == 0 {
		reply.Content = &answer.Result.Text
	}
	for _, call := range answer.Result.Calls {
		reply.ToolCalls = append(reply.ToolCalls, ChatCall{ID: call.ID, Type: "function", Function: ChatFunction{call.Name, call.Arguments}})
	}
	return ChatCompletion{
		ID: idPrefix + answer.ID, Object: "chat.completion", Created: now.Unix(), Model: answer.Model.ID,
		Choices: []ChatChoice{{Message: reply, FinishReason: string(answer.Result.Finish)}},
		Usage:   toChatUsage(answer.Result.Usage), Citations: answer.Result.Citations,
	}
}

// ChatChunk is a piece of an answer in OpenAI's words.
type ChatChunk struct {
	ID        string        `json:"id"`
	Object    string        `json:"object" enum:"chat.completion.chunk"`
	Created   int64         `json:"created"`
	Model     string        `json:"model"`
	Choices   []ChunkChoice `json:"choices" nullable:"false"`
	Usage     *ChatUsage    `json:"usage,omitzero" doc:"In the last one, where it is asked for"`
	Citations []string      `json:"citations,omitzero"`
}

// ChunkChoice is the piece itself.
type ChunkChoice struct {
	Index        int        `json:"index"`
	Delta        ChunkDelta `json:"delta"`
	FinishReason *string    `json:"finish_reason"`
}

// ChunkDelta is what is new.
type ChunkDelta struct {
	Role      string      `json:"role,omitzero" doc:"In the first one"`
	Content   *string     `json:"content,omitzero"`
	Reasoning string      `json:"reasoning_content,omitzero"`
	ToolCalls []ChunkCall `json:"tool_calls,omitzero"`
}

// ChunkCall is a piece of a call of a tool. The first of each has its id and name.
type ChunkCall struct {
	Index    int           `json:"index"`
	ID       string        `json:"id,omitzero"`
	Type     string        `json:"type,omitzero" enum:"function"`
	Function ChunkFunction `json:"function"`
}

// ChunkFunction is a piece of what is called, and with what.
type ChunkFunction struct {
	Name      string `json:"name,omitzero"`
	Arguments string `json:"arguments"`
}

// chunking sends an answer as chunks.
type chunking struct {
	send  httpserver.Send
	now   time.Time
	chunk ChatChunk
}

// Start sends the first chunk, which says whose answer it is.
func (c *chunking) Start(started app.Started) error {
	c.chunk = ChatChunk{ID: idPrefix + started.ID, Object: "chat.completion.chunk", Created: c.now.Unix(), Model: started.Model.ID}
	return c.tell(ChunkDelta{Role: string(domain.Assistant), Content: new("")}, nil)
}

// Text sends a piece of text.
func (c *chunking) Text(piece string) error { return c.tell(ChunkDelta{Content: &piece}, nil) }

// Reasoning sends a piece of what a model thinks.
func (c *chunking) Reasoning(piece string) error { return c.tell(ChunkDelta{Reasoning: piece}, nil) }

// Tool sends a piece of a tool call.
func (c *chunking) Tool(piece domain.ToolDelta) error {
	call := ChunkCall{Index: piece.Index, ID: piece.ID, Function: ChunkFunction{piece.Name, piece.Arguments}}
	if piece.ID != "" {
		call.Type = "function"
	}
	return c.tell(ChunkDelta{ToolCalls: []ChunkCall{call}}, nil)
}

func (c *chunking) tell(delta ChunkDelta, finish *string) error {
	c.chunk.Choices = []ChunkChoice{{Delta: delta, FinishReason: finish}}
	return c.send("chunk", c.chunk)
}

// end sends why the answer ended and, where it is asked for, what it took.
func (c *chunking) end(answer *app.Answer, usage bool) error {
	c.chunk.Citations = answer.Result.Citations
	if err := c.tell(ChunkDelta{}, new(string(answer.Result.Finish))); err != nil || !usage {
		return err
	}
	c.chunk.Citations, c.chunk.Choices, c.chunk.Usage = nil, []ChunkChoice{}, new(toChatUsage(answer.Result.Usage))
	return c.send("chunk", c.chunk)
}
