package langchain

import (
	"encoding/json"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
)

// chat is OpenAI's Chat Completions.
type chat struct {
	oldLimit bool // servers other than OpenAI's know max_tokens, not max_completion_tokens
}

type chatRequest struct {
	Model           string        `json:"model"`
	Messages        []chatMessage `json:"messages"`
	Tools           []chatTool    `json:"tools,omitempty"`
	ToolChoice      any           `json:"tool_choice,omitzero"`
	Parallel        *bool         `json:"parallel_tool_calls,omitzero"`
	Format          *chatFormat   `json:"response_format,omitzero"`
	Temperature     *float64      `json:"temperature,omitzero"`
	TopP            *float64      `json:"top_p,omitzero"`
	MaxTokens       int           `json:"max_completion_tokens,omitzero"`
	OldMaxTokens    int           `json:"max_tokens,omitzero"`
	Stop            []string      `json:"stop,omitempty"`
	ReasoningEffort string        `json:"reasoning_effort,omitempty"`
	Stream          bool          `json:"stream,omitzero"`
	StreamOptions   *chatStream   `json:"stream_options,omitzero"`
}

type chatStream struct {
	IncludeUsage bool `json:"include_usage"`
}

type chatMessage struct {
	Role    domain.Role `json:"role"`
	Content any         `json:"content"` // a text, parts or null
	Calls   []chatCall  `json:"tool_calls,omitempty"`
	CallID  string      `json:"tool_call_id,omitempty"`
}

type chatPart struct {
	Type  string     `json:"type"`
	Text  string     `json:"text,omitempty"`
	Image *chatImage `json:"image_url,omitzero"`
}

type chatImage struct {
	URL string `json:"url"`
}

type chatCall struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"`
	Function chatFunction `json:"function"`
}

type chatFunction struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

type chatTool struct {
	Type     string           `json:"type"`
	Function chatToolFunction `json:"function"`
}

type chatToolFunction struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitzero"`
	Strict      bool            `json:"strict,omitzero"`
}

type chatFormat struct {
	Type   string      `json:"type"`
	Schema *chatSchema `json:"json_schema,omitzero"`
}

type chatSchema struct {
	Name   string          `json:"name"`
	Schema json.RawMessage `json:"schema"`
	Strict bool            `json:"strict,omitzero"`
}

type named struct {
	Type     string        `json:"type"`
	Name     string        `json:"name,omitempty"`
	Function *functionName `json:"function,omitzero"`
}

type functionName struct {
	Name string `json:"name"`
}

func (c *chat) request(call *domain.Call, stream bool) (string, any) {
	accepts := call.Model.Accepts
	r := chatRequest{Model: call.Model.ID, Stream: stream}
	for i := range call.Messages {
		r.Messages = append(r.Messages, chatMessageOf(&call.Messages[i]))
	}
	for _, tool := range call.Tools {
		r.Tools = append(r.Tools, chatTool{Type: "function", Function: chatToolFunction(tool)})
	}
	if len(call.Tools) > 0 {
		switch call.Choice.Mode {
		case domain.ChooseNone, domain.ChooseRequired:
			r.ToolChoice = string(call.Choice.Mode)
		case domain.ChooseNamed:
			r.ToolChoice = named{Type: "function", Function: &functionName{call.Choice.Name}}
		}
		if call.Choice.Single {
			r.Parallel = new(bool)
		}
	}
	if call.Format.Schema != nil {
		r.Format = &chatFormat{Type: "json_schema", Schema: &chatSchema{schemaName(call.Format), call.Format.Schema, call.Format.Strict}}
	} else if call.Format.JSON {
		r.Format = &chatFormat{Type: "json_object"}
	}
	if accepts.Temperature {
		r.Temperature = call.Temperature
	}
	if accepts.TopP {
		r.TopP = call.TopP
	}
	if accepts.Stop {
		r.Stop = call.Stop
	}
	if accepts.Effort {
		r.ReasoningEffort = call.Effort
	}
	if c.oldLimit {
		r.OldMaxTokens = call.MaxTokens
	} else {
		r.MaxTokens = call.MaxTokens
	}
	if stream {
		r.StreamOptions = &chatStream{IncludeUsage: true}
	}
	return "/chat/completions", r
}

