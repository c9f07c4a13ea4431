package store

// LiveStatement is what LiveAccounts asks, for the test of its index.
const LiveStatement = liveStatement
