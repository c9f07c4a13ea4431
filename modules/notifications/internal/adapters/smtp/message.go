package smtp

import (
	"bytes"
	"net/mail"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
)

// compose returns the mail as a message: RFC 5322, with both forms of the text as multipart/alternative, RFC 2046. The mail
// must be Carryable.
func compose(from domain.Mail, now time.Time) ([]byte, error) {
	message := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	message.SetDateWithValue(now)
	message.SetMessageIDWithValue(from.MessageID())
	message.FromMailAddress(header(from.From))
	for _, to := range from.To {
		message.AddToMailAddress(header(to))
	}
	if from.ReplyTo != nil {
		message.ReplyToMailAddress(header(*from.ReplyTo))
	}
	message.Subject(from.Subject)
	if from.Unsubscribe != "" {
		message.SetGenHeader(gomail.HeaderListUnsubscribe, "<"+from.Unsubscribe+">")
		message.SetGenHeader(gomail.HeaderListUnsubscribePost, "List-Unsubscribe=One-Click")
	}
	// The last form is the one that is shown, if it can be.
	switch {
	case from.HTML == "":
		message.SetBodyString(gomail.TypeTextPlain, from.Text)
	case from.Text == "":
		message.SetBodyString(gomail.TypeTextHTML, from.HTML)
	default:
		message.SetBodyString(gomail.TypeTextPlain, from.Text)
		message.AddAlternativeString(gomail.TypeTextHTML, from.HTML)
	}
	var out bytes.Buffer
	if _, err := message.WriteTo(&out); err != nil {
		return nil, errs.New(errs.Invalid, "The message can't be written").Because(err)
	}
	return out.Bytes(), nil
}

func header(a domain.Address) *mail.Address { return &mail.Address{Name: a.Name, Address: a.Email} }
