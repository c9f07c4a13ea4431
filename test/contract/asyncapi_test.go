package contract_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/omnistack/omnistack/platform/asyncapi"
	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/test/apptest"
)

// official returns the schema of AsyncAPI 3.0.0 documents.
func official(t *testing.T) *jsonschema.Schema {
	t.Helper()
	packed, err := os.ReadFile("testdata/asyncapi-3.0.0.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := compileText(jsonschema.NewCompiler(), text)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// document is the part of an AsyncAPI document that the tests read.
type document struct {
	AsyncAPI   string
	Info       struct{ Title, Version string }
	Channels   map[string]struct{ Address string }
	Operations map[string]struct {
		Action, Title, Summary string
		Channel                struct {
			Ref string `json:"$ref"`
		}
	}
	Components struct {
		Messages map[string]struct{ Name string }
		Schemas  map[string]*asyncapi.Schema
	}
}

// The running product serves a document that is valid and names what its modules publish and who handles it, no more and no
// less, and only as long as the docs are wanted.
func TestTheProductDescribesItsEvents(t *testing.T) {
	t.Parallel()
	app := apptest.Start(t, database.SQLite)
	body := app.Do(t, "GET", "/asyncapi.json").Want(200).WantHeader("Content-Type", "application/json").Body
	isValid(t, official(t), body)
	var doc document
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.AsyncAPI != "3.0.0" || doc.Info.Title != app.Settings.Platform.Core.ProjectName || doc.Info.Version == "" {
		t.Errorf("it is AsyncAPI %s of %+v", doc.AsyncAPI, doc.Info)
	}

	var published, operations []string
	for _, c := range contracts(t) {
		for _, event := range c.Publishes {
			name := event.EventName()
			published = append(published, name)
			operations = append(operations, "send "+name+" on #/channels/"+name)
			if doc.Channels[name].Address != name || doc.Components.Messages[name].Name != name {
				t.Errorf("%s has the channel %+v and the message %+v", name, doc.Channels[name], doc.Components.Messages[name])
			}
			schema, err := compile(doc.Components.Schemas[name])
			if err != nil {
				t.Errorf("the schema of %s: %v", name, err)
				continue
			}
			golden, err := jsonschema.UnmarshalJSON(strings.NewReader(c.goldens[name+".json"]))
			if err != nil || schema.Validate(golden) != nil || schema.Validate(map[string]any{}) == nil {
				t.Errorf("the schema of %s doesn't fit its golden payload, or fits anything: %v", name, err)
			}
		}
	}
	for consumer, event := range consumers(t, app) {
		operations = append(operations, "receive "+consumer+" on #/channels/"+event)
	}
	var channels, found []string
	for name := range doc.Channels {
		channels = append(channels, name)
	}
	for _, operation := range doc.Operations {
		found = append(found, operation.Action+" "+operation.Title+" on "+operation.Channel.Ref)
		if operation.Action == "receive" && operation.Summary == "" {
			t.Errorf("%s doesn't say what it does", operation.Title)
		}
	}
	for _, list := range [][]string{published, operations, channels, found} {
		slices.Sort(list)
	}
	if !slices.Equal(channels, published) {
		t.Errorf("the document has the channels\n%v\nand the modules publish\n%v", channels, published)
	}
	if !slices.Equal(found, operations) {
		t.Errorf("the document has the operations\n%s\nand the modules\n%s", strings.Join(found, "\n"), strings.Join(operations, "\n"))
	}
	apptest.Start(t, database.SQLite, "DOCS_ENABLED=false").Do(t, "GET", "/asyncapi.json").WantError(404, "NOT_FOUND")
}

// consumers returns the events that the running product's consumers wait for, by their names.
func consumers(t *testing.T, app *apptest.App) map[string]string {
	t.Helper()
	var stats struct {
		Consumers map[string]struct{ Event string }
	}
	admin := app.As(app.Token(t, auth.DevClaims{Subject: "root", Role: "admin"}))
	if err := json.Unmarshal(admin.Do(t, "GET", "/api/v1/admin/events/stats").Want(200).Body, &stats); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for name, consumer := range stats.Consumers {
		found[name] = consumer.Event
	}
	return found
}

// The names of consumers are golden. What a consumer has handled is remembered under its name: one that is renamed is new and
// begins with what happens from then on, and what is on its way to the old name is delivered to nobody. So is one that waits
// for another event.
func TestConsumersKeepTheirNames(t *testing.T) {
	t.Parallel()
	golden, err := os.ReadFile("testdata/consumers.txt")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for name, event := range consumers(t, apptest.Start(t, database.SQLite)) {
		lines = append(lines, name+" "+event+"\n")
	}
	slices.Sort(lines)
	if got := strings.Join(lines, ""); got != string(golden) {
		t.Errorf("the consumers are\n%sand were\n%s", got, golden)
	}
}

// The document of a module with everything is valid, and the official schema refuses what isn't.
func TestDocumentsAreAsyncAPI(t *testing.T) {
	schema := official(t)
	body, err := asyncapi.Document("Acme", "v1", []module.Descriptor{orders().Descriptor})
	if err != nil {
		t.Fatal(err)
	}
	isValid(t, schema, body)
	for _, part := range []string{`"title": "Acme",`, `"action": "send"`, `"asyncapi": "3.0.0"`, `"type": "boolean"`, `"address"`} {
		damaged, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(string(body), part, damage(part), 1)))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(damaged) == nil {
			t.Errorf("the document is valid without %s", part)
		}
	}
}

// damage returns the name of a field, or its value, as another.
func damage(part string) string {
	if name, value, hasValue := strings.Cut(part, ": "); hasValue && !strings.Contains(value, ",") {
		return name + `: "nonsense"`
	}
	return strings.Replace(part, `"`, `"un`, 1)
}

// isValid checks a document with the official schema, and that each of its references leads somewhere.
func isValid(t *testing.T, schema *jsonschema.Schema, body []byte) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Error(err)
	}
	for _, ref := range references(doc) {
		at := doc
		for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			fields, _ := at.(map[string]any)
			at = fields[part]
		}
		if at == nil {
			t.Errorf("%s leads nowhere", ref)
		}
	}
}

// references returns every $ref within a JSON value.
func references(value any) []string {
	var found []string
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range value {
			if ref, isText := inner.(string); isText && name == "$ref" {
				found = append(found, ref)
			}
			found = append(found, references(inner)...)
		}
	case []any:
		for _, inner := range value {
			found = append(found, references(inner)...)
		}
	}
	return found
}
