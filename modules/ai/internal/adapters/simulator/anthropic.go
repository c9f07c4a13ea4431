package simulator

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// anthropic is the dialect of Anthropic's Messages: https://docs.claude.com/en/api/messages
type anthropic struct{}

func (anthropic) name() string { return "anthropic" }

func (anthropic) authorise(r *http.Request) *failure {
	switch {
	case r.Header.Get("X-Api-Key") == "":
		return &failure{status: http.StatusUnauthorized, kind: "authentication_error", message: "x-api-key header is required"}
	case r.Header.Get("Anthropic-Version") == "":
		return anthropicInvalid("anthropic-version: header is required")
	}
	return nil
}

type anthropicRequest struct {
	Model         string             `json:"model"`
	MaxTokens     *int               `json:"max_tokens"`
	Messages      []anthropicMessage `json:"messages"`
	System        json.RawMessage    `json:"system"` // a text or a list of blocks
	Stream        bool               `json:"stream"`
	StopSequences []string           `json:"stop_sequences"`
	Temperature   *float64           `json:"temperature"`
	Tools         []anthropicTool    `json:"tools"`
	ToolChoice    *anthropicChoice   `json:"tool_choice"`
	OutputConfig  *struct {
		Format *anthropicFormat `json:"format"`
	} `json:"output_config"`
}

type anthropicFormat struct {
	Type   string  `json:"type"`
	Schema *schema `json:"schema"`
}

type anthropicMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"` // a text or a list of blocks
}

type anthropicTool struct {
	Type   string  `json:"type"` // empty and custom are the caller's own
	Name   string  `json:"name"`
	Schema *schema `json:"input_schema"`
}

type anthropicChoice struct {
	Type   string `json:"type"`
	Name   string `json:"name"`
	Single bool   `json:"disable_parallel_tool_use"`
}

type anthropicBlock struct {
	Type      string          `json:"type"`
	Text      string          `json:"text"`
	Source    anthropicSource `json:"source"`
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Input     json.RawMessage `json:"input"`
	ToolUseID string          `json:"tool_use_id"`
	Content   json.RawMessage `json:"content"` // of a result: a text or a list of blocks
}

type anthropicSource struct {
	Type      string `json:"type"`
	MediaType string `json:"media_type"`
	Data      string `json:"data"`
	URL       string `json:"url"`
}

func anthropicInvalid(message string) *failure {
	return &failure{status: http.StatusBadRequest, kind: invalidRequest, message: message}
}

// parse reads a request in the order in which Anthropic finds fault with one.
func (anthropic) parse(body []byte, q *question) *failure {
	var in anthropicRequest
	err := json.Unmarshal(body, &in)
	q.model, q.stream = in.Model, in.Stream
	if wrong, is := errors.AsType[*json.UnmarshalTypeError](err); is {
		return anthropicInvalid(wrong.Field + ": Input should be a valid value, not " + wrong.Value)
	}
	switch {
	case err != nil:
		return anthropicInvalid("The request body is not valid JSON.")
	case in.Model == "":
		return anthropicInvalid("model: Field required")
	case in.MaxTokens == nil:
		return anthropicInvalid("max_tokens: Field required")
	case *in.MaxTokens < 1:
		return anthropicInvalid("max_tokens: Input should be greater than or equal to 1")
	case in.Messages == nil:
		return anthropicInvalid("messages: Field required")
	case len(in.Messages) == 0:
		return anthropicInvalid("messages: at least one message is required")
	case in.Model == embedding || !slices.Contains(catalog(), in.Model):
		return &failure{status: http.StatusNotFound, kind: "not_found_error", message: "model: " + in.Model}
	case in.Temperature != nil && in.Model == reasoning:
		return anthropicInvalid("`temperature` is not supported by this model.")
	case in.Temperature != nil && (*in.Temperature < 0 || *in.Temperature > 1):
		return anthropicInvalid("temperature: range: 0..1")
	}
	q.limit, q.stops = *in.MaxTokens, in.StopSequences
	for _, read := range []func(*question) *failure{in.messages, in.tools, in.format} {
		if failed := read(q); failed != nil {
			return failed
		}
	}
	q.weigh()
	return nil
}

