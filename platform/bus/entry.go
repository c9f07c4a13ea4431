package bus

import (
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"
)

// entryFormat writes an event as an entry of a stream, and reads it: each attribute of CloudEvents 1.0 is a field, and data is
// the payload as JSON (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md). Any other service can read that.
type entryFormat struct{}

// The fields that aren't in a message's metadata.
const (
	fieldID      = "id"
	fieldSource  = "source"
	fieldVersion = "specversion"
	fieldType    = "datacontenttype"
	fieldData    = "data"
)

// Marshal returns the fields. An attribute without a value is left out, as CloudEvents wants it.
func (entryFormat) Marshal(_ string, msg *message.Message) (map[string]any, error) {
	owner, _, _ := strings.Cut(msg.Metadata.Get(metaName), ".")
	fields := map[string]any{
		fieldID: msg.UUID, fieldSource: "omnistack/" + owner, fieldVersion: "1.0", fieldType: "application/json",
		fieldData: string(msg.Payload),
	}
	for name, value := range msg.Metadata {
		if value != "" {
			fields[name] = value
		}
	}
	return fields, nil
}

// Unmarshal returns the message, and never an error: that would end the subscription, and each one after it. An entry that
// can't be read is a message that is no event, which is counted and passed over.
func (entryFormat) Unmarshal(values map[string]any) (*message.Message, error) {
	text := func(name string) string {
		value, _ := values[name].(string)
		return value
	}
	msg := message.NewMessage(text(fieldID), message.Payload(text(fieldData)))
	for _, name := range []string{metaName, metaAggregate, metaVersion, metaTime, metaCorrelation, metaActor, metaTrace} {
		msg.Metadata.Set(name, text(name))
	}
	return msg, nil
}
