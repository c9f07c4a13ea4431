package contract_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/test/apptest"
)

// What clients get is written down field by field: a field that is there stays there, and a new one is entered by somebody
// who has thought about who gets to see it.
func TestAnswersHoldTheFieldsThatAreWrittenDown(t *testing.T) {
	const golden = "testdata/answers.txt"
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(string(text))
	got := answerFields(t, apptest.Start(t, database.SQLite).Do(t, "GET", "/openapi.json").Want(200).Body)
	for _, field := range want {
		if !slices.Contains(got, field) {
			t.Errorf("%s is taken away from clients who rely on it", field)
		}
	}
	for _, field := range got {
		if !slices.Contains(want, field) {
			t.Errorf("%s isn't in %s", field, golden)
		}
	}
}

// answerFields returns the fields of all objects that answers hold, as Schema.field, in order.
func answerFields(t *testing.T, document []byte) []string {
	t.Helper()
	var parsed struct {
		Paths map[string]map[string]struct {
			Responses map[string]any
		}
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(document, &parsed); err != nil {
		t.Fatal(err)
	}
	var fields []string
	seen := map[string]bool{}
	var walk func(node any)
	walk = func(node any) {
		switch node := node.(type) {
		case []any:
			for _, part := range node {
				walk(part)
			}
		case map[string]any:
			for _, part := range node {
				walk(part)
			}
			ref, _ := node["$ref"].(string)
			name, isSchema := strings.CutPrefix(ref, "#/components/schemas/")
			if !isSchema || seen[name] {
				return
			}
			seen[name] = true
			schema, _ := parsed.Components.Schemas[name].(map[string]any)
			properties, _ := schema["properties"].(map[string]any)
			for field := range properties {
				fields = append(fields, name+"."+field)
			}
			walk(schema)
		}
	}
	for _, operations := range parsed.Paths {
		for _, operation := range operations {
			walk(operation.Responses)
		}
	}
	slices.Sort(fields)
	return fields
}