func (in *anthropicRequest) messages(q *question) *failure {
	if len(in.System) > 0 && string(in.System) != "null" {
		system := message{role: "system"}
		if failed := blocks(in.System, "system", &system); failed != nil {
			return failed
		}
		q.messages = append(q.messages, system)
	}
	before := len(q.messages)
	for i, m := range in.Messages {
		at := fmt.Sprintf("messages.%d", i)
		if m.Role != "user" && m.Role != "assistant" {
			return anthropicInvalid(at + ".role: Input should be 'user' or 'assistant'")
		}
		read := message{role: m.Role}
		if failed := blocks(m.Content, at+".content", &read); failed != nil {
			return failed
		}
		q.messages = append(q.messages, read)
	}
	switch wrong := mismatched(q.messages); {
	case wrong == nil:
		return nil
	case wrong.isStray:
		return anthropicInvalid(fmt.Sprintf("messages.%d: unexpected `tool_use_id` found in `tool_result` blocks: %s. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.", wrong.message-before, wrong.call))
	default:
		return anthropicInvalid(fmt.Sprintf("messages.%d: `tool_use` ids were found without `tool_result` blocks immediately after: %s. Each `tool_use` block must have a corresponding `tool_result` block in the next message.", wrong.message-before, wrong.call))
	}
}

// blocks reads a text or a list of blocks into a message.
func blocks(content json.RawMessage, at string, read *message) *failure {
	var text string
	if len(content) > 0 && string(content) != "null" && json.Unmarshal(content, &text) == nil {
		read.text += text
		return nil
	}
	var all []anthropicBlock
	if json.Unmarshal(content, &all) != nil || all == nil {
		return anthropicInvalid(at + ": Input should be a valid string or list")
	}
	for i, block := range all {
		if failed := block.read(fmt.Sprintf("%s.%d", at, i), read); failed != nil {
			return failed
		}
	}
	return nil
}

func (b *anthropicBlock) read(at string, read *message) *failure {
	fromUser := read.role == "user"
	switch {
	case b.Type == "text":
		read.text += b.Text
	case b.Type == "image" && fromUser:
		return b.Source.read(at, read)
	case b.Type == "tool_use" && read.role == "assistant":
		read.calls = append(read.calls, toolCall{id: b.ID, name: b.Name, arguments: compact(b.Input)})
	case (b.Type == "thinking" || b.Type == "redacted_thinking") && read.role == "assistant":
		// What was thought before is neither read again nor counted.
	case b.Type == "tool_result" && fromUser:
		read.results = append(read.results, b.ToolUseID)
		if len(b.Content) > 0 {
			return blocks(b.Content, at+".content", read)
		}
	default:
		return anthropicInvalid(at + ": Input tag '" + b.Type + "' does not match any of the expected tags")
	}
	return nil
}

func (s *anthropicSource) read(at string, read *message) *failure {
	switch {
	case s.Type == "url" && strings.HasPrefix(s.URL, "https://"):
		read.images = append(read.images, s.URL)
	case s.Type == "base64" && s.Data != "" && strings.HasPrefix(s.MediaType, "image/"):
		if _, err := base64.StdEncoding.DecodeString(s.Data); err != nil {
			return anthropicInvalid(at + ".image.source.base64.data: invalid base64 data")
		}
		read.images = append(read.images, "data:"+s.MediaType+";base64,"+s.Data)
	default:
		return anthropicInvalid(at + ".image.source: Input should be a base64 image or an https URL")
	}
	return nil
}

// compact returns JSON without space, and nothing for none.
func compact(text json.RawMessage) string {
	var out bytes.Buffer
	_ = json.Compact(&out, text) // it was read as JSON before
	return out.String()
}

func (in *anthropicRequest) tools(q *question) *failure {
	for i, t := range in.Tools {
		switch {
		case t.Type != "" && t.Type != "custom": // a tool of the provider's own, which has nothing to do here
		case t.Name == "":
			return anthropicInvalid(fmt.Sprintf("tools.%d.custom.name: Field required", i))
		case t.Schema == nil:
			return anthropicInvalid(fmt.Sprintf("tools.%d.custom.input_schema: Field required", i))
		default:
			q.tools = append(q.tools, tool{name: t.Name, schema: t.Schema})
		}
	}
	chosen := in.ToolChoice
	switch {
	case chosen == nil:
	case len(in.Tools) == 0:
		return anthropicInvalid("tool_choice: may only be specified while providing tools")
	case chosen.Type == "auto":
	case chosen.Type == "none":
		q.choice.how = choiceNone
	case chosen.Type == "any":
		q.choice.how = choiceForced
	case chosen.Type == "tool" && q.offers(chosen.Name):
		q.choice = choice{how: choiceForced, name: chosen.Name}
	default:
		return anthropicInvalid("tool_choice: Input should be auto, any, none or a tool that is specified")
	}
	q.one = chosen != nil && chosen.Single
	return nil
}

