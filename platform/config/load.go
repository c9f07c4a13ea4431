package config

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/v2"
)

// Sources says where settings are read from. Nothing else is read, so a test gives its own.
type Sources struct {
	// Dir is the folder of .env and .env.{ENVIRONMENT}. Empty means the working folder. Relative paths in settings are
	// relative to the working folder, not to Dir.
	Dir string
	// Environ is the process environment, in the form of os.Environ. Nil is an empty one.
	Environ []string
}

// The names of sources that aren't files.
const (
	sourceDefault     = "default"
	sourceEnvironment = "environment"
	sourceGenerated   = "generated"
)

// environmentName is the one variable that must be known before the others can be read.
const environmentName = "ENVIRONMENT"

// Load fills the groups from the sources. The report is there even when the error is not nil, unless a group itself is
// malformed. When settings are wrong the error is an *InvalidError with all of them, and the groups must not be used.
//
// With a Core among the groups, in local and test, Load creates DATA_DIR/secret_key when SECRET_KEY is unset. It writes
// nothing else, and nothing at all when a setting is wrong.
func Load(src Sources, groups ...Group) (*Report, error) {
	fields, structs, err := declare(groups)
	if err != nil {
		return nil, err
	}
	l := &loader{fields: fields, byName: map[string]*field{}, unreadable: map[string]bool{}}
	for _, f := range fields {
		l.byName[f.Name] = f
	}
	if err := l.readLayers(src); err != nil {
		return nil, err
	}
	for _, f := range fields {
		l.read(f)
	}
	check := &Check{Environment: l.environment, loader: l}
	for _, group := range structs {
		if v, ok := group.(Validator); ok {
			v.Validate(check)
		}
	}
	if len(l.problems) == 0 {
		for _, group := range structs {
			if c, ok := group.(completer); ok {
				c.complete(check)
			}
		}
	}
	l.warnUnknown()
	return l.report(), l.invalid()
}

type loader struct {
	fields      []*field
	byName      map[string]*field
	environment Environment

	layers   []layer      // the sources that count, lowest first
	merged   *koanf.Koanf // all of them
	defaults *koanf.Koanf // what stands for variables that none of them sets

	unreadable map[string]bool // settings whose text was refused, so that their value means nothing
	problems   []Problem
	warnings   []Problem
}

// layer is one source of variables.
type layer struct {
	source string
	vars   *koanf.Koanf
}

// newVars returns an empty set of variables. koanf splits keys at the delimiter, and no variable's name can hold "=".
func newVars() *koanf.Koanf { return koanf.New("=") }

// readLayers decides the environment and reads every source that counts in it.
func (l *loader) readLayers(src Sources) error {
	process := layer{sourceEnvironment, newVars()}
	environ := func() []string { return src.Environ }
	if err := process.vars.Load(env.Provider("", env.Opt{EnvironFunc: environ}), nil); err != nil {
		return err
	}
	file, found, fileProblems := readDotenv(src.Dir, ".env")

	decider := process
	if !process.vars.Exists(environmentName) {
		decider = file
	}
	l.environment = Environment(strings.TrimSpace(decider.vars.String(environmentName)))
	if l.environment == "" {
		l.environment = Local
	}
	known := l.environment.Known()
	if !known {
		if l.byName[environmentName] == nil { // else its tags refuse it
			l.problems = append(l.problems, Problem{environmentName, string(l.environment), decider.source,
				"must be local, test, staging or production"})
		}
		// The laxest rules: stricter ones would complain of what the right word might allow.
		l.environment = Local
	}

	if l.environment == Production {
		l.layers = []layer{process}
		if found {
			l.warn(".env", "isn't read: production reads the process environment only")
		}
		if decider.source == file.source {
			l.problems = append(l.problems, Problem{environmentName, string(Production), file.source,
				"must be set in the process environment, because production reads no file"})
		}
	} else {
		l.layers = []layer{file}
		l.problems = append(l.problems, fileProblems...)
		if known {
			over, _, problems := readDotenv(src.Dir, ".env."+string(l.environment))
			l.problems = append(l.problems, problems...)
			l.layers = append(l.layers, over)
			if named := over.vars.String(environmentName); named != "" && named != string(l.environment) {
				l.problems = append(l.problems, Problem{environmentName, named, over.source,
					"must be " + string(l.environment) + " in this file, or left out: the environment is decided before the file is read"})
			}
			over.vars.Delete(environmentName)
		}
		l.layers = append(l.layers, process)
	}

	l.merged, l.defaults = newVars(), newVars()
	for _, layer := range l.layers {
		if err := l.merged.Merge(layer.vars); err != nil {
			return err
		}
	}
	defaults := map[string]any{}
	for _, f := range l.fields {
		defaults[f.Name] = f.defaultIn(l.environment)
	}
	return l.defaults.Load(confmap.Provider(defaults, ""), nil)
}

