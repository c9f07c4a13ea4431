//go:build !race

package billingmod_test

// raced says that the race detector watches.
const raced = false
