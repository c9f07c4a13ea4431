//go:build race

package apptest

import "github.com/omnistack/omnistack/platform/database"

// Engines are the databases that whole products run on under the race detector.
func Engines() []database.Engine { return []database.Engine{database.Postgres} }