// lookup returns the text of a variable and its source; both are empty when it is unset. An empty text in a higher
// layer hides a lower layer's: that is how .env.test takes back what .env says.
func (l *loader) lookup(name string) (text, source string) {
	text = l.merged.String(name)
	if strings.TrimSpace(text) == "" {
		return "", ""
	}
	for _, layer := range l.layers {
		if layer.vars.Exists(name) {
			source = layer.source
		}
	}
	return text, source
}

// fileSuffix turns the name of a secret into the name of the variable that holds the path of a file with it.
const fileSuffix = "_FILE"

// read finds the text of one setting and puts its value into the group.
func (l *loader) read(f *field) {
	text, source := l.lookup(f.Name)
	if f.Secret {
		// A secret's inner and leading spaces are its own. Line ends are what echo and editors leave behind.
		text = strings.TrimRight(text, "\r\n")
		fromFile, path, ok := l.readSecretFile(f, text != "")
		if !ok {
			return
		}
		if path != "" {
			text, source = fromFile, "file "+path
		}
	} else {
		text = strings.TrimSpace(text)
	}
	if source == "" {
		text, source = l.expandDefault(f.Name), sourceDefault
	}
	f.Value, f.Source = f.show(text), source
	if text == "" {
		return
	}
	if err := f.set(text); err != nil {
		if !l.inherited(f) {
			l.refuse(f.Name, err.Error())
		}
		l.unreadable[f.Name] = true
	}
}

// inherited reports whether a default can't be read because the setting it is made of can't.
func (l *loader) inherited(f *field) bool {
	if f.Source != sourceDefault {
		return false
	}
	for name := range l.unreadable {
		if strings.Contains(l.defaults.String(f.Name), "{"+name+"}") {
			return true
		}
	}
	return false
}

// readSecretFile reads the file that NAME_FILE names; path is empty when it names none. It is not ok when the setting
// can't be used, which is recorded then.
func (l *loader) readSecretFile(f *field, alsoSet bool) (text, path string, ok bool) {
	name := f.Name + fileSuffix
	path, source := l.lookup(name)
	if path = strings.TrimSpace(path); path == "" {
		return "", "", true
	}
	message := ""
	if content, err := os.ReadFile(path); alsoSet {
		message = "must not be set together with " + f.Name + "; leave one of them empty"
	} else if errors.Is(err, fs.ErrNotExist) {
		message = "must be a file that exists"
	} else if err != nil {
		message = "must be a file that can be read"
	} else if text = strings.TrimRight(string(content), "\r\n"); text == "" {
		message = "must be a file that isn't empty"
	}
	if message != "" {
		l.problems = append(l.problems, Problem{name, path, source, message})
		l.unreadable[f.Name] = true
		f.Source = sourceDefault
	}
	return text, path, message == ""
}

// expandDefault returns the default of a setting, with {NAME} replaced by the text of that setting.
func (l *loader) expandDefault(name string) string {
	text := l.defaults.String(name)
	for {
		before, rest, found := strings.Cut(text, "{")
		inner, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			return text
		}
		value, source := l.lookup(inner)
		if value = strings.TrimSpace(value); source == "" {
			value = l.expandDefault(inner)
		}
		text = before + value + after
	}
}

// refuse records a problem with a setting, unless its text was refused before: then its value means nothing.
func (l *loader) refuse(name, message string) {
	if !l.unreadable[name] {
		l.problems = append(l.problems, l.problem(name, message))
	}
}

func (l *loader) warn(name, message string) {
	if !l.unreadable[name] {
		l.warnings = append(l.warnings, l.problem(name, message))
	}
}

func (l *loader) problem(name, message string) Problem {
	p := Problem{Name: name, Message: message}
	if f := l.byName[name]; f != nil {
		p.Value, p.Source = f.Value, f.Source
	}
	return p
}

func (l *loader) report() *Report {
	r := &Report{Environment: l.environment, Warnings: l.warnings}
	for _, f := range l.fields {
		r.Settings = append(r.Settings, f.Setting)
	}
	return r
}

// invalid returns all problems as one error, in declared order; what is not about a setting comes first.
func (l *loader) invalid() error {
	if len(l.problems) == 0 {
		return nil
	}
	order := map[string]int{}
	for i, f := range l.fields {
		order[f.Name], order[f.Name+fileSuffix] = i+1, i+1
	}
	slices.SortStableFunc(l.problems, func(a, b Problem) int { return order[a.Name] - order[b.Name] })
	return &InvalidError{Problems: l.problems}
}
