package contract_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"pgregory.net/rapid"
)

// mutate makes something else of a request: mostly what must be refused, and says why.
func mutate(t *rapid.T, o *operation, r *request, columns []string) {
	ways := []string{"query", "path", "address", "headers"}
	if o.body != nil {
		ways = append(ways, "value", "value", "text", "media")
	}
	switch rapid.SampledFrom(ways).Draw(t, "mutation") {
	case "query":
		mutateQuery(t, o, r)
	case "path":
		mutatePath(t, o, r)
	case "address":
		mutateAddress(t, r)
	case "headers":
		mutateHeaders(t, r)
	case "value":
		value, why := breakValue(t, o.body, r.value, columns)
		r.setValue(value)
		r.broken = why
	case "text":
		mutateText(t, o, r)
	case "media":
		mutateMedia(t, r)
	}
}

// mutateQuery adds something to the query that doesn't belong there.
func mutateQuery(t *rapid.T, o *operation, r *request) {
	params := o.parameters("query")
	part := rapid.SampledFrom([]string{"unknown=1", "owner_id=root", "Limit=1", "=", "a%zz=1", "%ff=1", "q=%ff", "a%00=1", "%", "a;b=1", "limit[]=1"}).Draw(t, "part")
	why := "the query has a part that nobody asks for"
	if len(params) > 0 && rapid.Bool().Draw(t, "known") {
		param := rapid.SampledFrom(params).Draw(t, "param")
		name := url.QueryEscape(param.Name)
		r.query = slices.DeleteFunc(r.query, func(part string) bool { return strings.HasPrefix(part, name+"=") })
		switch rapid.SampledFrom([]string{"twice", "broken", "bytes"}).Draw(t, "how") {
		case "twice":
			value := url.QueryEscape(scalar(generateValue(t, param.Schema.Value)))
			part, why = name+"="+value+"&"+name+"="+value, "a query parameter is given twice"
		case "broken":
			var text string
			if text, why = breakParameter(t, param.Schema.Value); why == "" {
				return
			}
			part = name + "=" + url.QueryEscape(text)
		case "bytes":
			part, why = name+"="+rapid.SampledFrom([]string{"%ff", "%00", "a%00b", "%c3%28", "%zz", "%ed%a0%80"}).Draw(t, "bytes"), "the query isn't UTF-8 without NUL"
		}
	}
	r.query, r.broken = append(r.query, part), why
}

// breakParameter draws a text that doesn't fit the schema of a parameter, and says why. There may be none.
func breakParameter(t *rapid.T, s *openapi3.Schema) (text, why string) {
	switch {
	case len(s.Enum) > 0, s.Format != "" && s.Type.Includes("string"), s.Type.Includes("boolean"):
		texts := []string{"no such thing", "TRUE ", "yesterday", "2026-13-02", "1,2"}
		if s.Format != "date" {
			texts = append(texts, "2026-01-02")
		}
		return rapid.SampledFrom(texts).Draw(t, "text"), "a parameter has a value that doesn't exist"
	case s.Type.Includes("integer"):
		texts := []string{"x", "1.5", "", "1e3", "0x10", "99999999999999999999", "NaN", "1 ", "٣"}
		if s.Min != nil {
			texts = append(texts, fmt.Sprint(int64(*s.Min)-1))
		}
		if s.Max != nil {
			texts = append(texts, fmt.Sprint(int64(*s.Max)+1))
		}
		return rapid.SampledFrom(texts).Draw(t, "text"), "a parameter isn't a number in its range"
	case s.MaxLength != nil:
		return strings.Repeat("a", int(*s.MaxLength)+1), "a parameter is too long"
	}
	return "", ""
}

// mutatePath puts garbage in the place of an id.
func mutatePath(t *rapid.T, o *operation, r *request) {
	cut := strings.LastIndex(o.path, "{")
	if cut < 0 {
		return
	}
	garbage := rapid.SampledFrom([]string{
		"%00", "a%00b", "%ff", "%c3%28", "%2e%2e", "..%2f..%2fadmin", "%2F", "a%2Fb", "%25", "%20", "-1", "0", "9223372036854775808", "1e3", "null", "*", "'", "%C4%B0", "%F0%9F%9A%80",
		strings.Repeat("a", 5000), "%7Bid%7D", ";", "a:b", "+", "%0d%0aX:1", "NULL", "00000000-0000-0000-0000-000000000000", "%E2%80%AE",
	}).Draw(t, "garbage")
	steps := strings.Split(r.path, "/")
	steps[strings.Count(o.path[:cut], "/")] = garbage
	r.path, r.broken = strings.Join(steps, "/"), "nothing has that id"
}

