//go:build race

package billingmod_test

// raced says that the race detector watches, under which a life takes ten times as long.
const raced = true
