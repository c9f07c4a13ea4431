// Package configtest loads a group of settings in a test.
package configtest

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/omnistack/omnistack/platform/config"
)

// Load fills the group from the variables, each in the form NAME=value, and from nothing else.
func Load(t testing.TB, group config.Group, environ ...string) (*config.Report, error) {
	t.Helper()
	return config.Load(config.Sources{Dir: t.TempDir(), Environ: environ}, group)
}

// Refused returns the variables that err complains of, sorted.
func Refused(err error) []string {
	found := map[string]bool{}
	if invalid, ok := errors.AsType[*config.InvalidError](err); ok {
		for _, problem := range invalid.Problems {
			found[problem.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}
