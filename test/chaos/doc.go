// Package chaos ends processes that publish, deliver and work, in the worst moments there are and at random, and counts what
// became of their events and jobs.
//
// The process is this test binary, run again. In it the real bus and the real jobs work over a real database, for a shop
// whose ports are decorated: they end the process by SIGKILL at the place that it was told. A shop that places an order
// writes it down and publishes order_placed in one transaction. Three consumers each write a row that nothing keeps from
// being there twice; one of them publishes order_shipped, for a consumer of its own, and one enqueues a job that writes a row
// as well. Each order of which the shop told its customer it tells the test.
//
// In the end, when nothing is left to do, every order that was acknowledged is there, and for every order that is there all
// of that has happened exactly once, and nothing has for an order that isn't.
//
// A run of go test kills a few times in each place. `make chaos` is the whole of it, and waits, as a deployment would, until
// what the dead had begun is taken for lost and done by others.
package chaos
