package module_test

import (
	"context"
	"net/http"
	"os"
	"testing"

	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/export"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/module"
)

// personal is an exporter and eraser that does nothing.
type personal struct{}

func (personal) Export(context.Context, id.Scope, export.Archive) error { return nil }
func (personal) Erase(context.Context, id.Scope) (module.Erased, error) { return nil, nil }

// placed is an event.
type placed struct{}

func (placed) EventName() string               { return "orders.placed.v1" }
func (placed) Aggregate() (id string, v int64) { return "", 0 }

// A canvas with everything on it is the page in testdata.
func TestAWholeCanvas(t *testing.T) {
	canvas := module.Canvas{
		Descriptor: module.Descriptor{
			Name: "orders", Summary: "Orders: what a customer wants.",
			Ports:     []module.Port{{Name: "orders.Book", Summary: "what is ordered"}},
			Publishes: []events.Event{placed{}},
			Consumes: []events.Consumer{
				{Event: "users.user_deleted.v1", Name: "orders.erase_user", Summary: "erases what the user ordered"},
			},
			Jobs:     []module.Job{{Kind: "orders.sweep", Cron: "0 3 * * *", Summary: "sweeps"}},
			Metrics:  []string{"orders_placed_total"},
			Tables:   []module.Table{{Name: "orders", Summary: "one row an order", Owner: "owner_id"}, {Name: "orders_kinds", Summary: "kinds"}},
			Exporter: personal{},
			Eraser:   personal{},
		},
		About: "It owns orders.",
		Operations: []httpserver.Route{
			{Method: http.MethodGet, Full: "/api/v1/app/orders", Guard: httpserver.User, Rate: httpserver.RateDefault, Summary: "List your orders"},
			{Method: http.MethodDelete, Full: "/api/v1/app/orders", Guard: httpserver.User, People: true, Rate: httpserver.RateDefault, Summary: "Delete your orders"},
			{Method: http.MethodPost, Full: "/hooks/orders", Guard: httpserver.Signature, Rate: httpserver.RateExempt, Summary: "Take an order"},
		},
		Variables: []config.Setting{{Name: "ORDERS_MODE", Default: "fast", Help: "How."}, {Name: "ORDERS_KEY", Secret: true, Help: "The key."}},
	}
	want, err := os.ReadFile("testdata/canvas.md")
	if err != nil {
		t.Fatal(err)
	}
	if got := canvas.Markdown(); got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestAnEmptyCanvasHasNoSections(t *testing.T) {
	canvas := module.Canvas{Descriptor: module.Descriptor{Name: "orders", Summary: "Orders."}}
	if got, want := canvas.Markdown(), "# orders\n\nOrders.\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
