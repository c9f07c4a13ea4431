// Package ai is the contract of the AI context: what other modules may know of it and ask it.
//
// The context owns how the product reaches AI providers: which ones may be called, with which key and at which address,
// and which provider and model answer when no route says otherwise. Today it holds its settings and nothing else.
//
// Invariants:
//   - A provider is usable when its key is set; without its key it is as if it weren't there.
//   - Without any key the product starts all the same: AI is an option, not a condition.
//   - A default that leads to a provider without a key is a warning at the start, never an error.
//
// It refuses to hand out a key: no other module gets one, and no log or report shows one.
package ai
