package smtp_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/smtp"
	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func letter() domain.Mail {
	return domain.Mail{
		Key: "01a214e3-d424-7aee-8d82-a112b91ec602", Kind: "welcome",
		From:    domain.Address{Email: "hello@example.com", Name: "Acme"},
		To:      []domain.Address{{Email: "canary@example.org", Name: "Ada"}},
		Subject: "Welcome", HTML: "<p>Hi</p>", Text: "Hi",
	}
}

func connect(server *testkit.MailServer, protection string) *smtp.Mailer {
	return smtp.New(smtp.Options{
		Host: server.Host, Port: server.Port, Username: server.Username, Password: config.Secret(server.Password),
		TLS: protection, Roots: server.Roots,
	}, clock.NewManual(now))
}

func TestMailArrives(t *testing.T) {
	for _, protection := range []string{smtp.Plain, smtp.StartTLS, smtp.TLS} {
		t.Run(protection, func(t *testing.T) {
			t.Parallel()
			server := testkit.NewMailServer(t, protection)
			mail := letter()
			mail.ReplyTo = &domain.Address{Email: "team@example.com", Name: "Das Team, Köln"}
			mail.To = append(mail.To, domain.Address{Email: "bob@example.org", Name: `Bob "Builder"`})
			mail.Subject = "Willkommen, Jörg 😀 " + strings.Repeat("und noch ein wenig länger ", 10)
			mail.Text = "Grüße\n" + strings.Repeat("x", 3000) + "\n.\nend"
			mail.HTML = "<p>Grüße</p>" + strings.Repeat("y", 3000)
			mail.Unsubscribe = "https://example.com/unsubscribe/abc?kind=welcome"

			receipt, err := connect(server, protection).Send(t.Context(), mail)
			if err != nil || receipt != mail.Key+"@example.com" {
				t.Fatalf("%q, %v", receipt, err)
			}
			got := server.Mails(t)
			if len(got) != 1 {
				t.Fatalf("%d mails arrived", len(got))
			}
			m := got[0]
			if m.From[0] != (testkit.Mailbox{Name: "Acme", Address: "hello@example.com"}) ||
				m.ReplyTo[0] != (testkit.Mailbox{Name: "Das Team, Köln", Address: "team@example.com"}) ||
				len(m.To) != 2 || m.To[0].Address != "canary@example.org" || m.To[1] != (testkit.Mailbox{Name: `Bob "Builder"`, Address: "bob@example.org"}) {
				t.Errorf("from %v, reply to %v, to %v", m.From, m.ReplyTo, m.To)
			}
			if m.Subject != strings.TrimSpace(mail.Subject) || m.MessageID != receipt {
				t.Errorf("subject %q, id %q", m.Subject, m.MessageID)
			}
			if plain := strings.ReplaceAll(m.Text, "\r\n", "\n"); plain != mail.Text || m.HTML != mail.HTML {
				t.Errorf("text %q\nhtml %q", plain, m.HTML)
			}
			for name, want := range map[string]string{
				"List-Unsubscribe":      "<" + mail.Unsubscribe + ">",
				"List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
				"Date":                  "Sun, 01 Mar 2026 12:00:00 +0000",
				"Mime-Version":          "1.0",
			} {
				if values := m.Header[name]; len(values) != 1 || values[0] != want {
					t.Errorf("%s is %q, want %q", name, values, want)
				}
			}
			if kind := m.Header["Content-Type"]; len(kind) != 1 || !strings.HasPrefix(kind[0], "multipart/alternative") {
				t.Errorf("the type is %q", kind)
			}
			for line := range bytes.SplitSeq(m.Raw, []byte("\n")) {
				if len(line) > 998 || bytes.ContainsFunc(line, func(r rune) bool { return r > 126 }) {
					t.Errorf("a line of %d bytes: %q", len(line), line)
				}
			}
		})
	}
}

func TestTheSameKeyHasTheSameMessageID(t *testing.T) {
	server := testkit.NewMailServer(t, smtp.Plain)
	for range 2 {
		if _, err := connect(server, smtp.Plain).Send(t.Context(), letter()); err != nil {
			t.Fatal(err)
		}
	}
	if got := server.Mails(t); len(got) != 2 || got[0].MessageID != got[1].MessageID || got[0].MessageID == "" {
		t.Errorf("%+v", got)
	}
}

func TestOneFormIsEnough(t *testing.T) {
	server := testkit.NewMailServer(t, smtp.Plain)
	plain, rich := letter(), letter()
	plain.HTML, rich.Text = "", ""
	for _, mail := range []domain.Mail{plain, rich} {
		if _, err := connect(server, smtp.Plain).Send(t.Context(), mail); err != nil {
			t.Fatal(err)
		}
	}
	got := server.Mails(t)
	if len(got) != 2 || strings.TrimSpace(got[0].Text) != "Hi" || got[0].HTML != "" ||
		strings.TrimSpace(got[1].HTML) != "<p>Hi</p>" {
		t.Errorf("%+v", got)
	}
}

func TestAWrongPasswordLosesNoMail(t *testing.T) {
	server := testkit.NewMailServer(t, smtp.StartTLS)
	server.Password = "canary-password"
	_, err := connect(server, smtp.StartTLS).Send(t.Context(), letter())
	wantTransient(t, err, errs.External, "check its login")
	if len(server.Mails(t)) != 0 {
		t.Error("a mail arrived")
	}
}

func TestAnUnknownCertificateIsRefused(t *testing.T) {
	for _, protection := range []string{smtp.StartTLS, smtp.TLS} {
		server := testkit.NewMailServer(t, protection)
		server.Roots = nil
		_, err := connect(server, protection).Send(t.Context(), letter())
		wantTransient(t, err, errs.External, "certificate")
		if len(server.Mails(t)) != 0 {
			t.Error("a mail arrived")
		}
	}
}

// wantTransient checks that the error is of the kind, is tried again, says the part and gives nothing away.
func wantTransient(t *testing.T, err error, kind errs.Kind, part string) {
	t.Helper()
	if !errs.Is(err, kind) || !errs.From(err).Kind.Retryable() {
		t.Errorf("the error is %v, want %s", err, kind.Code())
		return
	}
	wantText(t, err, part)
}

func wantText(t *testing.T, err error, part string) {
	t.Helper()
	if !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "@") {
		t.Errorf("the error says %v", err)
	}
}
