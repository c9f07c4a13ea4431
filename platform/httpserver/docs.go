package httpserver

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/ratelimit"
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
	finished := sync.OnceValue(func() *huma.OpenAPI {
		for _, path := range s.api.OpenAPI().Paths {
			documentVersions(path)
		}
		return s.api.OpenAPI()
	})
	document := sync.OnceValues(func() ([]byte, error) { return json.MarshalIndent(finished(), "", "  ") })
	inYAML := sync.OnceValues(func() ([]byte, error) { return finished().YAML() })
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

// failures describes the answers of these error statuses.
func (s *Server) failures(statuses ...int) map[string]*huma.Response {
	described := map[string]*huma.Response{}
	for _, status := range statuses {
		described[strconv.Itoa(status)] = s.failure(status)
	}
	return described
}

// failure refers to the one description of an error status, which it makes at the first use.
func (s *Server) failure(status int) *huma.Response {
	components := s.api.OpenAPI().Components
	text := http.StatusText(status)
	name := strings.ReplaceAll(text, " ", "")
	if components.Responses[name] == nil {
		example := errs.New(kindOf(status), text)
		headers := map[string]*huma.Param{requestID: requestIDHeader}
		switch status {
		case http.StatusUnauthorized:
			headers["WWW-Authenticate"] = documentedHeader("What is wrong with the token (RFC 6750)", true)
		case http.StatusTooManyRequests:
			maps.Copy(headers, rateHeaders())
			headers["Retry-After"] = &huma.Header{
				Description: "In how many seconds a call may come again", Required: true, Schema: &huma.Schema{Type: huma.TypeInteger},
			}
			example = errTooMany(ratelimit.Decision{RetryAfter: 10 * time.Second})
		case http.StatusUnprocessableEntity:
			example = errs.InvalidFields(errs.Field{Name: "name", Message: "is required"})
		}
		media := &huma.MediaType{
			Schema:  components.Schemas.Schema(reflect.TypeFor[Error](), true, ""),
			Example: envelope("01a214e3-d424-7aee-8d82-a112b91ec602", example),
		}
		s.correctAnswer(media.Schema)
		components.Responses[name] = &huma.Response{
			Description: text, Headers: headers, Content: map[string]*huma.MediaType{contentType: media},
		}
	}
	return &huma.Response{Ref: "#/components/responses/" + name}
}

// requestID is the header that every answer has, as clients know it.
const requestID = "X-Request-ID"

// requestIDHeader refers to the description of it.
var requestIDHeader = &huma.Param{Ref: "#/components/headers/" + requestID}

// documentedHeaders are the headers that answers have whatever they are about, each described once.
func documentedHeaders() map[string]*huma.Header {
	described := map[string]*huma.Header{
		requestID: documentedHeader("The id of the request: the client's own, if it is 1 to 128 visible ASCII characters", true),
	}
	for name, about := range describedLimits {
		kind := huma.TypeString
		if strings.HasPrefix(name, "X-") {
			kind = huma.TypeInteger
		}
		described[name] = &huma.Header{Description: about, Schema: &huma.Schema{Type: kind}}
	}
	return described
}

// rateHeaders refers to the descriptions of the headers of limited routes.
func rateHeaders() map[string]*huma.Param {
	headers := map[string]*huma.Param{}
	for name := range describedLimits {
		headers[name] = &huma.Param{Ref: "#/components/headers/" + name}
	}
	return headers
}

func documentedHeader(text string, required bool) *huma.Header {
	return &huma.Header{Description: text, Required: required, Schema: &huma.Schema{Type: huma.TypeString}}
}

