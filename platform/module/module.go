// Package module is how a bounded context presents itself to the house: a Descriptor is its table of contents.
//
// Everything that must hold for all modules walks the descriptors instead of a list kept by hand: the router mounts
// their routes, the schema tooling compares their models, `omnistack modules` prints them, and the canvases and the
// architecture tests are made from them. A platform package that owns tables has one too.
package module

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/export"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/id"
)

// Descriptor says what a module is made of. A field a module has no use for stays empty.
type Descriptor struct {
	Name    string // the folder's name, and the prefix of its tables
	Summary string // one line: what the context owns

	Routes    func(r *httpserver.Router) // registers its operations; their guards and rate groups stand in httpserver.Route
	Ports     []Port                     // what other modules may ask
	Publishes []events.Event             // a zero value of each event it sends
	Consumes  []events.Consumer          // what it does when something happened, here or elsewhere
	Jobs      []Job                      // the kinds of background work it runs
	Models    []any                      // its rows: a pointer to each GORM model, for the schema tooling
	Tables    []Table                    // its tables, and whose data they hold
	Settings  config.Group               // what it reads from the environment
	Metrics   []string                   // the metrics it reports
	Measure   func(Meter)                // adds them, where somebody gathers metrics; nil if there are none
	Run       func(ctx context.Context)  // what it does beside the API in the same process, until ctx ends; nil for nothing

	Pages []Page // what it shows to whoever develops, with the settings that it has

	// Meet is called once, when all modules are put together, with what describes them. It is nil but for a module that speaks of
	// the others, such as the one that writes the daily report.
	Meet func(modules func() []Descriptor)

	Reporter Reporter // counts for the daily report; nil if it has nothing to say there
	Exporter Exporter // hands out a person's data; nil if it holds none
	Eraser   Eraser   // erases a person's data; nil if it holds none
	Seeder   Seeder   // fills a database for development; nil if it has nothing to show
}

// Job is a kind of background work, as platform/jobs runs it and the canvas prints it. jobs.Kind makes one; a field that
// is zero has the default that stands behind it.
type Job struct {
	Kind     string        // its golden name, such as "projects.purge_deleted": jobs that wait are found by it
	Summary  string        // one line: what it does
	Queue    string        // "default"; each queue works its jobs apart from the others
	Priority int           // 1, the first to be worked, to 4; 1
	Timeout  time.Duration // how long one attempt may take; 30 s
	Attempts int           // how often it is tried before it is dead; 25
	Backoff  time.Duration // the longest wait between two attempts; an hour
	Manager  string        // who retries and cancels its jobs, such as "events"; administrators when empty
	Cron     string        // when it runs by itself: five fields of cron in UTC; empty is never

	// Run works a job with its arguments, as JSON.
	Run func(ctx context.Context, args []byte) error
}

// Meter takes counts that are read when they are asked for, as telemetry.Metrics does: one for each combination of the labels'
// values, which read tells.
type Meter interface {
	Counts(name, help string, labels []string, read func(tell func(count int64, values ...string)))
}

// Page is something to look at in a browser while developing. The program names it when it starts.
type Page struct {
	Name    string // one word, such as "Mail"
	Path    string // such as "/dev/mail"
	Summary string // a few words, such as "what isn't sent"
}

// Port is an interface in the module's contract package that other modules may call.
type Port struct {
	Name    string // such as "users.Directory"
	Summary string
}

// Table is one table of the module.
type Table struct {
	Name    string
	Summary string
	Owner   string // the column that names the user whose data a row is; empty when rows belong to nobody

	// Pseudonymous are the columns in which the id of an erased user may stay for 30 days, and no longer: what happened is told by it.
	// A user who isn't there has no other data under it.
	Pseudonymous []string
}

// Reporter says in numbers what happened in the module between two times, for the daily report to administrators.
type Reporter interface {
	Report(ctx context.Context, from, to time.Time) ([]Figure, error)
}

// Figure is one line of a report, such as {"New users", "12"}. It names nobody.
type Figure struct {
	Name  string
	Value string
}

// Exporter hands out all the module holds of one user: a file of JSON for each kind of thing, with the names that the API has for
// its fields, and other files as they are. It hands out no secrets: what is kept of them is there to check them by.
type Exporter interface {
	Export(ctx context.Context, scope id.Scope, archive export.Archive) error
}

// Erased is how many rows of which table are erased: they are gone, or say no more whose they were.
type Erased = map[string]int64

// Eraser removes all the module holds of one user, in the transaction that ctx carries, if any, and says how much it was. Doing it
// twice is the same as doing it once. What has to be done outside of the process it enqueues.
type Eraser interface {
	Erase(ctx context.Context, scope id.Scope) (Erased, error)
}

// Seeder makes example data for the given owners, at most count things each. Doing it twice adds more.
type Seeder interface {
	Seed(ctx context.Context, owners []id.Scope, count int) error
}
