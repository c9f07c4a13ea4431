package schema_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
	atlas "ariga.io/atlas/sql/schema"
	"ariga.io/atlas/sql/sqlite"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/schema/diff"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

func TestModelsAndMigrationsAgree(t *testing.T) {
	opts := diff.Options{
		Models:      wiregen.Models(),
		Folder:      "migrations",
		PostgresURL: testkit.DatabaseOptions(t, database.Postgres).Target,
	}
	for _, engine := range diff.Engines() {
		missing, err := diff.Missing(t.Context(), opts, engine)
		if err != nil {
			t.Fatal(err)
		}
		for _, statement := range missing {
			t.Errorf("%s lacks a migration, run `go run ./cmd/scaffold migrate diff NAME`: %s", engine, statement)
		}
	}
}

// Code that runs on one database must find the same on the other one: tables, columns, nullability, keys, indexes.
func TestBothDatabasesAlike(t *testing.T) {
	onPostgres := describe(t, testkit.Postgres(t))
	onSQLite := describe(t, testkit.SQLite(t))
	if len(onPostgres) == 0 {
		t.Error("there are no tables to compare")
	}
	for _, line := range onPostgres {
		if !slices.Contains(onSQLite, line) {
			t.Errorf("only on PostgreSQL: %s", line)
		}
	}
	for _, line := range onSQLite {
		if !slices.Contains(onPostgres, line) {
			t.Errorf("only on SQLite: %s", line)
		}
	}
}

// describe returns a line for everything in the database, in words that don't depend on the engine.
func describe(t *testing.T, db *database.DB) []string {
	t.Helper()
	var lines []string
	for _, table := range inspect(t, db).Tables {
		say := func(format string, args ...any) {
			lines = append(lines, table.Name+": "+fmt.Sprintf(format, args...))
		}
		say("table")
		for _, column := range table.Columns {
			say("column %s %s, null %t, default %t", column.Name, family(column), column.Type.Null, column.Default != nil)
		}
		if table.PrimaryKey != nil {
			say("primary key %s", parts(table.PrimaryKey))
		}
		for _, index := range table.Indexes {
			say("index %s, unique %t, %s where %q", index.Name, index.Unique, parts(index), predicate(index))
		}
		for _, key := range table.ForeignKeys {
			say("foreign key %s to %s %s, on delete %s", names(key.Columns), key.RefTable.Name, names(key.RefColumns),
				cmp.Or(key.OnDelete, atlas.NoAction))
		}
		for _, attr := range table.Attrs {
			if check, ok := attr.(*atlas.Check); ok {
				say("check %s", check.Name)
			}
		}
	}
	return lines
}

func inspect(t *testing.T, db *database.DB) *atlas.Schema {
	t.Helper()
	var driver migrate.Driver
	var err error
	if db.Engine() == database.Postgres {
		driver, err = postgres.Open(db.SQL())
	} else {
		driver, err = sqlite.Open(db.SQL())
	}
	if err != nil {
		t.Fatal(err)
	}
	tables, err := driver.InspectSchema(t.Context(), "", &atlas.InspectOptions{Exclude: diff.Excluded()})
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

// family returns what a type is for. SQLite has fewer types than PostgreSQL; a name that isn't listed is compared as
// it is.
func family(column *atlas.Column) string {
	raw := strings.ToLower(column.Type.Raw)
	switch raw {
	case "bigint", "integer", "smallint", "int":
		return "integer"
	case "boolean", "numeric":
		return "boolean or decimal" // GORM stores a bool as numeric on SQLite
	case "double precision", "real":
		return "float"
	case "timestamp with time zone", "datetime":
		return "time"
	case "bytea", "blob":
		return "bytes"
	case "jsonb", "json":
		return "json"
	}
	return raw
}

func parts(index *atlas.Index) string {
	all := make([]string, len(index.Parts))
	for i, part := range index.Parts {
		if part.C != nil {
			all[i] = part.C.Name
		} else {
			all[i] = plain(part.X.(*atlas.RawExpr).X)
		}
		if part.Desc {
			all[i] += " desc"
		}
	}
	return "(" + strings.Join(all, ", ") + ")"
}

// predicate returns the condition of a partial index.
func predicate(index *atlas.Index) string {
	for _, attr := range index.Attrs {
		switch where := attr.(type) {
		case *postgres.IndexPredicate:
			return plain(where.P)
		case *sqlite.IndexPredicate:
			return plain(where.P)
		}
	}
	return ""
}

// plain takes out of an expression what the engines write differently.
func plain(expression string) string {
	return strings.NewReplacer("(", "", ")", "", "`", "", `"`, "", "::text", "").Replace(strings.ToLower(expression))
}

func names(columns []*atlas.Column) string {
	all := make([]string, len(columns))
	for i, column := range columns {
		all[i] = column.Name
	}
	return "(" + strings.Join(all, ", ") + ")"
}
