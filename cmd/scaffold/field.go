package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// field is one field of an entity, as the templates see it. Its methods return Go code or JSON.
type field struct {
	Name     string // "due_at"
	Go       string // "DueAt"
	Kind     string // one of the kinds
	Optional bool
	Max      int // the most characters of a text
}

// kinds are the types a field can have, with their types in Go.
var kinds = map[string]string{"string": "string", "text": "string", "int": "int64", "bool": "bool", "time": "time.Time"}

// bounds are the usual most characters of a text, and mostCharacters is what can be asked for.
var bounds = map[string]int{"string": 200, "text": 2000}

const mostCharacters = 100_000

var fieldForm = regexp.MustCompile(`^([a-z][a-z0-9]*(?:_[a-z0-9]+)*):([a-z]+)(?:\(([0-9]+)\))?(\?)?$`)

// columns are those that every table of an entity has.
var columns = []string{"id", "owner_id", "version", "created_at", "updated_at", "deleted_at"}

// sqlWords can't be the name of a column: PostgreSQL or SQLite reserve them (PostgreSQL 15, appendix C; sqlite.org/lang_keywords.html).
var sqlWords = strings.Fields(`abort action add after all alter always analyse analyze and any array as asc asymmetric attach authorization
	autoincrement before begin between binary both by cascade case cast check collate collation column commit concurrently conflict
	constraint create cross current current_catalog current_date current_role current_schema current_time current_timestamp
	current_user database default deferrable deferred delete desc detach distinct do drop each else end escape except exclude
	exclusive exists explain fail false fetch filter first following for foreign freeze from full generated glob grant group groups
	having if ignore ilike immediate in index indexed initially inner insert instead intersect into is isnull join key last lateral
	leading left like limit localtime localtimestamp match materialized natural no not nothing notnull null nulls of offset on only
	or order others outer over overlaps partition placing plan pragma preceding primary query raise range recursive references regexp
	reindex release rename replace restrict returning right rollback row rows savepoint select session_user set similar some
	symmetric table tablesample temp temporary then ties to trailing transaction trigger true unbounded union unique update user
	using vacuum values variadic verbose view virtual when where window with without`)

// parseFields reads fields such as "number:string(40) amount:int note:text? due_at:time?", none of which has a name that is taken.
func parseFields(text string, taken []string) ([]field, error) {
	var fields []field
	for part := range strings.FieldsSeq(text) {
		parsed := fieldForm.FindStringSubmatch(part)
		if parsed == nil {
			return nil, fmt.Errorf("%q is no field: say name:type, name:type? for one that can be null, or name:string(40) for its most characters", part)
		}
		f := field{Name: parsed[1], Kind: parsed[2], Optional: parsed[4] != ""}
		f.Go = camel(f.Name)
		if kinds[f.Kind] == "" {
			return nil, fmt.Errorf("%s: there is no type %q: choose string, text, int, bool or time", f.Name, f.Kind)
		}
		f.Max = bounds[f.Kind]
		if parsed[3] != "" {
			most, err := strconv.Atoi(parsed[3])
			if f.Max == 0 || err != nil || most < 1 || most > mostCharacters {
				return nil, fmt.Errorf("%s: only a string or a text has a bound, of 1 to %d characters", f.Name, mostCharacters)
			}
			f.Max = most
		}
		if slices.Contains(taken, f.Name) {
			return nil, fmt.Errorf("%s: the name is taken, by what is there anyway or by SQL", f.Name)
		}
		if slices.ContainsFunc(fields, func(other field) bool { return other.Go == f.Go }) {
			return nil, fmt.Errorf("%s is there twice", f.Name)
		}
		fields = append(fields, f)
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf(`say what it holds: --fields "number:string amount:int due_at:time?"`)
	}
	return fields, nil
}

// initialisms are spelled in capitals in Go (go.dev/wiki/CodeReviewComments, "Initialisms").
var initialisms = strings.Fields("api css csv dns html http https id ip json jwt pdf sku sms sql ssh tls ui url uri utc uuid vat xml")

