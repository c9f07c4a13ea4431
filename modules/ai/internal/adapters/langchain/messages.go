package langchain

import (
	"encoding/json"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
)

// messages is Anthropic's Messages.
type messages struct{}

type messagesRequest struct {
	Model       string          `json:"model"`
	MaxTokens   int             `json:"max_tokens"`
	System      []block         `json:"system,omitempty"`
	Messages    []turn          `json:"messages"`
	Tools       []messagesTool  `json:"tools,omitempty"`
	ToolChoice  *messagesChoice `json:"tool_choice,omitzero"`
	Output      *messagesOutput `json:"output_config,omitzero"`
	Temperature *float64        `json:"temperature,omitzero"`
	TopP        *float64        `json:"top_p,omitzero"`
	Stop        []string        `json:"stop_sequences,omitempty"`
	Stream      bool            `json:"stream,omitzero"`
}

type turn struct {
	Role    domain.Role `json:"role"`
	Content []block     `json:"content"`
}

// block is a piece of content, in requests and in answers.
type block struct {
	Type     string          `json:"type"`
	Text     string          `json:"text,omitempty"`
	Thinking string          `json:"thinking,omitempty"`
	Source   *imageSource    `json:"source,omitzero"`
	ID       string          `json:"id,omitempty"`
	Name     string          `json:"name,omitempty"`
	Input    json.RawMessage `json:"input,omitzero"`
	CallID   string          `json:"tool_use_id,omitempty"`
	Content  []block         `json:"content,omitempty"`
}

type imageSource struct {
	Type      string `json:"type"`
	MediaType string `json:"media_type,omitempty"`
	Data      string `json:"data,omitempty"`
	URL       string `json:"url,omitempty"`
}

type messagesTool struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Schema      json.RawMessage `json:"input_schema"`
	Strict      bool            `json:"strict,omitzero"`
}

type messagesChoice struct {
	Type   string `json:"type"`
	Name   string `json:"name,omitempty"`
	Single bool   `json:"disable_parallel_tool_use,omitzero"`
}

type messagesOutput struct {
	Format *messagesFormat `json:"format,omitzero"`
	Effort string          `json:"effort,omitempty"`
}

type messagesFormat struct {
	Type   string          `json:"type"`
	Schema json.RawMessage `json:"schema"`
}

func (messages) request(call *domain.Call, stream bool) (string, any) {
	accepts := call.Model.Accepts
	r := messagesRequest{Model: call.Model.ID, MaxTokens: call.MaxTokens, Stream: stream}
	if r.MaxTokens == 0 {
		r.MaxTokens = max(1, call.Model.MaxOutput) // it must be there
	}
	for i := range call.Messages {
		r.add(&call.Messages[i])
	}
	if call.Format.JSON && call.Format.Schema == nil {
		r.System = append(r.System, block{Type: "text", Text: "Answer with one JSON object and nothing else."})
	}
	for _, tool := range call.Tools {
		r.Tools = append(r.Tools, messagesTool{tool.Name, tool.Description, orObject(tool.Parameters, `{"type":"object"}`), tool.Strict})
	}
	if len(call.Tools) > 0 {
		types := map[domain.ChoiceMode]string{
			domain.ChooseAuto: "auto", domain.ChooseNone: "none", domain.ChooseRequired: "any", domain.ChooseNamed: "tool",
		}
		r.ToolChoice = &messagesChoice{types[call.Choice.Mode], call.Choice.Name, call.Choice.Single && call.Choice.Mode != domain.ChooseNone}
	}
	effort := ""
	if accepts.Effort && call.Effort != "none" {
		effort = call.Effort
	}
	if call.Format.Schema != nil {
		r.Output = &messagesOutput{Format: &messagesFormat{"json_schema", call.Format.Schema}, Effort: effort}
	} else if effort != "" {
		r.Output = &messagesOutput{Effort: effort}
	}
	if accepts.Temperature && call.Temperature != nil {
		r.Temperature = new(min(*call.Temperature, 1)) // which is the highest here
	}
	if accepts.TopP {
		r.TopP = call.TopP
	}
	if accepts.Stop {
		r.Stop = call.Stop
	}
	return "/messages", r
}

// orObject returns the text of an object, or another where there is none.
func orObject(text json.RawMessage, other string) json.RawMessage {
	if value := jsontext.Value(text); value.IsValid() && value.Kind() == '{' {
		return text
	}
	return json.RawMessage(other)
}

// add adds a message. What tools returned belongs to the user here, and all of one turn is one message.
func (r *messagesRequest) add(m *domain.Message) {
	content := blocks(m.Parts)
	if m.Role == domain.System {
		r.System = append(r.System, content...)
		return
	}
	role := m.Role
	if role == domain.ToolRole {
		role = domain.User
		content = []block{{Type: "tool_result", CallID: m.CallID, Content: content}}
	}
	for _, call := range m.Calls {
		content = append(content, block{
			Type: "tool_use", ID: call.ID, Name: call.Name, Input: orObject(json.RawMessage(call.Arguments), "{}"),
		})
	}
	if last := len(r.Messages) - 1; last >= 0 && r.Messages[last].Role == role {
		r.Messages[last].Content = append(r.Messages[last].Content, content...)
		return
	}
	r.Messages = append(r.Messages, turn{Role: role, Content: content})
}

