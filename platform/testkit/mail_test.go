package testkit

import (
	"crypto/tls"
	"net/smtp"
	"os"
	"strings"
	"testing"
)

func TestMailServerTakesMail(t *testing.T) {
	t.Parallel()
	server := NewMailServer(t, "none")
	if got := server.Mails(t); len(got) != 0 {
		t.Fatalf("a new server holds %d mails", len(got))
	}
	for _, subject := range []string{"=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Second"} {
		message := "From: Ann <ann@example.com>\r\nTo: \"Bob, B.\" <bob@example.org>\r\nReply-To: team@example.com\r\nSubject: " + subject +
			"\r\nMessage-ID: <1@example.com>\r\nX-Other: a\r\n b\r\n\r\nHello\r\n"
		if err := smtp.SendMail(server.Address(), nil, "ann@example.com", []string{"bob@example.org"}, []byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	got := server.Mails(t)
	if len(got) != 2 || got[0].Subject != "Grüße" || got[1].Subject != "Second" {
		t.Fatalf("%d mails arrived: %+v", len(got), got)
	}
	first := got[0]
	if first.From[0] != (Mailbox{"Ann", "ann@example.com"}) || first.To[0] != (Mailbox{"Bob, B.", "bob@example.org"}) ||
		first.ReplyTo[0].Address != "team@example.com" || first.MessageID != "1@example.com" || strings.TrimSpace(first.Text) != "Hello" ||
		first.Header["X-Other"][0] != "a b" || !strings.Contains(string(first.Raw), "X-Other: a\r\n b\r\n") {
		t.Errorf("%+v\n%s", first, first.Raw)
	}
}

func TestSecureMailServersInsist(t *testing.T) {
	t.Parallel()
	server := NewMailServer(t, "starttls")
	if server.Username == "" || server.Password == "" {
		t.Errorf("there is no login: %+v", server)
	}
	if err := smtp.SendMail(server.Address(), nil, "a@example.com", []string{"b@example.org"}, nil); err == nil {
		t.Error("mail is taken without TLS and login")
	}
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: NewMailServer(t, "tls").Roots}}
	server = NewMailServer(t, "tls")
	if _, err := dialer.DialContext(t.Context(), "tcp", server.Address()); err == nil {
		t.Error("two servers have one certificate")
	}
	dialer.Config.RootCAs = server.Roots
	conn, err := dialer.DialContext(t.Context(), "tcp", server.Address())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

func TestAMailServerEndsWithItsTest(t *testing.T) {
	t.Parallel()
	var server *MailServer
	t.Run("a test", func(t *testing.T) { server = NewMailServer(t, "none") })
	if server == nil {
		return // a quick run
	}
	if listening(server.Address()) {
		t.Error("it still runs")
	}
	if _, err := os.Stat(server.folder); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", server.folder, err)
	}
}
