// Package contract_test proves what modules promise each other and the world by their events: every payload has golden
// files and keeps to them, every consumer waits for something that is published, and the AsyncAPI document says so.
//
// The golden files of an event are modules/<m>/testdata/events/<name>.json with what every payload has, and <name>.2.json,
// <name>.3.json and so on with each optional field that the version gained since. None is changed or removed as long as the
// event is published: they stand for what lies in ledgers and queues.
package contract_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/omnistack/omnistack/platform/asyncapi"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/module"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

const modules = "../../modules"

// contract is what a module promises: its Descriptor, and its golden payloads by their file names.
type contract struct {
	module.Descriptor
	goldens map[string]string
}

// contracts returns those of all modules.
func contracts(t *testing.T) []contract {
	t.Helper()
	catalog, err := wiregen.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	var all []contract
	for _, canvas := range catalog {
		c := contract{canvas.Descriptor, map[string]string{}}
		files, err := filepath.Glob(modules + "/" + canvas.Name + "/testdata/events/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c.goldens[filepath.Base(file)] = string(text)
		}
		all = append(all, c)
	}
	return all
}

func TestEveryEventKeepsItsContract(t *testing.T) {
	all := contracts(t)
	published := 0
	for _, c := range all {
		published += len(c.Publishes)
	}
	if published == 0 {
		t.Error("nobody publishes anything")
	}
	if broken := inspect(all); len(broken) > 0 {
		t.Errorf("see the top of events_test.go for what is asked for\n%s", strings.Join(broken, "\n"))
	}
}

// TestNoGoldenLiesWhereNobodyLooks finds the golden files by their folders.
func TestNoGoldenLiesWhereNobodyLooks(t *testing.T) {
	files, err := filepath.Glob(modules + "/*/testdata/events/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files found: %v", err)
	}
	known := 0
	for _, c := range contracts(t) {
		known += len(c.goldens)
	}
	if known != len(files) {
		t.Errorf("there are %d golden files, and the catalog's modules have %d", len(files), known)
	}
}

// inspect returns what breaks the contracts, sorted.
func inspect(all []contract) []string {
	var broken []string
	names := map[string]bool{}
	for _, c := range all {
		unclaimed := maps.Clone(c.goldens)
		for _, event := range c.Publishes {
			name := event.EventName()
			switch {
			case names[name]:
				broken = append(broken, name+": is published twice")
			case !events.ValidName(name) || !strings.HasPrefix(name, c.Name+"."):
				broken = append(broken, name+": isn't called "+c.Name+".WHAT_HAPPENED.vN")
			}
			names[name] = true
			for _, why := range inspectEvent(event, series(name, unclaimed)) {
				broken = append(broken, name+": "+why)
			}
		}
		for file := range unclaimed {
			broken = append(broken, file+": is the golden file of no event")
		}
	}
	broken = append(broken, inspectConsumers(all, names)...)
	slices.Sort(broken)
	return broken
}

// series takes the golden files of an event out of the files, the oldest first.
func series(name string, files map[string]string) []string {
	var goldens []string
	for file := name + ".json"; ; file = fmt.Sprintf("%s.%d.json", name, len(goldens)+1) {
		text, exists := files[file]
		if !exists {
			return goldens
		}
		goldens = append(goldens, text)
		delete(files, file)
	}
}

// inspectEvent returns what is wrong with an event and its golden payloads.
func inspectEvent(event events.Event, goldens []string) []string {
	schema, err := asyncapi.PayloadSchema(event)
	if err != nil {
		return []string{err.Error()}
	}
	compiled, err := compile(schema)
	if err != nil {
		return []string{"its schema: " + err.Error()}
	}
	if len(goldens) == 0 {
		return []string{"has no golden file"}
	}
	var broken []string
	missing := maps.Clone(schema.Properties)
	for i, text := range goldens {
		fields, err := inspectGolden(event, text)
		if err != nil {
			broken = append(broken, fmt.Sprintf("golden %d: %v", i+1, err))
			continue
		}
		if err := compiled.Validate(fields); err != nil {
			broken = append(broken, fmt.Sprintf("golden %d: doesn't fit the schema: %v", i+1, err))
		}
		have := slices.Sorted(maps.Keys(fields))
		if want := slices.Sorted(slices.Values(schema.Required)); i == 0 && !slices.Equal(have, want) {
			broken = append(broken, fmt.Sprintf("golden 1: has the fields %v, and the fields that every payload has are %v", have, want))
		}
		for _, field := range have {
			delete(missing, field)
		}
	}
	for field := range missing {
		if len(broken) == 0 { // else it is missing for a reason that is told already
			broken = append(broken, "no golden file shows the field "+field)
		}
	}
	return broken
}

