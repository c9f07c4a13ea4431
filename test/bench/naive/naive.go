// Package naive is what somebody writes in an afternoon who wants a gateway to models: langchaingo with the client it comes
// with, behind the standard library's router. It answers OpenAI's Chat Completions. It knows nobody, limits nothing, keeps no
// ledger, and takes the last message only: the bench measures the product against it.
package naive

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/openai"
)

type question struct {
	Model    string `json:"model"`
	Stream   bool   `json:"stream"`
	Messages []struct {
		Content string `json:"content"`
	} `json:"messages"`
}

type choice struct {
	Index   int      `json:"index"`
	Message *message `json:"message,omitempty"`
	Delta   *message `json:"delta,omitempty"`
	Finish  string   `json:"finish_reason,omitempty"`
}

type message struct {
	Role    string `json:"role,omitempty"`
	Content string `json:"content"`
}

type answer struct {
	ID      string         `json:"id"`
	Object  string         `json:"object"`
	Model   string         `json:"model"`
	Choices []choice       `json:"choices"`
	Usage   map[string]any `json:"usage,omitempty"`
}

// New returns the gateway, and /health. The provider's address and key are those of the environment, in OPENAI_BASE_URL and
// OPENAI_API_KEY, as langchaingo reads them.
func New() (http.Handler, error) {
	model, err := openai.New()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { reply(w, map[string]string{"status": "ok"}) })
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		var asked question
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || len(asked.Messages) == 0 {
			http.Error(w, `{"error":"bad request"}`, http.StatusBadRequest)
			return
		}
		messages := []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeHuman, asked.Messages[len(asked.Messages)-1].Content)}
		if asked.Stream {
			stream(r.Context(), w, model, asked.Model, messages)
		} else {
			whole(r.Context(), w, model, asked.Model, messages)
		}
	})
	return mux, nil
}

func whole(ctx context.Context, w http.ResponseWriter, model *openai.LLM, name string, messages []llms.MessageContent) {
	said, err := model.GenerateContent(ctx, messages, llms.WithModel(name))
	if err != nil {
		http.Error(w, `{"error":"the provider failed"}`, http.StatusBadGateway)
		return
	}
	about := said.Choices[0].GenerationInfo
	reply(w, answer{
		ID: "naive", Object: "chat.completion", Model: name,
		Choices: []choice{{Message: &message{"assistant", said.Choices[0].Content}, Finish: said.Choices[0].StopReason}},
		Usage: map[string]any{
			"prompt_tokens": about["PromptTokens"], "completion_tokens": about["CompletionTokens"], "total_tokens": about["TotalTokens"],
		},
	})
}

func stream(ctx context.Context, w http.ResponseWriter, model *openai.LLM, name string, messages []llms.MessageContent) {
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	tell := func(piece choice) error {
		event, err := json.Marshal(answer{ID: "naive", Object: "chat.completion.chunk", Model: name, Choices: []choice{piece}})
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "data: %s\n\n", event); err != nil {
			return err
		}
		return control.Flush()
	}
	said, err := model.GenerateContent(ctx, messages, llms.WithModel(name), llms.WithStreamingFunc(func(_ context.Context, piece []byte) error {
		return tell(choice{Delta: &message{Content: string(piece)}})
	}))
	if err == nil {
		err = tell(choice{Delta: &message{}, Finish: said.Choices[0].StopReason})
	}
	if err == nil {
		_, _ = fmt.Fprint(w, "data: [DONE]\n\n") // who is gone gets nothing
	}
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // who is gone gets nothing
}
