package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/tools/go/ast/astutil"
	"golang.org/x/tools/imports"
)

// piece is what is put into a module that is there: an event, a consumer or a job.
type piece struct {
	root   string
	house  string // the module path of the product
	module string
	name   string // "invoice_paid"
	does   string // one line for the canvas
	do     string // an expression in Go
}

func newEvent() *cobra.Command {
	var p piece
	var fields string
	event := &cobra.Command{
		Use:   "event NAME",
		Short: "Write an event that a module publishes, with its golden payload",
		Long: "NAME is what something is and what became of it, such as invoice_paid. Fields are as those of a module; the first one is the\n" +
			"id of what it happened to, and the version of that is added.",
		Example: `  go run ./cmd/scaffold event invoice_paid --module billing --fields "invoice_id:string owner_id:string"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pages, err := p.event(args[0], fields)
			if err != nil {
				return err
			}
			return p.write(cmd.Context(), pages, cmd.OutOrStdout(), fmt.Sprintf(
				"Publish it in the transaction of the change: a.events.Publish(ctx, %s.%s{...})\n", p.module, camel(p.name)))
		},
	}
	p.flags(event)
	event.Flags().StringVar(&fields, "fields", "", "what it says, such as \"invoice_id:string amount:int\"")
	return event
}

func newConsumer() *cobra.Command {
	var p piece
	var happened string
	consumer := &cobra.Command{
		Use:   "consumer NAME",
		Short: "Write what a module does when something happened",
		Long: "NAME is golden: what was handled is remembered by it. What is done is an expression that gives an error, over ctx, event,\n" +
			"envelope and the use cases, which are called as the module is. It runs in one transaction, with the note that the event was handled.",
		Example: `  go run ./cmd/scaffold consumer thank --module notifications --event billing.invoice_paid.v1 --do 'notifications.Thank(ctx, event.OwnerID)'`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pages, err := p.consumer(args[0], happened)
			if err != nil {
				return err
			}
			return p.write(cmd.Context(), pages, cmd.OutOrStdout(), "It handles each event once. Test what it does beside the others of the module.\n")
		},
	}
	p.flags(consumer)
	consumer.Flags().StringVar(&happened, "event", "", "what happened, such as billing.invoice_paid.v1")
	consumer.Flags().StringVar(&p.do, "do", "", "what to do, in Go")
	return consumer
}

func newJob() *cobra.Command {
	var p piece
	var fields, cron string
	job := &cobra.Command{
		Use:   "job NAME",
		Short: "Write a kind of background work of a module",
		Long: "NAME is golden: jobs that wait are found by it. What is done is an expression that gives an error, over ctx, args and the use\n" +
			"cases, which are called as the module is. Fields are what a job is told; a job that runs by itself is told nothing.",
		Example: `  go run ./cmd/scaffold job remind --module projects --cron "0 8 * * 1" --do 'projects.PurgeDeleted(ctx)'`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pages, err := p.job(args[0], fields, cron)
			if err != nil {
				return err
			}
			said := "It runs by itself.\n"
			if cron == "" {
				said = fmt.Sprintf("Enqueue it in the transaction of the change: jobs.Client.Enqueue(ctx, %s{...})\n", lower(camel(p.name)))
			}
			return p.write(cmd.Context(), pages, cmd.OutOrStdout(), said)
		},
	}
	p.flags(job)
	job.Flags().StringVar(&fields, "fields", "", "what it is told, such as \"invoice_id:string\"")
	job.Flags().StringVar(&cron, "cron", "", "when it runs by itself: five fields of cron in UTC")
	job.Flags().StringVar(&p.do, "do", "", "what to do, in Go")
	return job
}

func (p *piece) flags(of *cobra.Command) {
	of.Flags().StringVar(&p.root, "root", ".", "the top of the repository")
	of.Flags().StringVar(&p.module, "module", "", "whose it is")
	of.Flags().StringVar(&p.does, "says", "", "what it is, in words, for the canvas and the comment")
}

var pieceForm = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)+$`)
var wordForm = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// begin takes the name, and finds the module.
func (p *piece) begin(name string, form *regexp.Regexp) error {
	var err error
	if p.house, err = modulePath(p.root); err != nil {
		return err
	}
	p.name = name
	if !form.MatchString(name) {
		return fmt.Errorf("%q is no name of it: say words of small letters with _ between them, such as invoice_paid", name)
	}
	if _, err := os.Stat(filepath.Join(p.root, "modules", p.module, "doc.go")); !wordForm.MatchString(p.module) || err != nil {
		return fmt.Errorf("there is no module %q: --module says whose it is", p.module)
	}
	return nil
}

// in returns the path of a file of the module.
func (p *piece) in(parts ...string) string {
	return filepath.Join(append([]string{p.root, "modules", p.module}, parts...)...)
}

// event returns the files of the module with the event.
func (p *piece) event(name, fields string) ([]page, error) {
	if err := p.begin(name, pieceForm); err != nil {
		return nil, err
	}
	noun, happened := name[:strings.LastIndex(name, "_")], name[strings.LastIndex(name, "_")+1:]
	says, err := parseFields(cmp.Or(fields, noun+"_id:string"), []string{"version"})
	if err != nil {
		return nil, err
	}
	if first := says[0]; first.Kind != "string" || first.Optional || !strings.HasSuffix(first.Name, "_id") {
		return nil, fmt.Errorf("%s: the first field is the id of what it happened to, such as %s_id:string", first.Name, noun)
	}
	file, err := open(p.in("events.go"), "package "+p.module+"\n\n// Published returns the events of the context.\nfunc Published() []events.Event {\n\treturn []events.Event{}\n}\n")
	if err != nil {
		return nil, err
	}
	golden := p.in("testdata", "events", p.module+"."+name+".v1.json")
	if _, err := os.Stat(golden); err == nil || file.has(camel(name)) {
		return nil, fmt.Errorf("%s has an event %s already", p.module, name)
	}
	list, err := file.list("Published")
	if err != nil {
		return nil, err
	}
	file.add(list, camel(name)+"{}")
	told := cmp.Or(p.does, "that "+article(strings.ReplaceAll(noun, "_", " "))+" was "+happened)
	var shape, sample, more strings.Builder
	for _, f := range says {
		omit := map[bool]string{true: ",omitempty"}[f.Optional]
		fmt.Fprintf(&shape, "\t%s %s `json:\"%s%s\"`\n", f.Go, f.Type(), f.Name, omit)
		value := f.inJSON(false)
		if strings.HasSuffix(f.Name, "_id") {
			value = strconv.Quote("01a214e3-d7b1-7c55-9a3e-0f6c2b7d9e41")
		}
		if !f.Optional { // the first golden payload has what every payload has
			fmt.Fprintf(&sample, "%q: %s, ", f.Name, value)
		}
		fmt.Fprintf(&more, "%q: %s, ", f.Name, value)
	}
	file.put(file.function("Published").Doc.Pos(), fmt.Sprintf("// %[1]s says %[2]s.\ntype %[1]s struct {\n%[3]s\tVersion int64 `json:\"version\"`\n}\n\n", camel(name), told, shape.String()))
	file.text = append(file.text, fmt.Sprintf("\n// EventName returns the golden name.\nfunc (%[1]s) EventName() string { return %[2]q }\n\n"+
		"// Aggregate returns what it happened to.\nfunc (e %[1]s) Aggregate() (id string, version int64) { return e.%[3]s, e.Version }\n",
		camel(name), p.module+"."+name+".v1", says[0].Go)...)
	contract, err := file.page(p.house, "platform/events")
	if err != nil {
		return nil, err
	}
	payload := func(fields string) []byte { return []byte("{" + fields + "\"version\": 1}\n") }
	pages := []page{contract, {golden, payload(sample.String())}}
	if more.String() != sample.String() {
		pages = append(pages, page{strings.TrimSuffix(golden, "json") + "2.json", payload(more.String())})
	}
	mod, err := p.described("Publishes", p.module+".Published()", p.house+"/modules/"+p.module)
	return append(pages, mod...), err
}

// described returns the composition root with a field of its Descriptor, if it hasn't got that yet.
func (p *piece) described(field, value, path string) ([]page, error) {
	file, err := open(p.in(p.module+"mod", p.module+"mod.go"), "")
	if err != nil {
		return nil, err
	}
	var descriptor *ast.CompositeLit
	ast.Inspect(file.syntax, func(node ast.Node) bool {
		if literal, is := node.(*ast.CompositeLit); is && descriptor == nil {
			if selector, is := literal.Type.(*ast.SelectorExpr); is && selector.Sel.Name == "Descriptor" {
				descriptor = literal
			}
		}
		return true
	})
	if descriptor == nil {
		return nil, fmt.Errorf("%s has no module.Descriptor", file.path)
	}
	for _, element := range descriptor.Elts {
		if key, is := element.(*ast.KeyValueExpr).Key.(*ast.Ident); is && key.Name == field {
			return nil, nil
		}
	}
	file.add(descriptor, field+": "+value)
	written, err := file.page(path, "")
	return []page{written}, err
}

// consumer returns the files with the consumer.
func (p *piece) consumer(name, happened string) ([]page, error) {
	if err := p.begin(name, wordForm); err != nil {
		return nil, err
	}
	owner, event, err := p.find(happened)
	if err != nil {
		return nil, err
	}
	file, list, err := p.room("consumers", "All", fmt.Sprintf(firstConsumer, p.module, p.house))
	if err != nil {
		return nil, err
	}
	golden := p.module + "." + name
	goldens := filepath.Join(p.root, "test", "contract", "testdata", "consumers.txt")
	taken, err := os.ReadFile(goldens)
	if err != nil {
		return nil, err
	}
	if strings.Contains("\n"+string(taken), "\n"+golden+" ") {
		return nil, fmt.Errorf("there is a consumer %s already", golden)
	}
	ignored := func(argument string) string {
		if regexp.MustCompile(`\b` + argument + `\b`).MatchString(p.do) {
			return argument
		}
		return "_"
	}
	file.add(list, fmt.Sprintf("events.On(events.Consumer{Name: %q, Summary: %q},\nfunc(%s context.Context, %s %s.%s, %s events.Envelope) error {\nreturn %s\n})",
		golden, cmp.Or(p.does, strings.ReplaceAll(name, "_", " ")), ignored("ctx"), ignored("event"), owner, event, ignored("envelope"), p.do))
	written, err := file.page(p.house+"/modules/"+owner, "")
	if err != nil {
		return nil, err
	}
	known, err := withLines(goldens, golden+" "+happened)
	if err != nil {
		return nil, err
	}
	mod, err := p.described("Consumes", "consumers.All(m.app)", p.house+"/modules/"+p.module+"/internal/adapters/consumers")
	return append([]page{written, known}, mod...), err
}

// firstConsumer is the file of consumers of a module that has none yet, of its name and the house's path.
const firstConsumer = `// Package consumers drives the %[1]s context by what happened elsewhere.
package consumers

import (
	"%[2]s/modules/%[1]s/internal/app"
	"%[2]s/platform/events"
)

// All returns the consumers, which call the use cases.
func All(%[1]s *app.App) []events.Consumer {
	return []events.Consumer{}
}
`

// find returns whose event that is, and its type.
func (p *piece) find(happened string) (owner, event string, err error) {
	owner, _, _ = strings.Cut(happened, ".")
	unknown := fmt.Errorf("there is no event %q: --event says what happened, such as users.user_deleted.v1", happened)
	file, err := open(filepath.Join(p.root, "modules", owner, "events.go"), "")
	if !wordForm.MatchString(owner) || err != nil {
		return "", "", unknown
	}
	for _, declaration := range file.syntax.Decls {
		method, is := declaration.(*ast.FuncDecl)
		if !is || method.Name.Name != "EventName" || len(method.Body.List) != 1 {
			continue
		}
		returned, is := method.Body.List[0].(*ast.ReturnStmt)
		if !is || len(returned.Results) != 1 {
			continue
		}
		if literal, is := returned.Results[0].(*ast.BasicLit); is && literal.Value == strconv.Quote(happened) {
			return owner, method.Recv.List[0].Type.(*ast.Ident).Name, nil
		}
	}
	return "", "", unknown
}

// room returns the file of an adapter whose function returns a list, with that list, for something to be done. One that isn't
// there is taken to be fresh; an empty fresh one is an error.
func (p *piece) room(adapter, function, fresh string) (*source, *ast.CompositeLit, error) {
	if _, err := parser.ParseExpr(p.do); err != nil {
		return nil, nil, fmt.Errorf("say what to do, as an expression of Go that gives an error: --do '%s.DoIt(ctx)'", p.module)
	}
	file, err := open(p.in("internal", "adapters", adapter, adapter+".go"), fresh)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, fmt.Errorf("%s has no %s yet, and nothing that they could do", p.module, adapter)
	}
	if err != nil {
		return nil, nil, err
	}
	list, err := file.list(function)
	return file, list, err
}

