package arch_test

import (
	"fmt"
	"go/ast"
	"go/types"
	"slices"
	"strings"
)

func useRules() []rule {
	return []rule{
		{
			name: "time-comes-from-the-clock",
			says: "The domain takes times as arguments and use cases take a clock.Clock, so that a test says what time it is.",
			check: func(t *tree) []string {
				return t.uses("time.Now time.Since time.Until time.Sleep time.After time.AfterFunc time.Tick time.NewTimer time.NewTicker",
					func(p *pkg, f *file) bool {
						return !f.isTest && matches("modules/*/internal/domain modules/*/internal/app", p.path, "")
					})
			},
		},
		{
			name: "tests-wait-for-signals",
			says: "A test that sleeps is slow on a fast machine and fails on a slow one. In a bubble of testing/synctest sleeping is free.",
			check: func(t *tree) []string {
				return t.uses("time.Sleep", func(p *pkg, f *file) bool {
					inBubble := slices.ContainsFunc(f.imports, func(i imported) bool { return i.path == "testing/synctest" })
					return !inBubble && (f.isTest || matches("modules/*/*test platform/*/*test test/apptest", p.path, ""))
				})
			},
		},
		{
			name: "skips-fail-on-ci",
			says: "A test skips by testkit.SkipOrFail: where CI=true, what is skipped is not known to work.",
			check: func(t *tree) []string {
				return t.uses("(t).Skip (t).Skipf (t).SkipNow (b).Skip (b).Skipf (b).SkipNow", func(p *pkg, _ *file) bool {
					return p.path != "platform/testkit"
				})
			},
		},
		{
			name: "output-goes-to-the-log",
			says: "Only a command writes to the terminal. Everything else logs, or returns what it has to say.",
			check: func(t *tree) []string {
				return t.uses("fmt.Print fmt.Printf fmt.Println os.Stdout os.Stderr log.Print log.Printf log.Println log.Fatal log.Fatalf",
					inProduct)
			},
		},
		{
			name: "settings-come-from-config",
			says: "What the environment says is read once, by platform/config, where it is checked and listed.",
			check: func(t *tree) []string {
				return t.uses("os.Getenv os.LookupEnv os.Environ os.ExpandEnv", inProduct)
			},
		},
		{
			name: "queries-are-not-formatted",
			says: "A store puts its queries together from texts of its own, and hands values over beside them. It formats nothing into them.",
			check: func(t *tree) []string {
				return t.uses("fmt.Sprintf fmt.Sprint fmt.Sprintln fmt.Appendf fmt.Append fmt.Fprintf fmt.Fprint strconv.Quote",
					func(p *pkg, f *file) bool {
						return !f.isTest && matches("modules/*/internal/adapters/store", p.path, "")
					})
			},
		},
		{
			name: "services-are-called-from-one-place",
			says: "Who calls another service has a client of platform/upstream, which bounds time and answer and follows no redirect; " +
				"platform/auth fetches keys. An address that a client of ours sent is never called.",
			check: func(t *tree) []string {
				return t.uses("net/http.Client net/http.DefaultClient net/http.DefaultTransport net/http.Transport "+
					"net/http.Get net/http.Head net/http.Post net/http.PostForm",
					func(p *pkg, f *file) bool {
						return inProduct(p, f) && !matches("platform/upstream platform/auth", p.path, "")
					})
			},
		},
	}
}

// inProduct picks what the product is made of, without its commands.
func inProduct(p *pkg, f *file) bool {
	return !f.isTest && !matches("cmd/... "+helpers, p.path, "")
}

// uses returns where the files that in picks use one of the names: "time.Now" of a package, "(t).Skip" of a variable.
func (t *tree) uses(names string, in func(*pkg, *file) bool) []string {
	wanted := strings.Fields(names)
	var found []string
	for p, f := range t.files() {
		if !in(p, f) {
			continue
		}
		ast.Inspect(f.syntax, func(node ast.Node) bool {
			if selector, ok := node.(*ast.SelectorExpr); ok && slices.Contains(wanted, f.fullName(selector)) {
				found = append(found, fmt.Sprintf("%s: uses %s", t.at(node), f.fullName(selector)))
			}
			return true
		})
	}
	return found
}

// fullName returns what a selector is of and its name: "net/http.Client" of a package, whatever it is called here, and
// "(t).Skip" of a variable. It is empty when the selector is of a longer expression.
func (f *file) fullName(selector *ast.SelectorExpr) string {
	of, ok := selector.X.(*ast.Ident)
	if !ok {
		return ""
	}
	if imported, ok := f.uses[of].(*types.PkgName); ok {
		return imported.Imported().Path() + "." + selector.Sel.Name
	}
	return "(" + of.Name + ")." + selector.Sel.Name
}
