package httpapi

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
)

// openAIChat is a body of Chat Completions. What isn't here is passed over, as OpenAI's libraries send more than they must.
type openAIChat struct {
	Model               string          `json:"model"`
	Messages            []openAIMessage `json:"messages"`
	Tools               []openAITool    `json:"tools"`
	ToolChoice          jsontext.Value  `json:"tool_choice"`
	ParallelToolCalls   *bool           `json:"parallel_tool_calls"`
	ResponseFormat      *openAIFormat   `json:"response_format"`
	Temperature         *float64        `json:"temperature"`
	TopP                *float64        `json:"top_p"`
	MaxTokens           *int            `json:"max_tokens"`
	MaxCompletionTokens *int            `json:"max_completion_tokens"`
	Stop                jsontext.Value  `json:"stop"`
	ReasoningEffort     string          `json:"reasoning_effort"`
	N                   *int            `json:"n"`
	Stream              bool            `json:"stream"`
	StreamOptions       struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`

	call domain.Call // all of it in our words
}

type openAIMessage struct {
	Role       string         `json:"role"`
	Content    jsontext.Value `json:"content"` // a text, parts, or null
	ToolCalls  []ChatCall     `json:"tool_calls"`
	ToolCallID string         `json:"tool_call_id"`
}

type openAIPart struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Refusal  string `json:"refusal"`
	ImageURL struct {
		URL string `json:"url"`
	} `json:"image_url"`
}

type openAITool struct {
	Type     string `json:"type"`
	Function struct {
		Name        string         `json:"name"`
		Description string         `json:"description"`
		Parameters  jsontext.Value `json:"parameters"`
		Strict      *bool          `json:"strict"`
	} `json:"function"`
}

type openAIFormat struct {
	Type       string `json:"type"`
	JSONSchema struct {
		Name   string         `json:"name"`
		Schema jsontext.Value `json:"schema"`
		Strict *bool          `json:"strict"`
	} `json:"json_schema"`
}

// The bounds of what may be asked.
const (
	mostMessages = 2000
	mostTools    = 256
	mostStops    = 4
	longestName  = 255
)

// wrong returns the error for a parameter that is wrong, in OpenAI's way: a 400 that names it.
func wrong(param, message string) error {
	return errs.New(errs.Malformed, message).With("param", param)
}

// unmarshal reads a body. One that doesn't fit is errs.Malformed.
func unmarshal(body []byte, to any) error {
	err := json.Unmarshal(body, to)
	if misfit, ok := errors.AsType[*json.SemanticError](err); ok {
		return wrong(paramOf(misfit.JSONPointer), "A value doesn't fit its type")
	}
	if err != nil {
		return errs.New(errs.Malformed, "The body must be one JSON value in UTF-8 with no name twice")
	}
	return nil
}

// readChat reads a body. What OpenAI would refuse, or nothing here can do, is errs.Malformed with details.param.
func readChat(body []byte) (*openAIChat, error) {
	var asked openAIChat
	if err := unmarshal(body, &asked); err != nil {
		return nil, err
	}
	switch {
	case asked.Model == "" || len(asked.Model) > longestName:
		return nil, wrong("model", "You must name a model or a route")
	case len(asked.Messages) == 0 || len(asked.Messages) > mostMessages:
		return nil, wrong("messages", "There must be 1 to "+strconv.Itoa(mostMessages)+" messages")
	case len(asked.Tools) > mostTools:
		return nil, wrong("tools", "There can be at most "+strconv.Itoa(mostTools)+" tools")
	case asked.N != nil && *asked.N != 1:
		return nil, wrong("n", "There is one answer only")
	case asked.Temperature != nil && !(*asked.Temperature >= 0 && *asked.Temperature <= 2):
		return nil, wrong("temperature", "It must be from 0 to 2")
	case asked.TopP != nil && !(*asked.TopP >= 0 && *asked.TopP <= 1):
		return nil, wrong("top_p", "It must be from 0 to 1")
	}
	call := &asked.call
	call.Temperature, call.TopP = asked.Temperature, asked.TopP
	for _, read := range []func(*openAIChat) error{readMessages, readTools, readToolChoice, readFormat, readLimits} {
		if err := read(&asked); err != nil {
			return nil, err
		}
	}
	return &asked, nil
}

// paramOf returns a JSON pointer as OpenAI names parameters: "/messages/0/role" is "messages[0].role".
func paramOf(pointer jsontext.Pointer) string {
	var name strings.Builder
	for token := range pointer.Tokens() {
		switch {
		case strings.Trim(token, "0123456789") == "":
			name.WriteString("[" + token + "]")
		case name.Len() > 0:
			name.WriteString("." + token)
		default:
			name.WriteString(token)
		}
	}
	return name.String()
}

func readMessages(asked *openAIChat) error {
	for i := range asked.Messages {
		from := &asked.Messages[i]
		param := "messages[" + strconv.Itoa(i) + "]"
		message := domain.Message{Role: domain.Role(from.Role), CallID: from.ToolCallID}
		switch from.Role {
		case "developer":
			message.Role = domain.System
		case "system", "user", "assistant", "tool":
		default:
			return wrong(param+".role", "It must be system, developer, user, assistant or tool")
		}
		var err error
		if message.Parts, err = readContent(from.Content, param+".content"); err != nil {
			return err
		}
		for _, call := range from.ToolCalls {
			message.Calls = append(message.Calls, domain.ToolCall{ID: call.ID, Name: call.Function.Name, Arguments: call.Function.Arguments})
		}
		switch {
		case message.Role != domain.Assistant && len(message.Calls) > 0:
			return wrong(param+".tool_calls", "Only an assistant calls tools")
		case message.Role == domain.ToolRole && message.CallID == "":
			return wrong(param+".tool_call_id", "What a tool returned must name its call")
		case len(message.Parts) == 0 && len(message.Calls) == 0:
			return wrong(param+".content", "It must hold something")
		}
		asked.call.Messages = append(asked.call.Messages, message)
	}
	return nil
}

// readContent reads a text, or parts.
func readContent(content jsontext.Value, param string) ([]domain.Part, error) {
	switch content.Kind() {
	case '"':
		var text string
		_ = json.Unmarshal(content, &text) // it is a string
		return []domain.Part{{Text: text}}, nil
	case '[':
	case 'n', 0:
		return nil, nil
	default:
		return nil, wrong(param, "It must be a text or a list of parts")
	}
	var parts []openAIPart
	if json.Unmarshal(content, &parts) != nil {
		return nil, wrong(param, "It must be a text or a list of parts")
	}
	read := make([]domain.Part, 0, len(parts))
	for i, part := range parts {
		switch part.Type {
		case "text":
			read = append(read, domain.Part{Text: part.Text})
		case "refusal":
			read = append(read, domain.Part{Text: part.Refusal})
		case "image_url":
			if !strings.HasPrefix(part.ImageURL.URL, "https://") && !strings.HasPrefix(part.ImageURL.URL, "data:image/") {
				return nil, wrong(param+"["+strconv.Itoa(i)+"].image_url", "It must be a URL of https, or of data with an image")
			}
			read = append(read, domain.Part{Image: part.ImageURL.URL})
		default:
			return nil, wrong(param+"["+strconv.Itoa(i)+"].type", "It must be text or image_url")
		}
	}
	return read, nil
}

func readTools(asked *openAIChat) error {
	for i, tool := range asked.Tools {
		param := "tools[" + strconv.Itoa(i) + "]"
		switch parameters := tool.Function.Parameters; {
		case tool.Type != "function":
			return wrong(param+".type", "It must be function")
		case tool.Function.Name == "":
			return wrong(param+".function.name", "A function has a name")
		case parameters != nil && parameters.Kind() != '{' && parameters.Kind() != 'n':
			return wrong(param+".function.parameters", "It must be a JSON Schema of an object")
		}
		made := domain.Tool{Name: tool.Function.Name, Description: tool.Function.Description, Strict: tool.Function.Strict != nil && *tool.Function.Strict}
		if tool.Function.Parameters.Kind() == '{' {
			made.Parameters = []byte(tool.Function.Parameters)
		}
		asked.call.Tools = append(asked.call.Tools, made)
	}
	return nil
}

func readToolChoice(asked *openAIChat) error {
	asked.call.Choice.Single = asked.ParallelToolCalls != nil && !*asked.ParallelToolCalls
	choice := &asked.call.Choice
	var mode string
	switch asked.ToolChoice.Kind() {
	case 'n', 0:
		return nil
	case '"':
		_ = json.Unmarshal(asked.ToolChoice, &mode) // it is a string
	case '{':
		var named struct {
			Function struct {
				Name string `json:"name"`
			} `json:"function"`
		}
		if json.Unmarshal(asked.ToolChoice, &named) == nil && slices.ContainsFunc(asked.call.Tools, func(t domain.Tool) bool { return t.Name == named.Function.Name }) {
			choice.Mode, choice.Name = domain.ChooseNamed, named.Function.Name
			return nil
		}
	}
	switch mode {
	case "auto":
	case "none":
		choice.Mode = domain.ChooseNone
	case "required":
		choice.Mode = domain.ChooseRequired
	default:
		return wrong("tool_choice", "It must be auto, none, required, or name one of the tools")
	}
	return nil
}

func readFormat(asked *openAIChat) error {
	if asked.ResponseFormat == nil {
		return nil
	}
	format := &asked.call.Format
	switch schema := asked.ResponseFormat.JSONSchema; asked.ResponseFormat.Type {
	case "text":
	case "json_object":
		format.JSON = true
	case "json_schema":
		if schema.Name == "" || schema.Schema.Kind() != '{' {
			return wrong("response_format.json_schema", "It must have a name, and a schema that is an object")
		}
		*format = domain.Format{JSON: true, Name: schema.Name, Schema: []byte(schema.Schema), Strict: schema.Strict != nil && *schema.Strict}
	default:
		return wrong("response_format.type", "It must be text, json_object or json_schema")
	}
	return nil
}

func readLimits(asked *openAIChat) error {
	for _, limit := range []struct {
		param string
		value *int
	}{{"max_tokens", asked.MaxTokens}, {"max_completion_tokens", asked.MaxCompletionTokens}} {
		if limit.value == nil {
			continue
		}
		if *limit.value < 1 || *limit.value > 1_000_000 {
			return wrong(limit.param, "It must be from 1 to 1000000")
		}
		asked.call.MaxTokens = *limit.value
	}
	switch asked.ReasoningEffort {
	case "", "none", "minimal", "low", "medium", "high":
		asked.call.Effort = strings.Replace(asked.ReasoningEffort, "minimal", "low", 1)
	default:
		return wrong("reasoning_effort", "It must be none, minimal, low, medium or high")
	}
	switch asked.Stop.Kind() {
	case 'n', 0:
		return nil
	case '"':
		asked.call.Stop = []string{""}
		_ = json.Unmarshal(asked.Stop, &asked.call.Stop[0]) // it is a string
	default:
		if json.Unmarshal(asked.Stop, &asked.call.Stop) != nil {
			return wrong("stop", "It must be a text or a list of texts")
		}
	}
	if len(asked.call.Stop) > mostStops || slices.Contains(asked.call.Stop, "") {
		return wrong("stop", "There can be at most 4 texts, none of them empty")
	}
	return nil
}
