//scaffold:needs ai billing notifications projects

package wiregen_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/testkit"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

// notTold are the columns of people's tables whose texts aren't handed out.
var notTold = []string{
	"users.search",                                          // what a search finds the user by, made of the rest
	"users.token_role",                                      // the role in the last token, which the provider gave
	"users.last_session",                                    // it names a session with the provider
	"users_api_keys.hash",                                   // the key is checked by it
	"users_exports.object",                                  // it is where the archive is
	"projects.name_folded",                                  // what a search finds the project by, made of the name
	"projects_files.object",                                 // under which key the bytes are, which are handed out themselves
	"billing_accounts.price_id",                             // Stripe's name for what the plan costs
	"notifications.key",                                     // it tells notifications apart
	"notifications_mails.key", "notifications_mails.sealed", // it tells mails apart; what must lie unread
	"ai_calls.usage_source", "ai_calls.price_version", // who counted, and of which catalogue the cost is
	"ai_holds.id", "ai_holds.endpoint", "ai_holds.route", // a call that goes on is among the others when it has ended
	"ai_holds.requested", "ai_holds.provider", "ai_holds.model", "ai_holds.usage_source", "ai_holds.price_version", "ai_holds.month",
}

// folder is an export.Archive in memory.
type folder map[string]*strings.Builder

func (f folder) Create(name string) (io.Writer, error) {
	if f[name] != nil {
		return nil, fmt.Errorf("%s is there twice", name)
	}
	f[name] = new(strings.Builder)
	return f[name], nil
}

// many are more rows than are read at once.
const many = 501

// Whatever a module keeps in a table of somebody's is handed out to that person: every text of every row, and nothing of anybody
// else's. What a new column holds is, too, or it is said above why not.
func TestAllThatIsKeptOfAPersonIsExported(t *testing.T) {
	for _, engine := range testkit.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			opts := testkit.DatabaseOptions(t, engine)
			url := opts.Target
			if engine == database.SQLite {
				url = "sqlite:///" + opts.Target
			}
			loaded, _, err := wiregen.LoadSettings(config.Sources{Dir: t.TempDir(), Environ: []string{
				"ENVIRONMENT=test", "DATA_DIR=" + t.TempDir(), "METRICS_ADDR=off", "DATABASE_URL=" + url,
			}})
			if err != nil {
				t.Fatal(err)
			}
			product, release, err := wiregen.Build(t.Context(), loaded, wiregen.Roles{}, zap.NewNop())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(release)
			db, err := database.Open(t.Context(), opts, zap.NewNop())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })

			var known []string
			for _, described := range product.Modules.Describe() {
				told, hidden := fill(t, db, described, "alice"), fill(t, db, described, "bob")
				if len(told) == 0 {
					continue
				}
				archive := folder{}
				if err := described.Exporter.Export(t.Context(), id.Of("alice"), archive); err != nil {
					t.Fatalf("%s: %v", described.Name, err)
				}
				var all strings.Builder
				for _, file := range archive {
					all.WriteString(file.String())
				}
				found := map[string]bool{}
				for text := range strings.SplitSeq(all.String(), `"`) {
					found[text] = true
				}
				for column, markers := range told {
					known = append(known, column)
					want := !slices.Contains(notTold, column)
					for _, marker := range markers {
						if found[marker] != want {
							t.Errorf("%s: %s is handed out: %t", column, marker, !want)
							break
						}
					}
				}
				if len(hidden) == 0 || strings.Contains(all.String(), "bob") {
					t.Errorf("%s: something of Bob's is handed out", described.Name)
				}
			}
			for _, column := range notTold {
				if !slices.Contains(known, column) {
					t.Errorf("there is no text %s", column)
				}
			}
		})
	}
}

// fill adds rows of the owner's to every table of people's, and returns the texts in each column.
func fill(t *testing.T, db *database.DB, described module.Descriptor, owner string) map[string][]string {
	t.Helper()
	markers := map[string][]string{}
	for _, table := range described.Tables {
		if table.Owner == "" {
			continue
		}
		columns := columnsOf(t, db, table.Name)
		err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			for number := range many {
				if err := insert(ctx, db, table, columns, owner, number, markers); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", table.Name, err)
		}
	}
	return markers
}

// column is a column of a table, with its type as the database calls it.
type column struct{ name, kind string }

func columnsOf(t *testing.T, db *database.DB, table string) []column {
	t.Helper()
	query := "SELECT name, type FROM pragma_table_info(?)"
	if db.Engine() == database.Postgres {
		query = "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ?"
	}
	columns, err := database.All(db.Read(t.Context()).Raw(query, table), func(row database.Row) (column, error) {
		var found column
		err := row.Scan(&found.name, &found.kind)
		return found, err
	})
	if err != nil || len(columns) == 0 {
		t.Fatalf("the columns of %s are %v, %v", table, columns, err)
	}
	return columns
}

// insert adds a row, unless the owner can't have another one there.
func insert(ctx context.Context, db *database.DB, table module.Table, columns []column, owner string, number int, markers map[string][]string) error {
	var names, places []string
	var values []any
	written := map[string]string{}
	for _, c := range columns {
		if c.name == "deleted_at" {
			continue
		}
		text := fmt.Sprintf("%s/%s.%s/%04d", owner, table.Name, c.name, number)
		value, isText := example(c, text)
		if c.name == table.Owner {
			value, isText = owner, false
		}
		if isText {
			written[table.Name+"."+c.name] = text
		}
		names, places, values = append(names, c.name), append(places, "?"), append(values, value)
	}
	done := db.Tx(ctx).Exec("INSERT INTO "+table.Name+" ("+strings.Join(names, ", ")+") VALUES ("+strings.Join(places, ", ")+
		") ON CONFLICT DO NOTHING", values...)
	if done.RowsAffected == 1 {
		for name, text := range written {
			markers[name] = append(markers[name], text)
		}
	}
	return done.Error
}

// example returns a value for a column, and whether it is the text.
func example(c column, text string) (value any, isText bool) {
	switch c.name {
	case "data": // of notifications, in JSON
		return `{"of": "` + text + `"}`, true
	case "switched_off": // lines of a kind and a channel
		return text + " mail\n", true
	}
	switch strings.ToLower(c.kind) {
	case "text":
		return text, true
	case "blob", "bytea":
		return []byte(text), true
	case "datetime", "timestamp with time zone":
		return time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC), false // of all rows the same, so that the ids decide
	case "boolean", "numeric":
		return true, false
	}
	return int64(7), false
}
