package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func newRemove() *cobra.Command {
	var root string
	remove := &cobra.Command{
		Use:   "remove NAME",
		Short: "Take a module out of the product",
		Long: "Leaves the contract, modules/NAME with its fakes, because other modules may ask it and wait for its events: its ports are\n" +
			"answered by its Null from then on. Everything else goes: the inside, its place in wire_gen, its settings, its tables by a\n" +
			"migration, and tests elsewhere that need it, which say so in a line such as\n\n" +
			"  //scaffold:needs projects billing\n\n" +
			"Git brings all of it back. The users stay: every request is somebody's.",
		Example: `  go run ./cmd/scaffold remove projects`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := newRemoval(root, args[0])
			if err != nil {
				return err
			}
			return r.carryOut(cmd.Context(), cmd.OutOrStdout())
		},
	}
	remove.Flags().StringVar(&root, "root", ".", "the top of the repository")
	return remove
}

// removal is what goes with a module.
type removal struct {
	root, name string
	gone       []string        // files and folders, below the root
	tests      map[string]bool // the tests that go, as FOLDER.NAME
	settings   []string        // the module's
	answers    []string        // what its answers are called in the API's document
}

// newRemoval finds out what goes with a module, and changes nothing.
func newRemoval(root, name string) (*removal, error) {
	home := filepath.Join("modules", name)
	if name == "users" {
		return nil, fmt.Errorf("the users stay: every request is somebody's")
	}
	if _, err := os.Stat(filepath.Join(root, home, name+"mod")); err != nil || !fs.ValidPath(name) || strings.Contains(name, "/") {
		return nil, fmt.Errorf("there is no module %s", name)
	}
	r := &removal{root: root, name: name, tests: map[string]bool{}}
	for _, part := range []string{filepath.Join(home, name+"mod"), filepath.Join(home, "internal"), filepath.Join("wire_gen", name+".go")} {
		if _, err := os.Stat(filepath.Join(root, part)); err == nil {
			r.gone = append(r.gone, part)
		}
	}
	if err := r.findTests(); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, home, name+"mod", "settings.go"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, tag := range envTag.FindAllSubmatch(text, -1) {
		r.settings = append(r.settings, string(tag[1]))
	}
	shown, err := declared(filepath.Join(root, home, "internal", "adapters", "httpapi"))
	for declaration := range shown {
		r.answers = append(r.answers, declaration, declaration+"List")
	}
	return r, err
}

// envTag is how a setting is named in Go.
var envTag = regexp.MustCompile("`env:\"([A-Z0-9_]+)\"")

// need is the line by which a test says which modules it can't do without.
const need = "//scaffold:needs "

// findTests finds the tests that go with the module: its own, and those elsewhere that say so.
func (r *removal) findTests() error {
	return filepath.WalkDir(r.root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		place, err := filepath.Rel(r.root, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path) //nolint:gosec // whoever runs it may read all of it
		if err != nil {
			return err
		}
		inside := slices.ContainsFunc(r.gone, func(gone string) bool { return strings.HasPrefix(place, gone+string(filepath.Separator)) })
		if !inside {
			if !slices.Contains(needs(text), r.name) {
				return nil
			}
			r.gone = append(r.gone, place)
		}
		return eachFunction(path, text, func(name string) { r.tests[filepath.ToSlash(filepath.Dir(place))+"."+name] = true })
	})
}

// needs returns the modules that a test says it needs.
func needs(text []byte) []string {
	for line := range strings.SplitSeq(string(text), "\n") {
		if names, says := strings.CutPrefix(line, need); says {
			return strings.Fields(names)
		}
		if strings.HasPrefix(line, "package ") {
			break
		}
	}
	return nil
}

// eachFunction calls do with the name of every function of a file.
func eachFunction(path string, text []byte, do func(name string)) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, declaration := range file.Decls {
		if function, ok := declaration.(*ast.FuncDecl); ok && function.Recv == nil {
			do(function.Name.Name)
		}
	}
	return nil
}

