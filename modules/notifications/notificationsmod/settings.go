package notificationsmod

import (
	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/resend"
	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/sendgrid"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
)

// Owner is the name under which the module's settings are listed.
const Owner = "notifications"

// The ways mail can leave. They are the values of EMAIL_PROVIDER.
const (
	EmailResend   = "resend"
	EmailSendGrid = "sendgrid"
	EmailSMTP     = "smtp"
	EmailConsole  = "console" // mail is shown, not sent
)

// Settings holds the settings of the notifications module.
type Settings struct {
	EmailProvider    string `env:"EMAIL_PROVIDER" default:"console" oneof:"resend sendgrid smtp console" help:"How mail leaves: resend, sendgrid, smtp, or console, which shows it instead."`
	EmailFromAddress string `env:"EMAIL_FROM_ADDRESS" default:"hello@example.com" is:"email" help:"The sender's address."`
	EmailFromName    string `env:"EMAIL_FROM_NAME" default:"My App" help:"The sender's name."`
	ContactToAddress string `env:"CONTACT_TO_ADDRESS" default:"{EMAIL_FROM_ADDRESS}" is:"email" help:"Who gets what people write into the contact form."`

	ResendAPIKey             config.Secret `env:"RESEND_API_KEY" help:"The key for Resend."`
	ResendWebhookSecret      config.Secret `env:"RESEND_WEBHOOK_SECRET" help:"What Resend signs its webhooks with, whsec_...; unset, they aren't taken."`
	SendGridAPIKey           config.Secret `env:"SENDGRID_API_KEY" help:"The key for SendGrid."`
	SendGridWebhookPublicKey string        `env:"SENDGRID_WEBHOOK_PUBLIC_KEY" help:"What SendGrid's signed event webhooks are verified with, in base64; unset, they aren't taken."`

	SMTPHost     string        `env:"SMTP_HOST" help:"The mail server."`
	SMTPPort     int           `env:"SMTP_PORT" default:"587" min:"1" max:"65535" help:"The mail server's port; 465 goes with SMTP_TLS=tls."`
	SMTPUsername string        `env:"SMTP_USERNAME" help:"The login at the mail server; unset, there is none."`
	SMTPPassword config.Secret `env:"SMTP_PASSWORD" help:"The password at the mail server."`
	SMTPTLS      string        `env:"SMTP_TLS" default:"starttls" oneof:"starttls tls none" help:"How the connection is protected: starttls, tls from the start, or none."`
}

// Group returns s as a group for config.Load.
func (s *Settings) Group() config.Group { return config.Group{Owner: Owner, Struct: s} }

// Validate checks that the chosen way has what it needs, that a deployment sends mail, and that webhooks can be verified.
func (s *Settings) Validate(check *config.Check) {
	switch s.EmailProvider {
	case EmailResend:
		if s.ResendAPIKey == "" {
			check.Refuse("RESEND_API_KEY", "must be set when EMAIL_PROVIDER is resend")
		}
	case EmailSendGrid:
		if s.SendGridAPIKey == "" {
			check.Refuse("SENDGRID_API_KEY", "must be set when EMAIL_PROVIDER is sendgrid")
		}
	case EmailSMTP:
		s.validateSMTP(check)
	case EmailConsole:
		if !check.Environment.OnDesk() {
			check.Refuse("EMAIL_PROVIDER", "must be resend, sendgrid or smtp unless ENVIRONMENT is local or test: console sends nothing")
		}
	}
	if s.ResendWebhookSecret != "" {
		if _, err := resend.NewFeedback(clock.System{}, s.ResendWebhookSecret.Reveal()); err != nil {
			check.Refuse("RESEND_WEBHOOK_SECRET", `must be "whsec_" and at least 24 bytes in base64, as Resend shows it`)
		}
	}
	if s.SendGridWebhookPublicKey != "" {
		if _, err := sendgrid.NewFeedback(clock.System{}, s.SendGridWebhookPublicKey); err != nil {
			check.Refuse("SENDGRID_WEBHOOK_PUBLIC_KEY", "must be a public key of ECDSA P-256 in base64, as SendGrid shows it")
		}
	}
	if check.Environment == config.Production && !check.IsSet("EMAIL_FROM_ADDRESS") {
		check.Warn("EMAIL_FROM_ADDRESS", "is at its default, which no mail service accepts as a sender")
	}
}

func (s *Settings) validateSMTP(check *config.Check) {
	if s.SMTPHost == "" {
		check.Refuse("SMTP_HOST", "must be set when EMAIL_PROVIDER is smtp")
	}
	switch {
	case s.SMTPUsername != "" && s.SMTPPassword == "":
		check.Refuse("SMTP_PASSWORD", "must be set when SMTP_USERNAME is")
	case s.SMTPUsername == "" && s.SMTPPassword != "":
		check.Refuse("SMTP_USERNAME", "must be set when SMTP_PASSWORD is")
	case s.SMTPPassword != "" && s.SMTPTLS == "none" && check.Environment == config.Production:
		check.Refuse("SMTP_TLS", "must be starttls or tls in production when there is a password to protect")
	}
}