func blocks(parts []domain.Part) []block {
	var made []block
	for _, part := range parts {
		if part.Image == "" {
			if part.Text != "" { // an empty text is refused
				made = append(made, block{Type: "text", Text: part.Text})
			}
			continue
		}
		source := &imageSource{Type: "url", URL: part.Image}
		if kind, data, ok := strings.Cut(strings.TrimPrefix(part.Image, "data:"), ";base64,"); ok && strings.HasPrefix(part.Image, "data:") {
			source = &imageSource{Type: "base64", MediaType: kind, Data: data}
		}
		made = append(made, block{Type: "image", Source: source})
	}
	return made
}

type messagesAnswer struct {
	Type    string         `json:"type"`
	ID      string         `json:"id"`
	Model   string         `json:"model"`
	Content []block        `json:"content"`
	Stop    string         `json:"stop_reason"`
	Usage   *messagesUsage `json:"usage"`
	Error   *refusal       `json:"error"`
}

type messagesUsage struct {
	Input       int `json:"input_tokens"`
	CachedRead  int `json:"cache_read_input_tokens"`
	CachedWrite int `json:"cache_creation_input_tokens"`
	Output      int `json:"output_tokens"`
}

// onto returns the usage with what is said here on top: a stream says its parts at different times, and all in sums.
func (u *messagesUsage) onto(so domain.Usage) domain.Usage {
	if u == nil {
		return so
	}
	return counted(domain.Usage{
		Input: max(so.Input, u.Input), CachedRead: max(so.CachedRead, u.CachedRead), CachedWrite: max(so.CachedWrite, u.CachedWrite),
		Output: max(so.Output, u.Output),
	})
}

func messagesFinish(reason string) domain.Finish {
	switch reason {
	case "max_tokens", "model_context_window_exceeded":
		return domain.FinishLength
	case "tool_use":
		return domain.FinishTools
	case "refusal":
		return domain.FinishFilter
	}
	return domain.FinishStop // end_turn, stop_sequence, pause_turn
}

func (messages) answer(body []byte) (domain.Result, error) {
	var a messagesAnswer
	if err := jsonv2.Unmarshal(body, &a, loose()); err != nil {
		return domain.Result{}, errGarbled
	}
	if a.Error != nil {
		return domain.Result{}, a.Error
	}
	if a.Type != "message" || a.Stop == "" {
		return domain.Result{}, errNotAnswer
	}
	result := domain.Result{ID: a.ID, Model: a.Model, Finish: messagesFinish(a.Stop), Usage: a.Usage.onto(domain.Usage{})}
	var text, thought strings.Builder
	for _, b := range a.Content {
		switch b.Type {
		case "text":
			text.WriteString(b.Text)
		case "thinking":
			thought.WriteString(b.Thinking)
		case "tool_use":
			result.Calls = append(result.Calls, domain.ToolCall{ID: b.ID, Name: b.Name, Arguments: string(orObject(b.Input, "{}"))})
		}
	}
	result.Text, result.Reasoning = text.String(), thought.String()
	return result, nil
}

func (messages) stream(sink app.Sink) streaming { return &messagesStreaming{sink: sink} }

type messagesStreaming struct {
	sink  app.Sink
	so    domain.Result
	tools []int // by tool call, the index of its block
}

type messagesEvent struct {
	Type    string          `json:"type"`
	Index   int             `json:"index"`
	Message *messagesAnswer `json:"message"`
	Block   *block          `json:"content_block"`
	Delta   struct {
		Type     string `json:"type"`
		Text     string `json:"text"`
		Thinking string `json:"thinking"`
		JSON     string `json:"partial_json"`
		Stop     string `json:"stop_reason"`
	} `json:"delta"`
	Usage *messagesUsage `json:"usage"`
	Error *refusal       `json:"error"`
}

func (s *messagesStreaming) result() domain.Result { return s.so }

func (s *messagesStreaming) event(raw event) (bool, error) {
	var e messagesEvent
	if err := jsonv2.Unmarshal(raw.data, &e, loose()); err != nil {
		return false, errGarbled
	}
	switch e.Type {
	case "message_start":
		if e.Message != nil {
			s.so.ID, s.so.Model, s.so.Usage = e.Message.ID, e.Message.Model, e.Message.Usage.onto(s.so.Usage)
		}
	case "content_block_start":
		return false, s.begin(&e)
	case "content_block_delta":
		return false, s.piece(&e)
	case "message_delta":
		s.so.Usage = e.Usage.onto(s.so.Usage)
		if e.Delta.Stop != "" {
			s.so.Finish = messagesFinish(e.Delta.Stop)
		}
	case "message_stop":
		if s.so.Finish == "" {
			return false, errNotAnswer
		}
		return true, nil
	case "error":
		if e.Error == nil {
			e.Error = &refusal{Type: "error"}
		}
		return false, e.Error
	}
	return false, nil // a ping, or something that isn't known yet
}

func (s *messagesStreaming) begin(e *messagesEvent) error {
	if e.Block == nil || e.Block.Type != "tool_use" {
		return nil
	}
	s.tools = append(s.tools, e.Index)
	return s.sink.Tool(domain.ToolDelta{Index: len(s.tools) - 1, ID: e.Block.ID, Name: e.Block.Name})
}

func (s *messagesStreaming) piece(e *messagesEvent) error {
	switch {
	case e.Delta.Type == "text_delta" && e.Delta.Text != "":
		return s.sink.Text(e.Delta.Text)
	case e.Delta.Type == "thinking_delta" && e.Delta.Thinking != "":
		return s.sink.Reasoning(e.Delta.Thinking)
	case e.Delta.Type == "input_json_delta" && e.Delta.JSON != "":
		for i, index := range s.tools {
			if index == e.Index {
				return s.sink.Tool(domain.ToolDelta{Index: i, Arguments: e.Delta.JSON})
			}
		}
	}
	return nil
}
