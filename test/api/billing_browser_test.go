//scaffold:needs billing

package api

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// A person buys a plan with a browser, looks at it in the portal, and comes back to the web app each time. With SCREENSHOTS set
// to a folder the pages are there to be looked at.
func TestAPersonBuysAPlan(t *testing.T) {
	frontend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<h1>The web app</h1>"))
	}))
	t.Cleanup(frontend.Close)
	app := apptest.Start(t, database.SQLite, apptest.BuiltInPlans, "FRONTEND_URL="+frontend.URL)
	s, alice, browser := shop{app}, app.User(t, "alice"), testkit.NewBrowser(t)
	look := func(name string) {
		picture := browser.Screenshot()
		if folder := os.Getenv("SCREENSHOTS"); folder != "" {
			if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600); err != nil {
				t.Error(err)
			}
		}
	}

	browser.Open(s.checkout(t, alice, "pro", "yearly"))
	look("checkout")
	browser.Click("#decline")
	browser.AwaitText("[role=alert]", "declined")
	look("declined")
	browser.Click("#pay")
	browser.AwaitURL(frontend.URL + "/billing?checkout=success&session_id=cs_test_")
	s.awaitPlan(t, alice, "pro")

	browser.Open(alice.Do(t, "POST", billing+"/portal").Want(201).Text("url"))
	browser.Click("#switch-price_enterprise_monthly")
	look("portal")
	s.awaitPlan(t, alice, "enterprise")
	browser.Click("#cancel")
	browser.AwaitText("main", "It ends on")
	look("canceled")
	browser.Click("#return")
	browser.AwaitURL(frontend.URL + "/billing")
	browser.Open(app.Settings.Platform.HTTP.LocalURL() + "/dev/stripe/")
	browser.Click("#day")
	look("control")
}
