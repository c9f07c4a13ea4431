// Package billing is the contract of the billing context: what other modules may know of it and ask it.
//
// The context owns how the product earns money: whether payments are taken, through which Stripe account, at which
// prices, and which plans there are. Today it holds its settings and nothing else.
//
// Invariants:
//   - Stripe's key and the webhook's secret come together: with one alone, customers would pay and nothing would learn
//     of it, or anybody could say that they paid.
//   - Without them no payments are taken, and the product starts all the same.
//   - A test key in production is a warning at every start.
//
// It refuses to start with a value from the wrong line of Stripe's dashboard: a publishable key, the id of an endpoint,
// or a product where a price belongs.
package billing
