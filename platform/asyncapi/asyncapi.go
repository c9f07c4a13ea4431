// Package asyncapi describes the events of the product as an AsyncAPI 3.0 document
// (https://www.asyncapi.com/docs/reference/specification/v3.0.0). It is made from the modules' Descriptors and from the Go
// types of their events, so that it says what is published and who listens, and nothing else.
package asyncapi

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/module"
)

// The parts of the document. Everything that is used twice is a reference.
type (
	document struct {
		AsyncAPI           string               `json:"asyncapi"`
		Info               info                 `json:"info"`
		DefaultContentType string               `json:"defaultContentType"`
		Channels           map[string]channel   `json:"channels"`
		Operations         map[string]operation `json:"operations"`
		Components         components           `json:"components"`
	}
	info struct {
		Title       string `json:"title"`
		Version     string `json:"version"`
		Description string `json:"description"`
	}
	channel struct {
		Address  string               `json:"address"`
		Messages map[string]reference `json:"messages"`
	}
	operation struct {
		Action   string      `json:"action"` // send or receive
		Channel  reference   `json:"channel"`
		Messages []reference `json:"messages"`
		Title    string      `json:"title"`
		Summary  string      `json:"summary,omitempty"`
		Tags     []tag       `json:"tags"`
	}
	tag struct {
		Name string `json:"name"`
	}
	components struct {
		Messages map[string]message `json:"messages"`
		Traits   map[string]trait   `json:"messageTraits"`
		Schemas  map[string]*Schema `json:"schemas"`
	}
	message struct {
		Name    string      `json:"name"`
		Title   string      `json:"title"`
		Traits  []reference `json:"traits"`
		Payload reference   `json:"payload"`
	}
	trait struct {
		ContentType string  `json:"contentType"`
		Headers     *Schema `json:"headers"`
	}
	reference struct {
		Ref string `json:"$ref"`
	}
)

const (
	media     = "application/json"
	traitName = "cloudevents"
)

// about is the introduction of the document.
const about = "What happened, in words that last. A version of an event only ever gains fields that readers may do without; " +
	"what breaks a reader is a new version under a new name. An event can arrive twice and out of order: its id says which it " +
	"is, and the version of its subject says which is newer."

// Document returns the document as JSON: a channel and an operation for every event that the modules publish, and an operation
// for each of their consumers. It returns an error if an event has no flat payload or two publishers, or if a consumer waits
// for what nobody publishes.
func Document(title, version string, modules []module.Descriptor) ([]byte, error) {
	doc := document{
		AsyncAPI: "3.0.0", Info: info{Title: title, Version: version, Description: about}, DefaultContentType: media,
		Channels: map[string]channel{}, Operations: map[string]operation{},
		Components: components{
			Messages: map[string]message{}, Schemas: map[string]*Schema{},
			Traits: map[string]trait{traitName: {ContentType: media, Headers: envelope()}},
		},
	}
	for _, m := range modules {
		for _, event := range m.Publishes {
			if err := doc.add(m.Name, event); err != nil {
				return nil, err
			}
		}
	}
	for _, m := range modules {
		for _, consumer := range m.Consumes {
			if _, published := doc.Channels[consumer.Event]; !published {
				return nil, fmt.Errorf("%s waits for %s, which nobody publishes", consumer.Name, consumer.Event)
			}
			id := "receive." + consumer.Name
			if _, twice := doc.Operations[id]; twice {
				return nil, fmt.Errorf("two consumers are called %s", consumer.Name)
			}
			doc.Operations[id] = on(consumer.Event, operation{Action: "receive", Title: consumer.Name, Summary: consumer.Summary, Tags: []tag{{m.Name}}})
		}
	}
	return json.MarshalIndent(doc, "", "  ")
}

// add adds an event that a module publishes.
func (d *document) add(module string, event events.Event) error {
	name := event.EventName()
	if _, twice := d.Channels[name]; twice {
		return fmt.Errorf("%s is published twice", name)
	}
	payload, err := PayloadSchema(event)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	d.Channels[name] = channel{Address: name, Messages: map[string]reference{name: {"#/components/messages/" + name}}}
	d.Operations["send."+name] = on(name, operation{Action: "send", Title: name, Tags: []tag{{module}}})
	d.Components.Schemas[name] = payload
	d.Components.Messages[name] = message{
		Name: name, Title: titleOf(name),
		Traits:  []reference{{"#/components/messageTraits/" + traitName}},
		Payload: reference{"#/components/schemas/" + name},
	}
	return nil
}

// on returns the operation with what it sends or receives.
func on(event string, o operation) operation {
	o.Channel = reference{"#/channels/" + event}
	o.Messages = []reference{{o.Channel.Ref + "/messages/" + event}}
	return o
}

// titleOf returns an event's name for reading: "users.user_registered.v1" is "User registered".
func titleOf(event string) string {
	parts := strings.Split(event, ".")
	words := strings.ReplaceAll(parts[min(1, len(parts)-1)], "_", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// envelope returns the schema of what travels beside a payload, events.Envelope.
func envelope() *Schema {
	text := func(description string) *Schema { return &Schema{Type: "string", Description: description} }
	attributes := map[string]*Schema{
		"specversion":      {Type: "string", Const: "1.0", Description: "The version of CloudEvents."},
		"id":               text("Which event it is: the same whenever it arrives again."),
		"source":           {Type: "string", Format: "uri-reference", Description: "Where it happened."},
		"type":             text("The name of the event, with its version."),
		"subject":          text("The id of what it happened to."),
		"time":             {Type: "string", Format: "date-time", Description: "When it was published, in UTC."},
		"datacontenttype":  {Type: "string", Const: media, Description: "What the payload is written in."},
		"aggregateversion": {Type: "string", Pattern: "^[0-9]+$", Description: "The version that it made of its subject. Versions grow."},
		"correlationid":    text("The id of the request that led to it. Empty or missing if none did."),
		"actor":            text("The id of the user who made that request. Empty or missing if none did."),
		"traceparent":      text("The trace of that request, as W3C Trace Context has it. Empty or missing if there is none."),
	}
	return &Schema{
		Type: "object", Properties: attributes,
		Description: "The attributes of CloudEvents 1.0, and four extensions of it.",
		Required:    []string{"specversion", "id", "source", "type", "subject", "time", "datacontenttype"},
	}
}
