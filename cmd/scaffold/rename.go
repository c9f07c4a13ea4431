package main

import (
	"bytes"
	"fmt"
	"go/format"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func newRename() *cobra.Command {
	var root string
	var wanted identity
	rename := &cobra.Command{
		Use:   "rename",
		Short: "Make the product one's own: its module path, its name and its binary",
		Long: "Writes another module path, product name and binary into every file. The binary, its folder under cmd, and what is\n" +
			"called after it in databases and settings, is the last part of the module path, unless --binary says otherwise.\n" +
			"Do it right after cloning: names of databases and of Redis keys change, too. The licence stays as it is.",
		Example: `  go run ./cmd/scaffold rename --module github.com/acme/app --name "Acme"`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			present, err := presentIdentity(root)
			if err != nil {
				return err
			}
			if wanted.Binary == "" {
				wanted.Binary = path.Base(wanted.Module)
			}
			if err := wanted.check(present, root); err != nil {
				return err
			}
			return wanted.replace(present, root, cmd.OutOrStdout())
		},
	}
	rename.Flags().StringVar(&root, "root", ".", "the top of the repository")
	rename.Flags().StringVar(&wanted.Module, "module", "", "the module path, such as github.com/acme/app")
	rename.Flags().StringVar(&wanted.Name, "name", "", "the product's name for people, such as Acme")
	rename.Flags().StringVar(&wanted.Binary, "binary", "", "the binary's name, such as app")
	return rename
}

// identity is what a product is called.
type identity struct {
	Module string // the Go module's path
	Name   string // for people
	Binary string // for machines
}

var (
	modulePathForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)+$`)
	productForm    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(?: [A-Za-z0-9]+)*$`)
	binaryForm     = regexp.MustCompile(`^[a-z][a-z0-9]{1,19}$`)
)

// presentIdentity reads what the product is called from go.mod, from the title of the README and from the commands.
func presentIdentity(root string) (identity, error) {
	house, err := modulePath(root)
	if err != nil {
		return identity{}, err
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		return identity{}, err
	}
	title, _, _ := strings.Cut(string(readme), "\n")
	commands, err := os.ReadDir(filepath.Join(root, "cmd"))
	if err != nil {
		return identity{}, err
	}
	binary := slices.IndexFunc(commands, func(entry fs.DirEntry) bool { return entry.IsDir() && entry.Name() != "scaffold" })
	if binary < 0 || !strings.HasPrefix(title, "# ") {
		return identity{}, fmt.Errorf("the README has no title, or cmd no product")
	}
	return identity{Module: house, Name: strings.TrimPrefix(title, "# "), Binary: commands[binary].Name()}, nil
}

// check returns what is wrong with a new identity. Each name is told from the others and from its surroundings by its form.
func (w identity) check(present identity, root string) error {
	switch {
	case !modulePathForm.MatchString(w.Module):
		return fmt.Errorf("%q is no module path, such as github.com/acme/app", w.Module)
	case !productForm.MatchString(w.Name) || len(w.Name) > 40:
		return fmt.Errorf("%q is no name: it is 1 to 40 letters, digits and spaces, and begins with a letter: --name Acme", w.Name)
	case !binaryForm.MatchString(w.Binary) || w.Binary == "scaffold":
		return fmt.Errorf("%q is no name of a binary: it is 2 to 20 small letters and digits: --binary app", w.Binary)
	case w == present:
		return fmt.Errorf("that is what it is called already")
	}
	if _, err := os.Stat(filepath.Join(root, "cmd", w.Binary)); err == nil && w.Binary != present.Binary {
		return fmt.Errorf("there is a cmd/%s already", w.Binary)
	}
	return nil
}

// kept are the files that keep the old names, and folders that hold no source.
var kept = []string{".git", "bin", "data", "tmp", "go.sum", "LICENSE"}

// replace writes the wanted identity in the place of the present one, and says into which files.
func (w identity) replace(p identity, root string, out io.Writer) error {
	if w.Binary != p.Binary {
		if err := os.Rename(filepath.Join(root, "cmd", p.Binary), filepath.Join(root, "cmd", w.Binary)); err != nil {
			return err
		}
	}
	// The longest first: the module's path has the binary's name in it.
	names := strings.NewReplacer(
		p.Module, w.Module, p.Name, w.Name, p.Binary, w.Binary, strings.ToUpper(p.Binary), strings.ToUpper(w.Binary))
	tree, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer func() { _ = tree.Close() }() // what is written is closed by itself
	return fs.WalkDir(tree.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case slices.Contains(kept, name) && entry.IsDir():
			return fs.SkipDir
		case slices.Contains(kept, name) || !entry.Type().IsRegular():
			return nil
		}
		text, err := tree.ReadFile(name)
		if err != nil || bytes.IndexByte(text, 0) >= 0 { // no text
			return err
		}
		renamed := []byte(names.Replace(string(text)))
		if bytes.Equal(renamed, text) {
			return nil
		}
		if strings.HasSuffix(name, ".go") { // what stands in columns
			if renamed, err = format.Source(renamed); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		fmt.Fprintln(out, name)
		return tree.WriteFile(name, renamed, 0o644) // it exists: its mode stays
	})
}
