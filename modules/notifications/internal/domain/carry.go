package domain

import (
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/omnistack/omnistack/platform/errs"
)

// The bounds of what carriers take.
const (
	maxKey        = 256 // bytes, Resend's
	maxRecipients = 50  // Resend's
	maxName       = 200 // bytes; the rest is cut off
	maxSubject    = 900 // bytes: with its name it has to fit into a line of a mail, RFC 5322, section 2.1.1
	maxLink       = 900
)

// Carryable returns the mail in a form that every carrier takes: subject and names are one line of valid text, whatever
// somebody wrote into them. A mail that no carrier may get, such as one with an address that is none, is errs.Invalid.
func (m Mail) Carryable() (Mail, error) {
	var broken []errs.Field
	refuse := func(field, message string) { broken = append(broken, errs.Field{Name: field, Message: message}) }
	address := func(field string, a *Address) {
		if a.Name = oneLine(a.Name); len(a.Name) > maxName {
			a.Name = strings.ToValidUTF8(a.Name[:maxName], "") + "…"
		}
		if !ValidEmail(a.Email) {
			refuse(field, "must be an e-mail address")
		}
	}

	if !ValidKey(m.Key, maxKey) {
		refuse("key", fmt.Sprintf("must be 1 to %d visible ASCII characters", maxKey))
	}
	address("from", &m.From)
	if m.ReplyTo != nil {
		copied := *m.ReplyTo
		m.ReplyTo = &copied
		address("reply_to", m.ReplyTo)
	}
	if len(m.To) == 0 || len(m.To) > maxRecipients {
		refuse("to", fmt.Sprintf("must be 1 to %d addresses", maxRecipients))
	}
	var to []Address
	for i, recipient := range m.To {
		address(fmt.Sprintf("to[%d]", i), &recipient)
		same := func(other Address) bool { return strings.EqualFold(other.Email, recipient.Email) }
		if !slices.ContainsFunc(to, same) { // SendGrid refuses a mail that goes to one address twice
			to = append(to, recipient)
		}
	}
	m.To = to
	if m.Subject = oneLine(m.Subject); m.Subject == "" || len(m.Subject) > maxSubject {
		refuse("subject", fmt.Sprintf("must be 1 to %d bytes", maxSubject))
	}
	m.HTML, m.Text = strings.ToValidUTF8(m.HTML, "\uFFFD"), strings.ToValidUTF8(m.Text, "\uFFFD")
	if m.HTML == "" && m.Text == "" {
		refuse("text", "is required, or html")
	}
	if m.Unsubscribe != "" && !validLink(m.Unsubscribe) {
		refuse("unsubscribe", "must be a URL")
	}
	if broken != nil {
		return Mail{}, errs.InvalidFields(broken...)
	}
	return m, nil
}

// MessageID returns the identity of the mail in the header Message-ID, without its brackets: the same for every attempt, so
// that mailboxes can tell a second copy. It belongs to a mail that is Carryable.
func (m Mail) MessageID() string {
	local := strings.ReplaceAll(url.QueryEscape(m.Key), ".", "%2E") // what is left is an atom, RFC 5322, section 3.2.3
	return local + m.From.Email[strings.LastIndexByte(m.From.Email, '@'):]
}

// String returns the address as APIs take it, RFC 5322 with RFC 6532's Unicode: Name <email>, the name in quotes if need be.
func (a Address) String() string {
	if a.Name == "" {
		return a.Email
	}
	if strings.ContainsFunc(a.Name, func(r rune) bool { return strings.ContainsRune(`"\()<>[]:;@,.`, r) }) {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(a.Name) + `" <` + a.Email + `>`
	}
	return a.Name + " <" + a.Email + ">"
}

// oneLine returns the text without control characters and line separators, which could begin a header of their own.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if breaks(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	return strings.Join(strings.Fields(text), " ")
}

// ValidEmail tells whether a text is a plain address such as ada@example.com, and nothing around it.
func ValidEmail(text string) bool {
	if len(text) > MaxEmail || !utf8.ValidString(text) || strings.ContainsFunc(text, breaks) {
		return false
	}
	parsed, err := mail.ParseAddress(text)
	return err == nil && parsed.Address == text
}

// validLink tells whether the text is a URL that can stand in a header, between < and >.
func validLink(link string) bool {
	parsed, err := url.Parse(link)
	return err == nil && (parsed.Scheme == "https" || parsed.Scheme == "http") && parsed.Host != "" &&
		ValidKey(link, maxLink) && !strings.ContainsAny(link, "<>,")
}

// ValidKey tells whether a text is one to longest visible ASCII characters and nothing else.
func ValidKey(text string, longest int) bool {
	return text != "" && len(text) <= longest && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}
