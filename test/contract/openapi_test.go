package contract_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/test/apptest"
)

// operation is one of the API document, with the schemas of its answers compiled.
type operation struct {
	*openapi3.Operation
	method, path string // "GET", "/api/v1/app/projects/{id}"

	body    *openapi3.Schema // of a JSON body that is looked into; nil when there is none
	raw     bool             // whether it takes a body that is not looked into
	answers map[int]documentedAnswer
}

// documentedAnswer is what the document says of an answer with a certain status.
type documentedAnswer struct {
	code    string                        // of its error, as the example has it; "" for success
	headers []string                      // that it must have
	others  []string                      // that it may have
	bodies  map[string]*jsonschema.Schema // by media type; empty for an answer without a body
}

func (o *operation) String() string { return o.method + " " + o.path }

// parameters returns those of a place: "path", "query" or "header".
func (o *operation) parameters(place string) []*openapi3.Parameter {
	var found []*openapi3.Parameter
	for _, ref := range o.Parameters {
		if ref.Value.In == place {
			found = append(found, ref.Value)
		}
	}
	return found
}

// parseAPI reads an API document, which must be valid, and returns its operations by their paths.
func parseAPI(t *testing.T, text []byte) []*operation {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	compile := schemasOf(t, text)
	var all []*operation
	for _, path := range doc.Paths.InMatchingOrder() {
		for method, described := range doc.Paths.Value(path).Operations() {
			o := &operation{Operation: described, method: method, path: path, answers: map[int]documentedAnswer{}}
			if described.RequestBody != nil {
				media := described.RequestBody.Value.Content["application/json"]
				if media == nil {
					t.Fatalf("%s takes a body that isn't JSON, which generate doesn't know yet", o)
				}
				if o.raw = media.Schema.Value.Format == "binary"; !o.raw {
					o.body = media.Schema.Value
				}
			}
			for status, response := range described.Responses.Map() {
				code, err := strconv.Atoi(status)
				if err != nil {
					t.Fatalf("%s documents the status %q, which says nothing", o, status)
				}
				at := "#/paths/" + escape(path) + "/" + strings.ToLower(method) + "/responses/" + status
				if response.Ref != "" {
					at = response.Ref
				}
				o.answers[code] = parseAnswer(response.Value, at, compile)
			}
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b *operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return all
}

// parseAnswer returns what the document says of an answer, which is described at a place within it.
func parseAnswer(response *openapi3.Response, at string, compile func(string) *jsonschema.Schema) documentedAnswer {
	answer := documentedAnswer{bodies: map[string]*jsonschema.Schema{}}
	for name, header := range response.Headers {
		if header.Value.Required {
			answer.headers = append(answer.headers, name)
		} else {
			answer.others = append(answer.others, name)
		}
	}
	for media, content := range response.Content {
		answer.bodies[media] = compile(at + "/content/" + escape(media) + "/schema")
		if example, ok := content.Example.(map[string]any); ok {
			if envelope, ok := example["error"].(map[string]any); ok {
				answer.code, _ = envelope["code"].(string)
			}
		}
	}
	return answer
}

// schemasOf returns what compiles the schema at a place of the document, such as "#/components/schemas/User".
func schemasOf(t *testing.T, text []byte) func(string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	return func(at string) *jsonschema.Schema {
		schema, err := compiler.Compile("openapi.json" + at)
		if err != nil {
			t.Fatal(err)
		}
		return schema
	}
}

// escape returns a name as a step of a JSON pointer in a URL (RFC 6901, section 6).
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(name)
}

// hidden are the routes that the API document leaves out: they aren't for programs that use the API. Those below /dev are of
// modules, and aren't there without them.
var hidden = []string{
	"DELETE /dev/stripe/*rest",
	"GET /.well-known/jwks.json",
	"GET /api/v1/public/files/*key",
	"GET /asyncapi.json",
	"GET /dev/mail",
	"GET /dev/mail/{number}",
	"GET /dev/mail/{number}/html",
	"GET /dev/stripe/*rest",
	"GET /docs",
	"GET /docs/start.js",
	"GET /docs/swagger-ui-bundle.js",
	"GET /docs/swagger-ui.css",
	"GET /openapi.json",
	"GET /openapi.yaml",
	"POST /dev/stripe/*rest",
	"PUT /api/v1/public/files/*key",
}

// The document has every route of the running product, but for those that are hidden by name, and no other.
func TestTheAPIDocumentHasEveryRouteAndNoOther(t *testing.T) {
	t.Parallel()
	app := apptest.Start(t, database.SQLite)
	text := app.Do(t, "GET", "/openapi.json").Want(200).Body
	if file := os.Getenv("API_DOCUMENT"); file != "" { // for make lint-api
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if bytes.Contains(text, []byte(`"uniqueItems"`)) {
		t.Error("huma answers 500 to a list with uniqueItems that holds a list: let the domain look at what is there twice")
	}
	var documented, served, left []string
	for _, o := range parseAPI(t, text) {
		documented = append(documented, o.String())
	}
	for _, route := range app.Routes {
		if route.Hidden {
			left = append(left, route.Method+" "+route.Full)
		} else {
			served = append(served, route.Method+" "+route.Full)
		}
	}
	for _, list := range [][]string{documented, served, left} {
		slices.Sort(list)
	}
	if !slices.Equal(documented, served) {
		t.Errorf("the document has\n%s\nand the product\n%s", strings.Join(documented, "\n"), strings.Join(served, "\n"))
	}
	want := slices.DeleteFunc(slices.Clone(hidden), func(route string) bool {
		return strings.Contains(route, " /dev/") && !slices.Contains(left, route) && !slices.Contains(served, route)
	})
	if !slices.Equal(left, want) {
		t.Errorf("hidden are\n%s\nand not\n%s", strings.Join(left, "\n"), strings.Join(want, "\n"))
	}
}

// The YAML says what the JSON says.
func TestTheAPIDocumentInYAML(t *testing.T) {
	t.Parallel()
	app := apptest.Start(t, database.SQLite)
	var texts [2][]byte
	for i, name := range []string{"/openapi.json", "/openapi.yaml"} {
		doc, err := openapi3.NewLoader().LoadFromData(app.Do(t, http.MethodGet, name).Want(200).Body)
		if err != nil {
			t.Fatal(err)
		}
		if texts[i], err = json.Marshal(doc); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(texts[0], texts[1]) {
		t.Error("they differ")
	}
}