func (in *anthropicRequest) format(q *question) *failure {
	switch {
	case in.OutputConfig == nil || in.OutputConfig.Format == nil:
	case in.OutputConfig.Format.Type != "json_schema" || in.OutputConfig.Format.Schema == nil:
		return anthropicInvalid("output_config.format: Input should be a json_schema with a schema")
	default:
		q.shape = in.OutputConfig.Format.Schema
	}
	return nil
}

func (anthropic) failed(fault string) *failure {
	switch fault {
	case fault429, fault429Date, fault429Odd:
		return &failure{status: http.StatusTooManyRequests, kind: "rate_limit_error", message: "This request would exceed your rate limit."}
	case fault401:
		return &failure{status: http.StatusUnauthorized, kind: "authentication_error", message: "invalid x-api-key"}
	case fault400Context:
		return anthropicInvalid("prompt is too long: 200001 tokens > 200000 maximum")
	case fault500:
		return &failure{status: http.StatusInternalServerError, kind: "api_error", message: "Internal server error"}
	case fault503:
		return &failure{status: http.StatusServiceUnavailable, kind: "api_error", message: "Service unavailable"}
	case fault529:
		return &failure{status: 529, kind: "overloaded_error", message: "Overloaded"}
	}
	return nil
}

func (anthropic) wire(f *failure) any {
	return object{"type": "error", "error": object{"type": f.kind, "message": f.message}, "request_id": "req_simulator"}
}

func (anthropic) tooLarge() *failure {
	return &failure{status: http.StatusRequestEntityTooLarge, kind: "request_too_large", message: "Request exceeds the maximum size"}
}

func (anthropic) unknownPath(*http.Request) *failure {
	return &failure{status: http.StatusNotFound, kind: "not_found_error", message: "Not Found"}
}

func (anthropic) wrongMethod(*http.Request) *failure {
	return &failure{status: http.StatusMethodNotAllowed, kind: invalidRequest, message: "Method Not Allowed"}
}

func (anthropic) list(models []string) any {
	data := make([]object, len(models))
	for i, model := range models {
		data[i] = object{"type": "model", "id": model, "display_name": model, "created_at": "2026-01-01T00:00:00Z"}
	}
	return object{"data": data, "has_more": false, "first_id": models[0], "last_id": models[len(models)-1]}
}

func (a *answer) anthropicReason() string {
	switch a.end {
	case byLimit:
		return "max_tokens"
	case byCalls:
		return "tool_use"
	case byStop:
		return "stop_sequence"
	default:
		return "end_turn"
	}
}

func anthropicUsage(q *question, output int) object {
	return object{
		"input_tokens": q.prompt, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": output,
	}
}

// signature stands for the proof that a thought is the model's.
func (a *answer) signature() string {
	return base64.StdEncoding.EncodeToString([]byte("signed " + a.id))
}

func (c citation) anthropic() object {
	return object{
		"type": "web_search_result_location", "url": c.url, "title": c.title, "cited_text": c.title, "encrypted_index": "simulator",
	}
}

func (anthropic) whole(q *question, a *answer) any {
	content := []object{}
	if thoughts := a.all(ofThought); thoughts != "" {
		content = append(content, object{"type": "thinking", "thinking": thoughts, "signature": a.signature()})
	}
	if text := a.all(ofText); text != "" {
		block := object{"type": "text", "text": text}
		if a.citations != nil {
			block["citations"] = a.anthropicCitations()
		}
		content = append(content, block)
	}
	for _, c := range a.calls() {
		input := json.RawMessage(c.arguments)
		if !json.Valid(input) { // cut by the limit
			input = json.RawMessage("{}")
		}
		content = append(content, object{"type": "tool_use", "id": "toolu_" + c.id, "name": c.name, "input": input})
	}
	if q.fault == faultEmptyChoices {
		content = []object{}
	}
	reason := orNull(a.anthropicReason())
	if q.fault == faultNullFinish {
		reason = nil
	}
	whole := a.anthropicStart(q)
	whole["content"], whole["stop_reason"], whole["stop_sequence"] = content, reason, orNull(a.stop)
	if q.fault != faultNoUsage {
		whole["usage"] = anthropicUsage(q, len(a.pieces))
	}
	return whole
}

func (a *answer) anthropicCitations() []object {
	var all []object
	for _, c := range a.citations {
		all = append(all, c.anthropic())
	}
	return all
}

// anthropicStart returns a message without content.
func (a *answer) anthropicStart(q *question) object {
	return object{
		"id": "msg_" + a.id, "type": "message", "role": "assistant", "model": q.model, "content": []object{},
		"stop_reason": nil, "stop_sequence": nil,
	}
}

