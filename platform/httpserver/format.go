package httpserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const contentType = "application/json"

// jsonFormat reads and writes JSON as RFC 7493 (I-JSON) asks: one value, valid UTF-8, no name twice, no field that
// the target doesn't have, and no NUL in a text, which PostgreSQL can't store. Its errors are texts for the client:
// the library's own name Go types and repeat values. It refuses a null that the schema of the target has no place for,
// which huma lets pass for every field that may be absent.
func jsonFormat(schemas huma.Registry) huma.Format {
	return huma.Format{Marshal: writeJSON, Unmarshal: func(in []byte, target any) error {
		if err := readJSON(in, target); err != nil {
			return err
		}
		if _, untyped := target.(*any); untyped || !bytes.Contains(in, []byte("null")) {
			return nil
		}
		var value any
		_ = json.Unmarshal(in, &value) // it can be read
		if path, found := misplacedNull(schemas, schemas.Schema(reflect.TypeOf(target), true, ""), value); found {
			return errors.New("can't be null" + inField + path)
		}
		return nil
	}}
}

// misplacedNull returns the path of a null that the schema has no place for.
func misplacedNull(schemas huma.Registry, schema *huma.Schema, value any) (path string, found bool) {
	if schema.Ref != "" {
		schema = schemas.SchemaFromRef(schema.Ref)
	}
	if schema.Type == "" { // anything goes
		return "", false
	}
	switch value := value.(type) {
	case nil:
		return "", !schema.Nullable
	case []any:
		for i, item := range value {
			if path, found := misplacedNull(schemas, schema.Items, item); found {
				return fmt.Sprintf("[%d]%s", i, path), true
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			within, known := schema.Properties[name]
			if !known {
				within, known = schema.AdditionalProperties.(*huma.Schema)
			}
			if !known {
				continue
			}
			if path, found := misplacedNull(schemas, within, value[name]); found {
				return "." + name + path, true
			}
		}
	}
	return "", false
}

// writeJSON writes the body that useRendered put in place of an answer, or marshals an error. An error always can be:
// texts in it that aren't UTF-8 are mended. What can't be written has no reader any more, and isn't an error.
func writeJSON(out io.Writer, value any) error {
	if answered, ok := value.(*call); ok {
		_, _ = out.Write(answered.rendered)
		return nil
	}
	_ = json.MarshalWrite(out, value, jsontext.AllowInvalidUTF8(true))
	return nil
}

// errUnreadable is the error of a text that isn't I-JSON.
var errUnreadable = errors.New("must be one JSON value in UTF-8, without NUL characters and with no name twice")

// unfit is what is wrong with JSON that the target can't hold.
const unfit = "has a value that doesn't fit its type"

// readJSON reads the body into the target. huma calls it twice: with an any, which it checks against the schema, then
// with the input itself, which may still be too narrow: 1e30 is a JSON Schema integer and no int64.
func readJSON(in []byte, target any) error {
	err := json.Unmarshal(in, target, json.RejectUnknownMembers(true))
	if misfit, ok := errors.AsType[*json.SemanticError](err); ok {
		rule := unfit
		if errors.Is(err, json.ErrUnknownName) {
			rule = validation.MsgUnexpectedProperty
		}
		return errors.New(rule + inField + fieldPath(misfit.JSONPointer))
	}
	if err != nil || holdsNUL(in) {
		return errUnreadable
	}
	return nil
}

// fieldPath returns a JSON pointer as a field's path: "/items/0/name" becomes ".items[0].name".
func fieldPath(pointer jsontext.Pointer) string {
	var path strings.Builder
	for token := range pointer.Tokens() {
		if strings.Trim(token, "0123456789") == "" {
			path.WriteString("[" + token + "]")
		} else {
			path.WriteString("." + token)
		}
	}
	return path.String()
}

// holdsNUL tells whether valid JSON holds a NUL character, which is only possible as the escape \u0000.
func holdsNUL(in []byte) bool {
	for {
		_, rest, found := bytes.Cut(in, []byte(`\`))
		if !found || len(rest) == 0 {
			return false
		}
		if bytes.HasPrefix(rest, []byte("u0000")) {
			return true
		}
		in = rest[1:] // whatever is escaped, a backslash too, starts no escape of its own
	}
}
