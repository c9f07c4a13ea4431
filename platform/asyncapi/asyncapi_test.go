package asyncapi_test

import (
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/asyncapi"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/module"
)

var update = flag.Bool("update", false, "write the golden document anew")

// event makes its holder an event of the name "orders.placed.v1".
type event struct{}

func (event) EventName() string                  { return "orders.placed.v1" }
func (event) Aggregate() (id string, made int64) { return "", 0 }

// colour is a text with a name of its own.
type colour string

// placed has a field of every kind that a payload can have.
type placed struct {
	OrderID  string     `json:"order_id"`
	Colour   colour     `json:"colour"`
	Version  int64      `json:"version"`
	Count    int        `json:"count,omitempty"`
	Paid     bool       `json:"paid"`
	PlacedAt time.Time  `json:"placed_at"`
	DueAt    *time.Time `json:"due_at"`
	Coupon   *string    `json:"coupon,omitempty"`
	LateAt   time.Time  `json:"late_at,omitzero"`
}

func (placed) EventName() string                  { return "orders.order_placed.v1" }
func (placed) Aggregate() (id string, made int64) { return "", 0 }

// placedAgain is the next version.
type placedAgain struct {
	OrderID string `json:"order_id"`
}

func (placedAgain) EventName() string                  { return "orders.order_placed.v2" }
func (placedAgain) Aggregate() (id string, made int64) { return "", 0 }

func described() []module.Descriptor {
	return []module.Descriptor{
		{Name: "shipping", Consumes: []events.Consumer{
			{Name: "shipping.pack", Event: "orders.order_placed.v1", Summary: "packs it"},
			{Name: "shipping.count", Event: "orders.order_placed.v1"},
		}},
		{Name: "orders", Publishes: []events.Event{placed{}, placedAgain{}}},
	}
}

func TestDocument(t *testing.T) {
	got, err := asyncapi.Document("Acme", "v1.2.3", described())
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/asyncapi.json"
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || string(got)+"\n" != string(want) {
		t.Errorf("%v, got\n%s", err, got)
	}
	again, err := asyncapi.Document("Acme", "v1.2.3", described())
	if err != nil || string(again) != string(got) {
		t.Errorf("it isn't the same twice: %v", err)
	}
}

