package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"
)

func newWiring() *cobra.Command {
	var root string
	var check bool
	wiring := &cobra.Command{
		Use:   "wiring",
		Short: "Write the list of modules from the folders",
		Long: "Writes the files of wire_gen and test/api that list the modules, from the folders under modules. A module is joined by its\n" +
			"composition root, which has New and Deps and perhaps Settings; what Deps hold that wire can't find by type is given by\n" +
			"a function of wire_gen called after the module, such as usersDeps. The ports of its contract are its methods of the same\n" +
			"names, and the contract's Null where a module was removed. Run `go tool wire ./wire_gen` after it.\n" +
			"With --check nothing is written, and a file that would change is an error.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			stale, err := staleWiring(root)
			if err != nil {
				return err
			}
			return writeStale(cmd.OutOrStdout(), stale, check, "wiring")
		},
	}
	wiring.Flags().StringVar(&root, "root", ".", "the top of the repository")
	wiring.Flags().BoolVar(&check, "check", false, "write nothing, and fail when there would be something to write")
	return wiring
}

// joined is a module as the wiring sees it.
type joined struct {
	Name  string // the folder
	Field string // what it is called in Go
	Mod   string // its composition root, such as "usersmod"

	Removed  bool     // only its contract was left
	Events   bool     // the contract has some
	Ports    []string // the interfaces of its contract
	Hand     bool     // wire_gen has a function that returns its Deps
	Settings bool
	Accesses bool // test/api has the cases of its routes in a file of its own

	asks []string // the modules whose contract it imports
}

// modulesOn returns the modules on disk, each after those that it asks.
func modulesOn(root string) ([]joined, error) {
	folders, err := filepath.Glob(filepath.Join(root, "modules", "*", "doc.go"))
	if err != nil {
		return nil, err
	}
	byHand, err := declared(filepath.Join(root, "wire_gen"))
	if err != nil {
		return nil, err
	}
	var all []joined
	for _, contract := range folders {
		name := filepath.Base(filepath.Dir(contract))
		m := joined{Name: name, Field: goName(name), Mod: name + "mod", Hand: has(byHand, name+"Deps")}
		promised, err := declared(filepath.Dir(contract))
		if err != nil {
			return nil, err
		}
		for declaration, isInterface := range promised {
			if isInterface {
				m.Ports = append(m.Ports, declaration)
			}
		}
		slices.Sort(m.Ports)
		own, err := declared(filepath.Join(root, "modules", name, m.Mod))
		if err != nil {
			return nil, err
		}
		m.Removed, m.Settings, m.Events = len(own) == 0, has(own, "Settings"), has(promised, "Published")
		switch {
		case m.Removed && len(m.Ports) > 0 && !has(promised, "Null"):
			return nil, fmt.Errorf("modules/%s has neither %s nor a Null that stands for its ports", name, m.Mod)
		case !m.Removed && (!has(own, "New") || !has(own, "Deps")):
			return nil, fmt.Errorf("modules/%s/%s hasn't New and Deps", name, m.Mod)
		}
		if _, err := os.Stat(filepath.Join(root, "test", "api", name+"_access_test.go")); err == nil {
			m.Accesses = true
		}
		if m.asks, err = asked(root, name); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return inOrder(all), nil
}

// inOrder puts each module after those that it asks, and otherwise in the order of their names. Two modules may know each
// other's events: then the names decide.
func inOrder(all []joined) []joined {
	slices.SortFunc(all, func(a, b joined) int { return cmp.Compare(a.Name, b.Name) })
	var ordered []joined
	placed := map[string]bool{}
	for len(all) > 0 {
		next := max(0, slices.IndexFunc(all, func(m joined) bool {
			return !slices.ContainsFunc(m.asks, func(name string) bool {
				return !placed[name] && slices.ContainsFunc(all, func(other joined) bool { return other.Name == name })
			})
		}))
		placed[all[next].Name] = true
		ordered = append(ordered, all[next])
		all = slices.Delete(all, next, next+1)
	}
	return ordered
}

// has tells whether a name is among declared ones.
func has(declarations map[string]bool, name string) bool {
	_, there := declarations[name]
	return there
}

// declared returns the names of the functions and types that the Go files of a folder declare, tests apart, and which of them are
// interfaces.
func declared(folder string) (map[string]bool, error) {
	names := map[string]bool{}
	err := eachFile(folder, 0, func(_ string, file *ast.File) {
		for _, declaration := range file.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					names[d.Name.Name] = false
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if named, ok := spec.(*ast.TypeSpec); ok {
						_, isInterface := named.Type.(*ast.InterfaceType)
						names[named.Name.Name] = isInterface
					}
				}
			}
		}
	})
	return names, err
}

// asked returns the names of the other modules whose contract a module imports.
func asked(root, name string) ([]string, error) {
	var asks []string
	err := filepath.WalkDir(filepath.Join(root, "modules", name), func(folder string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		return eachFile(folder, parser.ImportsOnly, func(_ string, file *ast.File) {
			for _, imported := range file.Imports {
				parent, other := path.Split(strings.Trim(imported.Path.Value, `"`))
				if path.Base(parent) == "modules" && other != name && !slices.Contains(asks, other) {
					asks = append(asks, other)
				}
			}
		})
	})
	return asks, err
}

