package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// openai is the dialect of OpenAI's Chat Completions: https://platform.openai.com/docs/api-reference/chat. What it adds
// for thoughts, reasoning_content, is DeepSeek's; citations are Perplexity's.
type openai struct{}

// madeAt is when everything was made, so that the same question gets the same bytes: the first second of 2026.
const madeAt = 1767225600

const invalidRequest = "invalid_request_error"

func (openai) name() string { return "openai" }

func (openai) authorise(r *http.Request) *failure {
	switch key, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); {
	case r.Header.Get("Authorization") == "":
		return &failure{status: http.StatusUnauthorized, kind: invalidRequest, message: "You didn't provide an API key."}
	case !isBearer || strings.TrimSpace(key) == "":
		return &failure{status: http.StatusUnauthorized, kind: invalidRequest, code: "invalid_api_key", message: "Incorrect API key provided."}
	}
	return nil
}

type openaiRequest struct {
	Model               string          `json:"model"`
	Messages            []openaiMessage `json:"messages"`
	Stream              bool            `json:"stream"`
	StreamOptions       *streamOptions  `json:"stream_options"`
	MaxTokens           *int            `json:"max_tokens"`
	MaxCompletionTokens *int            `json:"max_completion_tokens"`
	Temperature         *float64        `json:"temperature"`
	N                   *int            `json:"n"`
	Stop                json.RawMessage `json:"stop"` // a text or a list of texts
	Tools               []openaiTool    `json:"tools"`
	ToolChoice          json.RawMessage `json:"tool_choice"` // a word or an object
	ParallelToolCalls   *bool           `json:"parallel_tool_calls"`
	ResponseFormat      *responseFormat `json:"response_format"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type responseFormat struct {
	Type       string `json:"type"`
	JSONSchema *struct {
		Name   string  `json:"name"`
		Schema *schema `json:"schema"`
	} `json:"json_schema"`
}

type openaiMessage struct {
	Role       string          `json:"role"`
	Content    json.RawMessage `json:"content"` // a text, a list of parts, or null
	ToolCalls  []openaiCall    `json:"tool_calls"`
	ToolCallID string          `json:"tool_call_id"`
}

type openaiCall struct {
	ID       string         `json:"id"`
	Type     string         `json:"type"`
	Function openaiFunction `json:"function"`
}

type openaiFunction struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

type openaiTool struct {
	Type     string `json:"type"`
	Function struct {
		Name       string  `json:"name"`
		Parameters *schema `json:"parameters"`
	} `json:"function"`
}

type openaiPart struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Refusal  string `json:"refusal"`
	ImageURL struct {
		URL string `json:"url"`
	} `json:"image_url"`
}

func openaiInvalid(param, code, message string) *failure {
	return &failure{status: http.StatusBadRequest, kind: invalidRequest, code: code, param: param, message: message}
}

// parse reads a request in the order in which OpenAI finds fault with one.
func (openai) parse(body []byte, q *question) *failure {
	var in openaiRequest
	err := json.Unmarshal(body, &in)
	q.model, q.stream, q.byTurns = in.Model, in.Stream, true
	if wrong, is := errors.AsType[*json.UnmarshalTypeError](err); is {
		return openaiInvalid(wrong.Field, "invalid_type", "Invalid type for '"+wrong.Field+"': got "+wrong.Value+".")
	}
	switch {
	case err != nil:
		return openaiInvalid("", "", "We could not parse the JSON body of your request.")
	case in.Model == "":
		return openaiInvalid("", "", "you must provide a model parameter")
	case in.Messages == nil:
		return openaiInvalid("messages", "missing_required_parameter", "Missing required parameter: 'messages'.")
	case len(in.Messages) == 0:
		return openaiInvalid("messages", "empty_array", "Invalid 'messages': empty array. Expected an array with minimum length 1.")
	case in.Model == embedding:
		return &failure{status: http.StatusNotFound, kind: invalidRequest, param: "model", message: "This is not a chat model and thus not supported in the v1/chat/completions endpoint."}
	case !slices.Contains(catalog(), in.Model):
		return openaiUnknownModel(in.Model)
	}
	if failed := in.messages(q); failed != nil {
		return failed
	}
	for _, read := range []func(*question) *failure{in.numbers, in.tools, in.format} {
		if failed := read(q); failed != nil {
			return failed
		}
	}
	q.weigh()
	return nil
}

func openaiUnknownModel(model string) *failure {
	return &failure{
		status: http.StatusNotFound, kind: invalidRequest, code: "model_not_found",
		message: "The model `" + model + "` does not exist or you do not have access to it.",
	}
}

func (in *openaiRequest) messages(q *question) *failure {
	for i, m := range in.Messages {
		at := fmt.Sprintf("messages[%d]", i)
		if !slices.Contains([]string{"system", "developer", "user", "assistant", "tool"}, m.Role) {
			return openaiInvalid(at+".role", "invalid_value", "Invalid value: '"+m.Role+"'.")
		}
		read := message{role: m.Role}
		if failed := m.content(at+".content", &read); failed != nil {
			return failed
		}
		if m.Role == "tool" {
			if m.ToolCallID == "" {
				return openaiInvalid(at+".tool_call_id", "missing_required_parameter", "Missing required parameter: '"+at+".tool_call_id'.")
			}
			read.results = []string{m.ToolCallID}
		}
		for _, c := range m.ToolCalls {
			read.calls = append(read.calls, toolCall{id: c.ID, name: c.Function.Name, arguments: c.Function.Arguments})
		}
		q.messages = append(q.messages, read)
	}
	switch wrong := mismatched(q.messages); {
	case wrong == nil:
		return nil
	case wrong.isStray:
		return openaiInvalid(fmt.Sprintf("messages.[%d].role", wrong.message), "", "Invalid parameter: messages with role 'tool' must be a response to a preceding message with 'tool_calls'.")
	default:
		return openaiInvalid(fmt.Sprintf("messages.[%d].role", wrong.message), "", "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: "+wrong.call)
	}
}

func (m *openaiMessage) content(at string, read *message) *failure {
	if len(m.Content) == 0 || string(m.Content) == "null" {
		if m.Role == "assistant" && len(m.ToolCalls) > 0 {
			return nil
		}
		return openaiInvalid(at, "invalid_type", "Invalid value for 'content': expected a string, got null.")
	}
	if json.Unmarshal(m.Content, &read.text) == nil {
		return nil
	}
	var parts []openaiPart
	if json.Unmarshal(m.Content, &parts) != nil || len(parts) == 0 {
		return openaiInvalid(at, "invalid_type", "Invalid type for '"+at+"': expected a string or an array of objects.")
	}
	for i, part := range parts {
		switch url := part.ImageURL.URL; {
		case part.Type == "text":
			read.text += part.Text
		case part.Type == "refusal" && m.Role == "assistant":
			read.text += part.Refusal
		case part.Type != "image_url" || m.Role != "user":
			return openaiInvalid(fmt.Sprintf("%s[%d].type", at, i), "invalid_value", "Invalid value: '"+part.Type+"'.")
		case !strings.HasPrefix(url, "data:image/") && !strings.HasPrefix(url, "https://"):
			return openaiInvalid(fmt.Sprintf("%s[%d].image_url.url", at, i), "invalid_image_url", "Invalid image URL: it must be an https address or a data address of an image.")
		default:
			read.images = append(read.images, url)
		}
	}
	return nil
}

func (in *openaiRequest) numbers(q *question) *failure {
	if in.MaxTokens != nil && in.MaxCompletionTokens != nil {
		return openaiInvalid("max_tokens", "invalid_parameter_combination", "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
	}
	for name, limit := range map[string]*int{"max_tokens": in.MaxTokens, "max_completion_tokens": in.MaxCompletionTokens} {
		if limit == nil {
			continue
		}
		if *limit < 1 {
			return openaiInvalid(name, "integer_below_min_value", "Invalid '"+name+"': integer below minimum value. Expected a value >= 1.")
		}
		q.limit = *limit
	}
	var stops []string
	if len(in.Stop) > 0 && string(in.Stop) != "null" {
		var one string
		if json.Unmarshal(in.Stop, &one) == nil {
			stops = []string{one}
		} else if json.Unmarshal(in.Stop, &stops) != nil || len(stops) > 4 {
			return openaiInvalid("stop", "invalid_type", "Invalid 'stop': expected a string or an array of up to 4 strings.")
		}
	}
	q.stops = stops
	q.usage = in.StreamOptions != nil && in.StreamOptions.IncludeUsage
	switch {
	case in.Temperature != nil && in.Model == reasoning:
		return openaiInvalid("temperature", "unsupported_parameter", "Unsupported parameter: 'temperature' is not supported with this model.")
	case in.Temperature != nil && (*in.Temperature < 0 || *in.Temperature > 2):
		return openaiInvalid("temperature", "decimal_above_max_value", "Invalid 'temperature': expected a value from 0 to 2.")
	case in.N != nil && *in.N != 1:
		return openaiInvalid("n", "invalid_value", "Invalid 'n': this provider makes one choice.")
	case in.StreamOptions != nil && !in.Stream:
		return openaiInvalid("stream_options", "", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
	}
	return nil
}

func (in *openaiRequest) tools(q *question) *failure {
	for i, t := range in.Tools {
		if t.Type != "function" || t.Function.Name == "" {
			return openaiInvalid(fmt.Sprintf("tools[%d]", i), "invalid_value", "Invalid tool: a function with a name is expected.")
		}
		q.tools = append(q.tools, tool{name: t.Function.Name, schema: t.Function.Parameters})
	}
	q.one = in.ParallelToolCalls != nil && !*in.ParallelToolCalls
	if len(in.ToolChoice) == 0 || string(in.ToolChoice) == "null" {
		return nil
	}
	if len(q.tools) == 0 {
		return openaiInvalid("tool_choice", "", "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.")
	}
	var word string
	var chosen openaiTool
	switch {
	case json.Unmarshal(in.ToolChoice, &word) == nil && word == "auto":
	case word == "none":
		q.choice.how = choiceNone
	case word == "required":
		q.choice.how = choiceForced
	case word == "" && json.Unmarshal(in.ToolChoice, &chosen) == nil && chosen.Type == "function" && q.offers(chosen.Function.Name):
		q.choice = choice{how: choiceForced, name: chosen.Function.Name}
	default:
		return openaiInvalid("tool_choice", "invalid_value", "Invalid value for 'tool_choice'.")
	}
	return nil
}

func (in *openaiRequest) format(q *question) *failure {
	switch format := in.ResponseFormat; {
	case format == nil || format.Type == "text":
	case format.Type == "json_object":
		q.shape = &schema{Required: []string{"answer"}}
	case format.Type == "json_schema" && format.JSONSchema != nil && format.JSONSchema.Name != "" && format.JSONSchema.Schema != nil:
		q.shape = format.JSONSchema.Schema
	default:
		return openaiInvalid("response_format", "invalid_value", "Invalid 'response_format'.")
	}
	return nil
}

func (openai) failed(fault string) *failure {
	switch fault {
	case fault429, fault429Date, fault429Odd:
		return &failure{status: http.StatusTooManyRequests, kind: "requests", code: "rate_limit_exceeded", message: "Rate limit reached. Please try again later."}
	case fault401:
		return &failure{status: http.StatusUnauthorized, kind: invalidRequest, code: "invalid_api_key", message: "Incorrect API key provided."}
	case fault400Context:
		return openaiInvalid("messages", "context_length_exceeded", "This model's maximum context length is 8192 tokens. Please reduce the length of the messages.")
	case fault500:
		return &failure{status: http.StatusInternalServerError, kind: "server_error", message: "The server had an error while processing your request."}
	case fault503:
		return &failure{status: http.StatusServiceUnavailable, kind: "server_error", message: "The engine is currently overloaded, please try again later."}
	case fault529:
		return &failure{status: 529, kind: "overloaded_error", message: "Overloaded"}
	}
	return nil
}

func (openai) wire(f *failure) any {
	return object{"error": object{"message": f.message, "type": f.kind, "param": orNull(f.param), "code": orNull(f.code)}}
}

// orNull returns a text, or nil for an empty one.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func (openai) tooLarge() *failure {
	return &failure{status: http.StatusRequestEntityTooLarge, kind: invalidRequest, message: "Maximum content size limit exceeded."}
}

func (openai) unknownPath(r *http.Request) *failure {
	return &failure{status: http.StatusNotFound, kind: invalidRequest, message: "Invalid URL (" + r.Method + " " + r.URL.Path + ")"}
}

func (openai) wrongMethod(r *http.Request) *failure {
	return &failure{status: http.StatusMethodNotAllowed, kind: invalidRequest, code: "method_not_supported", message: "Not allowed to " + r.Method + " on " + r.URL.Path + "."}
}

func (openai) list(models []string) any {
	data := make([]object, len(models))
	for i, model := range models {
		data[i] = object{"id": model, "object": "model", "created": madeAt, "owned_by": "simulator"}
	}
	return object{"object": "list", "data": data}
}

func (a *answer) openaiReason() string {
	switch a.end {
	case byLimit:
		return "length"
	case byCalls:
		return "tool_calls"
	default:
		return "stop"
	}
}

func (a *answer) openaiUsage(q *question) any {
	return object{
		"prompt_tokens": q.prompt, "completion_tokens": len(a.pieces), "total_tokens": q.prompt + len(a.pieces),
		"prompt_tokens_details":     object{"cached_tokens": 0},
		"completion_tokens_details": object{"reasoning_tokens": a.thoughts()},
	}
}

func (a *answer) addresses() []string {
	var addresses []string
	for _, c := range a.citations {
		addresses = append(addresses, c.url)
	}
	return addresses
}

func (openai) whole(q *question, a *answer) any {
	said := object{"role": "assistant", "content": a.all(ofText), "refusal": nil}
	if thoughts := a.all(ofThought); thoughts != "" {
		said["reasoning_content"] = thoughts
	}
	var calls []object
	for _, c := range a.calls() {
		calls = append(calls, object{"id": "call_" + c.id, "type": "function", "function": openaiFunction{c.name, c.arguments}})
	}
	if calls != nil {
		said["content"], said["tool_calls"] = nil, calls
	}
	reason := orNull(a.openaiReason())
	if q.fault == faultNullFinish {
		reason = nil
	}
	choices := []object{{"index": 0, "message": said, "logprobs": nil, "finish_reason": reason}}
	if q.fault == faultEmptyChoices {
		choices = []object{}
	}
	whole := object{
		"id": "chatcmpl-" + a.id, "object": "chat.completion", "created": madeAt, "model": q.model,
		"system_fingerprint": "fp_simulator", "choices": choices,
	}
	if q.fault != faultNoUsage {
		whole["usage"] = a.openaiUsage(q)
	}
	if a.citations != nil {
		whole["citations"] = a.addresses()
	}
	return whole
}

// openaiChunk is an event of a stream.
type openaiChunk struct {
	ID          string         `json:"id"`
	Object      string         `json:"object"`
	Created     int64          `json:"created"`
	Model       string         `json:"model"`
	Fingerprint string         `json:"system_fingerprint"`
	Choices     []openaiChoice `json:"choices"`
	Usage       any            `json:"usage"`
	Citations   []string       `json:"citations,omitempty"`
}

type openaiChoice struct {
	Index    int         `json:"index"`
	Delta    openaiDelta `json:"delta"`
	Logprobs any         `json:"logprobs"`
	Reason   *string     `json:"finish_reason"`
}

type openaiDelta struct {
	Role      string            `json:"role,omitempty"`
	Content   *string           `json:"content,omitempty"`
	Thoughts  string            `json:"reasoning_content,omitempty"`
	ToolCalls []openaiCallDelta `json:"tool_calls,omitempty"`
}

type openaiCallDelta struct {
	Index    int            `json:"index"`
	ID       string         `json:"id,omitempty"`
	Type     string         `json:"type,omitempty"`
	Function openaiFragment `json:"function"`
}

type openaiFragment struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

type openaiTeller struct {
	q     *question
	a     *answer
	chunk openaiChunk // what all chunks share
}

func (openai) teller(q *question, a *answer) teller {
	return &openaiTeller{q: q, a: a, chunk: openaiChunk{
		ID: "chatcmpl-" + a.id, Object: "chat.completion.chunk", Created: madeAt, Model: q.model, Fingerprint: "fp_simulator",
		Citations: a.addresses(),
	}}
}

// event makes one with these choices.
func (t *openaiTeller) event(usage any, choices ...openaiChoice) event {
	chunk := t.chunk
	chunk.Choices, chunk.Usage = choices, usage
	if choices == nil {
		chunk.Choices = []openaiChoice{}
	}
	data, _ := json.Marshal(chunk) // of texts and numbers
	return event{data: data}
}

func (t *openaiTeller) open() []event {
	none := ""
	return []event{t.event(nil, openaiChoice{Delta: openaiDelta{Role: "assistant", Content: &none}})}
}

func (t *openaiTeller) piece(p piece) []event {
	var delta openaiDelta
	switch p.kind {
	case ofThought:
		delta.Thoughts = p.text
	case ofText:
		delta.Content = &p.text
	case ofName:
		delta.ToolCalls = []openaiCallDelta{{Index: p.call, ID: "call_" + p.id, Type: "function", Function: openaiFragment{Name: p.text}}}
	case ofArguments:
		delta.ToolCalls = []openaiCallDelta{{Index: p.call, Function: openaiFragment{Arguments: p.text}}}
	}
	return []event{t.event(nil, openaiChoice{Delta: delta})}
}

func (t *openaiTeller) nothing() event { return t.event(nil) }

func (t *openaiTeller) trouble() event {
	data, _ := json.Marshal(openai{}.wire(openai{}.failed(fault500))) // of texts
	return event{data: data}
}

func (t *openaiTeller) end() []event {
	reason := t.a.openaiReason()
	ending := []event{t.event(nil, openaiChoice{Reason: &reason})}
	if t.q.fault == faultNullFinish {
		ending = append(ending, t.event(nil, openaiChoice{}))
	}
	if t.q.usage && t.q.fault != faultNoUsage {
		ending = append(ending, t.event(t.a.openaiUsage(t.q)))
	}
	return append(ending, event{data: []byte("[DONE]")})
}
