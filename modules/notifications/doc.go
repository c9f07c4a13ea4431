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
//   - There is one mail for a key, whatever is repeated. Every attempt to send it bears the same key, by which a carrier
//     leaves out the second.
//   - A user's name and address are asked for when a mail is sent, and kept nowhere. What goes to an address that no user
//     has waits sealed, and is gone when the mail was sent, failed or expired.
//   - What isn't optional can't be switched off; what is, can be by one click and without signing in.
//   - An address that bounced for good, or complained, gets nothing any more. It is kept as a hash.
//   - A user who is deleted leaves nothing here.
//
// In production it refuses the console, where mail would be shown and never sent, and a mail server's password on an
// unprotected connection. It refuses to write to a user whom the directory doesn't know, to send a link that has expired,
// and to take a lost address off the list by itself.
package notifications
