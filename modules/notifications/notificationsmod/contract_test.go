package notificationsmod_test

import (
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/notifications"
	"github.com/omnistack/omnistack/modules/notifications/notificationstest"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit"
)

// The real port and its fake keep one contract, so that other modules' tests with the fake are worth something.

func TestTheModuleKeepsTheContract(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		module := newModule(t, db)
		keepsMail(t, module.Mail(), func() int { return testkit.Rows(t, db, "notifications_mails", "") })
	})
}

func TestTheFakeKeepsTheContract(t *testing.T) {
	fake := &notificationstest.Mail{Now: func() time.Time { return now }}
	keepsMail(t, fake, func() int { return len(fake.Sent()) })
}

func keepsMail(t *testing.T, mail notifications.Mail, kept func() int) {
	t.Helper()
	eve := notifications.Address{Email: "eve@example.com", Name: "Eve"}
	to := []notifications.Address{eve, {Email: "dan@example.com"}}
	welcome := notifications.Message{To: to, Template: "welcome", Data: []byte(`{"name": "Eve"}`)}
	raw := notifications.RawMessage{To: to, Subject: "s", HTML: "<p>h</p>", Text: "t"}
	reset := notifications.PasswordReset{To: eve, Link: "https://app.example.com/r?t=1", Expires: now.Add(time.Hour)}

	for _, step := range []struct {
		what string
		send func() error
		kept int
	}{
		{"a template", func() error { return mail.Send(t.Context(), "k1", welcome) }, 1},
		{"the same again", func() error { return mail.Send(t.Context(), "k1", welcome) }, 1},
		{"another with the key", func() error { return mail.SendRaw(t.Context(), "k1", raw) }, 1},
		{"words", func() error { return mail.SendRaw(t.Context(), "k2", raw) }, 2},
		{"words without HTML", func() error {
			return mail.SendRaw(t.Context(), "k3", notifications.RawMessage{To: to, From: &eve, Subject: "s", Text: "t"})
		}, 3},
		{"a reset", func() error { return mail.SendPasswordReset(t.Context(), "k4", reset) }, 4},
		{"the reset again", func() error { return mail.SendPasswordReset(t.Context(), "k4", reset) }, 4},
	} {
		if err := step.send(); err != nil || kept() != step.kept {
			t.Errorf("%s: %d mails are kept, %v", step.what, kept(), err)
		}
	}
	for what, send := range map[string]func() error{
		"no key": func() error { return mail.SendRaw(t.Context(), "", raw) },
		"nobody": func() error { return mail.SendRaw(t.Context(), "b", notifications.RawMessage{Subject: "s", Text: "t"}) },
		"no address": func() error {
			return mail.SendRaw(t.Context(), "b", notifications.RawMessage{To: []notifications.Address{{Email: "eve"}}, Subject: "s", Text: "t"})
		},
		"a wrong sender": func() error {
			return mail.Send(t.Context(), "b", notifications.Message{To: to, From: &notifications.Address{}, Template: "welcome", Data: welcome.Data})
		},
		"a header injected": func() error {
			return mail.SendRaw(t.Context(), "b", notifications.RawMessage{To: to, Subject: "s\r\nBcc: b", Text: "t"})
		},
		"no words": func() error { return mail.SendRaw(t.Context(), "b", notifications.RawMessage{To: to, Subject: "s"}) },
		"an unknown template": func() error {
			return mail.Send(t.Context(), "b", notifications.Message{To: to, Template: "farewell", Data: []byte(`{}`)})
		},
		"a field missing": func() error {
			return mail.Send(t.Context(), "b", notifications.Message{To: to, Template: "welcome", Data: []byte(`{}`)})
		},
		"a field null": func() error {
			return mail.Send(t.Context(), "b", notifications.Message{To: to, Template: "welcome", Data: []byte(`{"name": null}`)})
		},
		"a field unknown": func() error {
			return mail.Send(t.Context(), "b", notifications.Message{To: to, Template: "welcome", Data: []byte(`{"name": "", "x": 1}`)})
		},
		"no data": func() error { return mail.Send(t.Context(), "b", notifications.Message{To: to, Template: "welcome"}) },
		"no link": func() error {
			return mail.SendPasswordReset(t.Context(), "b", notifications.PasswordReset{To: eve, Link: "r", Expires: now.Add(time.Hour)})
		},
		"an expired link": func() error {
			return mail.SendPasswordReset(t.Context(), "b", notifications.PasswordReset{To: eve, Link: reset.Link, Expires: now})
		},
	} {
		if err := send(); !errs.Is(err, errs.Invalid) || kept() != 4 {
			t.Errorf("%s: %v, and %d mails are kept", what, err, kept())
		}
	}
}
