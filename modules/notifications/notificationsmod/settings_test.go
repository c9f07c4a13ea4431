package notificationsmod_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/modules/notifications/notificationsmod"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/config/configtest"
)

func load(t *testing.T, environ ...string) (notificationsmod.Settings, *config.Report, error) {
	t.Helper()
	var s notificationsmod.Settings
	report, err := configtest.Load(t, s.Group(), environ...)
	return s, report, err
}

func TestDefaults(t *testing.T) {
	s, report, err := load(t)
	want := notificationsmod.Settings{
		EmailProvider: "console", EmailFromAddress: "hello@example.com", EmailFromName: "My App",
		ContactToAddress: "hello@example.com", SMTPPort: 587, SMTPTLS: "starttls",
	}
	if err != nil || s != want || len(report.Warnings) > 0 {
		t.Errorf("%+v, %v, %v", s, report.Warnings, err)
	}
}

func TestContactFollowsTheSender(t *testing.T) {
	s, _, err := load(t, "EMAIL_FROM_ADDRESS=team@example.org")
	if err != nil || s.ContactToAddress != "team@example.org" {
		t.Errorf("%+v, %v", s, err)
	}
	_, _, err = load(t, "EMAIL_FROM_ADDRESS=team")
	if !slices.Equal(configtest.Refused(err), []string{"EMAIL_FROM_ADDRESS"}) {
		t.Errorf("one mistake is reported as %v", err)
	}
}

// sendgridKey is a public key as SendGrid shows it, from its documentation.
const sendgridKey = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="

func TestRules(t *testing.T) {
	const production, from = "ENVIRONMENT=production", "EMAIL_FROM_ADDRESS=team@example.org"
	for _, c := range []struct {
		name    string
		environ []string
		want    []string
		part    string
	}{
		{"resend", []string{"EMAIL_PROVIDER=resend", "RESEND_API_KEY=k", production, from}, nil, ""},
		{"resend without key", []string{"EMAIL_PROVIDER=resend"}, []string{"RESEND_API_KEY"}, "must be set when EMAIL_PROVIDER is resend"},
		{"sendgrid", []string{"EMAIL_PROVIDER=sendgrid", "SENDGRID_API_KEY=k", production, from}, nil, ""},
		{"sendgrid without key", []string{"EMAIL_PROVIDER=sendgrid"}, []string{"SENDGRID_API_KEY"}, "must be set when EMAIL_PROVIDER is sendgrid"},
		{"smtp", []string{"EMAIL_PROVIDER=smtp", "SMTP_HOST=h", "SMTP_USERNAME=u", "SMTP_PASSWORD=p", production, from}, nil, ""},
		{"smtp without host", []string{"EMAIL_PROVIDER=smtp"}, []string{"SMTP_HOST"}, "must be set when EMAIL_PROVIDER is smtp"},
		{"smtp without password", []string{"EMAIL_PROVIDER=smtp", "SMTP_HOST=h", "SMTP_USERNAME=u"}, []string{"SMTP_PASSWORD"}, "must be set when SMTP_USERNAME is"},
		{"smtp without user", []string{"EMAIL_PROVIDER=smtp", "SMTP_HOST=h", "SMTP_PASSWORD=p"}, []string{"SMTP_USERNAME"}, "must be set when SMTP_PASSWORD is"},
		{"smtp in the clear", []string{"EMAIL_PROVIDER=smtp", "SMTP_HOST=h", "SMTP_USERNAME=u", "SMTP_PASSWORD=p", "SMTP_TLS=none", production, from}, []string{"SMTP_TLS"}, "a password to protect"},
		{"smtp in the clear on a desk", []string{"EMAIL_PROVIDER=smtp", "SMTP_HOST=h", "SMTP_PORT=1025", "SMTP_TLS=none"}, nil, ""},
		{"console in production", []string{production, from}, []string{"EMAIL_PROVIDER"}, "console sends nothing"},
		{"console in staging", []string{"ENVIRONMENT=staging"}, []string{"EMAIL_PROVIDER"}, "console sends nothing"},
		{"console in a test", []string{"ENVIRONMENT=test"}, nil, ""},
		{"unknown provider", []string{"EMAIL_PROVIDER=mailgun"}, []string{"EMAIL_PROVIDER"}, "must be resend, sendgrid, smtp or console"},
		{"port", []string{"SMTP_PORT=0"}, []string{"SMTP_PORT"}, "must be from 1 to 65535"},
		{"resend webhook", []string{"RESEND_WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, nil, ""},
		{"resend webhook without prefix", []string{"RESEND_WEBHOOK_SECRET=MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, []string{"RESEND_WEBHOOK_SECRET"}, "at least 24 bytes in base64"},
		{"resend webhook too short", []string{"RESEND_WEBHOOK_SECRET=whsec_c2hvcnQ="}, []string{"RESEND_WEBHOOK_SECRET"}, "at least 24 bytes in base64"},
		{"sendgrid webhook", []string{"SENDGRID_WEBHOOK_PUBLIC_KEY=" + sendgridKey}, nil, ""},
		{"sendgrid webhook that is none", []string{"SENDGRID_WEBHOOK_PUBLIC_KEY=a2V5"}, []string{"SENDGRID_WEBHOOK_PUBLIC_KEY"}, "ECDSA P-256"},
		{"contact address", []string{"CONTACT_TO_ADDRESS=me"}, []string{"CONTACT_TO_ADDRESS"}, "must be an e-mail address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, report, err := load(t, c.environ...)
			if !slices.Equal(configtest.Refused(err), c.want) || err != nil && !strings.Contains(err.Error(), c.part) {
				t.Errorf("%v", err)
			}
			if len(report.Warnings) > 0 {
				t.Errorf("warnings: %v", report.Warnings)
			}
		})
	}
}

func TestDefaultSenderInProduction(t *testing.T) {
	_, report, err := load(t, "ENVIRONMENT=production", "EMAIL_PROVIDER=resend", "RESEND_API_KEY=k")
	if err != nil || len(report.Warnings) != 1 || report.Warnings[0].Name != "EMAIL_FROM_ADDRESS" {
		t.Errorf("%v, %v", report.Warnings, err)
	}
}