// carryOut takes the module out, and says what it does.
func (r *removal) carryOut(ctx context.Context, out io.Writer) error {
	for _, gone := range r.gone {
		if err := os.RemoveAll(filepath.Join(r.root, gone)); err != nil {
			return err
		}
		fmt.Fprintln(out, "- "+gone)
	}
	for file, edit := range map[string]func(string) string{
		"test/contract/testdata/consumers.txt": r.withoutConsumers,
		"test/contract/testdata/answers.txt":   r.withoutAnswers,
		"test/arch/libraries_test.go":          r.withoutLibraries,
		"test/security/checklist.yaml":         r.withoutProofs,
		"test/security/asvs.yaml":              r.withoutProofs,
		".env.example":                         r.withoutSettings,
		"README.md":                            r.withoutNames,
		"CONTRIBUTING.md":                      r.withoutNames,
		"modules/README.md":                    r.withoutNames,
		".github/SECURITY.md":                  r.withoutNames,
	} {
		path := filepath.Join(r.root, filepath.FromSlash(file))
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if edited := []byte(edit(string(text))); !bytes.Equal(edited, text) {
			if err := writeStale(out, []page{{path, edited}}, false, ""); err != nil {
				return err
			}
		}
	}
	stale, err := staleWiring(r.root)
	if err != nil {
		return err
	}
	if err := writeStale(out, stale, false, ""); err != nil {
		return err
	}
	// The rest is made by programs that don't have the module in them.
	err = steps(ctx, r.root, out, [][]string{
		{"tool", "wire", "./wire_gen"},
		{"run", "./cmd/scaffold", "migrate", "diff", "remove_" + r.name},
		{"run", "./cmd/scaffold", "canvas"},
		{"test", "./test/arch", "-run", "TestDepguard", "-update"},
		{"mod", "tidy"},
		{"vet", "./..."},
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%[1]s is gone but for its contract, modules/%[1]s, which goes when nobody imports it any more. What only you can say:\n"+
		"  - whether its tables may be dropped: read the two migrations before you commit them, and copy what you want to keep\n"+
		"  - what README.md, CONTRIBUTING.md and comments tell of it\n"+
		"  - whether the tests that went with it, listed above, proved something of yours by it\n"+
		"Jobs of it that still wait can't run any more: let them finish before you deploy. Run `make verify test`.\n", r.name)
	return nil
}

// withoutConsumers leaves out the module's lines.
func (r *removal) withoutConsumers(text string) string {
	return withoutLines(text, func(line string) bool { return strings.HasPrefix(line, r.name+".") })
}

// withoutAnswers leaves out the fields of the module's answers.
func (r *removal) withoutAnswers(text string) string {
	return withoutLines(text, func(line string) bool {
		object, _, _ := strings.Cut(line, ".")
		return slices.Contains(r.answers, object)
	})
}

func withoutLines(text string, out func(line string) bool) string {
	return strings.Join(slices.DeleteFunc(strings.SplitAfter(text, "\n"), out), "")
}

// withoutLibraries leaves out the module's packages, and the libraries that nobody else knows.
func (r *removal) withoutLibraries(text string) string {
	text = regexp.MustCompile(` ?\bmodules/`+r.name+`/[a-z0-9/_.]+`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`(?m)^\t\{"[^"]+", ""\},\n`).ReplaceAllString(text, "")
	return strings.ReplaceAll(text, `", " `, `", "`)
}

// withoutProofs leaves out the tests that went. A line that nothing proves any more says why.
func (r *removal) withoutProofs(text string) string {
	var kept []string
	heading := -1 // where "tests:" stands, while nothing stands under it
	for line := range strings.SplitSeq(text+"\n", "\n") {
		proof := proofLine.FindStringSubmatch(line)
		switch {
		case line == "  tests:":
			heading = len(kept)
		case proof != nil:
			left := slices.DeleteFunc(strings.Split(proof[2], ", "), func(test string) bool {
				function, _, _ := strings.Cut(test, "/")
				return r.tests[proof[1]+"."+function]
			})
			if len(left) == 0 {
				continue
			}
			line, heading = "    "+proof[1]+": ["+strings.Join(left, ", ")+"]", -1
		case heading >= 0:
			kept[heading], heading = "  not-applicable: What proved it went with "+r.name+".", -1
		}
		kept = append(kept, line)
	}
	return strings.TrimSuffix(strings.Join(kept, "\n"), "\n")
}

// proofLine is a line of the tables of security that names tests of a folder.
var proofLine = regexp.MustCompile(`^    ([a-z0-9/_]+): \[(.+)\]$`)

// withoutSettings leaves out the module's settings, with what is said about them, and headings that nothing stands under any more.
func (r *removal) withoutSettings(text string) string {
	ours := regexp.MustCompile(`^(# )?(e\.g\. )?(` + strings.Join(r.settings, "|") + `)=`)
	var paragraphs []string
	emptied := false
	for paragraph := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n\n") {
		var kept, said []string
		for line := range strings.SplitSeq(paragraph, "\n") {
			switch {
			case len(r.settings) > 0 && ours.MatchString(line):
				said = nil
			case assignment.MatchString(line):
				kept, said = append(append(kept, said...), line), nil
			default:
				said = append(said, line)
			}
		}
		kept = append(kept, said...)
		last := len(paragraphs) - 1
		isHeading := len(kept) == 1 && !assignment.MatchString(kept[0])
		if isHeading && emptied { // and nothing stood between it and the heading before
			paragraphs = paragraphs[:last]
		}
		emptied = len(kept) == 0 && last >= 0 && !assignment.MatchString(paragraphs[last])
		if len(kept) > 0 {
			paragraphs = append(paragraphs, strings.Join(kept, "\n"))
		}
	}
	if emptied {
		paragraphs = paragraphs[:len(paragraphs)-1]
	}
	return strings.Join(paragraphs, "\n\n") + "\n"
}

