package simulator

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// schema is what is read of a JSON Schema: https://json-schema.org/draft/2020-12. Patterns are not heeded.
type schema struct {
	Type             json.RawMessage    `json:"type"` // a name or a list of them
	Properties       map[string]*schema `json:"properties"`
	Required         []string           `json:"required"`
	Items            *schema            `json:"items"`
	MinItems         int                `json:"minItems"`
	Enum             []json.RawMessage  `json:"enum"`
	Const            json.RawMessage    `json:"const"`
	Format           string             `json:"format"`
	MinLength        int                `json:"minLength"`
	MaxLength        *int               `json:"maxLength"`
	Minimum          *float64           `json:"minimum"`
	ExclusiveMinimum *float64           `json:"exclusiveMinimum"`
	Maximum          *float64           `json:"maximum"`
	ExclusiveMaximum *float64           `json:"exclusiveMaximum"`
	MultipleOf       float64            `json:"multipleOf"`
	AnyOf            []*schema          `json:"anyOf"`
	OneOf            []*schema          `json:"oneOf"`
	AllOf            []*schema          `json:"allOf"`
	Ref              string             `json:"$ref"`
	Defs             map[string]*schema `json:"$defs"`
	Definitions      map[string]*schema `json:"definitions"`
}

// UnmarshalJSON takes true and false too, which are schemas that say nothing here.
func (s *schema) UnmarshalJSON(text []byte) error {
	if text = bytes.TrimSpace(text); string(text) == "true" || string(text) == "false" {
		return nil
	}
	type plain schema
	return json.Unmarshal(text, (*plain)(s))
}

// How deep a sample goes and how many schemas it is made of. What needs itself for ever, or grows with each level, ends
// with null there.
const (
	deepest = 12
	most    = 5000
)

// sample returns a JSON object with what a schema requires, with a space between its members, so that it has words. nil
// is a schema that requires nothing.
func (s *schema) sample(roll *dice) string {
	if s == nil {
		return "{}"
	}
	made := sampler{root: s, roll: roll}
	made.object(s, 0)
	return made.out.String()
}

type sampler struct {
	root *schema
	roll *dice
	out  strings.Builder
	seen int // schemas
}

// enough tells whether a sample is as large as it may get.
func (m *sampler) enough(depth int) bool {
	m.seen++
	return depth > deepest || m.seen > most
}

func (m *sampler) value(s *schema, depth int) {
	if s == nil {
		s = &schema{}
	}
	if m.enough(depth) {
		m.out.WriteString("null")
		return
	}
	switch {
	case s.Ref != "":
		m.value(m.resolve(s.Ref), depth+1)
	case len(s.Const) > 0:
		m.literal(s.Const)
	case len(s.Enum) > 0:
		m.literal(s.Enum[m.roll.roll(len(s.Enum))])
	case len(s.AnyOf) > 0:
		m.value(s.AnyOf[0], depth+1)
	case len(s.OneOf) > 0:
		m.value(s.OneOf[0], depth+1)
	default:
		m.typed(s, depth)
	}
}

func (m *sampler) typed(s *schema, depth int) {
	switch s.kind() {
	case "object":
		m.object(s, depth)
	case "array":
		m.array(s, depth)
	case "integer", "number":
		m.out.WriteString(s.number(m.roll))
	case "boolean":
		m.out.WriteString(strconv.FormatBool(m.roll.roll(2) == 0))
	case "null":
		m.out.WriteString("null")
	default:
		m.literal(quoted(s.text(m.roll)))
	}
}

// kind returns the type of a value: the first that isn't null, or what the keywords tell.
func (s *schema) kind() string {
	var name string
	var names []string
	if json.Unmarshal(s.Type, &name) == nil {
		return name
	}
	if json.Unmarshal(s.Type, &names) == nil && len(names) > 0 {
		if at := slices.IndexFunc(names, func(name string) bool { return name != "null" }); at >= 0 {
			return names[at]
		}
		return "null"
	}
	switch {
	case s.Properties != nil || len(s.Required) > 0 || len(s.AllOf) > 0:
		return "object"
	case s.Items != nil:
		return "array"
	case s.Minimum != nil || s.Maximum != nil:
		return "number"
	}
	return "string"
}

