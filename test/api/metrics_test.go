package api

import (
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/database"
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

func TestWhatModelsTakeIsMeasured(t *testing.T) {
	t.Parallel()
	app := apptest.Start(t, database.SQLite, measured)
	alice := app.User(t, "alice")
	alice.Do(t, "POST", ai+"/complete", testkit.Body(`{"prompt": "Say hello", "model": "sim-small", "max_tokens": 3}`)).Want(200)
	alice.Do(t, "POST", ai+"/complete", testkit.Body(`{"prompt": "Say hello", "model": "sim-fault-500"}`)).WantError(502, "EXTERNAL_SERVICE_ERROR")
	for _, line := range []string{
		`omnistack_ai_calls_total{model="sim-small",provider="sim",status="completed"} 1`,
		`omnistack_ai_calls_total{model="other",provider="sim",status="failed"} 1`,
		`omnistack_ai_requests_total{model="other",provider="sim"} 2`,
		`omnistack_ai_tokens_total{kind="completion",model="sim-small",provider="sim"} 3`,
		`omnistack_ai_cost_microdollars_total{model="sim-small",provider="sim"} 1`,
		`omnistack_ai_breaker_openings_total{model="sim-small",provider="sim"} 0`,
	} {
		if !metrics(t, app, line) {
			t.Errorf("there is no line %s", line)
		}
	}
}