// anthropicDelta is a part of a block.
type anthropicDelta struct {
	Type      string  `json:"type"`
	Text      *string `json:"text,omitempty"`
	Thinking  *string `json:"thinking,omitempty"`
	Signature string  `json:"signature,omitempty"`
	Partial   *string `json:"partial_json,omitempty"`
	Citation  object  `json:"citation,omitempty"`
}

// anthropicEvent is an event about a block.
type anthropicEvent struct {
	Type  string          `json:"type"`
	Index int             `json:"index"`
	Start object          `json:"content_block,omitempty"`
	Delta *anthropicDelta `json:"delta,omitempty"`
}

type anthropicTeller struct {
	q     *question
	a     *answer
	block int  // the index of the one that is open, or -1
	kind  kind // of the open block: ofThought, ofText or ofName
}

func (anthropic) teller(q *question, a *answer) teller {
	return &anthropicTeller{q: q, a: a, block: -1}
}

func named(name string, data any) event {
	text, _ := json.Marshal(data) // of maps, texts and numbers
	return event{name: name, data: text}
}

func (t *anthropicTeller) open() []event {
	start := t.a.anthropicStart(t.q)
	if t.q.fault != faultNoUsage {
		start["usage"] = anthropicUsage(t.q, 1) // what it is in the end is told there
	}
	return []event{
		named("message_start", object{"type": "message_start", "message": start}),
		named("ping", object{"type": "ping"}),
	}
}

func (t *anthropicTeller) piece(p piece) []event {
	var told []event
	if p.kind == ofName || p.kind != ofArguments && (t.block < 0 || p.kind != t.kind) {
		told = t.close()
		t.block, t.kind = t.block+1, p.kind
		told = append(told, t.start(p))
	}
	if p.kind != ofName {
		told = append(told, t.delta(p.text))
	}
	return told
}

func (t *anthropicTeller) start(p piece) event {
	var block object
	switch p.kind {
	case ofThought:
		block = object{"type": "thinking", "thinking": "", "signature": ""}
	case ofName, ofArguments:
		block = object{"type": "tool_use", "id": "toolu_" + p.id, "name": p.text, "input": object{}}
	case ofText:
		block = object{"type": "text", "text": ""}
		if t.a.citations != nil {
			block["citations"] = []object{}
		}
	}
	return named("content_block_start", anthropicEvent{Type: "content_block_start", Index: t.block, Start: block})
}

// delta brings text to the block that is open.
func (t *anthropicTeller) delta(text string) event {
	switch t.kind {
	case ofThought:
		return t.part(&anthropicDelta{Type: "thinking_delta", Thinking: &text})
	case ofText:
		return t.part(&anthropicDelta{Type: "text_delta", Text: &text})
	default:
		return t.part(&anthropicDelta{Type: "input_json_delta", Partial: &text})
	}
}

func (t *anthropicTeller) part(delta *anthropicDelta) event {
	return named("content_block_delta", anthropicEvent{Type: "content_block_delta", Index: t.block, Delta: delta})
}

// close ends the block that is open, if one is.
func (t *anthropicTeller) close() []event {
	if t.block < 0 {
		return nil
	}
	var told []event
	switch t.kind {
	case ofThought:
		told = append(told, t.part(&anthropicDelta{Type: "signature_delta", Signature: t.a.signature()}))
	case ofText:
		for _, c := range t.a.citations {
			told = append(told, t.part(&anthropicDelta{Type: "citations_delta", Citation: c.anthropic()}))
		}
	case ofName, ofArguments:
	}
	return append(told, named("content_block_stop", anthropicEvent{Type: "content_block_stop", Index: t.block}))
}

func (t *anthropicTeller) nothing() event { return t.delta("") }

func (t *anthropicTeller) trouble() event {
	return named("error", anthropic{}.wire(anthropic{}.failed(fault529)))
}

func (t *anthropicTeller) end() []event {
	ending := append(t.close(), t.result(t.a.anthropicReason()))
	if t.q.fault == faultNullFinish {
		ending = append(ending, t.result(""))
	}
	return append(ending, named("message_stop", object{"type": "message_stop"}))
}

// result tells how it ended; an empty reason is none.
func (t *anthropicTeller) result(reason string) event {
	result := object{
		"type": "message_delta", "delta": object{"stop_reason": orNull(reason), "stop_sequence": orNull(t.a.stop)},
	}
	if t.q.fault != faultNoUsage {
		result["usage"] = anthropicUsage(t.q, len(t.a.pieces))
	}
	return named("message_delta", result)
}
