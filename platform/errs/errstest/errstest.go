// Package errstest looks into errors in a test.
package errstest

import "github.com/omnistack/omnistack/platform/errs"

// Broken returns the names of the fields that an errs.Invalid lists, in its order. Without one it returns nil.
func Broken(err error) []string {
	if err == nil {
		return nil
	}
	fields, _ := errs.From(err).Details["errors"].([]errs.Field)
	var names []string
	for _, field := range fields {
		names = append(names, field.Name)
	}
	return names
}
