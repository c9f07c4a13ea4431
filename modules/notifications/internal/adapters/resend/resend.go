// Package resend carries mail by Resend's HTTP API (https://resend.com/docs/api-reference/emails/send-email), and reads its
// webhooks. Plain HTTP takes fewer lines than the official SDK needs to be bounded, and a mail is one request.
//
// Resend sends a mail with one Idempotency-Key once within 24 hours (https://resend.com/docs/dashboard/emails/idempotency-keys).
// Its errors are at https://resend.com/docs/api-reference/errors.
package resend

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/upstream"
)

// Options say how to reach Resend.
type Options struct {
	Key     config.Secret // the API key, re_...
	BaseURL string        // https://api.resend.com when empty
	Timeout time.Duration // of a whole call; 10 s when 0
}

// Mailer carries mail by Resend. It is safe for concurrent use.
type Mailer struct {
	options Options
	client  *upstream.Client
}

// New returns a mailer.
func New(options Options) *Mailer {
	options.BaseURL = strings.TrimSuffix(cmp.Or(options.BaseURL, "https://api.resend.com"), "/")
	return &Mailer{options: options, client: upstream.New("resend", cmp.Or(options.Timeout, 10*time.Second))}
}

// email is a mail as Resend takes it.
type email struct {
	From    string            `json:"from"`
	To      []string          `json:"to"`
	ReplyTo string            `json:"reply_to,omitempty"`
	Subject string            `json:"subject"`
	HTML    string            `json:"html,omitempty"`
	Text    string            `json:"text,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Tags    []tag             `json:"tags,omitempty"`
}

type tag struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Remembers returns for how long Resend knows an Idempotency-Key.
func (*Mailer) Remembers() time.Duration { return 24 * time.Hour }

// Send hands a mail over and returns Resend's id of it. See app.Mailer for its errors. A wrong key, and a sender or an account
// that Resend doesn't like, are errs.External: they lose no mail. A key of a mail that Resend has seen with other content is errs.Conflict, and permanent: one has left already.
func (m *Mailer) Send(ctx context.Context, mail domain.Mail) (receipt string, err error) {
	mail, err = mail.Carryable()
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(toEmail(mail))
	if err != nil {
		return "", err
	}
	answer, err := m.client.Post(ctx, m.options.BaseURL+"/emails", http.Header{
		"Authorization":   {"Bearer " + m.options.Key.Reveal()},
		"Idempotency-Key": {mail.Key},
	}, body)
	if err != nil {
		return "", err
	}
	if !answer.OK() {
		return "", m.failed(answer)
	}
	var sent struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(answer.Body, &sent) // the mail has left: without a readable id there is no receipt
	return sent.ID, nil
}

func toEmail(mail domain.Mail) email {
	out := email{From: mail.From.String(), Subject: mail.Subject, HTML: mail.HTML, Text: mail.Text}
	for _, to := range mail.To {
		out.To = append(out.To, to.String())
	}
	if mail.ReplyTo != nil {
		out.ReplyTo = mail.ReplyTo.String()
	}
	if mail.Unsubscribe != "" {
		out.Headers = map[string]string{
			"List-Unsubscribe": "<" + mail.Unsubscribe + ">", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
		}
	}
	if kind := tagText(mail.Kind); kind != "" {
		out.Tags = []tag{{"kind", kind}}
	}
	return out
}

// tagText returns the text with what a tag can't hold replaced by an underscore.
func tagText(text string) string {
	text = strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, text)
	return text[:min(len(text), 256)]
}

// aboutTheMail tells whether a message names, as Resend does it, a field of what was sent that depends on the mail alone. The
// names of its errors don't tell: validation_error is a wrong recipient, a sender of no verified domain and a wrong key.
func aboutTheMail(message string) bool {
	for _, field := range []string{"to", "reply_to", "subject", "html", "text", "headers", "tags"} {
		if strings.Contains(message, "`"+field+"`") {
			return !strings.Contains(message, "`from`")
		}
	}
	return false
}

// failed returns the error for an answer that isn't OK.
func (m *Mailer) failed(answer *upstream.Answer) error {
	var said struct {
		Name    string `json:"name"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(answer.Body, &said) // a gateway before Resend answers anything
	err := m.client.Failed(answer, said.Name)
	switch {
	case answer.Status == http.StatusConflict && said.Name == "invalid_idempotent_request":
		err.Kind, err.Message = errs.Conflict, "The service has taken another mail with the same key"
	case err.Kind == errs.Invalid && answer.Status != http.StatusRequestEntityTooLarge && !aboutTheMail(said.Message):
		// A key that isn't even formed like one, for instance, is called a validation error.
		err.Kind, err.Message = errs.External, "The service doesn't take mails from us: check its key, the account and the sender"
	}
	return err
}
