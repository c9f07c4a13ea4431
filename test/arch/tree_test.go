package arch_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"iter"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// top is the top of the repository.
const top = "../.."

// tree is the repository as the rules see it.
type tree struct {
	facts

	root     fs.FS
	module   string // the path in go.mod
	packages []*pkg // in the order of their paths
	fset     *token.FileSet
}

// pkg is one folder of Go files.
type pkg struct {
	path  string // below the module's, such as "platform/errs"
	name  string // without _test
	files []*file
}

// file is one Go file, whatever its build constraints.
type file struct {
	path    string // from the top of the repository
	isTest  bool
	syntax  *ast.File
	imports []imported
	uses    map[*ast.Ident]types.Object // what names stand for; what other packages hold isn't known
}

// imported is one import of a file.
type imported struct {
	path string
	at   string
}

// load reads the Go files of a repository.
func load(root fs.FS, known facts) (*tree, error) {
	t := &tree{facts: known, root: root, fset: token.NewFileSet()}
	goMod, err := fs.ReadFile(root, "go.mod")
	if err != nil {
		return nil, err
	}
	t.module = strings.TrimPrefix(strings.Split(string(goMod), "\n")[0], "module ")
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && t.foreign(name):
			return fs.SkipDir
		case path.Ext(name) == ".go":
			return t.add(name)
		}
		return nil
	})
	for _, p := range t.packages {
		t.resolve(p)
	}
	return t, err
}

// foreign tells whether a folder holds no package of this module.
func (t *tree) foreign(folder string) bool {
	if folder == "." {
		return false
	}
	_, err := fs.Stat(t.root, folder+"/go.mod")
	base := path.Base(folder)
	return err == nil || base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || t.ignored(folder)
}

// ignored tells whether git leaves out a name at the top.
func (t *tree) ignored(name string) bool {
	lines, _ := fs.ReadFile(t.root, ".gitignore") // without one, nothing is
	for line := range strings.FieldsSeq(string(lines)) {
		if match, _ := path.Match(strings.Trim(line, "/"), name); match {
			return true
		}
	}
	return false
}

// add parses a file and gives it to its package.
func (t *tree) add(name string) error {
	source, err := fs.ReadFile(t.root, name)
	if err != nil {
		return err
	}
	syntax, err := parser.ParseFile(t.fset, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	f := &file{path: name, isTest: strings.HasSuffix(name, "_test.go"), syntax: syntax}
	for _, spec := range syntax.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		f.imports = append(f.imports, imported{path: target, at: t.at(spec)})
	}
	p := t.find(path.Dir(name))
	if p == nil {
		p = &pkg{path: path.Dir(name), name: strings.TrimSuffix(syntax.Name.Name, "_test")}
		t.packages = append(t.packages, p)
	}
	p.files = append(p.files, f)
	return nil
}

// find returns the package in the folder, or nil.
func (t *tree) find(folder string) *pkg {
	i := slices.IndexFunc(t.packages, func(p *pkg) bool { return p.path == folder })
	if i < 0 {
		return nil
	}
	return t.packages[i]
}

// files walks every file with its package.
func (t *tree) files() iter.Seq2[*pkg, *file] {
	return func(yield func(*pkg, *file) bool) {
		for _, p := range t.packages {
			for _, f := range p.files {
				if !yield(p, f) {
					return
				}
			}
		}
	}
}

// at returns where a node is, as "file:line".
func (t *tree) at(node ast.Node) string {
	position := t.fset.Position(node.Pos())
	return position.Filename + ":" + strconv.Itoa(position.Line)
}

// own returns an import path below the module's, if it is one.
func (t *tree) own(target string) (string, bool) { return strings.CutPrefix(target, t.module+"/") }

// std tells whether an import is of the standard library, whose paths begin with no domain.
func std(target string) bool {
	first, _, _ := strings.Cut(target, "/")
	return !strings.Contains(first, ".")
}

// resolve finds out what the names in a package stand for. Imports aren't followed, so the errors mean nothing.
func (t *tree) resolve(p *pkg) {
	together := map[string][]*ast.File{}
	uses := map[*ast.Ident]types.Object{}
	for _, f := range p.files {
		f.uses = uses
		together[f.syntax.Name.Name] = append(together[f.syntax.Name.Name], f.syntax)
	}
	for name, files := range together {
		config := types.Config{Importer: t, Error: func(error) {}}
		_, _ = config.Check(name, t.fset, files, &types.Info{Uses: uses})
	}
}

var version = regexp.MustCompile(`/v\d+$`)

// Import implements types.Importer: it returns a package that has its name and nothing else.
func (t *tree) Import(target string) (*types.Package, error) {
	name := strings.TrimPrefix(path.Base(version.ReplaceAllString(target, "")), "go-")
	if own, ok := t.own(target); ok && t.find(own) != nil {
		name = t.find(own).name
	}
	known := types.NewPackage(target, name)
	known.MarkComplete() // what is incomplete, types leaves out
	return known, nil
}

// matches tells whether a path fits one of the patterns, which are separated by spaces. In a pattern "*" is one folder,
// "/..." at the end is everything below as well, and "{m}" is the module to which the path from belongs.
func matches(patterns, target, from string) bool {
	steps := strings.Split(from, "/")
	for pattern := range strings.FieldsSeq(patterns) {
		if steps[0] == "modules" && len(steps) > 1 {
			pattern = strings.ReplaceAll(pattern, "{m}", steps[1])
		}
		compared := target
		if start, ok := strings.CutSuffix(pattern, "/..."); ok {
			pattern = start
			compared = strings.Join(firstOf(strings.Split(target, "/"), strings.Count(start, "/")+1), "/")
		}
		if match, _ := path.Match(pattern, compared); match {
			return true
		}
	}
	return false
}

func firstOf(steps []string, n int) []string { return steps[:min(n, len(steps))] }
