// Package auth turns a bearer token into a verified Identity, and that into the Principal it stands for.
//
// It knows no HTTP framework and no module. The server takes the token with BearerToken, the Verifier says whose it is,
// and Accounts, which the users module implements, says which account that is and what it may do.
//
// # How a token is verified
//
// A Verifier trusts a few Providers. Nothing in a token is believed before its signature is checked, except what chooses
// the check: the issuer chooses the Provider, the kid one of that provider's keys, and the key says which algorithm is
// right (RFC 8725, sections 3.1 and 3.8). A key made for RS256 or ES256 never reaches the HMAC code: HS256 is checked
// only with the secret the provider was configured with. A token names no place to fetch a key from: jku, x5u, jwk, x5c
// and crit are refused unread.
//
// A token has one spelling. The compact form is required (RFC 7515, section 7.1), base64url is decoded strictly, so the
// fifteen other last characters that decode to the same bytes are refused, and so are duplicate names in the header
// and the claims, at any depth. This is what makes it safe to remember a verified token by its hash.
//
// A token without a kid is accepted while its provider publishes exactly one usable key, because some issuers with one
// key name none. It never causes a fetch.
//
// # API keys
//
// A program calls with an APIKey as its bearer token. Whoever keeps the keys, the users module, keeps SHA-256 hashes, so that
// neither a copy of the database nor a log gives one away. A mistyped key is refused by its checksum; one that isn't good is
// remembered like one that is. A guessed one that has the right form costs one look-up in an index, once.
//
// A key acts for its owner with the role of a user and within its Scopes. The server, which knows what a route does, asks
// Principal.Permit.
//
// # Keys of issuers
//
// A KeySource fetches a provider's keys in the background and keeps the last good set for as long as the provider is
// down. A kid it doesn't know makes it ask again, at most twice at once and then every 30 seconds, whatever the traffic.
// Trouble with keys is errs.Unavailable and never errs.Unauthenticated: a client that is told 401 logs its user out.
//
// # Why jwx v2
//
// The design card names lestrrat-go/jwx v2. It is dead upstream: v2.1.7 (June 2026) is its own deprecation notice. What
// guards us: only jose.go imports it, and of it only three things are used: parsing one JWK, checking one signature over
// bytes we split ourselves, and signing for the development issuer. Its compact parser, claim validation, JWKS cache
// and fetcher, where most of its faults were, are not called. GHSA-4cf7-xm37-g63h, which no v2 fixes, lets foreign
// claim names break out of the JSON when signing: we sign one struct whose claim names are constants. Moving to v3
// changes jose.go.
package auth
