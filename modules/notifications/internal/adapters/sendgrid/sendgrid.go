// Package sendgrid carries mail by SendGrid's HTTP API
// (https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send), and reads its webhooks. Plain HTTP takes fewer
// lines than the official SDK, which has no context and no timeout.
//
// SendGrid knows no idempotency key: when its answer is lost, the next attempt may send the mail again. Both copies have one
// Message-ID then, by which most mailboxes show them once, and the key is in their events as the custom argument mail_key.
package sendgrid

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/upstream"
)

// Options say how to reach SendGrid.
type Options struct {
	Key     config.Secret // the API key, SG....
	BaseURL string        // https://api.sendgrid.com when empty; https://api.eu.sendgrid.com for subusers in Europe
	Timeout time.Duration // of a whole call; 10 s when 0
}

// Mailer carries mail by SendGrid. It is safe for concurrent use.
type Mailer struct {
	options Options
	client  *upstream.Client
}

// New returns a mailer.
func New(options Options) *Mailer {
	options.BaseURL = strings.TrimSuffix(cmp.Or(options.BaseURL, "https://api.sendgrid.com"), "/")
	return &Mailer{options: options, client: upstream.New("sendgrid", cmp.Or(options.Timeout, 10*time.Second))}
}

// email is a mail as SendGrid takes it.
type email struct {
	Personalizations []personalization `json:"personalizations"`
	From             address           `json:"from"`
	ReplyTo          *address          `json:"reply_to,omitempty"`
	Subject          string            `json:"subject"`
	Content          []content         `json:"content"`
	Headers          map[string]string `json:"headers"`
	Categories       []string          `json:"categories,omitempty"`
	CustomArgs       map[string]string `json:"custom_args"`
	Tracking         tracking          `json:"tracking_settings"`
}

type personalization struct {
	To []address `json:"to"`
}

type address struct {
	Email string `json:"email"`
	Name  string `json:"name,omitempty"`
}

type content struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// tracking is off: it would lead links, which may be secrets, through SendGrid, and replace our List-Unsubscribe.
type tracking struct {
	Click        enabled `json:"click_tracking"`
	Open         enabled `json:"open_tracking"`
	Subscription enabled `json:"subscription_tracking"`
}

type enabled struct {
	Enable bool `json:"enable"`
}

// Remembers returns 0: SendGrid knows no keys.
func (*Mailer) Remembers() time.Duration { return 0 }

// Send hands a mail over and returns SendGrid's X-Message-Id of it. See app.Mailer for its errors. A wrong key, and a sender or
// an account that SendGrid doesn't like, are errs.External: they lose no mail.
func (m *Mailer) Send(ctx context.Context, mail domain.Mail) (receipt string, err error) {
	mail, err = mail.Carryable()
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(toEmail(mail))
	if err != nil {
		return "", err
	}
	answer, err := m.client.Post(ctx, m.options.BaseURL+"/v3/mail/send", http.Header{
		"Authorization": {"Bearer " + m.options.Key.Reveal()},
	}, body)
	if err != nil {
		return "", err
	}
	if !answer.OK() {
		return "", m.failed(answer)
	}
	return answer.Header.Get("X-Message-Id"), nil
}

func toEmail(mail domain.Mail) email {
	out := email{
		From: address(mail.From), Subject: mail.Subject, Personalizations: []personalization{{}},
		Headers:    map[string]string{"Message-ID": "<" + mail.MessageID() + ">"},
		CustomArgs: map[string]string{"mail_key": mail.Key},
	}
	for _, to := range mail.To {
		out.Personalizations[0].To = append(out.Personalizations[0].To, address(to))
	}
	if mail.ReplyTo != nil {
		out.ReplyTo = new(address(*mail.ReplyTo))
	}
	if mail.Text != "" { // SendGrid wants the plain text first
		out.Content = append(out.Content, content{"text/plain", mail.Text})
	}
	if mail.HTML != "" {
		out.Content = append(out.Content, content{"text/html", mail.HTML})
	}
	if mail.Unsubscribe != "" {
		out.Headers["List-Unsubscribe"] = "<" + mail.Unsubscribe + ">"
		out.Headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
	}
	if mail.Kind != "" {
		out.Categories = []string{mail.Kind}
	}
	return out
}

// fieldsOfMail are the fields of what is sent that depend on the mail alone.
var fieldsOfMail = []string{"personalizations", "reply_to", "subject", "content", "headers", "categories", "custom_args"}

// failed returns the error for an answer that isn't OK. SendGrid has no names for errors: the field it complains of has to do.
func (m *Mailer) failed(answer *upstream.Answer) error {
	var said struct {
		Errors []struct {
			Field string `json:"field"`
		} `json:"errors"`
	}
	_ = json.Unmarshal(answer.Body, &said) // a gateway before SendGrid answers anything
	field, ofMail := "", true
	for i, one := range said.Errors {
		if i == 0 {
			field = one.Field
		}
		root, _, _ := strings.Cut(one.Field, ".")
		ofMail = ofMail && slices.Contains(fieldsOfMail, root)
	}
	err := m.client.Failed(answer, field)
	if err.Kind == errs.Invalid && answer.Status != http.StatusRequestEntityTooLarge && (!ofMail || len(said.Errors) == 0) {
		err.Kind, err.Message = errs.External, "The service doesn't take mails from us: check its key, the account and the sender"
	}
	return err
}