// job returns the files with the kind of job.
func (p *piece) job(name, fields, cron string) ([]page, error) {
	if err := p.begin(name, wordForm); err != nil {
		return nil, err
	}
	file, list, err := p.room("jobs", "Kinds", "")
	if err != nil {
		return nil, err
	}
	var told []field
	if fields != "" {
		if told, err = parseFields(fields, nil); err != nil {
			return nil, err
		}
	}
	if len(strings.Fields(cron)) != 5 && cron != "" || cron != "" && told != nil {
		return nil, errors.New("a job that runs by itself has five fields of cron, such as \"0 8 * * 1\", and is told nothing")
	}
	kind, args := p.module+"."+name, lower(camel(name))
	if file.has(args) || strings.Contains(string(file.text), strconv.Quote(kind)) {
		return nil, fmt.Errorf("there is a job %s already", kind)
	}
	var shape strings.Builder
	for _, f := range told {
		fmt.Fprintf(&shape, "\n\t%s %s `json:\"%s\"`", f.Go, f.Type(), f.Name)
	}
	if told != nil {
		shape.WriteString("\n")
	}
	says := cmp.Or(p.does, strings.ReplaceAll(name, "_", " "))
	file.put(file.function("Kinds").Doc.Pos(), fmt.Sprintf("// %[1]s is what the job %[2]s is told.\ntype %[1]s struct {%[3]s}\n\n"+
		"// Kind returns the name of the kind.\nfunc (%[1]s) Kind() string { return %[4]q }\n\n", args, name, shape.String(), kind))
	when := map[bool]string{true: fmt.Sprintf(", Cron: %q", cron)}[cron != ""]
	used := map[bool]string{true: "args", false: "_"}[regexp.MustCompile(`\bargs\b`).MatchString(p.do)]
	file.add(list, fmt.Sprintf("jobs.Kind(module.Job{Summary: %q%s},\nfunc(ctx context.Context, %s %s) error { return %s })", says, when, used, args, p.do))
	written, err := file.page("", "")
	return []page{written}, err
}

