package resend_test

import (
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/resend"
	"github.com/omnistack/omnistack/modules/notifications/internal/app"
	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/webhook/webhooktest"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Both ways are what the use cases drive.
var (
	_ app.Mailer   = (*resend.Mailer)(nil)
	_ app.Feedback = (*resend.Feedback)(nil)
)

// bounced is a webhook as https://resend.com/docs/webhooks/emails/bounced shows it.
const bounced = `{
	"type": "email.bounced", "created_at": "2026-03-01T11:59:58.126+01:00",
	"data": {
		"created_at": "2026-03-01T11:59:57.894719+00:00", "email_id": "56761188-7520-42d8-8898-ff6fc54ce618",
		"from": "Acme <hello@example.com>", "to": ["canary@example.org"], "subject": "Welcome",
		"bounce": {"message": "The recipient's address is on the suppression list", "subType": "Suppressed", "type": "Permanent"},
		"tags": {"kind": "welcome"}
	}
}`

func TestFeedback(t *testing.T) {
	feedback, err := resend.NewFeedback(clock.NewManual(now), webhooktest.Secret)
	if err != nil {
		t.Fatal(err)
	}
	want := domain.Feedback{Address: "canary@example.org", Reason: domain.Bounced, Permanent: true}
	passing, complaint := want, want
	passing.Permanent = false
	complaint.Reason = domain.Complained
	for name, test := range map[string]struct {
		body string
		want *domain.Feedback
	}{
		"permanent":    {bounced, &want},
		"transient":    {strings.Replace(bounced, `"Permanent"`, `"Transient"`, 1), &passing},
		"undetermined": {strings.Replace(bounced, `"Permanent"`, `"Undetermined"`, 1), &passing},
		"complained":   {strings.Replace(bounced, "email.bounced", "email.complained", 1), &complaint},
		"with a name":  {strings.Replace(bounced, `"canary@example.org"`, `"A <B> <canary@example.org>"`, 1), &want},
		"delivered":    {strings.Replace(bounced, "email.bounced", "email.delivered", 1), nil},
		"of something": {`{"type":"contact.created","created_at":"2026-03-01T11:59:58Z","data":{}}`, nil},
	} {
		got, err := feedback.Read(webhooktest.Of(webhooktest.Sign(t, "svix-", webhooktest.Secret, "msg_1", now, []byte(test.body))), []byte(test.body))
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want == nil && got != nil, test.want != nil && (len(got) != 1 || got[0] != *test.want):
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestFeedbackThatIsNotRightIsRefused(t *testing.T) {
	feedback, err := resend.NewFeedback(clock.NewManual(now), webhooktest.Secret)
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{
		"no JSON":    `canary`,
		"a list":     `["canary"]`,
		"no address": `{"type":"email.bounced","created_at":"2026-03-01T11:59:58Z","data":{"to":[]}}`,
	} {
		got, err := feedback.Read(webhooktest.Of(webhooktest.Sign(t, "svix-", webhooktest.Secret, "msg_1", now, []byte(body))), []byte(body))
		if !errs.Is(err, errs.Malformed) || got != nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	unsigned := webhooktest.Sign(t, "svix-", webhooktest.Secret, "msg_1", now, []byte(`{}`))
	if got, err := feedback.Read(webhooktest.Of(unsigned), []byte(bounced)); !errs.Is(err, errs.Malformed) || got != nil {
		t.Errorf("an unsigned one: %v, %v", got, err)
	}
	if _, err := resend.NewFeedback(clock.NewManual(now), ""); err == nil {
		t.Error("an empty secret is taken")
	}
}
