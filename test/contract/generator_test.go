package contract_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"pgregory.net/rapid"
)

// request is one that the fuzzer made up.
type request struct {
	method string
	path   string   // as it is sent
	query  []string // its parts, as they are sent
	header http.Header
	body   *string // nil for none
	value  any     // what the body says, nil when that is nothing to look into

	broken string // why it must be refused, "" for one that the document allows
	lost   bool   // whether there is nothing at its address
	odd    bool   // whether the document allows more than what is taken
}

func (r *request) String() string {
	text := r.method + " " + r.path
	if len(r.query) > 0 {
		text += fmt.Sprintf("?%.1000s", strings.Join(r.query, "&"))
	}
	for name, values := range r.header {
		text += fmt.Sprintf("\n%s: %q", name, values)
	}
	if r.body != nil {
		text += fmt.Sprintf("\n%.2000q", *r.body)
	}
	if r.broken != "" {
		text += "\n(it must be refused: " + r.broken + ")"
	}
	return text
}

// bodyLimit is the product's own, which no schema tells of.
const bodyLimit = 1 << 20

// setValue makes a value the body.
func (r *request) setValue(value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // it is made of what JSON is made of
	}
	r.value, r.body = value, new(string(text))
	r.odd = r.odd || len(text) > bodyLimit
	r.header.Set("Content-Type", "application/json")
}

// surroundings are what a request can be about that its schema doesn't tell.
type surroundings interface {
	// own returns the id of something in the collection, such as "/api/v1/app/projects", that is the caller's.
	own(collection string) string
	// foreign returns the id of something there that is somebody else's.
	foreign(collection string) string
	// meant returns texts that make sense as a field or parameter of the operation, nil if any will do.
	meant(o *operation, name string) []string
}

// generate draws a request that the document allows.
func generate(t *rapid.T, o *operation, around surroundings) *request {
	r := &request{method: o.method, header: http.Header{}}
	r.path = generatePath(t, o, around, r)
	for _, param := range o.parameters("query") {
		if param.Required || sometimes(t, 4) {
			r.query = append(r.query, url.QueryEscape(param.Name)+"="+url.QueryEscape(scalar(generateParameter(t, o, param, around))))
		}
	}
	for _, param := range o.parameters("header") {
		if param.Required || sometimes(t, 3) {
			r.header.Set(param.Name, generateHeader(t, param))
		}
	}
	switch {
	case o.body != nil:
		value := generateValue(t, o.body)
		mean(t, o, value, around)
		r.setValue(value)
	case o.raw:
		r.body = new(rapid.SampledFrom(slices.Concat(rawBodies, rawBodiesOf[o.String()])).Draw(t, "body"))
		r.header.Set("Content-Type", "application/json")
		r.odd = true // it must be signed, or is in somebody else's words
	}
	return r
}

// rawBodies are bodies of operations that read them by themselves, and rawBodiesOf those of one that make sense there.
var (
	rawBodies   = []string{`{}`, `[]`, `{"type": "email.bounced"}`, `[{"event": "bounce"}]`, "\x00\xff", "null"}
	rawBodiesOf = map[string][]string{"POST /v1/chat/completions": {
		`{"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}]}`,
		`{"model": "omni/simple", "messages": [{"role": "developer", "content": "Be kind"}, {"role": "user", "content": [{"type": "text", "text": "Hello"}]}], "seed": 1}`,
		`{"model": "omni/auto", "stream": true, "stream_options": {"include_usage": true}, "messages": [{"role": "user", "content": "a tool"}],
			"tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}], "tool_choice": "required"}`,
		`{"model": "sim-small", "stream": true, "stop": ["a", "b"], "temperature": 2, "max_tokens": 1, "messages": [{"role": "user", "content": ""}]}`,
		`{"model": "sim-small", "n": 2, "messages": [{"role": "user", "content": "Hello"}]}`,
		`{"model": "sim-small", "messages": [{"role": "tool", "content": "Hello"}]}`,
		`{"model": "none", "messages": [{"role": "user", "content": "Hello"}], "response_format": {"type": "json_schema"}}`,
	}, "POST /v1/embeddings": {
		`{"model": "sim-embedding", "input": "Hello", "user": "u"}`, `{"model": "omni/embedding", "input": ["Hello", "there"], "dimensions": 3}`,
		`{"model": "sim-embedding", "input": "Hello", "encoding_format": "base64"}`, `{"model": "sim-small", "input": "Hello"}`,
		`{"model": "sim-embedding", "input": [1, 2]}`, `{"model": "sim-embedding", "input": [""], "dimensions": 0}`,
	}}
)

