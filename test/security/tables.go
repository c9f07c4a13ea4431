package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// line is one line of the checklist, or one requirement of the ASVS. Exactly one of Tests, NotApplicable and Open says
// what becomes of it.
type line struct {
	ID            string              `yaml:"id"`    // such as V8.2.1; a line of the checklist has none
	Level         int                 `yaml:"level"` // of the requirement: 1 or 2
	Title         string              `yaml:"title"`
	Tests         map[string][]string `yaml:"tests"`          // that prove it: folder, then names, which may go on to a subtest
	NotApplicable string              `yaml:"not-applicable"` // the reason
	Open          string              `yaml:"open"`           // with what work it comes
}

var (
	//go:embed checklist.yaml
	checklistText []byte
	//go:embed asvs.yaml
	asvsText []byte
)

// decode reads a table, in which nothing may stand that isn't known.
func decode[T any](text []byte) ([]T, error) {
	var table []T
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	err := decoder.Decode(&table)
	return table, err
}

// check tells what is wrong with a line, seen from the top of the repository.
func (l line) check(root string) []string {
	name := strings.TrimSpace(l.ID + " " + l.Title)
	var wrong []string
	if l.Title == "" {
		wrong = append(wrong, name+": has no title")
	}
	answers := 0
	for _, given := range []bool{len(l.Tests) > 0, l.NotApplicable != "", l.Open != ""} {
		if given {
			answers++
		}
	}
	if answers != 1 {
		wrong = append(wrong, name+": has to have tests, or a reason why it doesn't apply, or the work with which it comes")
	}
	for _, folder := range slices.Sorted(maps.Keys(l.Tests)) {
		known, err := testsIn(filepath.Join(root, folder))
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s: %v", name, err))
			continue
		}
		if len(l.Tests[folder]) == 0 {
			wrong = append(wrong, fmt.Sprintf("%s: names no test of %s", name, folder))
		}
		for _, test := range l.Tests[folder] {
			if function, _, _ := strings.Cut(test, "/"); !known[function] {
				wrong = append(wrong, fmt.Sprintf("%s: there is no %s in %s", name, function, folder))
			}
		}
	}
	return wrong
}

// testsIn returns the test functions of a folder.
func testsIn(folder string) (map[string]bool, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		return nil, err
	}
	tests := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, declared := range syntax.Decls {
			fn, ok := declared.(*ast.FuncDecl)
			if ok && fn.Recv == nil && (strings.HasPrefix(fn.Name.Name, "Test") || strings.HasPrefix(fn.Name.Name, "Fuzz")) {
				tests[fn.Name.Name] = true
			}
		}
	}
	return tests, nil
}
