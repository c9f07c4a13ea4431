// Package bus carries events from the module where something happened to whoever wants to know, and loses none.
//
// Publish writes a row into the ledger, events_outbox, in the transaction of the caller: the event exists if and only if
// that commits. Each consumer handles it in ONE transaction of its own, which begins with a row in events_inbox: when the
// row is there already the event was handled, and nothing happens. So a delivery may be repeated as often as crashes want,
// and effects in the database happen once. What leaves the process, such as a mail, is a job that the handler enqueues.
//
// What becomes of a failure is decided by its error, as for jobs: an errs.Kind that isn't Retryable makes the event dead for
// this consumer at once; anything else, a panic and a timeout too, is tried again with growing waits until the attempts are
// used up, and then it is dead. Dead is a row in the inbox, so that nothing brings the event back until an administrator
// replays it. No consumer waits for another one's trouble.
//
// # Two transports
//
// With EVENTS_TRANSPORT=database a delivery is a job for each event and consumer (platform/jobs), written together with the
// ledger row. The job hands the event to Watermill's Router and waits for the outcome.
//
// With EVENTS_TRANSPORT=redis one job for each event writes it to a Redis stream that is called like the event, and each
// consumer reads that as a consumer group, in as many processes as there are. Redis is a fast road and not the record: an
// event that a stream lost, that a consumer failed to handle after a few quick tries, or that has been waiting for half a
// minute, is delivered by a job as above. So retries, dead letters and what administrators see are the same on both. What is
// in no ledger has no effect, whoever wrote it to the stream.
//
// # What is still missing
//
// Once a minute the reconciler looks for events of the ledger that a consumer should have had by now: since it was enrolled,
// and behind the place up to which all is settled, so that there is little to look through. It delivers them by jobs. So nothing
// depends on what a process knew that published: it may be older than the consumer, on the other road, or be killed in its last
// attempt. An event that is late but on its way gets a second job, which finds it handled.
//
// While two versions run side by side, jobs are left to the one that knows them, and what the other one's leader gave up is
// brought back (jobs.Client.Upkeep). The name of a consumer and its event are golden: what is to wait for the next version of
// an event is a new consumer, and the old one goes when nothing waits for it any more.
//
// Every event is written to its stream, omnistack:events:NAME, also one that no consumer here waits for: an entry is a
// CloudEvent with a field for each attribute, which other services may read in groups of their own. A job trims the streams up
// to the oldest entry that a group still needs; a group that isn't of a consumer here is removed when an entry has been waiting
// for it for seven days, and without any group that is how long entries stay.
//
// What watermill-redisstream 1.4.5 does by itself loses or doubles events, or stops for good, in thirteen ways; redis_test.go
// names each of them and shows the answer. Above all, its subscriptions end at the first error and are made anew here, groups
// begin with all that a stream holds (an event from before a consumer was there is passed over), no length is set, an entry
// is claimed only when a reader that lives must be done with it, and who removes groups, readers and entries does it in one
// script. While Redis is away, or when it comes back empty, the reconciler delivers. Redis should run with appendonly yes and
// maxmemory-policy noeviction; a warning at the start says when it doesn't.
//
// In each process a consumer reads in four lines, which are four connections and about six commands a second when nothing
// happens.
//
// Why not Watermill's GoChannel: its Publish returns nil when nobody listens and when it is closed. Measured over 30 restarts
// under load, 289 of 600 committed events were lost.
//
// # Order
//
// There is none. A consumer that copies state compares the version of the aggregate, and the highest wins; one that acts does
// so once for each event, whatever came before.
package bus