// sometimes is true once in n times.
func sometimes(t *rapid.T, n int) bool { return rapid.IntRange(1, n).Draw(t, "sometimes") == n }

// generatePath draws a path whose ids lead to something of the caller's, mostly.
func generatePath(t *rapid.T, o *operation, around surroundings, r *request) string {
	path := ""
	for segment := range strings.SplitSeq(o.path[1:], "/") {
		if !strings.HasPrefix(segment, "{") {
			path += "/" + segment
			continue
		}
		id := ""
		switch rapid.SampledFrom([]string{"own", "own", "own", "own", "own", "foreign", "unknown"}).Draw(t, "id") {
		case "own":
			id = around.own(path)
		case "foreign":
			id = around.foreign(path)
			if strings.Contains(o.path, "/app/") {
				r.broken = "what it is about is somebody else's"
			}
		case "unknown":
			id = rapid.StringMatching(`01a2[0-9a-f]{4}-[0-9a-f]{4}-7[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}`).Draw(t, "id")
			r.broken = "there is nothing of that id"
		}
		path += "/" + url.PathEscape(id)
	}
	return path
}

// generateParameter draws a query parameter.
func generateParameter(t *rapid.T, o *operation, param *openapi3.Parameter, around surroundings) any {
	if texts := around.meant(o, param.Name); texts != nil && rapid.Bool().Draw(t, "meant") {
		return rapid.SampledFrom(texts).Draw(t, param.Name)
	}
	return generateValue(t, param.Schema.Value)
}

// scalar returns a value as it stands in a query.
func scalar(value any) string {
	if items, ok := value.([]any); ok {
		texts := make([]string, len(items))
		for i, item := range items {
			texts[i] = scalar(item)
		}
		return strings.Join(texts, ",")
	}
	return fmt.Sprint(value)
}

// headerTexts are values of headers that clients send, and such as try the parsers of them.
var headerTexts = []string{
	"*", `"1"`, `"2"`, `W/"1"`, `"1", "2"`, `"0"`, `"-1"`, `"99999999999999999999"`, `"`, `""`, ",", "1", " ", "é", "\x80\xff", "\ttab", "{}", "null",
	strings.Repeat("a", 255), strings.Repeat("b", 4000), "text/html;q=0", ";,", "bytes=0-1", "01a214e3-d424-7aee-8d82-a112b91ec602",
}

func generateHeader(t *rapid.T, param *openapi3.Parameter) string {
	if pattern := param.Schema.Value.Pattern; pattern != "" {
		return rapid.StringMatching(pattern).Draw(t, param.Name)
	}
	return rapid.SampledFrom(headerTexts).Draw(t, param.Name)
}

// mean replaces fields of a body, mostly, by what makes sense.
func mean(t *rapid.T, o *operation, value any, around surroundings) {
	fields, _ := value.(map[string]any)
	for name := range fields {
		if texts := around.meant(o, name); texts != nil {
			fields[name] = rapid.SampledFrom(texts).Draw(t, name)
		}
	}
}

