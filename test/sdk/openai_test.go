//scaffold:needs ai billing

// Package sdk calls the product by other people's libraries, as they are.
package sdk

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// connect starts the product, and returns OpenAI's library for alice of it.
func connect(t *testing.T, settings ...string) (*apptest.App, openai.Client) {
	t.Helper()
	app := apptest.Start(t, database.SQLite, settings...)
	return app, library(app, app.Token(t, auth.DevClaims{Subject: "alice"}))
}

func library(app *apptest.App, key string) openai.Client {
	return openai.NewClient(option.WithBaseURL(app.URL+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(0))
}

func hello(model string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{
		openai.DeveloperMessage("Be kind"), openai.UserMessage("Say hello"),
	}}
}

func TestCompletions(t *testing.T) {
	t.Parallel()
	_, ai := connect(t)
	models, err := ai.Models.List(t.Context())
	if err != nil || len(models.Data) < 5 || models.Data[0].ID != "omni/simple" {
		t.Fatalf("the models are %+v, %v", models, err)
	}
	answer, err := ai.Chat.Completions.New(t.Context(), hello("omni/complex"))
	if err != nil {
		t.Fatal(err)
	}
	words := int64(len(strings.Fields(answer.Choices[0].Message.Content)))
	if answer.Model != "sim-large" || !strings.HasPrefix(answer.ID, "chatcmpl-") || answer.Choices[0].FinishReason != "stop" ||
		answer.Usage.CompletionTokens != words || answer.Usage.TotalTokens != answer.Usage.PromptTokens+words || answer.Created == 0 {
		t.Errorf("the answer is %s", answer.RawJSON())
	}
	thoughts, err := ai.Chat.Completions.New(t.Context(), hello("sim-reasoning"))
	if err != nil || thoughts.Usage.CompletionTokensDetails.ReasoningTokens == 0 || thoughts.Choices[0].Message.Content == "" {
		t.Errorf("a model that thinks: %+v, %v", thoughts, err)
	}
	seen := hello("sim-small")
	seen.Messages = append(seen.Messages, openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
		openai.TextContentPart("What is it?"),
		openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64,iVBORw0KGgo="}),
	}))
	if image, err := ai.Chat.Completions.New(t.Context(), seen); err != nil || image.Usage.PromptTokens < 85 {
		t.Errorf("an image: %+v, %v", image, err)
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	_, ai := connect(t)
	asked := hello("sim-small")
	asked.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
	stream := ai.Chat.Completions.NewStreaming(t.Context(), asked)
	whole := openai.ChatCompletionAccumulator{}
	chunks := 0
	for stream.Next() {
		chunks++
		if !whole.AddChunk(stream.Current()) {
			t.Fatalf("the chunk doesn't fit: %s", stream.Current().RawJSON())
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	words := int64(len(strings.Fields(whole.Choices[0].Message.Content)))
	if words < 5 || int64(chunks) < words || whole.Usage.CompletionTokens != words || whole.Choices[0].FinishReason != "stop" || whole.Model != "sim-small" {
		t.Errorf("the answer is %+v after %d chunks", whole.ChatCompletion, chunks)
	}
}

// TestTools proves that a model's calls come whole, in a stream and not, and that it goes on with what they return.
func TestTools(t *testing.T) {
	t.Parallel()
	_, ai := connect(t)
	asked := openai.ChatCompletionNewParams{
		Model:    "sim-small",
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Use each tool")},
	}
	for _, name := range []string{"get_weather", "get_time"} {
		asked.Tools = append(asked.Tools, openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
			Name: name, Description: openai.String("Looks it up"),
			Parameters: shared.FunctionParameters{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"}},
		}))
	}
	answer, err := ai.Chat.Completions.New(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	calls := answer.Choices[0].Message.ToolCalls
	if len(calls) != 2 || answer.Choices[0].FinishReason != "tool_calls" {
		t.Fatalf("the answer is %s", answer.RawJSON())
	}
	for i, name := range []string{"get_weather", "get_time"} {
		var arguments struct{ City *string }
		if err := json.Unmarshal([]byte(calls[i].Function.Arguments), &arguments); calls[i].ID == "" || calls[i].Function.Name != name || err != nil || arguments.City == nil {
			t.Errorf("a call is %s, %v", calls[i].RawJSON(), err)
		}
	}

	stream := ai.Chat.Completions.NewStreaming(t.Context(), asked)
	whole := openai.ChatCompletionAccumulator{}
	for stream.Next() {
		whole.AddChunk(stream.Current())
	}
	if err := stream.Err(); err != nil || len(whole.Choices) != 1 || len(whole.Choices[0].Message.ToolCalls) != 2 {
		t.Fatalf("a stream of calls is %+v, %v", whole.ChatCompletion, err)
	}
	for i, call := range whole.Choices[0].Message.ToolCalls {
		if call.ID != calls[i].ID || call.Function.Name != calls[i].Function.Name || call.Function.Arguments != calls[i].Function.Arguments {
			t.Errorf("streamed is %+v, and whole %s", call, calls[i].RawJSON())
		}
	}

	asked.Messages = append(asked.Messages, answer.Choices[0].Message.ToParam())
	for _, call := range calls {
		asked.Messages = append(asked.Messages, openai.ToolMessage(`{"answer": 7}`, call.ID))
	}
	if last, err := ai.Chat.Completions.New(t.Context(), asked); err != nil || last.Choices[0].Message.Content == "" {
		t.Errorf("what the tools returned is answered by %+v, %v", last, err)
	}
}

func TestEmbeddings(t *testing.T) {
	t.Parallel()
	app, ai := connect(t)
	texts := openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"the red house", "the red house", "a blue boat"}}
	made, err := ai.Embeddings.New(t.Context(), openai.EmbeddingNewParams{Model: "omni/embedding", Input: texts, Dimensions: openai.Int(64)})
	if err != nil {
		t.Fatal(err)
	}
	if len(made.Data) != 3 || len(made.Data[0].Embedding) != 64 || made.Model != "sim-embedding" || made.Usage.PromptTokens == 0 ||
		!slices.Equal(made.Data[0].Embedding, made.Data[1].Embedding) || slices.Equal(made.Data[0].Embedding, made.Data[2].Embedding) || made.Data[2].Index != 2 {
		t.Errorf("the vectors are %s", made.RawJSON())
	}
	one := openai.EmbeddingNewParamsInputUnion{OfString: openai.String("the red house")}
	coded, err := ai.Embeddings.New(t.Context(), openai.EmbeddingNewParams{Model: "sim-embedding", Input: one, EncodingFormat: openai.EmbeddingNewParamsEncodingFormatBase64})
	if raw := ""; err == nil {
		raw = coded.Data[0].JSON.Embedding.Raw()
		if bytes, failed := base64.StdEncoding.DecodeString(strings.Trim(raw, `"`)); failed != nil || len(bytes) != 4*1536 {
			t.Errorf("in base64 it is %.50s", raw)
		}
	} else {
		t.Error(err)
	}
	if _, err := ai.Embeddings.New(t.Context(), openai.EmbeddingNewParams{Model: "sim-small", Input: one}); err == nil {
		t.Error("a model of texts makes vectors")
	}
	if calls := testkit.Rows(t, app.DB, "ai_calls", "endpoint = 'embeddings' AND status = 'completed' AND usage_source = 'provider' AND output = 0 AND cost > 0"); calls != 2 {
		t.Errorf("%d calls are in the ledger", calls)
	}
}

