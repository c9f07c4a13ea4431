package domain

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/omnistack/omnistack/platform/errs"
)

// The bounds of texts, in characters (Unicode code points).
const (
	MaxName    = 100
	MaxSubject = 200
	MaxMessage = 5000
	MaxEmail   = 254 // RFC 5321, section 4.5.3.1.3, without the angle brackets
)

// ContactMessage is what somebody wrote into the contact form.
type ContactMessage struct {
	ID string
	Contact
}

// NewContactMessage returns a message as it arrives, or errs.Invalid with every rule that it breaks. Its name and subject
// are lines without control characters: they go into the headers of a mail.
func NewContactMessage(messageID, name, email, subject, message string, now time.Time) (ContactMessage, error) {
	var broken []errs.Field
	refuse := func(field, rule string) {
		if rule != "" {
			broken = append(broken, errs.Field{Name: field, Message: rule})
		}
	}
	refuse("name", checkLine(name, 1, MaxName))
	_, host, _ := strings.Cut(email, "@")
	if !ValidEmail(email) || !strings.Contains(strings.Trim(host, "."), ".") { // nobody can answer to a host without a domain
		refuse("email", "must be an e-mail address")
	}
	refuse("subject", checkLine(subject, 0, MaxSubject))
	switch {
	case !strings.ContainsFunc(message, inked):
		refuse("message", "must not be blank")
	case utf8.RuneCountInString(message) > MaxMessage:
		refuse("message", "must have at most 5000 characters")
	}
	if len(broken) > 0 {
		return ContactMessage{}, errs.InvalidFields(broken...)
	}
	return ContactMessage{ID: messageID, Contact: Contact{
		Name: name, Email: email, Subject: subject, Message: message, Received: now,
	}}, nil
}

// ValidLine tells whether a text fits into a header of a mail: at most longest characters, none of them for control.
func ValidLine(text string, longest int) bool { return checkLine(text, 0, longest) == "" }

func checkLine(text string, shortest, longest int) string {
	switch {
	case shortest > 0 && !strings.ContainsFunc(text, inked):
		return "must not be blank"
	case utf8.RuneCountInString(text) > longest:
		return "must have at most " + strconv.Itoa(longest) + " characters"
	case !utf8.ValidString(text) || strings.ContainsFunc(text, breaks):
		return "must hold no control characters"
	}
	return ""
}

// breaks tells whether a character may end a line: those of control, and the separators of lines and paragraphs.
func breaks(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }

// inked tells whether a character leaves ink: spaces, and marks such as a direction or a zero width, don't.
func inked(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }
