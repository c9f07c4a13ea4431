// Package billing is the contract of the billing context: what other modules may know of it and ask it.
//
// The context owns how the product earns money: the plans, who is on which of them, and the account at Stripe through which
// it is paid. Without a key for Stripe a simulator of it takes its place on a developer's machine; elsewhere no payments are
// taken and everybody is on the free plan.
//
// Invariants:
//   - A user has one account here and at most one customer at Stripe, also when two checkouts begin at once.
//   - What a webhook says is a hint. State is fetched from Stripe, whole, and of two fetches the one that began later counts:
//     so any order of webhooks, twice or not at all, ends in the same state, and what it causes happens once.
//   - A webhook is believed only with a signature by one of the secrets, made within five minutes, and is stored before it
//     is answered.
//   - A client chooses a plan and an interval. Prices, customers and addresses of pages come from the settings.
//   - A plan counts while its subscription is active or in trial; while a payment is late, for the days of grace more. What
//     is in no list of states or prices counts as the free plan.
//   - Stripe's key and the webhook's secret come together: with one alone, customers would pay and nothing would learn
//     of it, or anybody could say that they paid.
//
// It refuses to see a card, to keep what Stripe posts, and to start with a value from the wrong line of Stripe's dashboard:
// a publishable key, the id of an endpoint, or a product where a price belongs.
package billing