// eachFile calls do for every Go file right in a folder that is no test.
func eachFile(folder string, mode parser.Mode, do func(path string, file *ast.File)) error {
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, mode|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		do(path, file)
	}
	return nil
}

// goName returns what a module is called in Go: "projects" is Projects, and an abbreviation such as "ai" is AI.
func goName(name string) string {
	if len(name) <= 2 {
		return strings.ToUpper(name)
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// staleWiring returns the lists of modules that aren't what they should be, as they should be.
func staleWiring(root string) ([]page, error) {
	house, err := modulePath(root)
	if err != nil {
		return nil, err
	}
	modules, err := modulesOn(root)
	if err != nil {
		return nil, err
	}
	var stale []page
	for place, text := range map[string]string{
		"wire_gen/modules_gen.go": listOfModules, "wire_gen/moduleset_gen.go": setOfModules, "test/api/accesses_gen_test.go": listOfAccesses,
	} {
		var out bytes.Buffer
		data := struct {
			House   string
			Modules []joined
		}{house, modules}
		if err := template.Must(template.New(place).Parse(text)).Execute(&out, data); err != nil {
			return nil, err
		}
		code, err := format.Source(out.Bytes())
		if err != nil {
			return nil, err
		}
		wanted := page{path: filepath.Join(root, filepath.FromSlash(place)), text: code}
		if found, err := os.ReadFile(wanted.path); err != nil || !bytes.Equal(found, code) {
			stale = append(stale, wanted)
		}
	}
	slices.SortFunc(stale, func(a, b page) int { return cmp.Compare(a.path, b.path) })
	return stale, nil
}

// modulePath returns the module path that go.mod names.
func modulePath(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(strings.TrimPrefix(first, "module ")), nil
}

const listOfModules = `// Code generated by go run ./cmd/scaffold wiring from the folders of modules. DO NOT EDIT.

package wiregen

import (
{{- range .Modules}}{{if or .Ports (and .Removed .Events)}}
	"{{$.House}}/modules/{{.Name}}"
{{- end}}{{if not .Removed}}
	"{{$.House}}/modules/{{.Name}}/{{.Mod}}"
{{- end}}{{end}}
	"{{.House}}/platform/config"
	"{{.House}}/platform/module"
)

// Modules are the bounded contexts, put together.
type Modules struct {
{{- range .Modules}}{{if not .Removed}}
	{{.Field}} *{{.Mod}}.Module
{{- end}}{{end}}
}

// Describe returns the table of contents of every module, in the order in which they are mounted.
func (m *Modules) Describe() []module.Descriptor {
	return []module.Descriptor{
{{- range .Modules}}
		{{if not .Removed}}m.{{.Field}}.Describe(){{else}}{
			Name: "{{.Name}}", Summary: "{{.Field}} was removed. Its contract is left.",
			{{- if .Events}} Publishes: {{.Name}}.Published(),{{end}}
		}{{end}},
{{- end}}
	}
}

// ModuleSettings are the settings of the modules.
type ModuleSettings struct {
{{- range .Modules}}{{if .Settings}}
	{{.Field}} {{.Mod}}.Settings
{{- end}}{{end}}
}

// groups returns the group of every module.
func (s *ModuleSettings) groups() []config.Group {
	return []config.Group{
{{- range .Modules}}{{if .Settings}}
		s.{{.Field}}.Group(),
{{- end}}{{end}}
	}
}

// The ports of the modules, for whoever asks them.
{{range $m := .Modules}}{{range .Ports}}
func {{$m.Name}}{{.}}({{if not $m.Removed}}m *{{$m.Mod}}.Module{{end}}) {{$m.Name}}.{{.}} { return {{if $m.Removed}}{{$m.Name}}.Null{}{{else}}m.{{.}}(){{end}} }
{{end}}{{end}}`

const listOfAccesses = `// Code generated by go run ./cmd/scaffold wiring from the folders of modules. DO NOT EDIT.

package api

import "slices"

// accesses are the cases of every route of the product.
var accesses = slices.Concat(
	houseAccesses,
{{- range .Modules}}{{if .Accesses}}
	{{.Name}}Accesses,
{{- end}}{{end}}
)
`

const setOfModules = `// Code generated by go run ./cmd/scaffold wiring from the folders of modules. DO NOT EDIT.

//go:build wireinject

package wiregen

import (
	"github.com/google/wire"
{{range .Modules}}{{if not .Removed}}
	"{{$.House}}/modules/{{.Name}}/{{.Mod}}"
{{- end}}{{end}}
)

// moduleSet makes the modules out of what the platform gives them.
var moduleSet = wire.NewSet(
{{- range $m := .Modules}}{{if not .Removed}}
	{{if .Hand}}{{.Name}}Deps{{else}}wire.Struct(new({{.Mod}}.Deps), "*"){{end}},
	{{.Mod}}.New,
{{- end}}{{range .Ports}}
	{{$m.Name}}{{.}},
{{- end}}{{end}}
	wire.Struct(new(Modules), "*"),
)
`
