// Package notifications is the contract of the notifications context: what other modules may know of it and ask it.
//
// The context owns how the product writes to people: by which way mail leaves, from whom, and who reads what is written
// into the contact form. Today it holds its settings and nothing else.
//
// Invariants:
//   - There is one way out: Resend, SendGrid, a mail server, or the console, which is for development.
//   - The chosen way has all it needs, or the product doesn't start.
//   - A sender's address that nobody chose is a warning in production.
//
// In production it refuses the console, where mail would be shown and never sent, and a mail server's password on an
// unprotected connection.
package notifications
