package httpserver

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/omnistack/omnistack/platform/errs"
)

// The page and what it loads; see docs/README.md for where the two large files come from.
var (
	//go:embed docs/index.html
	docsPage string
	//go:embed docs/start.js
	docsStart []byte
	//go:embed docs/swagger-ui-bundle.js.gz
	docsBundle []byte
	//go:embed docs/swagger-ui.css.gz
	docsStyle []byte
)

// docsCSP lets the page load its own files and call its own origin, and nothing else: no inline script, no other
// host. Swagger UI draws its icons from data URLs; the styles it sets go through the DOM, which needs no permission.
const docsCSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// addDocs registers the API document and the page that shows it. The document is made at the first request, when
// every module has registered its routes.
func (s *Server) addDocs() {
	document := sync.OnceValues(func() ([]byte, error) { return json.MarshalIndent(s.api.OpenAPI(), "", "  ") })
	inYAML := sync.OnceValues(s.api.OpenAPI().YAML)
	serve := func(media string, body func() ([]byte, error)) gin.HandlerFunc {
		return func(c *gin.Context) {
			content, err := body()
			if err != nil {
				refuse(c, err)
				return
			}
			c.Data(http.StatusOK, media, content)
		}
	}
	s.raw(Route{Method: http.MethodGet, Path: "/openapi.json", Summary: "The API document"}, serve(contentType, document))
	s.raw(Route{Method: http.MethodGet, Path: "/openapi.yaml", Summary: "The API document in YAML"}, serve("application/yaml", inYAML))

	var page bytes.Buffer
	if err := template.Must(template.New("docs").Parse(docsPage)).Execute(&page, s.options.Title); err != nil {
		panic(err) // the template is ours and takes one text
	}
	asset := func(path, summary, media, encoding string, content []byte) {
		send := fixed(media, content)
		s.raw(Route{Method: http.MethodGet, Path: path, Summary: summary}, func(c *gin.Context) {
			c.Header("Content-Security-Policy", docsCSP)
			if encoding != "" {
				c.Header("Content-Encoding", encoding)
			}
			send(c)
		})
	}
	asset("/docs", "The page that shows the API document", "text/html; charset=utf-8", "", page.Bytes())
	asset("/docs/start.js", "Part of /docs", "text/javascript; charset=utf-8", "", docsStart)
	asset("/docs/swagger-ui-bundle.js", "Part of /docs", "text/javascript; charset=utf-8", "gzip", docsBundle)
	asset("/docs/swagger-ui.css", "Part of /docs", "text/css; charset=utf-8", "gzip", docsStyle)
}

// AddDocument serves a document in JSON at a path of the root, beside the API document. Call it if the docs are wanted.
func (s *Server) AddDocument(path, summary string, content []byte) {
	s.raw(Route{Method: http.MethodGet, Path: path, Summary: summary}, fixed(contentType, content))
}

// about is the introduction of the API document.
const about = "Send an access token as `Authorization: Bearer …`. Every error has the one form of the schema `Error`; " +
	"quote its `request_id` when you ask for help."

// schemaName names the schemas of the API document: a list of things is a ThingList.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	if item, isList := strings.CutPrefix(name, "ListBody"); isList {
		return item + "List"
	}
	return name
}

// failures describes the answers of these error statuses, and of any other error.
func (s *Server) failures(statuses ...int) map[string]*huma.Response {
	described := map[string]*huma.Response{"default": s.failure("Any other error", errs.From(errors.New("an example")))}
	for _, status := range statuses {
		text := http.StatusText(status)
		described[strconv.Itoa(status)] = s.failure(text, errs.New(kindOf(status), text))
	}
	return described
}

// failure describes an error answer by an example.
func (s *Server) failure(text string, example error) *huma.Response {
	return &huma.Response{Description: text, Content: map[string]*huma.MediaType{contentType: {
		Schema:  s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Error](), true, ""),
		Example: envelope("01a214e3-d424-7aee-8d82-a112b91ec602", example),
	}}}
}

// document corrects huma's description of an operation.
func (s *Server) document(op *huma.Operation) {
	if len(op.Parameters) > 0 || op.RequestBody != nil {
		op.Responses["422"] = s.failure("What was sent breaks a rule", errs.InvalidFields(errs.Field{Name: "name", Message: "is required"}))
	}
	for status, response := range op.Responses {
		if status != strconv.Itoa(http.StatusCreated) {
			delete(response.Headers, "Location")
		}
		for _, header := range response.Headers {
			header.Description = header.Schema.Description // where Swagger UI looks for it
		}
		for _, media := range response.Content {
			s.leaveOpen(media.Schema)
		}
	}
}

// leaveOpen allows further fields in the schema of an answer: the HTTP contract lets answers grow.
func (s *Server) leaveOpen(schema *huma.Schema) {
	if schema.Ref != "" {
		schema = s.api.OpenAPI().Components.Schemas.SchemaFromRef(schema.Ref)
	}
	if schema.AdditionalProperties == false {
		schema.AdditionalProperties = nil
		for _, property := range schema.Properties {
			s.leaveOpen(property)
		}
	}
	if schema.Items != nil {
		s.leaveOpen(schema.Items)
	}
}

// fixed answers every request with the same content.
func fixed(media string, content []byte) gin.HandlerFunc {
	return func(c *gin.Context) { c.Data(http.StatusOK, media, content) }
}
