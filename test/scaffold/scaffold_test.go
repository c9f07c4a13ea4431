// Package scaffold uses the contributor's tool as a contributor would: on a copy of the project, from the first command to the
// tests of what it wrote.
package scaffold

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

var update = flag.Bool("update", false, "write the golden file anew")

// clone returns the folder of a copy of the project, without what isn't part of it.
func clone(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains([]string{".git", "bin", "data", "tmp"}, name) {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(folder, name), 0o700)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(folder, name), text, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// run runs go in a folder and returns what it prints. The servers of the tests are those of this one.
func run(t *testing.T, folder string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", args...)
	command.Dir = folder
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// A new module is there after one command: joined, migrated, tested, and as the house wants it.
func TestANewModuleInOneCommand(t *testing.T) {
	folder := clone(t)
	module := []string{
		"run", "./cmd/scaffold", "module", "invoices", "--entity", "Invoice",
		"--fields", "number:string(40) amount:int currency:string(3) note:text? due_at:time? paid:bool",
	}
	run(t, folder, module...)
	golden(t, folder, "modules/invoices", "test/api/invoices_access_test.go", "test/api/invoices_test.go")

	// A second time nothing changes.
	again := exec.CommandContext(t.Context(), "go", module...)
	again.Dir = folder
	if out, err := again.CombinedOutput(); err == nil || !strings.Contains(string(out), "there is a module invoices already") {
		t.Errorf("a second time: %v\n%s", err, out)
	}
	for _, check := range []string{"wiring", "canvas"} {
		run(t, folder, "run", "./cmd/scaffold", check, "--check")
	}
	run(t, folder, "tool", "wire", "diff", "./wire_gen")
	run(t, folder, "run", "./cmd/omnistack", "migrate", "validate")
	run(t, folder, "test", "./modules/invoices/...", "./wire_gen", "./schema/...", "./test/arch", "./test/contract", "./test/settings")
	run(t, folder, "test", "./test/api", "-run", "TestInvoicesOfAUser|TestTheAuthorisationMatrix")
}

// golden compares files of a folder, and of the folders in it, with the golden file.
func golden(t *testing.T, folder string, names ...string) {
	t.Helper()
	var rendered strings.Builder
	for _, name := range names {
		err := filepath.WalkDir(filepath.Join(folder, name), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			place, err := filepath.Rel(folder, path)
			fmt.Fprintf(&rendered, "-- %s --\n%s", filepath.ToSlash(place), text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	const file = "testdata/invoices.golden"
	if *update {
		if err := os.WriteFile(file, []byte(rendered.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || rendered.String() != string(want) {
		t.Errorf("what is rendered is another, %v; look at the difference after: go test ./test/scaffold -update", err)
	}
}

// A clone becomes somebody's own by one command: nothing of it is called as before, and it holds together.
func TestACloneBecomesOnesOwn(t *testing.T) {
	folder := clone(t)
	rename := []string{"run", "./cmd/scaffold", "rename", "--module", "github.com/acme/my-app", "--name", "Acme Tools", "--binary", "acme"}
	run(t, folder, rename...)
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "LICENSE" {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(strings.ToLower(string(text)), "omni"+"stack") {
			t.Errorf("%s has the old name", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, folder, "vet", "./...")
	run(t, folder, "tool", "wire", "diff", "./wire_gen")
	run(t, folder, "test", "./cmd/...", "./wire_gen", "./platform/config", "./platform/module", "./test/arch", "./test/settings", "./test/readme")

	again := exec.CommandContext(t.Context(), "go", rename...)
	again.Dir = folder
	if out, err := again.CombinedOutput(); err == nil || !strings.Contains(string(out), "called already") {
		t.Errorf("a second time: %v\n%s", err, out)
	}
}