// inspectGolden returns the fields of a golden payload. It is an error if the event's type doesn't read the whole of it, or
// writes anything else.
func inspectGolden(event events.Event, text string) (map[string]any, error) {
	var fields map[string]any
	if err := decode(text, &fields); err != nil {
		return nil, err
	}
	read := reflect.New(reflect.TypeOf(event))
	if err := decode(text, read.Interface()); err != nil {
		return nil, err
	}
	written, err := json.Marshal(read.Interface())
	if err != nil {
		return nil, err
	}
	var again map[string]any
	if err := decode(string(written), &again); err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(again, fields) {
		return nil, fmt.Errorf("is written as %s", written)
	}
	if id, version := read.Elem().Interface().(events.Event).Aggregate(); id == "" || version < 1 {
		return nil, fmt.Errorf("happened to %q in the version %d", id, version)
	}
	return fields, nil
}

// decode reads one JSON value, all of whose fields must be known.
func decode(text string, into any) error {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("holds more than one value")
	}
	return nil
}

// compile returns the schema as the version 2020-12 of JSON Schema has it.
func compile(schema *asyncapi.Schema) (*jsonschema.Schema, error) {
	text, err := json.Marshal(schema)
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	return compileText(compiler, text)
}

func compileText(compiler *jsonschema.Compiler, text []byte) (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	const name = "schema.json"
	if err := compiler.AddResource(name, document); err != nil {
		return nil, err
	}
	return compiler.Compile(name)
}

var consumerName = regexp.MustCompile(`^[a-z][a-z0-9]*\.[a-z][a-z0-9_]*$`)

// inspectConsumers returns what is wrong with who handles the events of these names.
func inspectConsumers(all []contract, published map[string]bool) []string {
	var broken []string
	names := map[string]bool{}
	for _, c := range all {
		for _, consumer := range c.Consumes {
			switch {
			case names[consumer.Name]:
				broken = append(broken, consumer.Name+": is the name of two consumers")
			case !consumerName.MatchString(consumer.Name) || !strings.HasPrefix(consumer.Name, c.Name+"."):
				broken = append(broken, consumer.Name+": isn't called "+c.Name+".WHAT_IT_DOES")
			}
			names[consumer.Name] = true
			if !published[consumer.Event] {
				broken = append(broken, fmt.Sprintf("%s: waits for %q, which nobody publishes", consumer.Name, consumer.Event))
			}
			if consumer.Summary == "" || consumer.Handle == nil {
				broken = append(broken, consumer.Name+": doesn't say what it does, or doesn't do it")
			}
		}
	}
	return broken
}

// The events of a module that keeps the rules, and of some that don't.
type (
	made struct {
		OrderID string    `json:"order_id"`
		Version int64     `json:"version"`
		Rush    bool      `json:"rush"`
		MadeAt  time.Time `json:"made_at"`
		Note    *string   `json:"note,omitempty"`
	}
	elsewhere struct {
		Version int64 `json:"version"`
	}
	misnamed struct {
		Version int64 `json:"version"`
	}
	nested struct {
		Items []string `json:"items"`
	}
)

func (made) EventName() string      { return "orders.order_made.v1" }
func (elsewhere) EventName() string { return "stock.counted.v1" }
func (misnamed) EventName() string  { return "orders.OrderMade" }
func (nested) EventName() string    { return "orders.order_packed.v1" }

func (e made) Aggregate() (id string, version int64)      { return e.OrderID, e.Version }
func (e elsewhere) Aggregate() (id string, version int64) { return "stock", e.Version }
func (e misnamed) Aggregate() (id string, version int64)  { return "order", e.Version }
func (nested) Aggregate() (id string, version int64)      { return "order", 1 }

