package httpserver

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/omnistack/omnistack/platform/testkit"
)

func withDocs(o *Options) { o.HTTP.DocsEnabled = true; o.Title = "Things & <more>" }

func TestDocsAreServedOnlyWhenEnabled(t *testing.T) {
	on, off := start(t, nil, withDocs), start(t, nil)
	for path, media := range map[string]string{
		"/docs":                      "text/html; charset=utf-8",
		"/docs/start.js":             "text/javascript; charset=utf-8",
		"/docs/swagger-ui-bundle.js": "text/javascript; charset=utf-8",
		"/docs/swagger-ui.css":       "text/css; charset=utf-8",
		"/openapi.json":              "application/json",
		"/openapi.yaml":              "application/yaml",
	} {
		on.anyone.Do(t, "GET", path).Want(200).WantHeader("Content-Type", media)
		off.anyone.Do(t, "GET", path).WantError(404, "NOT_FOUND")
	}
	for _, path := range []string{"/docs/", "/docs/index.html", "/docs/LICENSE", "/docs/..%2fdocs.go", "/openapi"} {
		on.anyone.Do(t, "GET", path).WantError(404, "NOT_FOUND")
	}
}

// A document from elsewhere is served to anybody, counts against no limit, and isn't a part of the API.
func TestADocumentFromElsewhere(t *testing.T) {
	const content = `{"asyncapi": "3.0.0"}`
	f := newFixture(t, nil, withDocs)
	f.server.AddDocument("/asyncapi.json", "The events", []byte(content))
	f.listen(t)
	got := f.anyone.Do(t, "GET", "/asyncapi.json").Want(200).WantHeader("Content-Type", "application/json")
	if string(got.Body) != content {
		t.Errorf("got %s", got.Body)
	}
	if head := f.anyone.Do(t, "HEAD", "/asyncapi.json").Want(200); len(head.Body) > 0 {
		t.Errorf("HEAD answers %s", head.Body)
	}
	f.anyone.Do(t, "POST", "/asyncapi.json").WantError(405, "METHOD_NOT_ALLOWED")
	f.anyone.Do(t, "GET", "/api/v1/asyncapi.json").WantError(404, "NOT_FOUND")
	routes := f.server.Routes()
	if route := routes[len(routes)-1]; route.Full != "/asyncapi.json" || route.Guard != Public || route.Rate != RateExempt || !route.Hidden {
		t.Errorf("the route is %+v", route)
	}
}

// The page names no other host, and all that it loads is served.
func TestTheDocsPageIsSelfContained(t *testing.T) {
	f := start(t, nil, withDocs)
	page := string(f.anyone.Do(t, "GET", "/docs").Body)
	if !strings.Contains(page, "<title>Things &amp; &lt;more&gt;</title>") {
		t.Errorf("the title isn't escaped: %s", page)
	}
	loaded := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(loaded) != 4 {
		t.Errorf("the page loads %v", loaded)
	}
	for _, match := range loaded {
		if strings.HasPrefix(match[1], "data:") {
			continue
		}
		asset := f.anyone.Do(t, "GET", match[1]).Want(200)
		if asset.Header.Get("Content-Encoding") == "gzip" {
			unpacked, err := gzip.NewReader(bytes.NewReader(asset.Body))
			if err != nil {
				t.Fatal(err)
			}
			if asset.Body, err = io.ReadAll(unpacked); err != nil {
				t.Fatal(err)
			}
		}
		if strings.HasSuffix(match[1], ".css") && regexp.MustCompile(`@import|url\("?(https?:)?//`).Match(asset.Body) {
			t.Errorf("%s loads from elsewhere", match[1])
		}
	}
	if inline := regexp.MustCompile(`<script>|<style|\son[a-z]+=|javascript:`).FindString(page); inline != "" {
		t.Errorf("the page holds %q, which its policy forbids", inline)
	}
}

// document is the part of an OpenAPI document that the tests read.
type document struct {
	OpenAPI    string
	Info       struct{ Title, Version string }
	Paths      map[string]map[string]documented
	Components struct {
		Schemas, Headers map[string]map[string]any
		Responses        map[string]documentedAnswer
	}
}

type documented struct {
	OperationID string `json:"operationId"`
	Summary     string
	Tags        []string
	Security    []map[string][]string
	Parameters  []struct{ Name, In string }
	RequestBody *struct {
		Content map[string]struct{ Schema map[string]any }
	} `json:"requestBody"`
	Responses map[string]documentedAnswer
}