// object writes the properties that are required, by the schema and by all that it is made of, in their order.
func (m *sampler) object(s *schema, depth int) {
	required, properties := m.members(s, depth)
	m.out.WriteByte('{')
	for i, name := range required {
		if i > 0 {
			m.out.WriteString(", ")
		}
		m.literal(quoted(name))
		m.out.WriteString(": ")
		m.value(properties[name], depth+1)
	}
	m.out.WriteByte('}')
}

func (m *sampler) members(s *schema, depth int) (required []string, properties map[string]*schema) {
	required, properties = slices.Clone(s.Required), maps.Clone(s.Properties)
	if properties == nil {
		properties = map[string]*schema{}
	}
	parts := s.AllOf
	if s.Ref != "" {
		parts = append(slices.Clone(parts), m.resolve(s.Ref))
	}
	for _, part := range parts {
		if part == nil || m.enough(depth) {
			continue
		}
		more, theirs := m.members(part, depth+1)
		required = append(required, more...)
		maps.Copy(properties, theirs)
	}
	seen := map[string]bool{}
	required = slices.DeleteFunc(required, func(name string) bool {
		again := seen[name]
		seen[name] = true
		return again
	})
	return required, properties
}

// longestList is how many items a schema can make a sample have.
const longestList = 16

func (m *sampler) array(s *schema, depth int) {
	m.out.WriteByte('[')
	for i := range min(max(1, s.MinItems), longestList) {
		if i > 0 {
			m.out.WriteString(", ")
		}
		m.value(s.Items, depth+1)
	}
	m.out.WriteByte(']')
}

// resolve returns the schema at #, #/$defs/name or #/definitions/name, nil for any other place.
func (m *sampler) resolve(ref string) *schema {
	if ref == "#" {
		return m.root
	}
	if name, is := strings.CutPrefix(ref, "#/$defs/"); is {
		return m.root.Defs[name]
	}
	if name, is := strings.CutPrefix(ref, "#/definitions/"); is {
		return m.root.Definitions[name]
	}
	return nil
}

// literal writes a value as it was given.
func (m *sampler) literal(text []byte) {
	var compact bytes.Buffer
	_ = json.Compact(&compact, text) // it was read as JSON before
	m.out.Write(compact.Bytes())
}

func quoted(text string) []byte {
	value, _ := json.Marshal(text) // of a text
	return value
}

func (s *schema) text(roll *dice) string {
	switch s.Format {
	case "date":
		return "2026-01-0" + strconv.Itoa(1+roll.roll(9))
	case "date-time":
		return "2026-01-0" + strconv.Itoa(1+roll.roll(9)) + "T12:00:00Z"
	case "time":
		return "12:00:00Z"
	case "email":
		return roll.noun() + "@example.com"
	case "uri", "url":
		return "https://example.com/" + roll.noun()
	case "uuid":
		return "00000000-0000-4000-8000-00000000000" + strconv.Itoa(roll.roll(10))
	}
	text := roll.few()
	for len(text) < min(s.MinLength, longestText) {
		text += " " + roll.noun()
	}
	if s.MaxLength != nil && len(text) > max(0, *s.MaxLength) {
		text = text[:max(0, *s.MaxLength)]
	}
	return text
}

// longestText is how many bytes a schema can make a text have.
const longestText = 10_000

// number returns one between the bounds: a whole one, where one lies there.
func (s *schema) number(roll *dice) string {
	low, high := s.bounds()
	value := math.Ceil(low)
	if step := s.MultipleOf; step > 0 {
		value = math.Ceil(low/step) * step
	} else if room := math.Floor(high) - value; room >= 1 {
		value += float64(roll.roll(int(min(room, 99)) + 1))
	}
	if value > high && s.MultipleOf <= 0 {
		value = (low + high) / 2
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}

// bounds returns between which numbers a value lies, both of which it may have.
func (s *schema) bounds() (low, high float64) {
	low, high = 1, 100
	least := math.SmallestNonzeroFloat32
	if s.kind() == "integer" {
		least = 1
	}
	switch {
	case s.ExclusiveMinimum != nil:
		low = *s.ExclusiveMinimum + least
	case s.Minimum != nil:
		low = *s.Minimum
	}
	switch {
	case s.ExclusiveMaximum != nil:
		high = *s.ExclusiveMaximum - least
	case s.Maximum != nil:
		high = *s.Maximum
	case high < low:
		high = low + 99
	}
	if s.Minimum == nil && s.ExclusiveMinimum == nil && low > high {
		low = high - 99
	}
	return low, high
}
