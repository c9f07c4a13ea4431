package domain

import "encoding/json"

// Call is what a model is asked, whoever asks and whoever answers.
type Call struct {
	Model       Model
	Messages    []Message
	Tools       []Tool
	Choice      Choice
	Format      Format
	Temperature *float64 // 0 to 2; nil for the model's own
	TopP        *float64 // 0 to 1; nil for the model's own
	MaxTokens   int      // of the answer; 0 for as many as the model gives
	Stop        []string // texts that end the answer
	Effort      string   // how long to think: "none", "low", "medium", "high"; empty for the model's own

	Embed Embed // what vectors are asked for, instead of an answer to messages
}

// Embed asks for the vectors of texts.
type Embed struct {
	Inputs     []string // none when it isn't asked for
	Dimensions int      // how long the vectors shall be; 0 for the model's own length
	Base64     bool     // vectors as texts: their numbers as little-endian float32, in base64
}

// Role says whose message it is.
type Role string

// The roles.
const (
	System    Role = "system"
	User      Role = "user"
	Assistant Role = "assistant"
	ToolRole  Role = "tool" // what a tool returned
)

// Message is a part of a conversation.
type Message struct {
	Role   Role
	Parts  []Part     // in their order; none in an assistant's message that only calls tools
	Calls  []ToolCall // the tools that an assistant called
	CallID string     // the call that a tool's message answers
}

// Part is a text or an image.
type Part struct {
	Text  string
	Image string // its URL, of https or data; empty in a text
}

// Tool is something that a model may call.
type Tool struct {
	Name        string
	Description string
	Parameters  json.RawMessage // a JSON Schema of an object
	Strict      bool            // arguments must fit the schema
}

// ToolCall is a call of a tool.
type ToolCall struct {
	ID        string
	Name      string
	Arguments string // JSON, as the model wrote it
}

// Choice is which tools may be called.
type Choice struct {
	Mode   ChoiceMode
	Name   string // of the tool, with ChooseNamed
	Single bool   // one call at a time
}

// ChoiceMode says whether tools may or must be called.
type ChoiceMode string

// The modes. The zero value leaves it to the model.
const (
	ChooseAuto     ChoiceMode = ""
	ChooseNone     ChoiceMode = "none"
	ChooseRequired ChoiceMode = "required"
	ChooseNamed    ChoiceMode = "named"
)

// Format is the form of an answer: any text, unless JSON is set.
type Format struct {
	JSON   bool
	Name   string          // of the schema
	Schema json.RawMessage // a JSON Schema that the answer must fit; nil for any object
	Strict bool
}

// Result is how a call ended well. A streamed one's texts went to whoever listened, and aren't here.
type Result struct {
	ID        string // the provider's own name for the answer
	Model     string // the model that answered, as the provider says
	Text      string
	Reasoning string
	Calls     []ToolCall
	Citations []string          // URLs
	Vectors   []json.RawMessage // in the order of the inputs: each an array of numbers or, where that is asked for, a text
	Finish    Finish
	Usage     Usage
}

// Finish is why an answer ended.
type Finish string

// The reasons, by OpenAI's names.
const (
	FinishStop   Finish = "stop"
	FinishLength Finish = "length"
	FinishTools  Finish = "tool_calls"
	FinishFilter Finish = "content_filter"
)

// ToolDelta is a piece of a tool call in a stream. The first piece of each has its id and name.
type ToolDelta struct {
	Index     int // which call of the answer, from 0
	ID        string
	Name      string
	Arguments string
}