// document corrects huma's description of an operation, and adds the errors that don't come from what it does: any can be sent
// a query that makes no sense, and any can fail.
func (s *Server) document(op *huma.Operation) {
	delete(op.Responses, "default") // huma's own
	s.documentSuccess(op, op.Responses[strconv.Itoa(op.DefaultStatus)])
	errors := []int{
		http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	}
	if op.RequestBody != nil {
		errors = append(errors, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if s.routes[routeKey{op.Method, ginPath(op.Path)}].Rate != RateExempt {
		errors = append(errors, http.StatusTooManyRequests)
		maps.Copy(op.Responses[strconv.Itoa(op.DefaultStatus)].Headers, rateHeaders())
	}
	maps.Copy(op.Responses, s.failures(errors...))
}

// documentSuccess corrects huma's description of the answer when all is well.
func (s *Server) documentSuccess(op *huma.Operation, response *huma.Response) {
	if response.Headers == nil {
		response.Headers = map[string]*huma.Param{}
	}
	headers := response.Headers
	if headers["Content-Type"] != nil { // a Page, which says itself what it is
		response.Content = map[string]*huma.MediaType{"text/html": {Schema: &huma.Schema{Type: huma.TypeString}}}
		delete(headers, "Content-Type")
	}
	if headers["Location"] != nil {
		headers["Location"].Required = true
		if op.DefaultStatus != http.StatusCreated {
			delete(headers, "Location")
		}
	}
	for _, header := range headers {
		header.Description = header.Schema.Description // where Swagger UI looks for it
	}
	headers[requestID] = requestIDHeader
	for _, media := range response.Content {
		s.correctAnswer(media.Schema)
	}
}

// documentVersions leaves the ETag to addresses whose objects are changed under If-Match, and has GET answer 304 there: huma
// describes it wherever an Object may be answered, which has a field for it.
func documentVersions(path *huma.PathItem) {
	operations := slices.DeleteFunc([]*huma.Operation{path.Get, path.Post, path.Patch, path.Delete}, func(op *huma.Operation) bool { return op == nil })
	versioned := slices.ContainsFunc(operations, func(op *huma.Operation) bool {
		return slices.ContainsFunc(op.Parameters, func(param *huma.Param) bool { return param.Name == "If-Match" })
	})
	for _, op := range operations {
		headers := op.Responses[strconv.Itoa(op.DefaultStatus)].Headers
		switch {
		case !versioned || op.Method == http.MethodDelete:
			delete(headers, "ETag")
		case op.Method == http.MethodGet:
			op.Responses[strconv.Itoa(http.StatusNotModified)] = &huma.Response{
				Description: "The version that If-None-Match names is the current one",
				Headers:     map[string]*huma.Param{"ETag": headers["ETag"], requestID: requestIDHeader},
			}
		}
	}
}

// correctAnswer says in the schema of an answer what huma doesn't: further fields are allowed, as the HTTP contract lets answers
// grow, and an object that is always told of may be null.
func (s *Server) correctAnswer(schema *huma.Schema) {
	schemas := s.api.OpenAPI().Components.Schemas
	if schema.Ref != "" {
		of := schemas.TypeFromRef(schema.Ref)
		schema = schemas.SchemaFromRef(schema.Ref)
		admitNull(schema, of)
	}
	if schema.AdditionalProperties == false {
		schema.AdditionalProperties = nil
		for _, property := range schema.Properties {
			s.correctAnswer(property)
		}
	}
	if values, ok := schema.AdditionalProperties.(*huma.Schema); ok {
		s.correctAnswer(values)
	}
	if schema.Items != nil {
		s.correctAnswer(schema.Items)
	}
}

// admitNull makes nullable what a pointer to a struct is described as. huma does it for other pointers only.
func admitNull(schema *huma.Schema, of reflect.Type) {
	for field := range of.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		property := schema.Properties[name]
		if property == nil || property.Ref == "" || field.Type.Kind() != reflect.Pointer || options != "" {
			continue
		}
		schema.Properties[name] = &huma.Schema{
			Description: property.Description, OneOf: []*huma.Schema{{Ref: property.Ref}, {Type: "null"}},
		}
	}
}

// fixed answers every request with the same content.
func fixed(media string, content []byte) gin.HandlerFunc {
	return func(c *gin.Context) { c.Data(http.StatusOK, media, content) }
}
