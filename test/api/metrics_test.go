package api

import (
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// measured serves metrics where metrics finds them.
const measured = "METRICS_ADDR=127.0.0.1:0"

// metrics tells whether the product's metrics have that line now.
func metrics(t *testing.T, app *apptest.App, line string) bool {
	t.Helper()
	var address string
	apptest.Await(t, "the metrics to be served", func() bool {
		told := app.Logs.FilterMessage("metrics are served").All()
		if len(told) == 1 {
			address, _ = told[0].ContextMap()["address"].(string)
		}
		return len(told) == 1
	})
	return strings.Contains(string(testkit.NewAPI(t, "http://"+address).Do(t, "GET", "/metrics").Want(200).Body), "\n"+line+"\n")
}

func TestWhatBecomesOfEventsIsMeasured(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		const welcomes = `omnistack_events_total{consumer="notifications.welcome",outcome="handled"} `
		if !metrics(t, app, welcomes+"0") {
			t.Error("something was handled before anything happened")
		}
		app.User(t, "alice").Do(t, "GET", me).Want(200)
		apptest.Await(t, "the welcome to be counted", func() bool { return metrics(t, app, welcomes+"1") })
		if !metrics(t, app, `omnistack_events_total{consumer="notifications.welcome",outcome="failed"} 0`) {
			t.Error("something failed")
		}
	}, measured)
}
