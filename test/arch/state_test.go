package arch_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

func stateRules() []rule {
	return []rule{
		{
			name: "no-init",
			says: "Nothing happens on import: what has to be done at the start, main does, and in an order that can be read.",
			check: eachDeclaration(func(t *tree, _ *file, declared ast.Decl) []string {
				if fn, ok := declared.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					return []string{t.at(fn) + ": declares init"}
				}
				return nil
			}),
		},
		{
			name: "no-global-state",
			says: "A variable of a package is a constant that Go can't spell: a table, a pattern, an error. It has a value from the " +
				"start, keeps it, and is no client, lock or logger. What changes belongs to a value that someone makes and hands on.",
			check: eachDeclaration(func(t *tree, f *file, declared ast.Decl) []string {
				switch declared := declared.(type) {
				case *ast.GenDecl:
					return variables(t, f, declared)
				case *ast.FuncDecl:
					return assignments(t, f, declared)
				}
				return nil
			}),
		},
		{
			name: "domains-have-no-tags",
			says: "How a thing is written in JSON or in a table is said by the adapter that writes it.",
			check: func(t *tree) []string {
				var broken []string
				for p, f := range t.files() {
					if f.isTest || !matches("modules/*/internal/domain", p.path, "") {
						continue
					}
					ast.Inspect(f.syntax, func(node ast.Node) bool {
						if field, ok := node.(*ast.Field); ok && field.Tag != nil {
							broken = append(broken, t.at(field.Tag)+": has the tag "+field.Tag.Value)
						}
						return true
					})
				}
				return broken
			},
		},
	}
}

// eachDeclaration returns a check of what is declared in packages that aren't tests.
func eachDeclaration(check func(*tree, *file, ast.Decl) []string) func(*tree) []string {
	return func(t *tree) []string {
		var broken []string
		for p, f := range t.files() {
			if f.isTest || matches("test/...", p.path, "") {
				continue
			}
			for _, declared := range f.syntax.Decls {
				broken = append(broken, check(t, f, declared)...)
			}
		}
		return broken
	}
}

// linked is the variable that the linker gives its value.
const linked = "wire_gen/app.go:version"

// stateful are the packages whose values are used by changing them, and of net/http what is.
var (
	stateful     = []string{"database/sql.", "github.com/redis/go-redis/v9.", "go.uber.org/zap.", "gorm.io/gorm.", "sync.", "sync/atomic."}
	statefulHTTP = []string{"net/http.Client", "net/http.DefaultClient", "net/http.DefaultTransport", "net/http.Server", "net/http.Transport"}
	once         = []string{"sync.OnceFunc", "sync.OnceValue", "sync.OnceValues"} // a constant that takes work to find
)

// variables returns the variables that are state by how they are declared.
func variables(t *tree, f *file, declared *ast.GenDecl) []string {
	var broken []string
	for _, spec := range declared.Specs {
		spec, ok := spec.(*ast.ValueSpec)
		if !ok || declared.Tok != token.VAR || embeds(declared.Doc) || embeds(spec.Doc) {
			continue
		}
		name := spec.Names[0].Name
		if len(spec.Values) == 0 && f.path+":"+name != linked {
			broken = append(broken, fmt.Sprintf("%s: %s has no value from the start", t.at(spec), name))
			continue
		}
		ast.Inspect(spec, func(node ast.Node) bool {
			if selector, ok := node.(*ast.SelectorExpr); ok {
				if held := f.fullName(selector); isState(held) {
					broken = append(broken, fmt.Sprintf("%s: %s holds %s", t.at(spec), name, held))
				}
			}
			_, inside := node.(*ast.FuncLit)
			return !inside
		})
	}
	return broken
}

// isState tells whether what is so called holds state.
func isState(name string) bool {
	begins := func(start string) bool { return strings.HasPrefix(name, start) }
	return !slices.Contains(once, name) && (slices.ContainsFunc(stateful, begins) || slices.Contains(statefulHTTP, name))
}

// embeds tells whether a declaration is filled by go:embed.
func embeds(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// assignments returns where a function changes a variable of a package, its own or another.
func assignments(t *tree, f *file, fn *ast.FuncDecl) []string {
	var broken []string
	change := func(target ast.Expr) {
		if name := f.global(target); name != "" {
			broken = append(broken, fmt.Sprintf("%s: changes %s", t.at(target), name))
		}
	}
	ast.Inspect(fn, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.AssignStmt:
			for _, target := range node.Lhs {
				change(target)
			}
		case *ast.IncDecStmt:
			change(node.X)
		}
		return true
	})
	return broken
}

// global returns the name of the package's variable in which the target of an assignment lies, empty when it lies in
// none. huma's are the one exception: it can be told what errors look like in no other way.
func (f *file) global(target ast.Expr) string {
	switch target := target.(type) {
	case *ast.Ident:
		variable, ok := f.uses[target].(*types.Var)
		if ok && variable.Parent() == variable.Pkg().Scope() {
			return target.Name
		}
	case *ast.SelectorExpr:
		name := f.fullName(target)
		switch {
		case name == "" || strings.HasPrefix(name, "("):
			return f.global(target.X)
		case !strings.HasPrefix(name, "github.com/danielgtaylor/huma/"):
			return name
		}
	case *ast.IndexExpr:
		return f.global(target.X)
	case *ast.StarExpr:
		return f.global(target.X)
	case *ast.ParenExpr:
		return f.global(target.X)
	}
	return ""
}
