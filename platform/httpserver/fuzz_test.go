package httpserver

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2/validation"
)

// FuzzBody shows that what is read is one JSON value in UTF-8 that holds no NUL, and that what is refused is refused
// by a text of ours.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"name":"a"}`, `{"name":"\u0000"}`, `{"name":"\\u0000"}`, `{"name":"\\\u0000"}`, `{"name":"a","name":"b"}`, "{\"name\":\"\xff\"}",
		"{\"name\":\"\x00\"}", `{"name":"\ud800"}`, `{"name":"a"} {}`, `{"count":1e400}`, `{"count":1e30}`, `{"extra":{"a":[1,{"a":null}]}}`,
		`{"name":"a","Name":"b"}`, `[`, ``, ` `, `null`, `"\`, "\ufeff{}", strings.Repeat("[", 20_000),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var parsed any
		err := readJSON(in, &parsed)
		if err == nil {
			if !utf8.Valid(in) || !stdjson.Valid(in) || holds(parsed, "\x00") {
				t.Errorf("%q was read", in)
			}
			var again bytes.Buffer
			if err := writeJSON(&again, parsed); err != nil || again.Len() == 0 {
				t.Errorf("%q can't be written: %v", in, err)
			}
		}
		var typed newThing
		typedErr := readJSON(in, &typed)
		if err != nil && typedErr == nil {
			t.Errorf("%q was refused as JSON, but read as a thing", in)
		}
		for _, err := range []error{err, typedErr} {
			if err == nil || errors.Is(err, errUnreadable) {
				continue
			}
			if rule, _, _ := strings.Cut(err.Error(), inField); rule != unfit && rule != validation.MsgUnexpectedProperty {
				t.Errorf("%q was refused by %q", in, err)
			}
		}
	})
}

// holds tells whether a JSON value has the text in one of its texts or names.
func holds(value any, text string) bool {
	switch value := value.(type) {
	case string:
		return strings.Contains(value, text)
	case []any:
		for _, item := range value {
			if holds(item, text) {
				return true
			}
		}
	case map[string]any:
		for name, item := range value {
			if holds(name, text) || holds(item, text) {
				return true
			}
		}
	}
	return false
}

// FuzzTraceparent shows that a trace id is 32 hexadecimal digits, not all of them zero, whatever the header.
func FuzzTraceparent(f *testing.F) {
	const header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, seed := range []string{"", header, header + "-x", "cc" + header[2:] + "-x", "ff" + header[2:], header[:54], strings.ToUpper(header), "00-0-0-0", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		got := traceID(header)
		if len(got) != 32 || strings.Trim(got, "0123456789abcdef") != "" || strings.Trim(got, "0") == "" {
			t.Errorf("%q gives %q", header, got)
		}
	})
}
