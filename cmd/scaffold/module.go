package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"go/format"
	"go/token"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"
)

func newModule() *cobra.Command {
	var root, entity, fields string
	var dry, thin bool
	module := &cobra.Command{
		Use:   "module NAME",
		Short: "Write a new module, and join it to the product",
		Long: "Writes a bounded context with one aggregate that users own: its contract with events, domain, use cases, store,\n" +
			"HTTP operations, what exports and erases a user's data, a job, fakes and tests; then its migrations, its place in\n" +
			"wire_gen and its canvas. NAME is the plural, in one word of small letters, such as invoices; it is also the name of the table and the path.\n" +
			"Fields are name:type, with a ? behind it for one that can be null. Types are string (one line), text, int, bool and\n" +
			"time; a string or text has its most characters in brackets, such as string(40). A thin module has no domain of its own: for\n" +
			"what is little more than a record, its entity stands with the use cases.",
		Example: `  go run ./cmd/scaffold module invoices --entity Invoice --fields "number:string(40) amount:int currency:string(3) due_at:time?"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			house, err := modulePath(root)
			if err != nil {
				return err
			}
			wanted, err := newTemplateData(house, args[0], entity, fields)
			if err == nil {
				err = wanted.isNew(root)
			}
			if err != nil {
				return err
			}
			wanted.Thin = thin
			pages, err := wanted.render(root)
			if err != nil {
				return err
			}
			if dry {
				for _, page := range pages {
					fmt.Fprintln(cmd.OutOrStdout(), page.path)
				}
				return nil
			}
			return wanted.join(cmd.Context(), root, pages, cmd.OutOrStdout())
		},
	}
	module.Flags().StringVar(&root, "root", ".", "the top of the repository")
	module.Flags().StringVar(&entity, "entity", "", "what one of them is called in Go, such as Invoice")
	module.Flags().StringVar(&fields, "fields", "", "what one of them holds")
	module.Flags().BoolVar(&thin, "thin", false, "leave out the domain, and have the entity stand with the use cases")
	module.Flags().BoolVar(&dry, "dry-run", false, "write nothing, and print which files it would be")
	return module
}

//go:embed templates
var templates embed.FS

// templateData is a module as the templates see it.
type templateData struct {
	House  string // the module path of the product
	Name   string // "purchases"
	Entity string // "PurchaseOrder"
	Var    string // "purchaseOrder"
	Snake  string // "purchase_order"
	Words  string // "purchase order"
	An     string // "a purchase order"
	NameA  string // "a purchases", for "a purchases.Catalog"
	Title  string // "Purchases"
	Recv   string // "p"
	Fields []field
	Thin   bool // without a domain of its own
}

var (
	nameForm   = regexp.MustCompile(`^[a-z][a-z0-9]{2,39}$`)
	entityForm = regexp.MustCompile(`^[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]+)*$`)
	humps      = regexp.MustCompile(`[A-Z][a-z0-9]+`)

	// spoken are names that the code of a module uses already, so that an entity or a module can't have them.
	spoken = strings.Fields(`app audit auth bool bus cache clock cmp config consumers context contract database described domain draft
		errors errs event events fake fields fmt found fold httpapi httpserver http id int jobs keyring listing module modules order
		page patch platform plain r random reflect row rows s schema scan slices sort store string strings suite t testkit text time
		tx users world`)
)

// newTemplateData returns the module of that name in a house, or what is wrong with what was asked for.
func newTemplateData(house, name, entity, fields string) (*templateData, error) {
	parsed, err := parseFields(fields, slices.Concat(columns, sqlWords))
	if err != nil {
		return nil, err
	}
	switch {
	case !nameForm.MatchString(name):
		return nil, fmt.Errorf("%q is no name of a module: it is the plural in one word of 3 to 40 small letters and digits, such as invoices", name)
	case token.IsKeyword(name) || slices.Contains(spoken, name) || slices.Contains(sqlWords, name) || strings.HasPrefix(name, "river"):
		return nil, fmt.Errorf("%s is taken, by Go, by SQL or by the house", name)
	case !entityForm.MatchString(entity):
		return nil, fmt.Errorf("%q is no name of an entity: it is the singular in Go's spelling, such as Invoice or PurchaseOrder: --entity Invoice", entity)
	}
	words := humps.FindAllString(entity, -1)
	d := &templateData{
		House: house, Name: name, Entity: entity, Var: strings.ToLower(words[0]) + strings.Join(words[1:], ""),
		Snake: strings.ToLower(strings.Join(words, "_")), Words: strings.ToLower(strings.Join(words, " ")),
		Title: strings.ToUpper(name[:1]) + name[1:], Recv: strings.ToLower(entity[:1]), Fields: parsed,
	}
	d.An, d.NameA = article(d.Words), article(d.Name)
	if token.IsKeyword(d.Var) || slices.Contains(spoken, d.Var) || d.Var == name {
		return nil, fmt.Errorf("the entity can't be called %s: the code has another meaning for %s", entity, d.Var)
	}
	return d, nil
}

// isNew returns an error for a module that exists, or a table: nothing is written over.
func (d *templateData) isNew(root string) error {
	if _, err := os.Stat(filepath.Join(root, "modules", d.Name)); err == nil {
		return fmt.Errorf("there is a module %s already", d.Name)
	}
	used, err := tableExists(root, d.Name)
	if err == nil && used {
		err = fmt.Errorf("there was a table %s already: the migrations have it", d.Name)
	}
	return err
}

// article puts the indefinite one before a noun.
func article(noun string) string {
	if strings.ContainsRune("aeio", rune(noun[0])) || strings.HasPrefix(noun, "un") && !strings.HasPrefix(noun, "uni") {
		return "an " + noun
	}
	return "a " + noun
}

// tableExists tells whether a migration makes a table of that name.
func tableExists(root, name string) (bool, error) {
	files, err := filepath.Glob(filepath.Join(root, "schema", "migrations", "*", "*.sql"))
	if err != nil {
		return false, err
	}
	made := regexp.MustCompile("(?i)CREATE TABLE [`\"]?" + name + "[`\" ]")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return false, err
		}
		if made.Match(text) {
			return true, nil
		}
	}
	return false, nil
}

