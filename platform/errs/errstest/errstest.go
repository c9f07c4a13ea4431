// Package errstest looks into errors in a test.
package errstest

import (
	"errors"

	"github.com/omnistack/omnistack/platform/errs"
)

// ErrBoom is the error of a fake that was told to fail.
var ErrBoom = errors.New("boom")

// Success tells whether there is no error. With Boom and Kind it is what a row of a table expects.
func Success(err error) bool { return err == nil }

// Boom tells whether the error is ErrBoom.
func Boom(err error) bool { return errors.Is(err, ErrBoom) }

// Kind returns a function that tells whether an error is of the kind.
func Kind(want errs.Kind) func(err error) bool {
	return func(err error) bool { return errs.Is(err, want) }
}

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