const (
	first  = `{"order_id": "o1", "version": 1, "rush": true, "made_at": "2030-01-02T03:04:05.000006Z"}`
	second = `{"order_id": "o1", "version": 1, "rush": true, "made_at": "2030-01-02T03:04:05Z", "note": "fragile"}`
)

// orders keeps all rules.
func orders() contract {
	return contract{
		Descriptor: module.Descriptor{
			Name: "orders", Publishes: []events.Event{made{}},
			Consumes: []events.Consumer{events.On(events.Consumer{Name: "orders.ship", Summary: "ships it"}, nothing)},
		},
		goldens: map[string]string{"orders.order_made.v1.json": first, "orders.order_made.v1.2.json": second},
	}
}

func nothing(context.Context, made, events.Envelope) error { return nil }

func TestWhatBreaksAContractIsFound(t *testing.T) {
	if broken := inspect([]contract{orders()}); len(broken) > 0 {
		t.Fatalf("the example breaks the rules:\n%s", strings.Join(broken, "\n"))
	}
	golden := func(file, text string) func(*contract) { return func(c *contract) { c.goldens[file] = text } }
	oldest := func(text string) func(*contract) { return golden("orders.order_made.v1.json", text) }
	publish := func(event events.Event, text string) func(*contract) {
		return func(c *contract) {
			c.Publishes = append(c.Publishes, event)
			c.goldens[event.EventName()+".json"] = text
		}
	}
	consume := func(change func(*events.Consumer)) func(*contract) {
		return func(c *contract) { change(&c.Consumes[0]) }
	}
	for name, test := range map[string]struct {
		plant func(*contract)
		want  string // the beginning of the one thing that is found
	}{
		"no golden":              {func(c *contract) { c.goldens = nil }, "orders.order_made.v1: has no golden file"},
		"a golden of nothing":    {golden("orders.order_lost.v1.json", first), "orders.order_lost.v1.json: is the golden file of no event"},
		"a gap in the series":    {golden("orders.order_made.v1.4.json", second), "orders.order_made.v1.4.json: is the golden file of no event"},
		"a field that went":      {oldest(strings.Replace(first, "{", `{"price": 12, `, 1)), `orders.order_made.v1: golden 1: json: unknown field "price"`},
		"another type":           {oldest(strings.Replace(first, "true", `"yes"`, 1)), "orders.order_made.v1: golden 1: json: cannot unmarshal string"},
		"a text for a number":    {oldest(strings.Replace(first, `: 1`, `: "1"`, 1)), "orders.order_made.v1: golden 1: json: cannot unmarshal string"},
		"a fraction":             {oldest(strings.Replace(first, `: 1`, `: 1.5`, 1)), "orders.order_made.v1: golden 1: json: cannot unmarshal number"},
		"a time of another form": {oldest(strings.Replace(first, "2030-01-02T", "2030-01-02 ", 1)), "orders.order_made.v1: golden 1: parsing time"},
		"another case":           {oldest(strings.Replace(first, "rush", "Rush", 1)), "orders.order_made.v1: golden 1: is written as"},
		"an object in it":        {oldest(strings.Replace(first, `"o1"`, `{"id": "o1"}`, 1)), "orders.order_made.v1: golden 1: json: cannot unmarshal object"},
		"a list":                 {oldest("[" + first + "]"), "orders.order_made.v1: golden 1: json: cannot unmarshal array"},
		"null":                   {oldest("null"), "orders.order_made.v1: golden 1: is written as"},
		"a null in it":           {oldest(strings.Replace(first, "true", "null", 1)), "orders.order_made.v1: golden 1: is written as"},
		"two values":             {oldest(first + first), "orders.order_made.v1: golden 1: holds more than one value"},
		"no JSON":                {oldest("{"), "orders.order_made.v1: golden 1: unexpected EOF"},
		"nothing it happened to": {oldest(strings.Replace(first, "o1", "", 1)), `orders.order_made.v1: golden 1: happened to "" in the version 1`},
		"no version":             {oldest(strings.Replace(first, `: 1`, `: 0`, 1)), `orders.order_made.v1: golden 1: happened to "o1" in the version 0`},
		"a new required field":   {oldest(strings.Replace(first, `"rush": true, `, "", 1)), "orders.order_made.v1: golden 1: is written as"},
		"a required field made optional": {
			oldest(second), "orders.order_made.v1: golden 1: has the fields [made_at note order_id rush version], and the fields that every payload has are [",
		},
		"an optional field without a golden": {
			func(c *contract) { delete(c.goldens, "orders.order_made.v1.2.json") }, "orders.order_made.v1: no golden file shows the field note",
		},
		"a time that isn't one of RFC 3339 for the second": {
			golden("orders.order_made.v1.2.json", strings.Replace(second, "05Z", "05", 1)), "orders.order_made.v1: golden 2: parsing time",
		},
		"an event that isn't flat":  {publish(nested{}, `{"items": []}`), "orders.order_packed.v1: contract_test.nested.Items is a []string"},
		"another module's name":     {publish(elsewhere{}, `{"version": 1}`), "stock.counted.v1: isn't called orders.WHAT_HAPPENED.vN"},
		"no name":                   {publish(misnamed{}, `{"version": 1}`), "orders.OrderMade: isn't called orders.WHAT_HAPPENED.vN"},
		"a consumer of nothing":     {consume(func(c *events.Consumer) { c.Event = "orders.order_made.v2" }), `orders.ship: waits for "orders.order_made.v2", which nobody publishes`},
		"a consumer without a name": {consume(func(c *events.Consumer) { c.Name = "" }), ": isn't called orders.WHAT_IT_DOES"},
		"a name with a version":     {consume(func(c *events.Consumer) { c.Name = "orders.ship.v1" }), "orders.ship.v1: isn't called orders.WHAT_IT_DOES"},
		"another module's consumer": {consume(func(c *events.Consumer) { c.Name = "stock.ship" }), "stock.ship: isn't called orders.WHAT_IT_DOES"},
		"a consumer twice":          {func(c *contract) { c.Consumes = append(c.Consumes, c.Consumes[0]) }, "orders.ship: is the name of two consumers"},
		"a consumer nobody knows":   {consume(func(c *events.Consumer) { c.Summary = "" }), "orders.ship: doesn't say what it does"},
		"a consumer that is idle":   {consume(func(c *events.Consumer) { c.Handle = nil }), "orders.ship: doesn't say what it does"},
	} {
		t.Run(name, func(t *testing.T) {
			planted := orders()
			test.plant(&planted)
			if broken := inspect([]contract{planted}); len(broken) != 1 || !strings.HasPrefix(broken[0], test.want) {
				t.Errorf("found\n%s\nplanted\n%s", strings.Join(broken, "\n"), test.want)
			}
		})
	}
}

