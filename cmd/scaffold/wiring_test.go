package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const top = "../.."

func TestTheWiringIsFresh(t *testing.T) {
	if _, err := scaffold(t, "wiring", "--root", top, "--check"); err != nil {
		t.Error(err)
	}
}

// write puts files into a folder, by their path below it.
func write(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for path, text := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestModulesAreJoinedByWhatTheyHave(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{
		"go.mod":                         "module example.com/house\n\ngo 1.26\n",
		"wire_gen/platform.go":           "package wiregen\n\nfunc zebrasDeps() {}\n",
		"modules/ai/doc.go":              "package ai\n",
		"modules/ai/aimod/x.go":          "package aimod\n\ntype (\n\tDeps struct{}\n\tSettings struct{}\n)\n\nfunc New() {}\n",
		"modules/left/doc.go":            "package left\n\ntype Port interface{ Ask() }\n\ntype Null struct{}\n",
		"modules/zebras/ports.go":        "package zebras\n\ntype Stripes interface{ Count() int }\n",
		"modules/apples/doc.go":          "package apples\n",
		"modules/apples/internal/x.go":   "package internal\n\nimport _ \"example.com/house/modules/zebras\"\n",
		"modules/apples/applesmod/x.go":  "package applesmod\n\ntype Deps struct{}\n\nfunc New() {}\n",
		"modules/zebras/doc.go":          "package zebras\n",
		"modules/zebras/zebrasmod/x.go":  "package zebrasmod\n\ntype Deps struct{}\n\ntype Settings struct{}\n\nfunc New() {}\n",
		"modules/nothing/README.md":      "no module without a contract",
		"test/api/apples_access_test.go": "package api\n",
	})
	if _, err := scaffold(t, "wiring", "--root", root, "--check"); err == nil || !strings.Contains(err.Error(), "modules_gen.go") {
		t.Errorf("lists that aren't there are fresh: %v", err)
	}
	for range 2 {
		if _, err := scaffold(t, "wiring", "--root", root); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := scaffold(t, "wiring", "--root", root, "--check"); err != nil {
		t.Error(err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(string(text)), " ")
	}
	list, set := read("wire_gen/modules_gen.go"), read("wire_gen/moduleset_gen.go")
	for text, wants := range map[string][]string{
		list: {
			`"example.com/house/modules/ai/aimod"`, "AI *aimod.Module Zebras *zebrasmod.Module Apples *applesmod.Module }",
			`m.AI.Describe(), { Name: "left", Summary: "Left was removed. Its contract is left.", }, m.Zebras.Describe(), m.Apples.Describe(), }`, "AI aimod.Settings Zebras zebrasmod.Settings }",
			"s.AI.Group(), s.Zebras.Group(), }", "func zebrasStripes(m *zebrasmod.Module) zebras.Stripes { return m.Stripes() }",
			"func leftPort() left.Port { return left.Null{} }",
		},
		read("test/api/accesses_gen_test.go"): {"slices.Concat( houseAccesses, applesAccesses, )"},
		set: {
			`wire.Struct(new(aimod.Deps), "*"), aimod.New, leftPort, zebrasDeps, zebrasmod.New, zebrasStripes,`,
			`wire.Struct(new(applesmod.Deps), "*"), applesmod.New, wire.Struct(new(Modules), "*"), )`,
		},
	} {
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s isn't in\n%s", want, text)
			}
		}
	}

	for path, why := range map[string]string{"modules/left/doc.go": "a Null that stands for its ports", "modules/zebras/zebrasmod/x.go": "zebrasmod hasn't New and Deps"} {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		poor := strings.ReplaceAll(strings.ReplaceAll(string(text), "type Null struct{}", ""), "func New() {}", "")
		write(t, root, map[string]string{path: poor})
		if _, err := scaffold(t, "wiring", "--root", root); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", path, err)
		}
		write(t, root, map[string]string{path: string(text)})
	}
}

// Two modules that consume each other's events are put in the order of their names.
func TestACircleOfModulesHasAnOrder(t *testing.T) {
	ordered := inOrder([]joined{{Name: "c", asks: []string{"b"}}, {Name: "b", asks: []string{"a", "gone"}}, {Name: "a", asks: []string{"b"}}})
	if ordered[0].Name != "a" || ordered[1].Name != "b" || ordered[2].Name != "c" {
		t.Errorf("they are %v", ordered)
	}
}
