package notificationsmod

import (
	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/httpapi"
	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/resend"
	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/sendgrid"
	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/smtp"
	"github.com/omnistack/omnistack/modules/notifications/internal/app"
	"github.com/omnistack/omnistack/platform/clock"
)

// mailer returns the way by which mail leaves, nil when it is shown instead.
func mailer(s *Settings, clock clock.Clock) app.Mailer {
	switch s.EmailProvider {
	case EmailResend:
		return resend.New(resend.Options{Key: s.ResendAPIKey})
	case EmailSendGrid:
		return sendgrid.New(sendgrid.Options{Key: s.SendGridAPIKey})
	case EmailSMTP:
		return smtp.New(smtp.Options{
			Host: s.SMTPHost, Port: s.SMTPPort, Username: s.SMTPUsername, Password: s.SMTPPassword, TLS: s.SMTPTLS,
		}, clock)
	}
	return nil
}

// feedback returns what reads the webhooks of the carriers whose secret is set, whichever carries mail now: an address that
// bounced at the one before counts too.
func feedback(s *Settings, clock clock.Clock) (map[string]app.Feedback, error) {
	readers := map[string]app.Feedback{}
	if s.ResendWebhookSecret != "" {
		reader, err := resend.NewFeedback(clock, s.ResendWebhookSecret.Reveal())
		if err != nil {
			return nil, err
		}
		readers[httpapi.Resend] = reader
	}
	if s.SendGridWebhookPublicKey != "" {
		reader, err := sendgrid.NewFeedback(clock, s.SendGridWebhookPublicKey)
		if err != nil {
			return nil, err
		}
		readers[httpapi.SendGrid] = reader
	}
	return readers, nil
}