func TestTwoModulesPublishNoEventOfOneName(t *testing.T) {
	other := orders()
	other.Consumes = nil
	if broken := inspect([]contract{orders(), other}); !slices.Equal(broken, []string{"orders.order_made.v1: is published twice"}) {
		t.Errorf("found %v", broken)
	}
}

// What the types write is what the schemas say, by another's reading of JSON Schema.
func TestSchemasBite(t *testing.T) {
	schema, err := asyncapi.PayloadSchema(made{})
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := compile(schema)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		text string
		fits bool
	}{
		"the oldest":              {first, true},
		"the newest":              {second, true},
		"a field of the future":   {strings.Replace(first, "{", `{"price": 12, `, 1), true},
		"an optional one as null": {strings.Replace(second, `"fragile"`, "null", 1), true},
		"a field less":            {strings.Replace(first, `"rush": true, `, "", 1), false},
		"a required one as null":  {strings.Replace(first, `"o1"`, "null", 1), false},
		"a text for a truth":      {strings.Replace(first, "true", `"true"`, 1), false},
		"a number for a text":     {strings.Replace(first, `"o1"`, "1", 1), false},
		"a fraction":              {strings.Replace(first, ": 1", ": 1.5", 1), false},
		"a time that is none":     {strings.Replace(first, "2030-01-02T", "2030-13-02T", 1), false},
		"a list":                  {"[]", false},
	} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(test.text))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(value); (err == nil) != test.fits {
			t.Errorf("%s: %v", name, err)
		}
	}
}
