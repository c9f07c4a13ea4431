// Package testkit is what every test stands on: real servers, a database of its own for each test, and a helper that
// plays API scenarios.
//
// Servers are real and never optional. PostgreSQL and Redis are taken from the first of these that works:
//
//   - TEST_DATABASE_URL and TEST_REDIS_URL. They name servers that are there for tests alone: databases are made and
//     dropped on them, and Redis databases are emptied.
//   - Programs found on the machine, started on a free port of 127.0.0.1 in a temporary folder; as root they run as
//     the user postgres, or nobody.
//   - Docker.
//   - apt-get, as root on Debian or Ubuntu. A line on stderr says so first, and no service is left running.
//
// NewMailServer starts a mailpit and StripeMock Stripe's double of itself, which go install builds once for the machine, outside
// of our module. The package idp, below this one, plays identity providers. NewNetwork stands between the product and a server, and
// can be made as bad as a network gets.
//
// A process that isn't told of servers starts its own at the first need and shares them among its tests. The command
// testkit/servers starts one of each for a whole run of go test, which is faster. No server outlives its process, not
// even one killed with -9 (see guard).
//
// go test -short, or TESTKIT_QUICK=1, runs what needs no server and skips the rest. With CI=true a skip is a failure.
package testkit
