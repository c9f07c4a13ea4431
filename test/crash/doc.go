// Package crash ends the real program under load, kindly and otherwise, and counts what is left.
//
// The program is the binary, as its own process over a database of its own, with the settings of a deployment. Writers
// send it what only they know: each change makes the next version of a project, with a content that tells whose version
// it is. So a row says by itself which write it is of, and what the writers were told says which rows must be there.
//
//   - What was acknowledged is there, whatever died: the program, or PostgreSQL.
//   - What was not acknowledged is there in full or not at all.
//   - A program that is told to stop answers what it has begun; behind a balancer nobody notices.
//   - Programs that share a Redis share the limits too, to the call.
//   - Bad weather in the network, to PostgreSQL or to Redis, and a crowd of idle or slow clients leave it at work.
package crash
