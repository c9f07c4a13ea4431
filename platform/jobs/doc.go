// Package jobs is work that happens later and certainly: it is enqueued in the transaction that wants it, survives the
// process, is tried again when it fails, and is there to be looked at when it never succeeds.
//
// A module says in its Descriptor which kinds of jobs it has (Kind makes a description); whoever wants one calls Enqueue
// inside of database.WithinTx. The job exists if and only if that transaction commits. It is worked AT LEAST once: a
// process may die between the work and the note that it is done, and completion is noted in batches of up to 250 ms. So
// a handler does what must not happen twice in a transaction that notices the second time.
//
// Arguments are ids. They are stored and shown to administrators, so they hold no personal data and no secrets.
//
// What becomes of an attempt is decided by its error: none completes the job; an errs.Kind that isn't Retryable makes it
// dead at once (River's state "cancelled"); anything else, a panic and a timeout too, is tried again with growing waits
// until the attempts are used up, and then is dead ("discarded"). The text of the error is masked before it is stored.
// Jobs that were interrupted by the end of the process go back to the queue without losing an attempt.
//
// A job may belong to a user: EnqueueFor returns an id with which he asks how it stands. The work says how far it has come
// (Progress) and what it came to (Result). Whose it is, how far and what for stand in River's metadata of the job, not in its
// arguments; Forget takes them away when the user is deleted.
//
// What a schedule names is enqueued once for each time, by the process that leads. A time at which nobody worked, during a
// deployment say, is made up for within half an hour; of several that were missed the last one is.
//
// # River
//
// The queue is github.com/riverqueue/river. It enqueues in our transaction and works on both databases without Redis. One
// type of client does for both: *river.Client[*sql.Tx]. Its tables come by migrations of ours, which a test holds against
// River's own. Where its defaults differ from what is set here, it was measured:
//
//   - FetchCooldown 10 ms for 100. It also bounds how often an insert is announced, and a job that wasn't waits for the
//     poll: from commit to work, the p95 was 829 ms on SQLite and 887 ms on PostgreSQL, and is 51 ms and 6 ms.
//   - FetchPollInterval 250 ms on SQLite and 500 ms on PostgreSQL for 1 s, which bounds the rest; twice that for queues other
//     than the one of events.
//   - RescueStuckJobsAfter 60 s for an hour. The job of a process that was killed is tried again within about 120 s, or the
//     kind's timeout plus 60 s when that is longer.
//   - SQLite goes through the one writing connection: whoever asks the outer handle inside of a transaction would wait for
//     himself. So jobs are only ever inserted with the transaction's own handle.
//   - On PostgreSQL one connection LISTENs for new jobs. Behind a transaction pooler there is none, and jobs are polled for.
//   - Kinds that this process doesn't know are left to others, so that two versions can run side by side.
package jobs