func TestAnswersInJSON(t *testing.T) {
	t.Parallel()
	_, ai := connect(t)
	asked := hello("sim-small")
	asked.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
		Name: "person", Strict: openai.Bool(true), Schema: map[string]any{
			"type": "object", "properties": map[string]any{"name": map[string]any{"type": "string"}}, "required": []string{"name"}, "additionalProperties": false,
		},
	}}
	answer, err := ai.Chat.Completions.New(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	var person struct{ Name *string }
	if err := json.Unmarshal([]byte(answer.Choices[0].Message.Content), &person); err != nil || person.Name == nil {
		t.Errorf("the answer is %s, %v", answer.Choices[0].Message.Content, err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	app, ai := connect(t)
	plans := filepath.Join(t.TempDir(), "plans.yaml")
	const poor = `plans: [{name: free, projects: -1, storage_mib: -1, rate_factor: 1, ai: {budget: 1, routes: [simple]}}]`
	if err := os.WriteFile(plans, []byte(poor), 0o600); err != nil {
		t.Fatal(err)
	}
	_, poorAI := connect(t, "BILLING_CATALOG_FILE="+plans)
	_, slowAI := connect(t, "RATE_LIMIT_ENABLED=true", "RATE_LIMIT_AI=1/day")
	if _, err := slowAI.Chat.Completions.New(t.Context(), hello("sim-small")); err != nil {
		t.Fatal(err)
	}
	many := hello("sim-small")
	many.N = openai.Int(2)
	for name, test := range map[string]struct {
		client openai.Client
		asked  openai.ChatCompletionNewParams
		status int
		kind   string
		param  string
	}{
		"a key that is none":      {library(app, "sk-none"), hello("sim-small"), 401, "authentication_error", ""},
		"a model that isn't":      {ai, hello("none"), 404, "invalid_request_error", "model"},
		"more than one answer":    {ai, many, 400, "invalid_request_error", "n"},
		"a route that costs more": {poorAI, hello("omni/complex"), 402, "insufficient_quota", ""},
		"a budget that is small":  {poorAI, hello("sim-small"), 402, "insufficient_quota", ""},
		"too many calls":          {slowAI, hello("sim-small"), 429, "rate_limit_error", ""},
		"a provider that fails":   {ai, hello("sim-fault-500"), 502, "server_error", ""},
	} {
		if name == "a budget that is small" {
			test.asked.MaxTokens = openai.Int(4096)
			test.asked.Messages = append(test.asked.Messages, openai.UserMessage(strings.Repeat("a", 400_000)))
		}
		_, err := test.client.Chat.Completions.New(t.Context(), test.asked)
		failure, failed := errors.AsType[*openai.Error](err)
		if !failed || failure.StatusCode != test.status || failure.Type != test.kind || failure.Param != test.param || failure.Message == "" || failure.Code == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAStreamThatBreaksIsAnError proves that nothing that went wrong in a stream looks like its end.
func TestAStreamThatBreaksIsAnError(t *testing.T) {
	t.Parallel()
	_, ai := connect(t)
	for _, model := range []string{"sim-fault-mid-error", "sim-fault-eof", "sim-fault-reset"} {
		stream := ai.Chat.Completions.NewStreaming(t.Context(), hello(model))
		chunks := 0
		for stream.Next() {
			chunks++
		}
		if stream.Err() == nil || chunks == 0 {
			t.Errorf("%s: %v after %d chunks", model, stream.Err(), chunks)
		}
	}
}

// TestALibraryTriesAgain proves that what may be tried again is, by what the library goes by.
func TestALibraryTriesAgain(t *testing.T) {
	t.Parallel()
	app, _ := connect(t)
	token := app.Token(t, auth.DevClaims{Subject: "alice"})
	patient := openai.NewClient(option.WithBaseURL(app.URL+"/v1"), option.WithAPIKey(token), option.WithMaxRetries(1))
	if _, err := patient.Chat.Completions.New(t.Context(), hello("sim-fault-503")); err == nil {
		t.Fatal("a provider that is down answers")
	}
	if calls := testkit.Rows(t, app.DB, "ai_calls", "status = 'failed'"); calls != 2 {
		t.Errorf("the library called %d times", calls)
	}
}

// TestLeavingAStreamEndsIt proves that the library's way to leave ends the call.
func TestLeavingAStreamEndsIt(t *testing.T) {
	t.Parallel()
	app, ai := connect(t)
	ctx, leave := context.WithCancel(t.Context())
	stream := ai.Chat.Completions.NewStreaming(ctx, hello("sim-fault-slow-chunks"))
	if !stream.Next() {
		t.Fatal(stream.Err())
	}
	leave()
	apptest.Await(t, "the call to end", func() bool { return testkit.Rows(t, app.DB, "ai_calls", "status = 'cancelled'") == 1 })
}
