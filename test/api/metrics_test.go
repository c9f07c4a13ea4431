//scaffold:needs notifications

package api

import (
	"testing"

	"github.com/omnistack/omnistack/test/apptest"
)

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
