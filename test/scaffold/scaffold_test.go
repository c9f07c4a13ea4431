// Package scaffold uses the contributor's tool as a contributor would: on a copy of the project, from the first command to the
// tests of what it wrote.
package scaffold

import (
	"crypto/sha256"
	"encoding/hex"
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

// goCommand returns a call of go in a folder. What is compiled in one copy is good for the others: it doesn't know the folder.
func goCommand(t *testing.T, folder string, args ...string) *exec.Cmd {
	command := exec.CommandContext(t.Context(), "go", args...)
	command.Dir, command.Env = folder, append(os.Environ(), "GOFLAGS=-trimpath")
	return command
}

// run runs go in a folder and returns what it prints. The servers of the tests are those of this one.
func run(t *testing.T, folder string, args ...string) string {
	t.Helper()
	command := goCommand(t, folder, args...)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// lines returns the commands of CONTRIBUTING.md in the block that begins with one.
func lines(t *testing.T, first string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(text), "```sh\n"+first)
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed {
		t.Fatalf("CONTRIBUTING.md has no commands that begin with %s", first)
	}
	return strings.Split(strings.TrimSpace(first+block), "\n")
}

// names returns what says the names of the document's modules as they are in a folder: others, where a product has modules that are
// called so.
func names(t *testing.T, folder string) func(text string) string {
	t.Helper()
	for _, name := range []string{"invoices", "labels"} {
		if _, err := os.Stat(filepath.Join(folder, "modules", name)); err == nil {
			return strings.NewReplacer("invoice", "specimen", "Invoice", "Specimen", "label", "sticker", "Label", "Sticker").Replace
		}
	}
	return func(text string) string { return text }
}

// paste runs a command of the shell in a folder and returns what it prints.
func paste(t *testing.T, folder, command string) (string, error) {
	t.Helper()
	shell := exec.CommandContext(t.Context(), "sh", "-c", command)
	shell.Dir, shell.Env = folder, append(os.Environ(), "GOFLAGS=-trimpath")
	out, err := shell.CombinedOutput()
	return string(out), err
}

// A new module is there after one command: joined, migrated, tested, and as the house wants it. Pieces are put into it by one
// command each. All of it is what CONTRIBUTING.md says.
func TestANewModuleInOneCommand(t *testing.T) {
	folder := clone(t)
	commands := lines(t, "make module ")
	if len(commands) != 5 {
		t.Fatalf("the commands are %q", commands)
	}
	called := names(t, folder)
	for i, command := range commands {
		command = called(command)
		if out, err := paste(t, folder, command); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		if i == 0 && called("invoices") == "invoices" {
			golden(t, folder, "modules/invoices", "test/api/invoices_access_test.go", "test/api/invoices_test.go")
		}
		before := sum(t, folder)
		if out, err := paste(t, folder, command); err == nil || !strings.Contains(out, "already") {
			t.Errorf("%s, a second time: %v\n%s", command, err, out)
		}
		if sum(t, folder) != before {
			t.Errorf("%s, a second time, changes something", command)
		}
	}

	// What doesn't compile is taken back.
	before := sum(t, folder)
	refused := goCommand(t, folder, "run", "./cmd/scaffold", "consumer", "sing", "--module", called("invoices"),
		"--event", called("invoices.invoice_sent.v1"), "--do", called("invoices.Sing(ctx)"))
	if out, err := refused.CombinedOutput(); err == nil || !strings.Contains(string(out), "nothing is changed") || !strings.Contains(string(out), called("invoices.Sing undefined")) {
		t.Errorf("what doesn't compile: %v\n%s", err, out)
	}
	if sum(t, folder) != before {
		t.Error("what doesn't compile is left")
	}

	for _, check := range []string{"wiring", "canvas"} {
		run(t, folder, "run", "./cmd/scaffold", check, "--check")
	}
	run(t, folder, "tool", "wire", "diff", "./wire_gen")
	run(t, folder, "run", "./cmd/omnistack", "migrate", "validate")
	if _, err := os.Stat(filepath.Join(folder, "modules", called("labels"), "internal", "domain")); err == nil {
		t.Error("a thin module has a domain of its own")
	}
	run(t, folder, "test", called("./modules/invoices/..."), called("./modules/labels/..."), "./wire_gen", "./schema/...", "./test/arch", "./test/contract", "./test/settings")
	run(t, folder, "test", "./test/api", "-run", called("TestInvoicesOfAUser|TestLabelsOfAUser|TestTheAuthorisationMatrix|TestNothingIsLeftOfAPerson"))
}

// sum returns a sum over what the sources of a folder hold.
func sum(t *testing.T, folder string) string {
	t.Helper()
	all := sha256.New()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(all, "%s %q", path, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(all.Sum(nil))
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

	again := goCommand(t, folder, rename...)
	if out, err := again.CombinedOutput(); err == nil || !strings.Contains(string(out), "called already") {
		t.Errorf("a second time: %v\n%s", err, out)
	}
}

// Every module but the users can be taken out by one command, and what is left builds and keeps the house's rules. A module that
// comes later is found by its folder.
func TestEachModuleCanBeRemoved(t *testing.T) {
	roots, err := filepath.Glob(filepath.Join(root, "modules", "*", "*mod"))
	if err != nil || len(roots) < 2 {
		t.Fatalf("no modules found: %v", err)
	}
	for _, composition := range roots {
		name := filepath.Base(filepath.Dir(composition))
		if name == "users" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			folder := clone(t)
			run(t, folder, "run", "./cmd/scaffold", "remove", name) // which vets all of it
			for _, gone := range []string{"modules/" + name + "/internal", "modules/" + name + "/" + name + "mod"} {
				if _, err := os.Stat(filepath.Join(folder, gone)); err == nil {
					t.Errorf("%s is there", gone)
				}
			}
			run(t, folder, "run", "./cmd/scaffold", "wiring", "--check")
			run(t, folder, "run", "./cmd/scaffold", "canvas", "--check")
			run(t, folder, "tool", "wire", "diff", "./wire_gen")
			run(t, folder, "test", "./wire_gen", "./test/arch", "./test/settings")

			again := goCommand(t, folder, "run", "./cmd/scaffold", "remove", name)
			before := sum(t, folder)
			if out, err := again.CombinedOutput(); err == nil || !strings.Contains(string(out), "there is no module "+name) || sum(t, folder) != before {
				t.Errorf("a second time: %v\n%s", err, out)
			}
		})
	}
}
