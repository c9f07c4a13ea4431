package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// whole returns everything that a query finds, as one text.
func whole(t *testing.T, app *apptest.App, query string) string {
	t.Helper()
	var found []map[string]any
	if err := app.DB.Read(t.Context()).Raw(query).Scan(&found).Error; err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	for _, row := range found {
		for column, value := range row {
			if raw, isBytes := value.([]byte); isBytes {
				row[column] = string(raw)
			}
		}
	}
	text, err := json.Marshal(found)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// logged returns everything that was logged, as one text.
func logged(app *apptest.App) string {
	var text strings.Builder
	for _, entry := range app.Logs.All() {
		fmt.Fprintln(&text, entry.LoggerName, entry.Message, entry.ContextMap())
	}
	return text.String()
}

// contents returns all that the modules keep.
func contents(t *testing.T, app *apptest.App) [][]map[string]any {
	t.Helper()
	all := [][]map[string]any{
		app.Rows(t, "users", "id"), app.Rows(t, "users_identities", "issuer, subject"), app.Rows(t, "users_api_keys", "id"),
	}
	if slices.Contains(tables(t, app), "projects") {
		all = append(all, app.Rows(t, "projects", "id"))
	}
	return all
}

// tables returns the names of all tables.
func tables(t *testing.T, app *apptest.App) []string {
	t.Helper()
	query := "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
	if app.DB.Engine() == database.SQLite {
		query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
	}
	var names []string
	if err := app.DB.Read(t.Context()).Raw(query).Scan(&names).Error; err != nil || len(names) < 10 {
		t.Fatalf("the tables are %v, %v", names, err)
	}
	return names
}

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

// erased tells whether everybody who has to has erased the one user who was deleted.
func erased(t *testing.T, app *apptest.App) bool {
	t.Helper()
	const who = "LIKE '%.erase_user'"
	erasers := testkit.Rows(t, app.DB, "events_consumers", "name "+who)
	return erasers > 0 && testkit.Rows(t, app.DB, "events_inbox", "consumer "+who) == erasers
}

// told returns the names of what was published about something, in that order.
func told(t *testing.T, app *apptest.App, aggregate string) []string {
	t.Helper()
	var names []string
	for _, row := range app.Rows(t, "events_outbox", "id") {
		if row["aggregate"] == aggregate {
			names = append(names, row["name"].(string))
		}
	}
	return names
}

// together runs the function that many times at once and returns when all have ended.
func together(count int, run func(number int)) {
	var running sync.WaitGroup
	ready := make(chan struct{})
	for number := range count {
		running.Go(func() {
			<-ready
			run(number)
		})
	}
	close(ready)
	running.Wait()
}

const limitsOn = "RATE_LIMIT_ENABLED=true"

// namesField tells whether details.errors has a message for the field.
func namesField(answer *testkit.Response, field string) bool {
	listed, _ := answer.JSON("error.details.errors").([]any)
	for _, entry := range listed {
		if e, ok := entry.(map[string]any); ok && e["field"] == field && e["message"] != "" {
			return true
		}
	}
	return false
}
