// Package arch_test proves that the house is built as planned. What a rule demands stands beside it; where things go
// and why is told in modules/README.md.
//
// A rule is a function of the source tree, read from disk: no list of modules or packages is kept by hand. So that no
// rule can fall silent, testdata holds a small house that keeps them all, and for every rule a file with what breaks
// it: the rule must report exactly that, no other rule may, and a test empties each rule in turn to see it missed.
package arch_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"
)

// rule is one wall of the house.
type rule struct {
	name  string                 // as a test, and of the file in testdata that breaks it
	says  string                 // what it demands
	check func(t *tree) []string // returns what breaks it, each as "where: what"
}

func rules() []rule {
	return slices.Concat(
		floorRules(), libraryRules(), testCodeRules(), useRules(), stateRules(), shapeRules(), tableRules(), eventRules(), documentRules(),
	)
}

func TestHouse(t *testing.T) {
	house, err := load(os.DirFS(top), factsOf(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range rules() {
		t.Run(rule.name, func(t *testing.T) {
			if broken := rule.check(house); len(broken) > 0 {
				t.Errorf("%s\n%s", rule.says, strings.Join(broken, "\n"))
			}
		})
	}
}

func TestSmallHouseKeepsEveryRule(t *testing.T) {
	if broken := inspect(t, rules()); len(broken) > 0 {
		t.Error(strings.Join(broken, "\n"))
	}
}

func TestEveryRuleFindsWhatIsPlanted(t *testing.T) {
	names := map[string]bool{}
	for _, rule := range rules() {
		if names[rule.name] {
			t.Errorf("two rules are called %s", rule.name)
		}
		names[rule.name] = true
		if err := tryOut(t, rule.name, rules()); err != nil {
			t.Error(err)
		}
	}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".txtar"); name != "house" && !names[name] {
			t.Errorf("%s breaks no rule", file)
		}
	}
}

// TestAnEmptyRuleIsMissed proves that the test above fails when a rule loses its body.
func TestAnEmptyRuleIsMissed(t *testing.T) {
	for i := range rules() {
		emptied := rules()
		emptied[i].check = func(*tree) []string { return nil }
		if tryOut(t, emptied[i].name, emptied) == nil {
			t.Errorf("nobody misses the rule %s", emptied[i].name)
		}
	}
}

// tryOut breaks the rule of that name, and returns an error unless the rules report what the file says, which must be
// something that this rule reports.
func tryOut(t *testing.T, name string, all []rule) error {
	planted, err := txtar.ParseFile("testdata/" + name + ".txtar")
	if err != nil {
		return fmt.Errorf("nothing breaks the rule %s: %w", name, err)
	}
	want := strings.Split(strings.TrimSpace(string(planted.Comment)), "\n")
	if !slices.ContainsFunc(want, func(line string) bool { return strings.HasPrefix(line, name+": ") }) {
		return fmt.Errorf("testdata/%s.txtar doesn't break the rule", name)
	}
	got := inspect(t, all, planted.Files...)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s: found\n%s\nplanted\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	return nil
}

// inspect returns what the rules find in the small house with the files added to it, sorted.
func inspect(t *testing.T, all []rule, planted ...txtar.File) []string {
	t.Helper()
	house, err := txtar.ParseFile("testdata/house.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for _, file := range slices.Concat(house.Files, planted) {
		files[file.Name] = &fstest.MapFile{Data: file.Data}
	}
	small, err := load(files, readFacts(t, files))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, rule := range all {
		for _, broken := range rule.check(small) {
			found[rule.name+": "+broken] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}
