// Package apptest runs the whole product inside a test: the production constructor, on a port of its own, over a
// database of its own.
package apptest

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/testkit"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

// App is a running product. Its API is the one of a stranger; User and As give it somebody's.
type App struct {
	*testkit.API
	URL      string                 // http://127.0.0.1:PORT
	DB       *database.DB           // a second way into its database, to look at rows and to change what no route changes
	Routes   []httpserver.Route     // everything it serves
	Logs     *observer.ObservedLogs // what it logged
	Settings *wiregen.Settings
	Stop     func() // tells it to stop, as SIGTERM does
}

// EachEngine runs the test against a running product on SQLite and on PostgreSQL, with settings as Start takes them.
func EachEngine(t *testing.T, test func(t *testing.T, app *App), settings ...string) {
	t.Helper()
	for _, engine := range testkit.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			test(t, Start(t, engine, settings...))
		})
	}
}

// Start runs the product over an isolated database of the engine until the test ends. Each setting is in the form
// "NAME=value" and goes on top of the defaults of ENVIRONMENT=test, in which nothing is limited here: tests call as often
// as they like, unless RATE_LIMIT_ENABLED=true, have as many projects on the free plan, unless BILLING_CATALOG_FILE is set, and no
// metrics are served.
func Start(t testing.TB, engine database.Engine, settings ...string) *App {
	t.Helper()
	return StartOn(t, testkit.DatabaseOptions(t, engine), settings...)
}

// StartOn is Start over a database that the test brings. It is migrated if it isn't yet.
func StartOn(t testing.TB, options database.Options, settings ...string) *App {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // first, so that the product knows where it will be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // it is closed already once it was served
	url := "http://" + listener.Addr().String()
	_, port, _ := net.SplitHostPort(listener.Addr().String()) // it has one
	environ := append([]string{
		"ENVIRONMENT=test", "HOST=127.0.0.1", "PORT=" + port, "DATA_DIR=" + t.TempDir(), "DATABASE_URL=" + URL(options),
		"RATE_LIMIT_ENABLED=false", "METRICS_ADDR=off", "BILLING_CATALOG_FILE=" + Plans(t),
	}, settings...)
	loaded, _, err := wiregen.LoadSettings(config.Sources{Dir: t.TempDir(), Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	log, logs := testkit.Logger(t)

	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	product, release, err := wiregen.Build(ctx, loaded, wiregen.Roles{API: true, Worker: true}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	served := make(chan error, 1)
	go func() { served <- product.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})

	db, err := database.Open(ctx, options, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("closing the test's way into the database: %v", err)
		}
	})
	return &App{
		API: testkit.NewAPI(t, url), URL: url, DB: db, Routes: product.Server.Routes(), Logs: logs, Settings: loaded,
		Stop: stop,
	}
}

// BuiltInPlans is the setting by which the built-in plans count.
const BuiltInPlans = "BILLING_CATALOG_FILE="

// Plans writes a file of plans in which the free one includes any number of projects, and returns where.
func Plans(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plans.yaml")
	if err := os.WriteFile(path, []byte(plans), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const plans = `plans:
  - {name: free, projects: -1, storage_mib: -1, rate_factor: 1, ai: {budget: -1, routes: ["*"]}}
  - name: pro
    projects: -1
    storage_mib: -1
    rate_factor: 1
    trial_days: 14
    prices:
      monthly: {id: price_pro_monthly, amount: 2000, currency: usd}
      yearly: {id: price_pro_yearly, amount: 20000, currency: usd}
`

// URL returns the DATABASE_URL of a database.
func URL(options database.Options) string {
	if options.Engine == database.SQLite {
		return "sqlite:///" + options.Target
	}
	return options.Target
}

// Change runs one statement on the database, for what no route does.
func (a *App) Change(t testing.TB, statement string, args ...any) {
	t.Helper()
	Change(t, a.DB, statement, args...)
}

// Change is that of an App, for a product over the database that was started otherwise.
func Change(t testing.TB, db *database.DB, statement string, args ...any) {
	t.Helper()
	err := db.WithinTx(t.Context(), func(ctx context.Context) error {
		return db.Tx(ctx).Exec(statement, args...).Error
	})
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// Rows returns the rows of the table, such as "projects", in the order of a column.
func (a *App) Rows(t testing.TB, table, order string) []map[string]any {
	t.Helper()
	var rows []map[string]any
	if err := a.DB.Read(t.Context()).Table(table).Order(order).Find(&rows).Error; err != nil {
		t.Fatalf("reading %s: %v", table, err)
	}
	return rows
}

// User returns the API as the subject uses it, with a token of the development issuer that is good for an hour.
func (a *App) User(t testing.TB, subject string) *testkit.API {
	t.Helper()
	return a.As(a.Token(t, auth.DevClaims{Subject: subject}))
}

// Token returns a token of the development issuer with these claims.
func (a *App) Token(t testing.TB, claims auth.DevClaims) string {
	t.Helper()
	return a.TokenAt(t, time.Now(), claims)
}

// TokenAt returns a token that was issued at that time.
func (a *App) TokenAt(t testing.TB, issued time.Time, claims auth.DevClaims) string {
	t.Helper()
	issuer, err := wiregen.OpenDevIssuer(a.Settings, clock.NewManual(issued))
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := issuer.Mint(claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Await returns when the condition holds, which it looks at every few milliseconds, and ends the test if that takes
// more than 20 seconds.
func Await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// Work has the product work a job of a kind that has no arguments, as when its time has come, and waits until it is done.
func (a *App) Work(t testing.TB, kind string) {
	t.Helper()
	Work(t, a.DB, kind)
}

// Work is that of an App, for a product over the database that was started otherwise.
func Work(t testing.TB, db *database.DB, kind string) {
	t.Helper()
	client, err := jobs.New(db, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	work := module.Job{Kind: kind, Run: func(context.Context, []byte) error { return nil }} // the product runs it, not this client
	if err := client.Register([]module.Job{work}); err != nil {
		t.Fatal(err)
	}
	var number string
	err = db.WithinTx(t.Context(), func(ctx context.Context) (err error) {
		number, err = client.EnqueueFor(ctx, id.Of("nobody"), now(kind))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	Await(t, kind, func() bool { return testkit.Rows(t, db, "river_job", "id = ? AND state = 'completed'", number) == 1 })
}

// now is a job of the kind that it names, without arguments.
type now string

func (kind now) Kind() string            { return string(kind) }
func (now) MarshalJSON() ([]byte, error) { return []byte("{}"), nil }