// generateValue draws a value that fits the schema.
func generateValue(t *rapid.T, s *openapi3.Schema) any {
	if s.Type.Includes("null") && sometimes(t, 5) {
		return nil
	}
	if len(s.Enum) > 0 {
		return rapid.SampledFrom(s.Enum).Draw(t, "enum")
	}
	switch {
	case s.Type.Includes("string"):
		return generateText(t, s)
	case s.Type.Includes("boolean"):
		return rapid.Bool().Draw(t, "boolean")
	case s.Type.Includes("integer"):
		low, high := int64(-1<<53), int64(1<<53)
		if s.Min != nil {
			low = int64(*s.Min)
		}
		if s.Max != nil {
			high = int64(*s.Max)
		}
		return rapid.OneOf(rapid.Int64Range(low, min(high, low+200)), rapid.Int64Range(low, high), rapid.Just(high)).Draw(t, "integer")
	case s.Type.Includes("number"):
		return rapid.Float64Range(-1e6, 1e6).Draw(t, "number")
	case s.Type.Includes("array"):
		return generateItems(t, s)
	case s.Type.Includes("object"):
		return generateFields(t, s)
	}
	return rapid.SampledFrom([]any{nil, true, 7, "text", []any{}, map[string]any{}}).Draw(t, "anything")
}

func generateItems(t *rapid.T, s *openapi3.Schema) []any {
	most := s.MinItems + 4
	if s.MaxItems != nil {
		most = min(most, *s.MaxItems)
	}
	items := []any{}
	for range rapid.Uint64Range(s.MinItems, most).Draw(t, "items") {
		item := generateValue(t, s.Items.Value)
		if !s.UniqueItems || !slices.ContainsFunc(items, func(other any) bool { return reflect.DeepEqual(other, item) }) {
			items = append(items, item)
		}
	}
	return items
}

func generateFields(t *rapid.T, s *openapi3.Schema) map[string]any {
	fields := map[string]any{}
	for _, name := range sortedKeys(s.Properties) {
		if slices.Contains(s.Required, name) || rapid.Bool().Draw(t, name+"?") {
			fields[name] = generateValue(t, s.Properties[name].Value)
		}
	}
	if other := s.AdditionalProperties.Schema; other != nil {
		for range rapid.IntRange(0, 3).Draw(t, "more") {
			fields[generateText(t, &openapi3.Schema{})] = generateValue(t, other.Value)
		}
	}
	return fields
}

// texts are such as software stumbles over: directions, combining, folding, escapes of other languages, the ends of ranges.
var texts = []string{
	"", " ", "a", "0", "-1", "null", "true", "é", "e\u0301", "İ", "ß", "ﬃ", "\u202eabc", "\ufeff", "\u2028", "\ufffd", "\U0010ffff", "👩‍👩‍👧", "\u200b", "\x01\x1f\x7f", "\r\nX: 1",
	"'; DROP TABLE projects; --", "%", "_%", `\`, `\u0000`, `"`, "<script>alert(1)</script>", "{{.}}", "${7*7}", "../../etc/passwd", "a/b?c#d", "1e400", "NaN",
}

// generateText draws a text of the schema's length and format. None holds a NUL, which JSON Schema can't tell of.
func generateText(t *rapid.T, s *openapi3.Schema) string {
	switch s.Format {
	case "date-time":
		return rapid.SampledFrom([]string{
			"2026-01-02T03:04:05Z", "2099-12-31T23:59:59.999999999Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2026-01-02T03:04:05.5+14:00", "1969-12-31T23:59:59-12:00",
		}).Draw(t, "time")
	case "email":
		return rapid.SampledFrom([]string{"a@example.com", "o'neil+tag@sub.example.org", `"a b"@example.com`}).Draw(t, "email")
	case "uri":
		return rapid.SampledFrom([]string{"https://example.com/a.png", "https://example.com/" + strings.Repeat("a", 1000), "http://example.com", "urn:a:b"}).Draw(t, "uri")
	}
	if s.Pattern != "" {
		return rapid.StringMatching(s.Pattern).Draw(t, "pattern")
	}
	least, most := int(s.MinLength), 300
	if s.MaxLength != nil {
		most = int(*s.MaxLength)
	}
	fitting := slices.DeleteFunc(slices.Clone(texts), func(text string) bool {
		length := utf8.RuneCountInString(text)
		return length < least || length > most
	})
	fitting = append(fitting, strings.Repeat("é", most))
	drawn := rapid.OneOf(rapid.SampledFrom(fitting), rapid.StringN(least, min(most, least+40), -1)).Draw(t, "text")
	return strings.ReplaceAll(drawn, "\x00", "0")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