func TestADocumentOfNothing(t *testing.T) {
	got, err := asyncapi.Document("Acme", "v1", nil)
	var doc struct{ Channels, Operations map[string]any }
	if err != nil || json.Unmarshal(got, &doc) != nil || doc.Channels == nil || doc.Operations == nil || len(doc.Channels)+len(doc.Operations) != 0 {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestDocumentRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		modules []module.Descriptor
		want    string
	}{
		"a consumer of nothing": {
			[]module.Descriptor{{Name: "a", Consumes: []events.Consumer{{Name: "a.b", Event: "orders.order_placed.v3"}}}},
			"a.b waits for orders.order_placed.v3, which nobody publishes",
		},
		"two consumers of one name": {
			append(described(), module.Descriptor{Consumes: []events.Consumer{{Name: "shipping.pack", Event: "orders.order_placed.v2"}}}),
			"two consumers are called shipping.pack",
		},
		"an event twice": {append(described(), described()...), "orders.order_placed.v1 is published twice"},
		"an event that isn't flat": {
			[]module.Descriptor{{Publishes: []events.Event{struct {
				event
			}{}}}},
			"orders.placed.v1: struct { asyncapi_test.event }.event is embedded or not exported",
		},
	} {
		if got, err := asyncapi.Document("Acme", "v1", test.modules); err == nil || err.Error() != test.want || got != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestPayloadSchema(t *testing.T) {
	got, err := asyncapi.PayloadSchema(placed{})
	if err != nil {
		t.Fatal(err)
	}
	want := &asyncapi.Schema{Type: "object", Required: []string{"order_id", "colour", "version", "paid", "placed_at"}, Properties: map[string]*asyncapi.Schema{
		"order_id": {Type: "string"}, "colour": {Type: "string"}, "paid": {Type: "boolean"},
		"version": {Type: "integer", Format: "int64"}, "count": {Type: "integer", Format: "int64"},
		"placed_at": {Type: "string", Format: "date-time"}, "late_at": {Type: "string", Format: "date-time"},
		"due_at": {Type: []any{"string", "null"}, Format: "date-time"}, "coupon": {Type: []any{"string", "null"}},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

// The types of events that aren't flat.
type (
	unnamed struct{ OrderID string }
	camel   struct {
		OrderID string `json:"orderId"`
	}
	left struct {
		OrderID string `json:"-"`
	}
	asText struct {
		Count int64 `json:"count,string"`
	}
	list struct {
		Items []string `json:"items"`
	}
	nested struct {
		Item struct{ ID string } `json:"item"`
	}
	table struct {
		Items map[string]string `json:"items"`
	}
	anything struct {
		Item any `json:"item"`
	}
	fraction struct {
		Price float64 `json:"price"`
	}
	marshalled struct {
		Item json.RawMessage `json:"item"`
	}
	pointed struct {
		Items *[]string `json:"items"`
	}
	pointers struct {
		Item **string `json:"item"`
	}
	spelt struct {
		At netip.Addr `json:"at"`
	}
	hidden struct{ id string }
	number int
)

func (unnamed) EventName() string    { return "" }
func (camel) EventName() string      { return "" }
func (left) EventName() string       { return "" }
func (asText) EventName() string     { return "" }
func (list) EventName() string       { return "" }
func (nested) EventName() string     { return "" }
func (table) EventName() string      { return "" }
func (anything) EventName() string   { return "" }
func (fraction) EventName() string   { return "" }
func (marshalled) EventName() string { return "" }
func (pointed) EventName() string    { return "" }
func (pointers) EventName() string   { return "" }
func (spelt) EventName() string      { return "" }
func (hidden) EventName() string     { return "" }
func (number) EventName() string     { return "" }

func (unnamed) Aggregate() (id string, made int64)    { return "", 0 }
func (camel) Aggregate() (id string, made int64)      { return "", 0 }
func (left) Aggregate() (id string, made int64)       { return "", 0 }
func (asText) Aggregate() (id string, made int64)     { return "", 0 }
func (list) Aggregate() (id string, made int64)       { return "", 0 }
func (nested) Aggregate() (id string, made int64)     { return "", 0 }
func (table) Aggregate() (id string, made int64)      { return "", 0 }
func (anything) Aggregate() (id string, made int64)   { return "", 0 }
func (fraction) Aggregate() (id string, made int64)   { return "", 0 }
func (marshalled) Aggregate() (id string, made int64) { return "", 0 }
func (pointed) Aggregate() (id string, made int64)    { return "", 0 }
func (pointers) Aggregate() (id string, made int64)   { return "", 0 }
func (spelt) Aggregate() (id string, made int64)      { return "", 0 }
func (h hidden) Aggregate() (id string, made int64)   { return h.id, 0 }
func (number) Aggregate() (id string, made int64)     { return "", 0 }

func TestPayloadsThatAreNotFlat(t *testing.T) {
	for _, test := range []struct {
		event events.Event
		part  string
	}{
		{unnamed{}, "OrderID has no JSON name"},
		{camel{}, "OrderID has no JSON name"},
		{left{}, "OrderID has no JSON name"},
		{asText{}, "the JSON option string"},
		{list{}, "Items is a []string"},
		{nested{}, "Item is a struct"},
		{table{}, "Items is a map"},
		{anything{}, "Item is a interface"},
		{fraction{}, "Price is a float64"},
		{marshalled{}, "Item is a json.RawMessage"},
		{pointed{}, "Items is a *[]string"},
		{pointers{}, "Item is a **string"},
		{spelt{}, "At is a netip.Addr"},
		{hidden{}, "not exported"},
		{number(1), "isn't a struct"},
		{&placed{}, "isn't a struct"},
		{nil, "isn't a struct"},
	} {
		if _, err := asyncapi.PayloadSchema(test.event); err == nil || !strings.Contains(err.Error(), test.part) {
			t.Errorf("%T: got %v", test.event, err)
		}
	}
}
