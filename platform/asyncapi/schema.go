package asyncapi

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/omnistack/omnistack/platform/events"
)

// Schema is a JSON Schema. What it says reads the same in the version 2020-12 as in the dialect of AsyncAPI 3, which grew
// out of draft 7.
type Schema struct {
	Type        any                `json:"type,omitempty"` // the name of a type, or a list of two
	Format      string             `json:"format,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	Const       string             `json:"const,omitempty"`
	Description string             `json:"description,omitempty"`
	Properties  map[string]*Schema `json:"properties,omitempty"`
	Required    []string           `json:"required,omitempty"`
}

var jsonName = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// PayloadSchema returns the schema of an event's payload, made from its type. Fields that are pointers or omitempty are
// optional, and fields that it doesn't name are allowed: a version may gain some. It returns an error for a type that isn't
// flat: a struct with JSON names in snake_case for texts, whole numbers, booleans and times.
func PayloadSchema(event events.Event) (*Schema, error) {
	payload := reflect.TypeOf(event)
	if payload == nil || payload.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%T isn't a struct", event)
	}
	schema := &Schema{Type: "object", Properties: map[string]*Schema{}, Required: []string{}}
	for field := range payload.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous || !field.IsExported():
			return nil, fmt.Errorf("%s.%s is embedded or not exported", payload, field.Name)
		case !jsonName.MatchString(name):
			return nil, fmt.Errorf("%s.%s has no JSON name in snake_case", payload, field.Name)
		case options != "" && options != "omitempty" && options != "omitzero":
			return nil, fmt.Errorf("%s.%s has the JSON option %s", payload, field.Name, options)
		case schema.Properties[name] != nil:
			return nil, fmt.Errorf("%s has two fields called %s", payload, name)
		}
		property, optional := schemaOf(field.Type)
		if property == nil {
			return nil, fmt.Errorf("%s.%s is a %s: only texts, whole numbers, booleans and times are flat", payload, field.Name, field.Type)
		}
		schema.Properties[name] = property
		if !optional && options == "" {
			schema.Required = append(schema.Required, name)
		}
	}
	return schema, nil
}

// schemaOf returns the schema of a field, nil if the type isn't flat, and whether a payload can do without the field.
func schemaOf(field reflect.Type) (schema *Schema, optional bool) {
	if field.Kind() == reflect.Pointer {
		schema, optional := schemaOf(field.Elem())
		if schema == nil || optional {
			return nil, true
		}
		schema.Type = []any{schema.Type, "null"}
		return schema, true
	}
	if field == reflect.TypeFor[time.Time]() {
		return &Schema{Type: "string", Format: "date-time"}, false
	}
	if field.Implements(reflect.TypeFor[json.Marshaler]()) || field.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return nil, false
	}
	switch field.Kind() {
	case reflect.String:
		return &Schema{Type: "string"}, false
	case reflect.Bool:
		return &Schema{Type: "boolean"}, false
	case reflect.Int, reflect.Int64:
		return &Schema{Type: "integer", Format: "int64"}, false
	default:
		return nil, false
	}
}