// schemaName returns the name of a schema, which OpenAI wants to have.
func schemaName(format domain.Format) string {
	if format.Name == "" {
		return "answer"
	}
	return format.Name
}

func chatMessageOf(m *domain.Message) chatMessage {
	message := chatMessage{Role: m.Role, CallID: m.CallID}
	switch {
	case len(m.Parts) == 1 && m.Parts[0].Image == "":
		message.Content = m.Parts[0].Text
	case len(m.Parts) > 0:
		parts := make([]chatPart, 0, len(m.Parts))
		for _, part := range m.Parts {
			if part.Image != "" {
				parts = append(parts, chatPart{Type: "image_url", Image: &chatImage{part.Image}})
			} else if part.Text != "" {
				parts = append(parts, chatPart{Type: "text", Text: part.Text})
			}
		}
		message.Content = parts
	}
	for _, call := range m.Calls {
		message.Calls = append(message.Calls, chatCall{call.ID, "function", chatFunction{call.Name, call.Arguments}})
	}
	return message
}

// chatAnswer is an answer, or a piece of one: only that a message is called delta in a piece.
type chatAnswer struct {
	ID        string       `json:"id"`
	Model     string       `json:"model"`
	Choices   []chatChoice `json:"choices"`
	Usage     *chatUsage   `json:"usage"`
	Citations []string     `json:"citations"`
	Error     *refusal     `json:"error"`
}

type chatChoice struct {
	Index   int       `json:"index"`
	Message chatPiece `json:"message"`
	Delta   chatPiece `json:"delta"`
	Finish  string    `json:"finish_reason"`
}

type chatPiece struct {
	Content   string          `json:"content"`
	Refusal   string          `json:"refusal"`           // what a model says that won't answer
	Thought   string          `json:"reasoning_content"` // of DeepSeek, vLLM and others
	Reasoning string          `json:"reasoning"`         // of Ollama and OpenRouter, for the same
	Calls     []chatCallPiece `json:"tool_calls"`
}

func (p *chatPiece) thought() string { return p.Thought + p.Reasoning }

type chatCallPiece struct {
	Index    *int         `json:"index"`
	ID       string       `json:"id"`
	Function chatFunction `json:"function"`
}