// The fields of some sort, for the templates.

// Texts returns those with a bound.
func (d *templateData) Texts() []field { return d.those(field.IsText) }

// Optionals returns those that can be null.
func (d *templateData) Optionals() []field { return d.those(func(f field) bool { return f.Optional }) }

// Required returns those that can't be null.
func (d *templateData) Required() []field { return d.those(func(f field) bool { return !f.Optional }) }

// OptionalTimes returns the times that can be null.
func (d *templateData) OptionalTimes() []field {
	return d.those(func(f field) bool { return f.Optional && f.Kind == "time" })
}

// Maybes returns those that can be null and aren't texts.
func (d *templateData) Maybes() []field {
	return d.those(func(f field) bool { return f.Optional && !f.IsText() })
}

// Breakable returns the first one that has a rule.
func (d *templateData) Breakable() []field {
	all := d.those(func(f field) bool { return f.Broken() != nil })
	return all[:min(len(all), 1)]
}

// First returns the first one.
func (d *templateData) First() field { return d.Fields[0] }

func (d *templateData) those(are func(field) bool) []field {
	var some []field
	for _, f := range d.Fields {
		if are(f) {
			some = append(some, f)
		}
	}
	return some
}

// JSON returns the body that makes an example.
func (d *templateData) JSON() string {
	parts := make([]string, len(d.Fields))
	for i, f := range d.Fields {
		parts[i] = fmt.Sprintf("%q: %s", f.Name, f.inJSON(false))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// OtherJSON returns a body that changes the example.
func (d *templateData) OtherJSON() string {
	return fmt.Sprintf("{%q: %s}", d.First().Name, d.First().inJSON(true))
}

// rules returns the folder inside the module in which its entity stands.
func (d *templateData) rules() string {
	if d.Thin {
		return "app"
	}
	return "domain"
}

// places returns where each template goes.
func (d *templateData) places() map[string][]string {
	home := path.Join("modules", d.Name)
	inside := path.Join(home, "internal")
	adapters := path.Join(inside, "adapters")
	rules := d.rules()
	places := map[string][]string{
		"contract/doc.go":       {home, "doc.go"},
		"contract/ports.go":     {home, "ports.go"},
		"contract/null.go":      {home, "null.go"},
		"contract/events.go":    {home, "events.go"},
		"fake/fake.go":          {home, d.Name + "test", d.Name + "test.go"},
		"mod/mod.go":            {home, d.Name + "mod", d.Name + "mod.go"},
		"mod/contract_test.go":  {home, d.Name + "mod", "contract_test.go"},
		"domain/entity.go":      {inside, rules, d.Snake + ".go"},
		"domain/entity_test.go": {inside, rules, d.Snake + "_test.go"},
		"jobs/jobs.go":          {adapters, "jobs", "jobs.go"},
		"httpapi/httpapi.go":    {adapters, "httpapi", "httpapi.go"},
		"store/store.go":        {adapters, "store", "store.go"},
		"store/mapping.go":      {adapters, "store", "mapping.go"},
		"store/export.go":       {adapters, "store", "export.go"},
		"store/store_test.go":   {adapters, "store", "store_test.go"},
		"api/access_test.go":    {"test", "api", d.Name + "_access_test.go"},
		"api/api_test.go":       {"test", "api", d.Name + "_test.go"},
	}
	for _, name := range []string{"app", "ports", "create", "get", "list", "update", "delete", "purge", "export", "fakes_test", "app_test"} {
		places["app/"+name+".go"] = []string{inside, "app", name + ".go"}
	}
	return places
}

// render returns the files of the module.
func (d *templateData) render(root string) ([]page, error) {
	var pages []page
	for name, place := range d.places() {
		code, err := d.execute(name + ".tmpl")
		if err != nil {
			return nil, err
		}
		if d.Thin {
			code = []byte(d.leaveOutDomain(string(code), strings.HasPrefix(name, "domain/")))
		}
		if code, err = format.Source(code); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		pages = append(pages, page{filepath.Join(root, filepath.Join(place...)), code})
	}
	golden, err := d.execute("events/event.json.tmpl")
	if err != nil {
		return nil, err
	}
	for _, happened := range []string{"created", "changed", "deleted"} {
		name := fmt.Sprintf("%s.%s_%s.v1.json", d.Name, d.Snake, happened)
		pages = append(pages, page{filepath.Join(root, "modules", d.Name, "testdata", "events", name), golden})
	}
	slices.SortFunc(pages, func(a, b page) int { return strings.Compare(a.path, b.path) })
	return pages, nil
}

// domainIn finds what code says of the domain.
var domainIn = regexp.MustCompile(`\bdomain\.(New\()?`)

// leaveOutDomain returns the code of a file in a module whose entity stands in the package of the use cases. Its constructor is
// called after it there, since New makes the use cases.
func (d *templateData) leaveOutDomain(code string, isDomain bool) string {
	inside := d.House + "/modules/" + d.Name + "/internal/"
	domain, app := "\t\""+inside+"domain\"\n", "\t\""+inside+"app\"\n"
	if isDomain {
		_, code, _ = strings.Cut(code, "package domain") // and what it said of the package
		code = "package app" + strings.TrimPrefix(code, "_test")
		code = strings.Replace(code, "// New returns", "// New"+d.Entity+" returns", 1)
		code = strings.Replace(code, "func New(", "func New"+d.Entity+"(", 1)
	}
	within := ""
	switch {
	case strings.HasPrefix(code, "package app\n"):
		code = strings.Replace(code, domain, "", 1)
	case strings.Contains(code, app):
		code, within = strings.Replace(code, domain, "", 1), "app."
	default:
		code, within = strings.Replace(code, domain, app, 1), "app."
	}
	return domainIn.ReplaceAllStringFunc(code, func(found string) string {
		if found == "domain." {
			return within
		}
		return within + "New" + d.Entity + "("
	})
}

func (d *templateData) execute(name string) ([]byte, error) {
	text, err := templates.ReadFile("templates/module/" + name)
	if err != nil {
		return nil, err
	}
	made, err := template.New(name).Delims("[[", "]]").Funcs(template.FuncMap{
		"title": func(text string) string { return strings.ToUpper(text[:1]) + text[1:] },
	}).Parse(string(text))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = made.Execute(&out, d)
	return out.Bytes(), err
}

// join writes the module's files and what else has to know of it. It says what it does.
func (d *templateData) join(ctx context.Context, root string, pages []page, out io.Writer) error {
	for _, page := range pages {
		if err := os.MkdirAll(filepath.Dir(page.path), 0o755); err != nil { //nolint:gosec // source code is for everybody to read
			return err
		}
	}
	if err := writeStale(out, pages, false, ""); err != nil {
		return err
	}
	contracts := filepath.Join(root, "test", "contract", "testdata")
	consumers, err := withLines(filepath.Join(contracts, "consumers.txt"), d.Name+".erase_user users.user_deleted.v1")
	if err != nil {
		return err
	}
	answers, err := withLines(filepath.Join(contracts, "answers.txt"), d.answerFields()...)
	if err != nil {
		return err
	}
	stale, err := staleWiring(root)
	if err != nil {
		return err
	}
	if err := writeStale(out, append(stale, consumers, answers), false, ""); err != nil {
		return err
	}
	// The rest is made by programs that have the new module in them.
	err = steps(ctx, root, out, [][]string{
		{"tool", "wire", "./wire_gen"},
		{"run", "./cmd/scaffold", "migrate", "diff", "add_" + d.Name},
		{"run", "./cmd/scaffold", "canvas"},
		{"vet", "./modules/" + d.Name + "/...", "./wire_gen", "./test/api"},
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nmodules/%[1]s is there, and served at /app/%[1]s by `make run`. What only you can say:\n"+
		"  - what the context owns and refuses, in modules/%[1]s/doc.go\n"+
		"  - the rules of %[2]s, in modules/%[1]s/internal/%[3]s, and what other modules may know of it, in ports.go and events.go\n"+
		"  - which fields are looked up or sorted by, and so need an index, in internal/adapters/store\n"+
		"Read the two migrations before you commit them, and run `make verify test`.\n", d.Name, d.An, d.rules())
	return nil
}

// answerFields returns the fields that clients get, as the contract lists them.
func (d *templateData) answerFields() []string {
	fields := []string{"id", "owner_id", "created_at", "updated_at"}
	for _, f := range d.Fields {
		fields = append(fields, f.Name)
	}
	for i := range fields {
		fields[i] = d.Entity + "." + fields[i]
	}
	for _, field := range []string{"items", "limit", "next_cursor", "skip", "total"} {
		fields = append(fields, d.Entity+"List."+field)
	}
	return fields
}

// withLines returns a sorted file with more lines, each once.
func withLines(file string, lines ...string) (page, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return page{}, err
	}
	lines = append(lines, strings.Split(strings.TrimSpace(string(text)), "\n")...)
	slices.Sort(lines)
	return page{file, []byte(strings.Join(slices.Compact(lines), "\n") + "\n")}, nil
}
