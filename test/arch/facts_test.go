package arch_test

import (
	"encoding/json"
	"io/fs"
	"os/exec"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/testkit"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

// facts are what the source doesn't show and the program knows of itself.
type facts struct {
	Linked   []string            // the import paths in the product's binary
	Modules  []described         // what the modules say of themselves
	Platform []described         // what the platform's packages that own tables say of themselves
	Models   []string            // the tables whose models the schema tooling is handed
	Tables   map[string][]string // the columns of each table of the migrated schema
}

// described is what a Descriptor says of its tables and events.
type described struct {
	Name      string
	Tables    []table
	Models    []string // the tables of its models
	Publishes []string // the names of its events
	Consumes  []consumer
	Exporter  bool // whether it has one
	Eraser    bool // and one of these
}

// table is a table with the column that says whose a row is.
type table struct {
	Name, Owner  string
	Pseudonymous []string // the columns that may name a user who is gone
}

// consumer is a consumer with the name of what it handles.
type consumer struct{ Name, Event string }

// factsOf asks the product. That PostgreSQL has the same tables as SQLite is tested in package schema.
func factsOf(t *testing.T) facts {
	t.Helper()
	deps, err := exec.CommandContext(t.Context(), "go", "list", "-deps", top+"/cmd/omnistack").Output()
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := wiregen.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	known := facts{
		Linked: strings.Fields(string(deps)),
		Models: tablesOf(wiregen.Models()),
		Tables: columns(t),
	}
	for _, canvas := range catalog {
		known.Modules = append(known.Modules, describe(canvas.Descriptor))
	}
	for _, descriptor := range wiregen.Platform() {
		known.Platform = append(known.Platform, describe(descriptor))
	}
	return known
}

func describe(descriptor module.Descriptor) described {
	m := described{
		Name: descriptor.Name, Models: tablesOf(descriptor.Models), Exporter: descriptor.Exporter != nil, Eraser: descriptor.Eraser != nil,
	}
	for _, owned := range descriptor.Tables {
		m.Tables = append(m.Tables, table{Name: owned.Name, Owner: owned.Owner, Pseudonymous: owned.Pseudonymous})
	}
	for _, event := range descriptor.Publishes {
		m.Publishes = append(m.Publishes, event.EventName())
	}
	for _, handler := range descriptor.Consumes {
		m.Consumes = append(m.Consumes, consumer{Name: handler.Name, Event: handler.Event})
	}
	return m
}

// tablesOf returns the tables of models, "" for one that names none.
func tablesOf(models []any) []string {
	var tables []string
	for _, model := range models {
		named, _ := model.(interface{ TableName() string })
		if named == nil {
			tables = append(tables, "")
			continue
		}
		tables = append(tables, named.TableName())
	}
	return tables
}

func columns(t *testing.T) map[string][]string {
	t.Helper()
	var found []struct{ Name, Column string }
	err := testkit.SQLite(t).Read(t.Context()).Raw(
		`SELECT m.name AS name, c.name AS "column" FROM sqlite_master m, pragma_table_info(m.name) c
		 WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'`).Scan(&found).Error
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string][]string{}
	for _, row := range found {
		tables[row.Name] = append(tables[row.Name], row.Column)
	}
	return tables
}

// readFacts reads the facts of a small house.
func readFacts(t *testing.T, files fs.FS) facts {
	t.Helper()
	text, err := fs.ReadFile(files, ".facts.json")
	if err != nil {
		t.Fatal(err)
	}
	var known facts
	if err := json.Unmarshal(text, &known); err != nil {
		t.Fatal(err)
	}
	return known
}
