package arch_test

import (
	"fmt"
	"go/ast"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// documents are the pages that name tests and places.
var documents = []string{"README.md", "CONTRIBUTING.md", "modules/README.md", ".github/SECURITY.md"}

var (
	quoted    = regexp.MustCompile("`([^`\n]+)`")
	testNamed = regexp.MustCompile(`^(Test|Fuzz|Benchmark)[A-Z]\w*(/[\w-]+)?$`)
	placeName = regexp.MustCompile(`^(cmd|modules|platform|schema|test|wire_gen)/[\w./-]+$`)
)

func documentRules() []rule {
	return []rule{{
		name: "documents-name-what-exists",
		says: "A test or a file that README.md, CONTRIBUTING.md, modules/README.md or .github/SECURITY.md names is there.",
		check: func(t *tree) []string {
			var broken []string
			for _, document := range documents {
				text, _ := fs.ReadFile(t.root, document) // what isn't there promises nothing
				for number, line := range strings.Split(string(text), "\n") {
					for _, name := range quoted.FindAllStringSubmatch(line, -1) {
						if !t.exists(name[1]) {
							broken = append(broken, fmt.Sprintf("%s:%d: there is no %s", document, number+1, name[1]))
						}
					}
				}
			}
			return broken
		},
	}}
}

// exists tells whether there is what a document names. Words that are neither a test nor a place are taken as they are.
func (t *tree) exists(name string) bool {
	switch {
	case testNamed.MatchString(name):
		test, part, _ := strings.Cut(name, "/")
		isRule := func(r rule) bool { return r.name == part }
		return t.hasTest(test) && (test != "TestHouse" || slices.ContainsFunc(rules(), isRule))
	case placeName.MatchString(name):
		_, err := fs.Stat(t.root, strings.TrimSuffix(name, "/"))
		return err == nil
	}
	return true
}

// hasTest tells whether any package has a test function of that name.
func (t *tree) hasTest(name string) bool {
	for _, f := range t.files() {
		for _, declared := range f.syntax.Decls {
			if fn, ok := declared.(*ast.FuncDecl); ok && f.isTest && fn.Name.Name == name {
				return true
			}
		}
	}
	return false
}
