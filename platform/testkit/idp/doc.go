// Package idp plays identity providers: it signs tokens in the shapes of Supabase, Clerk and any OpenID Connect issuer,
// publishes keys over real HTTP where they do, changes and withdraws keys, answers with junk, and goes down. It forges
// tokens too: Attacks is every one that must not be let in.
//
// It signs with the standard library alone, so that it shares no fault with the code that verifies.
package idp
