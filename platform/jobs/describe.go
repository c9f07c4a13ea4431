package jobs

import "github.com/omnistack/omnistack/platform/module"

// Describe returns what this package keeps in the database. The tables are River's, so they have no models of ours.
func Describe() module.Descriptor {
	return module.Descriptor{
		Name:    "jobs",
		Summary: "Background work that is enqueued in a transaction and survives the process.",
		Tables: []module.Table{
			{Name: "river_job", Summary: "one row a job; completed ones for an hour, dead ones for 30 days", Pseudonymous: []string{"args", "metadata"}},
			{Name: "river_leader", Summary: "which process does what one does for all"},
			{Name: "river_migration", Summary: "which of River's migrations have been applied"},
			{Name: "river_notification", Summary: "on SQLite, what on PostgreSQL is a NOTIFY", Pseudonymous: []string{"payload"}},
			{Name: "river_queue", Summary: "the queues, and which are paused"},
		},
	}
}
