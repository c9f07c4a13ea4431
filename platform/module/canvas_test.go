package module_test

import (
	"testing"

	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/module"
)

func TestCanvasMarkdown(t *testing.T) {
	canvas := module.Canvas{
		Descriptor: module.Descriptor{
			Name: "orders", Summary: "Orders.",
			Tables: []module.Table{{Name: "orders", Summary: "a | b", Owner: "owner_id"}, {Name: "orders_kinds", Summary: "kinds"}},
			Jobs:   []module.Job{{Kind: "orders.sweep", Cron: "0 3 * * *", Summary: "sweeps"}, {Kind: "orders.send", Summary: "sends"}},
		},
		About:     "It owns orders.\n",
		Variables: []config.Setting{{Name: "ORDERS_MODE", Default: "a|b", Help: "Two\nlines."}, {Name: "ORDERS_KEY"}},
	}
	const want = `# orders

Orders.

It owns orders.

## Jobs

| job | runs | what |
|---|---|---|
| ` + "`orders.sweep`" + ` | ` + "`0 3 * * *`" + ` | sweeps |
| ` + "`orders.send`" + ` | when enqueued | sends |

## Tables

| table | holds | whose data |
|---|---|---|
| ` + "`orders`" + ` | a \| b | ` + "`owner_id`" + ` |
| ` + "`orders_kinds`" + ` | kinds | nobody's |

## Settings

| variable | default | decides |
|---|---|---|
| ` + "`ORDERS_MODE`" + ` | ` + "`a\\|b`" + ` | Two lines. |
| ` + "`ORDERS_KEY`" + ` |  |  |
`
	if got := canvas.Markdown(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