// camel returns what a name is called in Go: "due_at" is DueAt.
func camel(snake string) string {
	var name strings.Builder
	for word := range strings.SplitSeq(snake, "_") {
		if slices.Contains(initialisms, word) {
			name.WriteString(strings.ToUpper(word))
			continue
		}
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return name.String()
}

// Base returns the field's type in Go, without what makes it optional.
func (f field) Base() string { return kinds[f.Kind] }

// Type returns the field's type in Go.
func (f field) Type() string {
	if f.Optional {
		return "*" + f.Base()
	}
	return f.Base()
}

// IsText tells whether the field has a bound.
func (f field) IsText() bool { return f.Max > 0 }

// Check returns the call that checks the field of that variable, empty if it has no rule.
func (f field) Check(of string) string {
	value := of + "." + f.Go
	switch {
	case f.Kind == "string" && !f.Optional:
		return fmt.Sprintf("errs.Line(%q, %s, Max%s)", f.Name, value, f.Go)
	case f.IsText() && f.Optional:
		return fmt.Sprintf("errs.Text(%q, %s, Max%s)", f.Name, value, f.Go)
	case f.IsText():
		return fmt.Sprintf("errs.Text(%q, &%s, Max%s)", f.Name, value, f.Go)
	}
	return ""
}

// Settled returns the field of that variable as the database keeps it.
func (f field) Settled(of string) string {
	value := of + "." + f.Go
	switch {
	case f.Kind != "time":
		return value
	case f.Optional:
		return "settled(" + value + ")"
	}
	return value + ".UTC().Truncate(time.Microsecond)"
}

// Changed returns the value of a change that is set.
func (f field) Changed() string {
	switch {
	case f.Optional:
		return f.Settled("change")
	case f.Kind == "time":
		return f.Settled("change")
	}
	return "*change." + f.Go
}

// Same returns whether next and the receiver hold the same.
func (f field) Same(receiver string) string {
	if f.Optional {
		return fmt.Sprintf("same(next.%s, %s.%s)", f.Go, receiver, f.Go)
	}
	return fmt.Sprintf("next.%s == %s.%s", f.Go, receiver, f.Go)
}

// literal returns the first or the second example of a value.
func (f field) literal(second bool) string {
	first := map[string][2]string{
		"string": {f.quoted("A"), f.quoted("B")}, "text": {f.quoted("A"), f.quoted("B")}, "int": {"42", "43"}, "bool": {"true", "false"},
		"time": {"time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)", "time.Date(2027, 5, 6, 7, 8, 9, 0, time.UTC)"},
	}[f.Kind]
	if second {
		return first[1]
	}
	return first[0]
}

// quoted returns a text that fits, as a literal.
func (f field) quoted(which string) string {
	text := strings.ReplaceAll(f.Name, "_", " ") + " " + which
	if len(text) > f.Max {
		text = which
	}
	return strconv.Quote(text)
}

// Value returns an example.
func (f field) Value() string { return f.wrapped(f.literal(false)) }

// Other returns another example.
func (f field) Other() string { return f.wrapped(f.literal(true)) }

// wrapped makes a value optional if the field is.
func (f field) wrapped(value string) string {
	switch {
	case f.Optional && f.Kind == "int":
		return "new(int64(" + value + "))"
	case f.Optional:
		return "new(" + value + ")"
	}
	return value
}

// Seed returns an example for the seeder.
func (f field) Seed() string {
	if f.Kind == "time" {
		return "time.Now()"
	}
	return f.Value()
}

// ChangeTo returns the part of a domain.Change that sets the field to a value of its type.
func (f field) ChangeTo(value string) string {
	switch {
	case f.Optional:
		return fmt.Sprintf("Set%s: true, %s: %s", f.Go, f.Go, value)
	case f.Kind == "int":
		return fmt.Sprintf("%s: new(int64(%s))", f.Go, value)
	}
	return fmt.Sprintf("%s: new(%s)", f.Go, value)
}

// breach is a value that breaks a rule of the field.
type breach struct{ Why, Value string }

// Broken returns what breaks the field's rules.
func (f field) Broken() []breach {
	long := f.wrapped(fmt.Sprintf(`strings.Repeat("é", domain.Max%s+1)`, f.Go))
	switch {
	case f.Kind == "string" && !f.Optional:
		return []breach{{"that is blank", `" "`}, {"that is too long", long}, {"of two lines", `"a\nb"`}}
	case f.IsText():
		return []breach{{"that is too long", long}}
	}
	return nil
}

// Random returns an expression for a random value, of the source r.
func (f field) Random() string {
	switch {
	case f.IsText() && f.Optional:
		return "storetest.Optional(r, domain.Max" + f.Go + ")"
	case f.IsText():
		return "storetest.Text(r, domain.Max" + f.Go + ")"
	}
	value := map[string]string{"int": "r.Int64() - 1<<62", "bool": "r.IntN(2) == 0", "time": "storetest.Time(r)"}[f.Kind]
	if f.Optional {
		return "maybe(r, " + value + ")"
	}
	return value
}

// Column returns the tag of the field in a row.
func (f field) Column() string {
	var tags []string
	if f.IsText() {
		tags = append(tags, "type:text")
	}
	if !f.Optional {
		tags = append(tags, "not null")
	}
	if tags == nil {
		return ""
	}
	return fmt.Sprintf("`gorm:%q`", strings.Join(tags, ";"))
}

// safeInteger is the largest whole number that every client reads as it was sent (ECMA-262, Number.MAX_SAFE_INTEGER).
const safeInteger = "9007199254740991"

// bodyRules are the rules that the API document shows, and that are checked before the domain's.
func (f field) bodyRules() string {
	switch {
	case f.Kind == "string" && !f.Optional:
		return fmt.Sprintf(` minLength:"1" maxLength:"%d"`, f.Max)
	case f.IsText():
		return fmt.Sprintf(` maxLength:"%d"`, f.Max)
	case f.Kind == "int":
		return fmt.Sprintf(` minimum:%q maximum:%q`, "-"+safeInteger, safeInteger)
	}
	return ""
}

// BodyTag returns the tag of the field in the body that makes an entity.
func (f field) BodyTag() string {
	if f.Optional {
		return fmt.Sprintf("`json:\"%s,omitempty\" nullable:\"true\"%s`", f.Name, f.bodyRules())
	}
	return fmt.Sprintf("`json:%q%s`", f.Name, f.bodyRules())
}

// PatchTag returns the tag of the field in the body that changes an entity.
func (f field) PatchTag() string {
	if f.Optional {
		return fmt.Sprintf("`json:\"%s,omitempty\"%s doc:\"null clears it\"`", f.Name, f.bodyRules())
	}
	return fmt.Sprintf("`json:\"%s,omitempty\" nullable:\"false\"%s`", f.Name, f.bodyRules())
}

// inJSON returns an example in JSON.
func (f field) inJSON(second bool) string {
	if f.Kind == "time" {
		return map[bool]string{false: `"2026-05-06T07:08:09Z"`, true: `"2027-05-06T07:08:09Z"`}[second]
	}
	return f.literal(second)
}

// Answer returns the example as the API answers it, in Go.
func (f field) Answer() string { return f.inJSON(false) }

// OtherAnswer returns the other example as the API answers it, in Go.
func (f field) OtherAnswer() string { return f.inJSON(true) }
