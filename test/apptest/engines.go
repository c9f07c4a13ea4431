//go:build !race

package apptest

import "github.com/omnistack/omnistack/platform/database"

// Engines are the databases that everything must work on. Under the race detector it is PostgreSQL alone: SQLite is C in Go
// there, ten times as slow, and whole products would be waited for instead of watched. Each store is watched on both.
func Engines() []database.Engine { return []database.Engine{database.SQLite, database.Postgres} }
