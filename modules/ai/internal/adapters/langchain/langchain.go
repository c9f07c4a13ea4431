// Package langchain calls models through langchaingo, with the wire in its own hands.
//
// langchaingo v0.1.14 knows where a provider is and how to show a key. What it makes of requests and answers can't be used:
// it sends a temperature to models that refuse one, drops tool_choice, joins the arguments of parallel calls, takes a stream
// that broke for an answer that ended well (measured: 38 of 60 cancelled calls), and leaves a goroutine behind for each
// error in Anthropic's streams. So it is given a client, a Doer, that writes the request by what the model accepts, reads the
// answer, streamed or not, and gives langchaingo the same short answer always. The result doesn't pass through langchaingo.
package langchain

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/anthropic"
	"github.com/tmc/langchaingo/llms/openai"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
)

// Options say how to reach a provider.
type Options struct {
	Provider  string // its name in the catalogue
	Key       string
	BaseURL   string            // another server that speaks the same; empty for the provider itself
	Bounds    Bounds            // how long to wait
	Transport http.RoundTripper // nil for the network
}

// Bounds say how long to wait for a provider.
type Bounds struct {
	First  time.Duration // for a sign of life until the first content of a stream; models think before they speak
	Idle   time.Duration // for more of it then
	Stream time.Duration // for a whole stream
	Whole  time.Duration // for an answer in one piece
}

// Patience is the usual bounds.
func Patience() Bounds {
	return Bounds{First: time.Minute, Idle: 30 * time.Second, Stream: 10 * time.Minute, Whole: 2 * time.Minute}
}

// The providers' own addresses.
const (
	openAIBase     = "https://api.openai.com/v1"
	anthropicBase  = "https://api.anthropic.com/v1"
	perplexityBase = "https://api.perplexity.ai/v1"
)

// Provider calls a provider's models. It is safe for concurrent use.
type Provider struct{ model llms.Model }

var _ app.Provider = (*Provider)(nil)

// OpenAI returns OpenAI, or another server that speaks Chat Completions: vLLM, Ollama, a proxy.
// Source: https://platform.openai.com/docs/api-reference/chat
func OpenAI(options Options) (*Provider, error) {
	return speaking(&chat{oldLimit: options.BaseURL != ""}, options, openAIBase)
}

// Perplexity returns Perplexity, whose models look up what they say in the web. It is called by its Agent API, which has the
// shapes of OpenAI's Responses; Chat Completions ended there on 2026-09-27.
// Source: https://docs.perplexity.ai/docs/agent-api
func Perplexity(options Options) (*Provider, error) {
	return speaking(responses{}, options, perplexityBase)
}

func speaking(dialect dialect, options Options, base string) (*Provider, error) {
	if options.BaseURL == "" {
		options.BaseURL = base
	}
	doer, err := newDoer(dialect, options)
	if err != nil {
		return nil, err
	}
	// Every option is given: langchaingo reads the environment for those that aren't. For each call it compiles patterns until
	// one matches the model: o1 is the first's, and no model is sent but the call's own.
	model, err := openai.New(openai.WithToken(options.Key), openai.WithBaseURL(options.BaseURL), openai.WithModel("o1"),
		openai.WithOrganization(""), openai.WithAPIType(openai.APITypeOpenAI), openai.WithHTTPClient(doer))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", options.Provider, err)
	}
	return &Provider{model}, nil
}

// Anthropic returns Anthropic, or another server that speaks Messages.
// Source: https://docs.anthropic.com/en/api/messages
func Anthropic(options Options) (*Provider, error) {
	if options.BaseURL == "" {
		options.BaseURL = anthropicBase
	}
	doer, err := newDoer(messages{}, options)
	if err != nil {
		return nil, err
	}
	model, err := anthropic.New(anthropic.WithToken(options.Key), anthropic.WithBaseURL(options.BaseURL), anthropic.WithModel("any"),
		anthropic.WithHTTPClient(doer))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", options.Provider, err)
	}
	return &Provider{model}, nil
}

// Generate has the call's model answer; see app.Provider.
func (p *Provider) Generate(ctx context.Context, call *domain.Call, sink app.Sink) (domain.Result, error) {
	x := &exchange{call: call, sink: sink, err: errors.New("the provider wasn't asked")}
	asked := llms.MessageContent{Role: llms.ChatMessageTypeHuman, Parts: []llms.ContentPart{llms.TextPart("-")}}
	// What it returns is made of the short answer, or of an error that is in x, too.
	_, _ = p.model.GenerateContent(context.WithValue(ctx, exchangeKey{}, x), []llms.MessageContent{asked})
	return x.result, x.err
}
