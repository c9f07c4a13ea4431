package arch_test

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// atTheTop is what the top level of the repository may hold, besides dotfiles and what git ignores.
const atTheTop = "cmd modules platform schema test wire_gen " +
	"Dockerfile Makefile README.md CONTRIBUTING.md LICENSE atlas.hcl docker-compose.yml go.mod go.sum railway.toml render.yaml"

func shapeRules() []rule {
	return []rule{
		{
			name: "the-top-is-tidy",
			says: "The top of the repository holds what the design names: " + atTheTop + ".",
			check: func(t *tree) []string {
				var broken []string
				entries, _ := fs.ReadDir(t.root, ".") // load has read it before
				for _, entry := range entries {
					name := entry.Name()
					if !strings.HasPrefix(name, ".") && !t.ignored(name) && !slices.Contains(strings.Fields(atTheTop), name) {
						broken = append(broken, name+": doesn't belong at the top")
					}
				}
				return broken
			},
		},
		{
			name: "names-are-unique",
			says: "A package is called like its folder and like no other that can be imported beside it, so imports need no alias.",
			check: func(t *tree) []string {
				var broken []string
				first := map[string]string{}
				for _, p := range t.packages {
					if p.name == "main" || strings.Contains(p.path, "/internal/") { // the layers of all modules are called alike
						continue
					}
					if other := first[p.name]; other != "" {
						broken = append(broken, fmt.Sprintf("%s: is called %s, and so is %s", p.path, p.name, other))
						continue
					}
					first[p.name] = p.path
					if p.name != strings.ReplaceAll(path.Base(p.path), "_", "") {
						broken = append(broken, fmt.Sprintf("%s: is called %s", p.path, p.name))
					}
				}
				return broken
			},
		},
		{
			name: "modules-are-complete",
			says: "Each folder of modules/ has a contract whose doc.go says what the context owns and what it refuses, a composition " +
				"root that wiregen.Catalog knows, and a canvas, README.md. Where it has ports, a Null stands for them when the module is removed; the users stay.",
			check: func(t *tree) []string {
				var broken []string
				folders, _ := fs.Glob(t.root, "modules/*/*") // the pattern is good
				var names []string
				for _, folder := range folders {
					names = append(names, path.Base(path.Dir(folder)))
				}
				for _, name := range slices.Compact(names) {
					broken = append(broken, t.missing(name)...)
				}
				return broken
			},
		},
	}
}

// missing returns what a module has not.
func (t *tree) missing(name string) []string {
	folder := "modules/" + name
	var missing []string
	doc, _ := fs.ReadFile(t.root, folder+"/doc.go") // empty when there is none
	for _, word := range []string{"owns", "refuses"} {
		if !strings.Contains(string(doc), word) {
			missing = append(missing, fmt.Sprintf("%s/doc.go: doesn't say what the context %s", folder, word))
		}
	}
	known := slices.ContainsFunc(t.Modules, func(m described) bool { return m.Name == name })
	if t.find(folder+"/"+name+"mod") == nil && !known { // of a module that was removed the catalog knows the contract
		missing = append(missing, fmt.Sprintf("%s/%smod: isn't there", folder, name))
	}
	_, ports := fs.Stat(t.root, folder+"/ports.go")
	if _, null := fs.Stat(t.root, folder+"/null.go"); ports == nil && null != nil && name != "users" {
		missing = append(missing, folder+"/null.go: isn't there, and so nothing stands for the ports when the module is removed")
	}
	if _, err := fs.Stat(t.root, folder+"/README.md"); err != nil {
		missing = append(missing, folder+"/README.md: isn't there")
	}
	if !known {
		missing = append(missing, folder+": isn't in the catalog of wire_gen")
	}
	return missing
}