type documentedAnswer struct {
	Ref         string `json:"$ref"`
	Description string
	Headers     map[string]any
	Content     map[string]struct {
		Schema  map[string]any
		Example any
	}
}

func read(t *testing.T, f *fixture) document {
	t.Helper()
	var doc document
	if err := json.Unmarshal(f.anyone.Do(t, "GET", "/openapi.json").Want(200).Body, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestTheDocumentHasEveryRouteAndNoOther(t *testing.T) {
	f := start(t, func(r *Router) {
		Query(r, Route{Method: http.MethodGet, Path: "/secret", Guard: User, Hidden: true}, nothing)
	}, withDocs)
	doc := read(t, f)
	if doc.OpenAPI != "3.1.0" || doc.Info.Title != "Things & <more>" || doc.Info.Version != "v1" {
		t.Errorf("the document is %s of %+v", doc.OpenAPI, doc.Info)
	}
	var want, got []string
	for _, route := range f.server.Routes() {
		if !route.Hidden {
			want = append(want, route.Method+" "+route.Full)
		}
	}
	ids := map[string]bool{}
	for path, operations := range doc.Paths {
		for method, operation := range operations {
			got = append(got, strings.ToUpper(method)+" "+path)
			if ids[operation.OperationID] || operation.OperationID == "" {
				t.Errorf("the operation id %q isn't unique", operation.OperationID)
			}
			ids[operation.OperationID] = true
			if operation.Summary == "" || len(operation.Tags) != 1 {
				t.Errorf("%s %s has the summary %q and the tags %v", method, path, operation.Summary, operation.Tags)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the document has\n%v\nand the router\n%v", got, want)
	}
}

func TestTheDocumentSaysWhatIsTrueOfEveryOperation(t *testing.T) {
	f := start(t, nil, withDocs)
	doc := read(t, f)
	for _, route := range f.server.Routes() {
		if route.Hidden {
			continue
		}
		operation := doc.Paths[route.Full][strings.ToLower(route.Method)]
		guarded := route.Guard == User || route.Guard == Admin
		if hasSecurity := len(operation.Security) == 1 && operation.Security[0]["bearer"] != nil; hasSecurity != guarded {
			t.Errorf("%s %s has the security %v", route.Method, route.Full, operation.Security)
		}
		for status, wanted := range map[string]bool{
			"400": true, "401": guarded, "403": guarded, "413": operation.RequestBody != nil, "415": operation.RequestBody != nil,
			"422": true, "429": route.Rate != RateExempt,
			"500": true, "503": true, "504": true, "default": false,
		} {
			if _, documented := operation.Responses[status]; documented != wanted {
				t.Errorf("%s %s: %s documented is %t", route.Method, route.Full, status, documented)
			}
		}
		for status, answer := range operation.Responses {
			failing := status[0] == '4' || status[0] == '5'
			if answer.Ref != "" {
				answer = doc.Components.Responses[strings.TrimPrefix(answer.Ref, "#/components/responses/")]
			}
			if failing && !strings.HasSuffix(route.Full, "/ready") && answer.Content["application/json"].Schema["$ref"] != "#/components/schemas/Error" {
				t.Errorf("%s %s: %s has the schema %v", route.Method, route.Full, status, answer.Content)
			}
			if _, located := answer.Headers["Location"]; located != (status == "201") {
				t.Errorf("%s %s: %s has the headers %v", route.Method, route.Full, status, answer.Headers)
			}
			if _, named := answer.Headers["X-Request-ID"]; !named {
				t.Errorf("%s %s: %s has the headers %v", route.Method, route.Full, status, answer.Headers)
			}
		}
	}
	ready := doc.Paths["/health/ready"]["get"].Responses
	if ready["200"].Content["application/json"].Schema["$ref"] != "#/components/schemas/Readiness" ||
		ready["503"].Content["application/json"].Schema["$ref"] != "#/components/schemas/Readiness" {
		t.Errorf("readiness is documented as %v", ready)
	}
}

// deep is an answer with what huma alone describes wrongly.
type deep struct {
	Inner *inner           `json:"inner" doc:"What is within"`
	More  map[string]inner `json:"more"`
}

type inner struct {
	Count int `json:"count"`
}

func TestAnswersAreDescribedAsTheyAre(t *testing.T) {
	f := start(t, func(r *Router) {
		Query(r, Route{Method: http.MethodGet, Path: "/deep", Guard: User, Summary: "See deep"},
			func(context.Context, *struct{}) (*Object[deep], error) { return &Object[deep]{}, nil })
		Query(r, Route{Method: http.MethodGet, Path: "/page", Guard: User, Summary: "See a page"},
			func(context.Context, *struct{}) (*Page, error) { return &Page{}, nil })
	}, withDocs)
	doc := read(t, f)
	nullable, _ := json.Marshal(doc.Components.Schemas["Deep"]["properties"].(map[string]any)["inner"])
	if string(nullable) != `{"description":"What is within","oneOf":[{"$ref":"#/components/schemas/Inner"},{"type":"null"}]}` {
		t.Errorf("an object that may be null is described as %s", nullable)
	}
	if closed := doc.Components.Schemas["Inner"]["additionalProperties"]; closed != nil {
		t.Error("the objects in a map can't grow")
	}
	page := doc.Paths["/api/v1/page"]["get"].Responses["200"]
	if page.Content["text/html"].Schema["type"] != "string" || len(page.Content) != 1 {
		t.Errorf("a page is described as %v", page.Content)
	}
	for path, versioned := range map[string]bool{"/api/v1/app/things/{id}": true, "/api/v1/deep": false, "/health": false} {
		answers := doc.Paths[path]["get"].Responses
		if _, tagged := answers["200"].Headers["ETag"]; tagged != versioned {
			t.Errorf("%s has the headers %v", path, answers["200"].Headers)
		}
		if _, unchanged := answers["304"]; unchanged != versioned {
			t.Errorf("%s answers 304: %t", path, unchanged)
		}
	}
}

// What clients send is closed, what they get may grow.
func TestTheSchemas(t *testing.T) {
	doc := read(t, start(t, nil, withDocs))
	var names []string
	for name, schema := range doc.Components.Schemas {
		names = append(names, name)
		_, closed := schema["additionalProperties"]
		if sent := slices.Contains([]string{"NewThing", "ThingChange", "Part"}, name); sent != closed {
			t.Errorf("%s: closed is %t", name, closed)
		}
	}
	slices.Sort(names)
	if want := []string{"Error", "ErrorBody", "Health", "NewThing", "Part", "Readiness", "Thing", "ThingChange", "ThingList"}; !slices.Equal(names, want) {
		t.Errorf("the schemas are %v, want %v", names, want)
	}
	note, _ := json.Marshal(doc.Components.Schemas["ThingChange"]["properties"].(map[string]any)["note"])
	if string(note) != `{"maxLength":10,"type":["string","null"]}` {
		t.Errorf("a patched field is documented as %s", note)
	}
}

// The page works in a browser, under its own Content-Security-Policy.
func TestTheDocsWorkInABrowser(t *testing.T) {
	browser := findBrowser()
	if browser == "" {
		testkit.SkipOrFail(t, "there is no Chromium on the PATH: apt-get install chromium")
	}
	f := newFixture(t, nil, withDocs)
	f.server.raw(Route{Method: http.MethodGet, Path: "/docs/forbidden"}, func(c *gin.Context) {
		c.Header("Content-Security-Policy", docsCSP)
		c.Data(http.StatusOK, "text/html", []byte(`<script>document.title = "ran"</script>`))
	})
	f.listen(t)
	const refusal = "Content Security Policy"

	dom, console := browse(t, browser, f.url+"/docs#/things/patch-things-by-id") // with that operation unfolded
	for _, rendered := range []string{`id="operations-things-get-things"`, `id="operations-things-patch-things-by-id"`, "Make a thing", ">Execute<", "Things &amp; &lt;more&gt;"} {
		if !strings.Contains(dom, rendered) {
			t.Errorf("the page doesn't show %s", rendered)
		}
	}
	if strings.Contains(dom, "errors-wrapper") {
		t.Error("the page shows an error")
	}
	if strings.Contains(console, refusal) || strings.Contains(console, "CONSOLE") {
		t.Errorf("the console says\n%s", console)
	}

	// The same for a page that breaks the policy: this is what would have been seen.
	dom, console = browse(t, browser, f.url+"/docs/forbidden")
	if strings.Contains(dom, "<title>ran") || !strings.Contains(console, refusal) {
		t.Errorf("an inline script isn't refused or not reported:\n%s\n%s", dom, console)
	}
}

func findBrowser() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// browse returns the page as the browser has it once nothing more happens, and what it wrote to its console.
func browse(t *testing.T, browser, url string) (dom, console string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(),
		"--virtual-time-budget=20000", "--enable-logging=stderr", "--v=0", "--dump-dom", url)
	var out, errors bytes.Buffer
	command.Stdout, command.Stderr = &out, &errors
	if err := command.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", browser, err, errors.String())
	}
	return out.String(), errors.String()
}
