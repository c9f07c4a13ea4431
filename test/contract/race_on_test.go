//go:build race

package contract_test

// The race detector makes everything slow, and finds what it finds in the first requests.
const usualRequests = 5_000
