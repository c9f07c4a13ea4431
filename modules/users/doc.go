// Package users is the contract of the users context: what other modules may know of it and ask it.
//
// The context owns people: who they are, which identities of which issuers they sign in with, what role they have and
// whether they may act. It decides who a verified token, or an API key, stands for.
//
// Invariants:
//   - A person is known by issuer and subject, never by e-mail: an address may be missing, shared or handed on.
//   - The first request of a new identity makes the user; any number of them at once make one.
//   - Identity providers tell what becomes of people by webhooks: in any order, any number of times, beside first requests. What
//     a provider said last of an identity counts, except for name and picture that the user chose here.
//   - Another identity is added by who is signed in and shows a valid token of it, never by an e-mail address. The identity in
//     use can't be removed, so one is always left.
//   - A login is noted at most once in half an hour; it changes no version.
//   - A user's id is the token's subject when nobody else ever had that id, else a new UUID.
//   - A deleted account leaves nothing but hashes of its id and identities, with a key from SECRET_KEY: nobody can read them, and
//     an old token doesn't bring it back. One that is seen while the secret is rotated is kept with the new one.
//   - With ACCOUNT_DELETION_GRACE an account that is deleted, by its user or by an administrator, is closed first: nobody can act
//     with it, nothing else changes, and an administrator can bring it back by making it active. It is erased when the grace is
//     over. What the identity provider deletes is erased at once.
//   - A suspended, closed or deleted user can do nothing.
//   - An API key acts for its owner within its scopes, and never as an administrator. It is shown once; only its hash is kept.
//   - Only a superadmin, or an operator on the command line, makes or unmakes administrators; nobody changes their own role
//     or suspends themselves, and the last active superadmin stays.
//   - A person gets all that is kept of them, from every module, as one archive: one at a time, three a day, for seven days. Its link
//     is for who is signed in, and its object is never left behind, whenever the process dies.
//   - Every change that matters elsewhere is told, once, by an event.
//
// It refuses to keep passwords, to sign anybody in, and to tell one user, unless an administrator, about another.
package users
