// Package notifications is the contract of the notifications context: what other modules may know of it and ask it.
//
// The context owns how the product writes to people: the mails that leave and how they got out, what a user reads in the
// web app, who doesn't want what, to which addresses nothing goes any more, and what people write into the contact form.
//
// Invariants:
//   - There is one way out: Resend, SendGrid, a mail server, or the console, which is for development. It has all it
//     needs, or the product doesn't start.
//   - A mail is a row and a job, written in the transaction of what it is about. It is sent when that commits, and tried
//     for more than a day while its carrier is down.
//   - There is one mail for a key, whatever is repeated, and every attempt to send it bears the same key. By Resend, which
//     knows keys for a day, it arrives once. SendGrid and mail servers know none: when nobody knows whether an attempt sent
//     the mail it is tried once more, so that it arrives twice at most, with one Message-ID. What could be doubled beyond
//     that is closed as failed instead.
//   - What failed is kept until the mail is purged, or expires, and can be tried again by hand: by a carrier that knows keys
//     as long as it knows this one.
//   - A user's name and address are asked for when a mail is sent, and kept nowhere; so are what the user wants by then, and
//     who is an administrator. What goes to an address that no user has waits sealed, and is gone when the mail was sent or
//     has expired; what failed stays sealed. The contact form's messages are sealed too.
//   - What isn't optional can't be switched off; what is, can be by one click and without signing in. Of an optional kind
//     a user gets no more than ten mails in 24 hours.
//   - An address that bounced for good, or complained, gets nothing any more, but for the product's own, where the contact
//     form goes. It is kept as a hash without a secret, which keeps it from being read, not from being tried: whoever has
//     the table and a list of addresses finds out which are on both.
//   - Of a user who is deleted go the notifications, the preferences and the mails to that user. What names no user stays for
//     its time: hashes of addresses that bounced, messages by the contact form, mails that were written to an address.
//
// Unless it runs on a desk it refuses the console, where mail would be shown and never sent, and in production a mail
// server's password on an unprotected connection. It refuses to write to a user whom the directory doesn't know, to send a link that has expired,
// and to take a lost address off the list by itself.
package notifications
