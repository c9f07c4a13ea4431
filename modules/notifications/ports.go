package notifications

import (
	"context"
	"encoding/json"
	"time"
)

// Mail writes to addresses, in the name of the product. A mail leaves in the background: nil means that it is kept and will
// be tried for more than a day. What can't be sent at all is errs.Invalid, and nothing is kept of it.
//
// The key is the caller's, 1 to 200 visible ASCII characters, such as the id of what the mail is about. There is one mail
// for a key, for the 30 days that it is remembered: a second call with it changes nothing, whatever it says. Never call Mail
// within a transaction.
type Mail interface {
	// Send writes what a template says. An unknown template, and data with a field missing, unknown or of another type, is
	// errs.Invalid.
	Send(ctx context.Context, key string, message Message) error

	// SendRaw writes the words of the caller.
	SendRaw(ctx context.Context, key string, message RawMessage) error

	// SendPasswordReset sends the link to a page where a new password is chosen, and never after it has expired.
	SendPasswordReset(ctx context.Context, key string, reset PasswordReset) error
}

// Address is whom a mail comes from or goes to.
type Address struct {
	Email string
	Name  string // empty when unknown
}

// Message is a mail whose words are a template's.
type Message struct {
	To       []Address       // 1 to 50, who see each other
	From     *Address        // nil for the product's own
	Subject  string          // empty for the template's own
	Template string          // one of Templates
	Data     json.RawMessage // an object with the fields of the template, 64 KiB at most
}

// RawMessage is a mail with words of its own.
type RawMessage struct {
	To      []Address // 1 to 50, who see each other
	From    *Address  // nil for the product's own
	Subject string    // one line of 1 to 200 characters
	HTML    string    // 256 KiB at most
	Text    string    // for readers without HTML, 256 KiB at most; one of the two may be empty
}

// PasswordReset is a mail to whoever asked for a new password.
type PasswordReset struct {
	To      Address
	Link    string    // an http or https URL; it is a secret
	Expires time.Time // when the link ends to work; in the future
}

// Templates returns the names of the templates, each with the fields of its data. Times are in RFC 3339.
func Templates() map[string][]string {
	return map[string][]string{
		"welcome":              {"name"},
		"password_reset":       {"link", "expires"},
		"data_export_ready":    {"link", "expires"},
		"daily_report":         {"day", "sections"},
		"contact":              {"name", "email", "subject", "message", "received"},
		"project_deleted":      {"name", "days"},
		"note":                 {"subject", "text"},
		"account_suspended":    {},
		"account_reactivated":  {},
		"role_changed":         {"role"},
		"identity_linked":      {"issuer"},
		"subscription_changed": {"plan", "status"},
		"payment_failed":       {"amount", "next"},
		"trial_ending":         {"plan", "ends"},
	}
}