type chatUsage struct {
	Prompt        int `json:"prompt_tokens"`
	Completion    int `json:"completion_tokens"`
	PromptDetails struct {
		Cached  int `json:"cached_tokens"`
		Written int `json:"cache_write_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionDetails struct {
		Reasoning int `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
	Cost jsontext.Value `json:"cost"` // of OpenRouter and others
}

func (u *chatUsage) usage() domain.Usage {
	if u == nil {
		return domain.Usage{}
	}
	cached, written := u.PromptDetails.Cached, u.PromptDetails.Written
	return counted(domain.Usage{
		Input: u.Prompt - cached - written, CachedRead: cached, CachedWrite: written, Output: u.Completion,
		Reasoning: u.CompletionDetails.Reasoning, Cost: dollars(u.Cost),
	})
}

// mostTokens is more than a call can take, and mostDollars more than it can cost. What is beyond is a provider's mistake, after
// which no sum of a ledger could be told any more.
const (
	mostTokens  = 100_000_000
	mostDollars = 10_000
)

// counted returns what a provider counted. Nothing is below zero, or beyond what can be, whatever it says; all zero is that it
// said nothing.
func counted(u domain.Usage) domain.Usage {
	for _, count := range []*int{&u.Input, &u.CachedRead, &u.CachedWrite, &u.Output, &u.Reasoning} {
		*count = min(max(0, *count), mostTokens)
	}
	if u.Total() > 0 {
		u.Source = domain.Provided
	}
	return u
}

// dollars returns an amount that a provider says in US dollars: a number, or in Perplexity's way an object with a total. What
// is no amount is 0, as if it said nothing.
func dollars(value jsontext.Value) domain.Pico {
	var total struct {
		Total float64 `json:"total_cost"`
	}
	switch value.Kind() {
	case '0':
		if jsonv2.Unmarshal(value, &total.Total) != nil {
			return 0
		}
	case '{':
		if jsonv2.Unmarshal(value, &total, loose()) != nil {
			return 0
		}
	}
	if !(total.Total > 0 && total.Total < mostDollars) {
		return 0
	}
	return domain.Pico(total.Total * float64(domain.Dollar))
}

func (c *chat) answer(body []byte) (domain.Result, error) {
	var a chatAnswer
	if err := jsonv2.Unmarshal(body, &a, loose()); err != nil {
		return domain.Result{}, errGarbled
	}
	if a.Error != nil {
		return domain.Result{}, a.Error
	}
	if len(a.Choices) == 0 || a.Choices[0].Finish == "" {
		return domain.Result{}, errNotAnswer
	}
	message := &a.Choices[0].Message
	result := domain.Result{
		ID: a.ID, Model: a.Model, Text: message.Content + message.Refusal, Reasoning: message.thought(), Citations: a.Citations,
		Finish: chatFinish(a.Choices[0].Finish), Usage: a.Usage.usage(),
	}
	for _, call := range message.Calls {
		result.Calls = append(result.Calls, domain.ToolCall{ID: call.ID, Name: call.Function.Name, Arguments: call.Function.Arguments})
	}
	return result, nil
}

func chatFinish(reason string) domain.Finish {
	switch reason {
	case "length":
		return domain.FinishLength
	case "tool_calls", "function_call":
		return domain.FinishTools
	case "content_filter":
		return domain.FinishFilter
	}
	return domain.FinishStop
}

func (c *chat) stream(sink app.Sink) streaming { return &chatStreaming{sink: sink} }

type chatStreaming struct {
	sink  app.Sink
	piece chatAnswer // used again for each event
	so    domain.Result
	calls []string // their ids, in the order in which they began
}

func (s *chatStreaming) result() domain.Result { return s.so }

func (s *chatStreaming) event(e event) (bool, error) {
	if string(e.data) == "[DONE]" {
		if s.so.Finish == "" {
			return false, errNotAnswer // an end without a reason is none
		}
		return true, nil
	}
	s.piece = chatAnswer{Choices: s.piece.Choices[:0]}
	if err := jsonv2.Unmarshal(e.data, &s.piece, loose()); err != nil {
		return false, errGarbled
	}
	p := &s.piece
	if p.Error != nil {
		return false, p.Error
	}
	if e.name == "error" {
		return false, &refusal{Type: "error"}
	}
	if s.so.ID == "" {
		s.so.ID = p.ID
	}
	if s.so.Model == "" {
		s.so.Model = p.Model
	}
	if p.Usage != nil {
		s.so.Usage = p.Usage.usage()
	}
	if len(p.Citations) > 0 {
		s.so.Citations = p.Citations
	}
	for i := range p.Choices {
		if p.Choices[i].Index == 0 { // one answer is asked for
			if err := s.choice(&p.Choices[i]); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

func (s *chatStreaming) choice(choice *chatChoice) error {
	if thought := choice.Delta.thought(); thought != "" {
		if err := s.sink.Reasoning(thought); err != nil {
			return err
		}
	}
	if text := choice.Delta.Content + choice.Delta.Refusal; text != "" {
		if err := s.sink.Text(text); err != nil {
			return err
		}
	}
	for i := range choice.Delta.Calls {
		call := &choice.Delta.Calls[i]
		piece := domain.ToolDelta{ID: call.ID, Name: call.Function.Name, Arguments: call.Function.Arguments}
		piece.Index = s.call(call)
		if err := s.sink.Tool(piece); err != nil {
			return err
		}
	}
	if choice.Finish != "" && s.so.Finish == "" { // one server sends another piece behind it, without a reason
		s.so.Finish = chatFinish(choice.Finish)
	}
	return nil
}

// call returns which call of the answer a piece belongs to: by its index, or where a server sends none, by its id, or to the
// call that began last.
func (s *chatStreaming) call(piece *chatCallPiece) int {
	if piece.Index != nil {
		return *piece.Index
	}
	for i, known := range s.calls {
		if piece.ID == known {
			return i
		}
	}
	if piece.ID != "" {
		s.calls = append(s.calls, piece.ID)
	}
	return max(0, len(s.calls)-1)
}
