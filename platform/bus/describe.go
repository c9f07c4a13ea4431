package bus

import "github.com/omnistack/omnistack/platform/module"

// Describe returns what this package keeps in the database.
func Describe() module.Descriptor {
	return module.Descriptor{
		Name:    "events",
		Summary: "What happened in the modules, and what their consumers made of it.",
		Models:  Models(),
		Tables: []module.Table{
			{Name: "events_outbox", Summary: "one row an event, for 30 days", Pseudonymous: []string{"actor", "aggregate", "payload"}},
			{Name: "events_inbox", Summary: "which consumer is done with which event, for as long"},
			{Name: "events_consumers", Summary: "since when there is a consumer, and up to where all is settled"},
		},
	}
}
