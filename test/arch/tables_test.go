package arch_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// houseTables belong to no module: the ledger of the migrations is the schema's own.
var houseTables = []string{"atlas_schema_revisions"}

// brought are the platform's packages whose tables are a library's: how these are called, and that they have no models, is
// up to it.
var brought = map[string]string{"jobs": "river"}

// owners are the modules and the platform's packages that own tables.
func (t *tree) owners() []described { return slices.Concat(t.Modules, t.Platform) }

func tableRules() []rule {
	return []rule{
		{
			name: "tables-belong-to-one-module",
			says: "A table is called MODULE or MODULE_something, stands in the Descriptor of that module, or package of the platform, " +
				"and of no other, and its Owner is a column of it.",
			check: func(t *tree) []string {
				var broken []string
				owners := map[string]string{}
				for _, m := range t.owners() {
					for _, table := range m.Tables {
						if other := owners[table.Name]; other != "" {
							broken = append(broken, fmt.Sprintf("%s: the table %s is %s's", m.Name, table.Name, other))
							continue
						}
						owners[table.Name] = m.Name
						broken = append(broken, t.misdescribed(m, table)...)
					}
				}
				for name := range t.Tables {
					if owners[name] == "" && !slices.Contains(houseTables, name) {
						broken = append(broken, fmt.Sprintf("schema: the table %s is nobody's", name))
					}
				}
				return broken
			},
		},
		{
			name: "tables-have-models",
			says: "Each table of a module has a model and each model a table. The schema tooling is handed all of them.",
			check: func(t *tree) []string {
				var broken []string
				for _, m := range t.owners() {
					for _, table := range m.Tables {
						if brought[m.Name] == "" && !slices.Contains(m.Models, table.Name) {
							broken = append(broken, fmt.Sprintf("%s: the table %s has no model", m.Name, table.Name))
						}
					}
					for _, model := range m.Models {
						if !slices.ContainsFunc(m.Tables, func(table table) bool { return table.Name == model }) {
							broken = append(broken, fmt.Sprintf("%s: a model is of %q, which isn't among the tables", m.Name, model))
						}
						if !slices.Contains(t.Models, model) {
							broken = append(broken, fmt.Sprintf("%s: the model of %s isn't in wiregen.Models", m.Name, model))
						}
					}
				}
				return broken
			},
		},
	}
}

// misdescribed returns what is wrong with a table as its module describes it.
func (t *tree) misdescribed(m described, table table) []string {
	var broken []string
	prefix := cmp.Or(brought[m.Name], m.Name)
	if table.Name != prefix && !strings.HasPrefix(table.Name, prefix+"_") {
		broken = append(broken, fmt.Sprintf("%s: the table %s is called like another's", m.Name, table.Name))
	}
	columns, exists := t.Tables[table.Name]
	switch {
	case !exists:
		broken = append(broken, fmt.Sprintf("%s: the table %s isn't in the schema", m.Name, table.Name))
	case table.Owner != "" && !slices.Contains(columns, table.Owner):
		broken = append(broken, fmt.Sprintf("%s: the table %s has no column %s", m.Name, table.Name, table.Owner))
	}
	return broken
}
