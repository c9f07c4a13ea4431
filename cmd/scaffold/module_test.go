//scaffold:needs projects

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// What modules/projects has beyond what the template makes of it, and the other way round. A change to one of them shows here,
// so that the other is thought of: go test ./cmd/scaffold -run TestTheTemplateIsProjects -update.
func TestTheTemplateIsProjects(t *testing.T) {
	house, err := modulePath(top)
	if err != nil {
		t.Fatal(err)
	}
	projects, err := newTemplateData(house, "projects", "Project", "name:string(100) description:text?")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	pages, err := projects.render(folder)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, page := range pages {
		name, err := filepath.Rel(folder, page.path)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(page.text)
	}
	write(t, folder, files)
	var apart strings.Builder
	for _, page := range pages {
		name, _ := filepath.Rel(folder, page.path)
		if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".json") { // their examples are their own
			continue
		}
		diff := exec.CommandContext(t.Context(), "diff", "-U0", "--label", "template", "--label", name, name, filepath.Join("..", name))
		diff.Dir = folder
		diff.Args[len(diff.Args)-1], err = filepath.Abs(filepath.Join(top, name))
		if err != nil {
			t.Fatal(err)
		}
		out, err := diff.Output()
		if failed, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || failed.ExitCode() > 1) {
			t.Fatalf("diff: %v", err)
		}
		apart.Write(out)
	}
	const golden = "testdata/projects.diff"
	if *update {
		if err := os.WriteFile(golden, []byte(apart.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || apart.String() != string(want) {
		t.Errorf("modules/projects and the template have drifted apart, %v:\n%s", err, apart.String())
	}
}

func TestWhatIsNoModuleIsRefused(t *testing.T) {
	const fields = "number:string amount:int"
	for name, test := range map[string]struct {
		module, entity, fields string
		want                   string
	}{
		"no fields":               {"invoices", "Invoice", "", "say what it holds"},
		"an unknown type":         {"invoices", "Invoice", "amount:money", `no type "money"`},
		"a field without a type":  {"invoices", "Invoice", "amount", "is no field"},
		"a field in capitals":     {"invoices", "Invoice", "Amount:int", "is no field"},
		"a field of SQL's":        {"invoices", "Invoice", "order:int", "order: the name is taken"},
		"a field of everything's": {"invoices", "Invoice", "owner_id:string", "owner_id: the name is taken"},
		"a field twice":           {"invoices", "Invoice", "a:int a:int", "a is there twice"},
		"a bound for a number":    {"invoices", "Invoice", "amount:int(3)", "only a string or a text"},
		"a bound of nothing":      {"invoices", "Invoice", "number:string(0)", "only a string or a text"},
		"no name":                 {"", "Invoice", fields, "no name of a module"},
		"a name in capitals":      {"Invoices", "Invoice", fields, "no name of a module"},
		"a path":                  {"../invoices", "Invoice", fields, "no name of a module"},
		"a Go keyword":            {"range", "Invoice", fields, "range is taken"},
		"a word of SQL's":         {"groups", "Invoice", fields, "groups is taken"},
		"a package of the house":  {"events", "Invoice", fields, "events is taken"},
		"a table of River's":      {"riverjobs", "Invoice", fields, "riverjobs is taken"},
		"a module that exists":    {"projects", "Invoice", fields, "a module projects already"},
		"a table that exists":     {"audit", "Entry", fields, "audit is taken"},
		"no entity":               {"invoices", "", fields, "no name of an entity"},
		"an entity in small":      {"invoices", "invoice", fields, "no name of an entity"},
		"an entity like a module": {"invoices", "Invoices", fields, "can't be called Invoices"},
		"an entity Go has":        {"invoices", "Type", fields, "can't be called Type"},
		"an entity of the code's": {"invoices", "Page", fields, "can't be called Page"},
	} {
		before := contents(t, top)
		if _, err := scaffold(t, "module", test.module, "--root", top, "--entity", test.entity, "--fields", test.fields); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
		if contents(t, top) != before {
			t.Fatalf("%s: something was written", name)
		}
	}
}

// A dry run says what would be written, and writes nothing.
func TestADryRunWritesNothing(t *testing.T) {
	before := contents(t, top)
	out, err := scaffold(t, "module", "specimens", "--root", top, "--entity", "Specimen", "--fields", "number:string", "--dry-run")
	if err != nil || !strings.Contains(out, "modules/specimens/internal/domain/specimen.go\n") || strings.Count(out, "\n") != 31 {
		t.Errorf("got %v and\n%s", err, out)
	}
	if contents(t, top) != before {
		t.Error("something was written")
	}
}

// contents returns a sum over what the modules and the tests hold.
func contents(t *testing.T, root string) string {
	t.Helper()
	sum := sha256.New()
	for _, folder := range []string{"modules", "test"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			fmt.Fprintf(sum, "%s %q", path, text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}
