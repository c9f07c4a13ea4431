//go:build !race

package contract_test

const usualRequests = 20_000
