package config

import (
	"encoding"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Group is a set of settings with one owner.
type Group struct {
	Owner  string // who reads them: "platform", or a module's name
	Struct any    // a pointer to a struct tagged as the package comment says; Load fills it
}

// Validator is implemented by a group that has rules over several settings, or over one setting and the environment.
// Load calls it after every setting was read, on the group and on each group inside it. A setting that couldn't be read
// has its zero value then; what Validate says about it is dropped, since its first problem is already known.
type Validator interface {
	Validate(check *Check)
}

// completer is a group that fills in settings that no text can be the default of. It runs only when all is well.
type completer interface {
	complete(check *Check)
}

// Setting is one setting as a person sees it. It never holds a secret.
type Setting struct {
	Owner   string // the group's owner
	Section string // the group inside the group, such as "HTTP"; empty when there is none
	Name    string // the environment variable
	Value   string // what it holds, masked when secret; empty when it holds nothing
	Source  string // "default", "environment", ".env", ".env.local", "file /run/secrets/x", "generated"
	Default string // what it holds when unset, by environment, such as "0.0.0.0 (local and test: 127.0.0.1)"
	Secret  bool   // whether the value is masked, and may come from a file by NAME_FILE
	Help    string // what it decides
}

// field is a setting together with the place where its value goes.
type field struct {
	Setting
	dest reflect.Value
	tag  reflect.StructTag
}

// Describe lists the settings that groups declare, in declared order, without reading anything: Value and Source are
// empty. An error is a mistake in the struct, such as an unknown type or a name used twice.
func Describe(groups ...Group) ([]Setting, error) {
	fields, _, err := declare(groups)
	if err != nil {
		return nil, err
	}
	settings := make([]Setting, len(fields))
	for i, f := range fields {
		settings[i] = f.Setting
	}
	return settings, nil
}

// declare walks the groups. structs are the groups and the groups inside them, inner ones first.
func declare(groups []Group) (fields []*field, structs []any, err error) {
	owners := map[string]string{}
	for _, group := range groups {
		root := reflect.ValueOf(group.Struct)
		if root.Kind() != reflect.Pointer || root.IsNil() || root.Elem().Kind() != reflect.Struct {
			return nil, nil, fmt.Errorf("config: group %s: want a pointer to a struct, got %T", group.Owner, group.Struct)
		}
		found, inner, err := walk(group.Owner, "", root.Elem())
		if err != nil {
			return nil, nil, fmt.Errorf("config: group %s: %w", group.Owner, err)
		}
		for _, f := range found {
			if other, taken := owners[f.Name]; taken {
				return nil, nil, fmt.Errorf("config: %s is declared by %s and by %s", f.Name, other, group.Owner)
			}
			owners[f.Name] = group.Owner
		}
		fields, structs = append(fields, found...), append(structs, inner...)
	}
	return fields, structs, nil
}

func walk(owner, section string, group reflect.Value) (fields []*field, structs []any, err error) {
	for i := range group.NumField() {
		declared := group.Type().Field(i)
		name, isSetting := declared.Tag.Lookup("env")
		switch {
		case !declared.IsExported():
			return nil, nil, fmt.Errorf("field %s must be exported", declared.Name)
		case !isSetting && declared.Type.Kind() == reflect.Struct:
			found, inner, err := walk(owner, declared.Name, group.Field(i))
			if err != nil {
				return nil, nil, err
			}
			fields, structs = append(fields, found...), append(structs, inner...)
			continue
		case name == "" || declared.Tag.Get("help") == "":
			return nil, nil, fmt.Errorf("field %s needs the tags env and help", declared.Name)
		}
		f := &field{dest: group.Field(i), tag: declared.Tag}
		f.Setting = Setting{
			Owner: owner, Section: section, Name: name,
			Default: f.describeDefault(), Secret: declared.Type == secretType, Help: declared.Tag.Get("help"),
		}
		if err := f.checkTags(); err != nil {
			return nil, nil, fmt.Errorf("field %s: %w", declared.Name, err)
		}
		fields = append(fields, f)
	}
	return fields, append(structs, group.Addr().Interface()), nil
}

var (
	secretType   = reflect.TypeFor[Secret]()
	durationType = reflect.TypeFor[time.Duration]()
	stringsType  = reflect.TypeFor[[]string]()
	prefixesType = reflect.TypeFor[[]netip.Prefix]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// knownTags guards against a misspelt tag, which reflection would silently read as "no rule".
var knownTags = []string{"env", "default", "local", "production", "oneof", "min", "max", "is", "mask", "help"}

func (f *field) checkTags() error {
	for rest := string(f.tag); rest != ""; {
		key, tail, _ := strings.Cut(strings.TrimSpace(rest), `:"`)
		if !slices.Contains(knownTags, key) {
			return fmt.Errorf("unknown tag %q", key)
		}
		end := strings.Index(strings.ReplaceAll(tail, `\"`, `\_`), `"`)
		if end < 0 {
			return errors.New("malformed tags")
		}
		rest = strings.TrimSpace(tail[end+1:])
	}
	if is := f.tag.Get("is"); is != "" {
		if _, ok := shapes[is]; !ok {
			return fmt.Errorf("unknown shape %q", is)
		}
	}
	for _, bound := range []string{f.tag.Get("min"), f.tag.Get("max")} {
		if bound == "" {
			continue
		}
		if _, err := f.compare(bound); err != nil {
			return fmt.Errorf("bound %q: %w", bound, err)
		}
	}
	scratch := reflect.New(f.dest.Type()).Elem()
	if err := parseInto(scratch, ""); errors.Is(err, errUnsupported) {
		return err
	}
	return nil
}

// defaultIn returns the text that stands for an unset variable in env.
func (f *field) defaultIn(env Environment) string {
	if text, ok := f.tag.Lookup("local"); ok && env.OnDesk() {
		return text
	}
	if text, ok := f.tag.Lookup("production"); ok && env == Production {
		return text
	}
	return f.tag.Get("default")
}

func (f *field) describeDefault() string {
	text := f.tag.Get("default")
	for _, special := range []struct{ tag, where string }{{"local", "local and test"}, {"production", "production"}} {
		if other, ok := f.tag.Lookup(special.tag); ok {
			if other == "" {
				other = "none"
			}
			text = strings.TrimSpace(fmt.Sprintf("%s (%s: %s)", text, special.where, other))
		}
	}
	return text
}