// mutateAddress sends the request where there is nothing, or by a method that isn't for it.
func mutateAddress(t *rapid.T, r *request) {
	switch how := rapid.SampledFrom([]string{"HEAD", "TRACE", "PROPFIND", "get", "/", "//", "/a/b/c/d", "X"}).Draw(t, "address"); how {
	case "HEAD":
		if r.method == http.MethodGet {
			r.method = how
		}
	case "TRACE", "PROPFIND", "get":
		r.method, r.lost, r.broken = how, true, "it has no such method"
	case "X":
		r.path, r.lost, r.broken = strings.Replace(r.path, "/", "/X", 1), true, "nothing is there"
	default:
		r.path, r.lost, r.broken = r.path+how, true, "nothing is there"
	}
}

// mutateHeaders adds headers of all sorts, which don't change what is asked for.
func mutateHeaders(t *rapid.T, r *request) {
	name := rapid.SampledFrom([]string{
		"If-None-Match", "X-Request-ID", "Idempotency-Key", "Accept", "Accept-Encoding", "Range", "Origin", "Traceparent", "X-Forwarded-For", "X-HTTP-Method-Override", "Forwarded", "If-Modified-Since",
	}).Draw(t, "header")
	r.header.Set(name, rapid.SampledFrom(headerTexts).Draw(t, name))
	r.odd = r.odd || name == "Idempotency-Key"
}

// mutateText makes of the body what isn't one JSON value as RFC 7493 has it.
func mutateText(t *rapid.T, o *operation, r *request) {
	valid := *r.body
	first := func(text string) string { return "{" + text + strings.TrimPrefix(valid, "{") }
	texts := []string{
		valid[:len(valid)-1], valid + valid, valid + "x", "\ufeff" + valid, "'" + valid + "'", "[]", `""`, "7", "NaN", "// a\n" + valid,
		first(`"a": 1, "a": 2,`), first(`"a": 1e400,`), first(`"a": 01,`), first(`a: 1,`), first(`"` + strings.Repeat("k", 100_000) + `": 1,`),
		first(`"a": ` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + ","), strings.Repeat("[", 20_000), strings.Repeat(`{"a":`, 5_000),
	}
	if o.RequestBody.Value.Required {
		texts = append(texts, "", " ", "null")
	}
	if name, rest, found := strings.Cut(valid, `":"`); found { // within a text
		for _, bytes := range []string{`\u0000`, "\x00", "\xff", "\xc3\x28", "\xed\xa0\x80", `\ud800`, `\udc00\ud800`, `\x`, "\n"} {
			texts = append(texts, name+`":"`+bytes+rest)
		}
		texts = append(texts, name+`":"a",`+valid[1:]) // the first field twice
	}
	r.body = new(rapid.SampledFrom(texts).Draw(t, "text"))
	r.broken = "the body isn't one JSON object that it allows"
}

