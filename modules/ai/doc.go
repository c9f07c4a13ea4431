// Package ai is the contract of the AI context: what other modules may know of it.
//
// The context owns how models are called: which there are and what they cost, who answers what, and the ledger of every call.
//
// Invariants:
//   - A call has exactly one row in the ledger, however it ended: whole, broken, cancelled, or killed with its process.
//   - What a call costs at most is set aside before a provider is asked, so that calls at once spend no more than a budget has.
//   - Another model is asked only while nothing of an answer has come. A stream ends with exactly one event that says how.
//   - When the client leaves, the provider is left at once.
//   - A cost that nobody knows isn't 0, and says so.
//   - Without any key the product starts all the same: AI is an option, not a condition.
//
// It keeps nothing of what is asked and answered, but for an hour, in memory, an answer whose caller wants it again. It refuses to
// hand out a key: no log, event or report shows one, or what was said.
package ai