func lower(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// write writes the pages and what follows from them. If that doesn't compile, all is as before.
func (p *piece) write(ctx context.Context, pages []page, out io.Writer, said string) error {
	before := map[string][]byte{}
	for _, page := range pages {
		text, err := os.ReadFile(page.path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		before[page.path] = text
		if err := os.MkdirAll(filepath.Dir(page.path), 0o755); err != nil { //nolint:gosec // source code is for everybody to read
			return err
		}
	}
	var tale bytes.Buffer
	err := writeStale(&tale, pages, false, "")
	for _, step := range [][]string{
		{"vet", "./modules/" + p.module + "/..."},
		{"run", "./cmd/scaffold", "wiring"}, {"tool", "wire", "./wire_gen"}, // who hears of another module comes after it
		{"run", "./cmd/scaffold", "canvas"},
	} {
		if err == nil {
			command := exec.CommandContext(ctx, "go", step...) //nolint:gosec // the steps are the ones above
			command.Dir, command.Stdout, command.Stderr = p.root, &tale, &tale
			err = command.Run()
		}
	}
	if err == nil {
		_, err = fmt.Fprintf(out, "%s\n%sRead it, and run `make verify test`.\n", tale.String(), said)
		return err
	}
	for path, text := range before {
		undone := os.Remove(path)
		if text != nil {
			undone = os.WriteFile(path, text, 0o644) //nolint:gosec // it is for everybody to read
		}
		err = errors.Join(err, undone)
	}
	return fmt.Errorf("nothing is changed, because that isn't right: %w\n%s", err, tale.String())
}

// source is a Go file that something is put into.
type source struct {
	path   string
	text   []byte
	set    *token.FileSet
	syntax *ast.File
	puts   []insertion
}

// insertion is a text that goes to a place.
type insertion struct {
	at   int
	text string
}

// open reads a file, or takes it to be fresh when it isn't there; an empty fresh one is an error.
func open(path, fresh string) (*source, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && fresh != "" {
		text, err = []byte(fresh), nil
	}
	if err != nil {
		return nil, err
	}
	s := &source{path: path, text: text, set: token.NewFileSet()}
	s.syntax, err = parser.ParseFile(s.set, path, text, parser.ParseComments)
	return s, err
}

// has tells whether the file declares a type of that name.
func (s *source) has(name string) bool {
	declares := func(spec ast.Spec) bool {
		declared, is := spec.(*ast.TypeSpec)
		return is && declared.Name.Name == name
	}
	return slices.ContainsFunc(s.syntax.Decls, func(declaration ast.Decl) bool {
		group, is := declaration.(*ast.GenDecl)
		return is && slices.ContainsFunc(group.Specs, declares)
	})
}

func (s *source) function(name string) *ast.FuncDecl {
	for _, declaration := range s.syntax.Decls {
		if function, is := declaration.(*ast.FuncDecl); is && function.Recv == nil && function.Name.Name == name {
			return function
		}
	}
	return nil
}

// list returns the list that a function returns.
func (s *source) list(of string) (*ast.CompositeLit, error) {
	if function := s.function(of); function != nil && function.Doc != nil && len(function.Body.List) > 0 {
		if returned, is := function.Body.List[len(function.Body.List)-1].(*ast.ReturnStmt); is && len(returned.Results) == 1 {
			if literal, is := returned.Results[0].(*ast.CompositeLit); is {
				return literal, nil
			}
		}
	}
	return nil, fmt.Errorf("%s has no function %s that returns a list: it has to be written there by hand", s.path, of)
}

// put puts a text before a place.
func (s *source) put(at token.Pos, text string) {
	s.puts = append(s.puts, insertion{s.set.Position(at).Offset, text})
}

// add adds an element to the end of a list.
func (s *source) add(to *ast.CompositeLit, element string) {
	switch {
	case len(to.Elts) == 0:
		s.put(to.Rbrace, "\n"+element+",\n")
	case s.set.Position(to.Elts[len(to.Elts)-1].End()).Line == s.set.Position(to.Rbrace).Line:
		s.put(to.Rbrace, ", "+element)
	default:
		s.put(to.Rbrace, element+",\n")
	}
}

// page returns the file as it will be, with the import of a path, or of one below it, and what else it needs.
func (s *source) page(path, below string) (page, error) {
	slices.SortStableFunc(s.puts, func(a, b insertion) int { return b.at - a.at })
	for _, put := range s.puts {
		s.text = slices.Insert(s.text, put.at, []byte(put.text)...)
	}
	if below != "" {
		path += "/" + below
	}
	if path != "" {
		set := token.NewFileSet()
		syntax, err := parser.ParseFile(set, s.path, s.text, parser.ParseComments)
		if err != nil {
			return page{}, err
		}
		if astutil.AddImport(set, syntax, path) {
			var out bytes.Buffer
			if err := format.Node(&out, set, syntax); err != nil {
				return page{}, err
			}
			s.text = out.Bytes()
		}
	}
	text, err := imports.Process(s.path, s.text, &imports.Options{Comments: true, TabIndent: true, TabWidth: 8})
	return page{s.path, text}, err
}