// assignment is a line of an .env file that sets something, or shows how.
var assignment = regexp.MustCompile(`(?m)^(# )?(e\.g\. )?[A-Z][A-Z0-9_]*=`)

// withoutNames leaves out of a document the names of tests and places that went: the rows of tables that have no other, and the
// quotes around the rest, which say that a name is of something that exists.
func (r *removal) withoutNames(text string) string {
	var kept []string
	for line := range strings.SplitSeq(text, "\n") {
		cells := strings.Split(line, " | ")
		last := len(cells) - 1
		if names := quoted.FindAllString(cells[last], -1); strings.HasPrefix(line, "| ") && slices.ContainsFunc(names, r.went) {
			names = slices.DeleteFunc(names, r.went)
			if len(names) == 0 {
				continue
			}
			cells[last] = strings.Join(names, ", ") + " |"
		}
		kept = append(kept, quoted.ReplaceAllStringFunc(strings.Join(cells, " | "), func(name string) string {
			if r.went(name) {
				return strings.Trim(name, "`")
			}
			return name
		}))
	}
	return strings.Join(kept, "\n")
}

// quoted is a name in a document.
var quoted = regexp.MustCompile("`[^`\n]+`")

// went tells whether a quoted name is of a test or a place that went with the module.
func (r *removal) went(name string) bool {
	name = strings.Trim(name, "`")
	function, _, _ := strings.Cut(name, "/")
	for test := range r.tests {
		if strings.HasSuffix(test, "."+function) {
			return true
		}
	}
	return slices.ContainsFunc(r.gone, func(gone string) bool { return name == gone || strings.HasPrefix(name, gone+"/") })
}

// steps runs the go command again and again, and stops at what fails.
func steps(ctx context.Context, root string, out io.Writer, all [][]string) error {
	for _, step := range all {
		fmt.Fprintln(out, "go "+strings.Join(step, " "))
		command := exec.CommandContext(ctx, "go", step...) //nolint:gosec // the steps are the caller's own
		command.Dir, command.Stdout, command.Stderr = root, out, out
		if err := command.Run(); err != nil {
			return fmt.Errorf("go %s: %w", strings.Join(step, " "), err)
		}
	}
	return nil
}