// mutateMedia says that the body is something else.
func mutateMedia(t *rapid.T, r *request) {
	r.header.Set("Content-Type", rapid.SampledFrom([]string{
		"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "application/json; charset=latin1", "application/jsonx", "text/json", "*/*", ";", "application/merge-patch+json",
	}).Draw(t, "media"))
	r.broken = "the body isn't JSON by its type"
}

// breakValue draws a value that doesn't fit the schema in one place, from one that fits, and says why. The columns are names
// that clients might try as fields.
func breakValue(t *rapid.T, s *openapi3.Schema, value any, columns []string) (broken any, why string) {
	type way = func() (any, string)
	ways := []way{func() (any, string) {
		return rapid.SampledFrom(otherTypes(s)).Draw(t, "other"), "a value has another type"
	}}
	add := func(why string, value any) { ways = append(ways, func() (any, string) { return value, why }) }
	switch value := value.(type) {
	case string:
		switch {
		case len(s.Enum) > 0:
			add("a value doesn't exist", "no such thing")
			add("a value doesn't exist", strings.ToUpper(value))
		case s.Format != "":
			add("a text has another format", "nonsense \x7f")
		case s.MinLength > 0:
			add("a text is too short", strings.Repeat("a", int(s.MinLength)-1))
		}
		if s.MaxLength != nil {
			add("a text is too long", strings.Repeat("é", int(*s.MaxLength)+1))
		}
	case []any:
		if s.MaxItems != nil {
			add("there are too many items", slices.Repeat([]any{nil}, int(*s.MaxItems)+1))
		}
		if s.MinItems > 0 {
			add("there are too few items", value[:s.MinItems-1])
		}
		if len(value) > 0 {
			if s.UniqueItems {
				add("an item is there twice", append(slices.Clone(value), value[0]))
			}
			ways = append(ways, func() (any, string) {
				items := slices.Clone(value)
				var why string
				items[0], why = breakValue(t, s.Items.Value, items[0], columns)
				return items, why
			})
		}
	case map[string]any:
		ways = append(ways, breakFields(t, s, value, columns)...)
	}
	return rapid.SampledFrom(ways).Draw(t, "way")()
}

// breakFields returns how an object can break its schema.
func breakFields(t *rapid.T, s *openapi3.Schema, value map[string]any, columns []string) []func() (any, string) {
	with := func(name string, field any) map[string]any {
		fields := map[string]any{name: field}
		for other, its := range value {
			if other != name {
				fields[other] = its
			}
		}
		return fields
	}
	var ways []func() (any, string)
	for _, name := range sortedKeys(s.Properties) {
		schema := s.Properties[name].Value
		if slices.Contains(s.Required, name) {
			ways = append(ways, func() (any, string) {
				fields := with(name, nil)
				delete(fields, name)
				return fields, "the field " + name + " is missing"
			})
		}
		ways = append(ways, func() (any, string) {
			was, there := value[name]
			if !there {
				was = generateValue(t, schema)
			}
			field, why := breakValue(t, schema, was, columns)
			return with(name, field), why
		})
	}
	if other := s.AdditionalProperties.Schema; other != nil {
		ways = append(ways, func() (any, string) {
			field, why := breakValue(t, other.Value, generateValue(t, other.Value), columns)
			return with("more", field), why
		})
	}
	if closed := s.AdditionalProperties.Has; closed != nil && !*closed {
		ways = append(ways, func() (any, string) {
			unknown := slices.DeleteFunc(strangeNames(s, columns), func(name string) bool { return s.Properties[name] != nil })
			field := rapid.SampledFrom([]any{nil, true, 1, "root", []any{}, map[string]any{}}).Draw(t, "field")
			return with(rapid.SampledFrom(unknown).Draw(t, "unknown"), field), "it has a field that doesn't exist"
		})
	}
	return ways
}

// strangeNames returns names that a field might have: those of columns, and those of fields in another spelling.
func strangeNames(s *openapi3.Schema, columns []string) []string {
	names := append(slices.Clone(columns), "", "__proto__", "$where", "é", strings.Repeat("n", 300))
	for _, name := range sortedKeys(s.Properties) {
		names = append(names, strings.ToUpper(name), strings.ReplaceAll(name, "_", ""), name+" ")
	}
	return names
}

// otherTypes returns values of types that the schema doesn't have.
func otherTypes(s *openapi3.Schema) []any {
	others := map[string][]any{
		"null": {nil}, "boolean": {true, false}, "string": {"", "text", "true", "1"}, "array": {[]any{}, []any{nil}}, "object": {map[string]any{}, map[string]any{"$ref": "#"}},
		"integer": {0, -1, math.MaxInt64, json.Number("1e30")}, "number": {1.5, json.Number("1e400"), json.Number("-0.5e-400")},
	}
	for kind := range others {
		if s.Type.Includes(kind) {
			delete(others, kind)
		}
	}
	if s.Type.Includes("number") {
		delete(others, "integer")
	}
	var values []any
	for _, kind := range sortedKeys(others) {
		values = append(values, others[kind]...)
	}
	return values
}
