package notificationsmod_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/console"
	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/resend"
	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/sendgrid"
	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/smtp"
	"github.com/omnistack/omnistack/modules/notifications/internal/app"
	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit"
)

// arrived is a mail as its reader gets it, whoever carried it.
type arrived struct {
	From, ReplyTo     string
	To                []string
	Subject           string
	HTML, Text        string
	Unsubscribe, Post string // the headers List-Unsubscribe and List-Unsubscribe-Post
	Key               string // what of the key was passed on
}

// carrier is a way that mail leaves, with whoever takes it at the other end.
type carrier struct {
	mailer app.Mailer
	got    func(t *testing.T) []arrived
	key    func(key string) string // what becomes of a key

	// failing returns a mailer whose other end answers so; nil for a carrier that has none.
	failing func(t *testing.T, end ending) app.Mailer
}

// ending is how the other end fails.
type ending string

const (
	silent  ending = "says nothing"
	nobody  ending = "isn't there"
	refuses ending = "refuses the mail"
	putsOff ending = "puts the mail off"
	locked  ending = "doesn't let us in"
)

// kinds says what becomes of a mail by how the other end fails.
var kinds = map[ending]errs.Kind{
	silent: errs.Timeout, nobody: errs.Unavailable, refuses: errs.Invalid, putsOff: errs.External, locked: errs.External,
}

func carriers(t *testing.T) map[string]carrier {
	return map[string]carrier{"resend": byResend(t), "sendgrid": bySendGrid(t), "smtp": bySMTP(t), "console": byConsole()}
}

// api is a carrier by HTTP: the mails that it was sent, and how it is made to fail.
type api struct {
	mu       sync.Mutex
	requests []*http.Request
	bodies   [][]byte
}

func (a *api) serve(t *testing.T, status int, answer string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.mu.Lock()
		a.requests, a.bodies = append(a.requests, r), append(a.bodies, body)
		a.mu.Unlock()
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// at returns where an API is that fails so.
func at(t *testing.T, end ending) string {
	switch end {
	case silent:
		return "http://" + testkit.Silence(t, "127.0.0.1:0")
	case nobody:
		return "http://" + vacant(t)
	}
	status := map[ending]int{refuses: 400, putsOff: 500, locked: 401}[end]
	return new(api).serve(t, status, `{"message":"Invalid `+"`to`"+` field: canary@example.org",`+
		`"errors":[{"message":"canary","field":"personalizations.0.to.0.email"}]}`)
}

// vacant returns an address where nobody listens.
func vacant(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// short is the timeout of a carrier whose other end says nothing.
func short(end ending) time.Duration {
	if end == silent {
		return 500 * time.Millisecond // enough for what is to have been said by then
	}
	return 0
}

func byResend(t *testing.T) carrier {
	var took api
	url := took.serve(t, 200, `{"id":"1"}`)
	return carrier{
		mailer: resend.New(resend.Options{Key: "re_canary", BaseURL: url}),
		key:    func(key string) string { return key },
		failing: func(t *testing.T, end ending) app.Mailer {
			return resend.New(resend.Options{Key: "re_canary", BaseURL: at(t, end), Timeout: short(end)})
		},
		got: func(t *testing.T) []arrived {
			var all []arrived
			for i, body := range took.bodies {
				var sent struct {
					From, Subject, HTML, Text string
					ReplyTo                   string `json:"reply_to"`
					To                        []string
					Headers                   map[string]string
				}
				if err := json.Unmarshal(body, &sent); err != nil {
					t.Fatal(err)
				}
				one := arrived{
					From: parsed(t, sent.From), Subject: sent.Subject, HTML: sent.HTML, Text: sent.Text,
					Unsubscribe: sent.Headers["List-Unsubscribe"], Post: sent.Headers["List-Unsubscribe-Post"],
					Key: took.requests[i].Header.Get("Idempotency-Key"),
				}
				if sent.ReplyTo != "" {
					one.ReplyTo = parsed(t, sent.ReplyTo)
				}
				for _, to := range sent.To {
					one.To = append(one.To, parsed(t, to))
				}
				all = append(all, one)
			}
			return all
		},
	}
}

// parsed reads an address as a mail program would.
func parsed(t *testing.T, text string) string {
	t.Helper()
	address, err := mail.ParseAddress(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return address.Name + "|" + address.Address
}

func bySendGrid(t *testing.T) carrier {
	var took api
	url := took.serve(t, 202, "")
	type address struct{ Email, Name string }
	text := func(a address) string { return a.Name + "|" + a.Email }
	return carrier{
		mailer: sendgrid.New(sendgrid.Options{Key: "SG.canary", BaseURL: url}),
		key:    func(key string) string { return key },
		failing: func(t *testing.T, end ending) app.Mailer {
			return sendgrid.New(sendgrid.Options{Key: "SG.canary", BaseURL: at(t, end), Timeout: short(end)})
		},
		got: func(t *testing.T) []arrived {
			var all []arrived
			for _, body := range took.bodies {
				var sent struct {
					Personalizations []struct{ To []address }
					From             address
					ReplyTo          *address `json:"reply_to"`
					Subject          string
					Content          []struct{ Type, Value string }
					Headers          map[string]string
					CustomArgs       map[string]string `json:"custom_args"`
				}
				if err := json.Unmarshal(body, &sent); err != nil {
					t.Fatal(err)
				}
				one := arrived{
					From: text(sent.From), Subject: sent.Subject, Key: sent.CustomArgs["mail_key"],
					Unsubscribe: sent.Headers["List-Unsubscribe"], Post: sent.Headers["List-Unsubscribe-Post"],
				}
				if sent.ReplyTo != nil {
					one.ReplyTo = text(*sent.ReplyTo)
				}
				for _, to := range sent.Personalizations[0].To {
					one.To = append(one.To, text(to))
				}
				one.Text, one.HTML = sent.Content[0].Value, sent.Content[1].Value
				all = append(all, one)
			}
			return all
		},
	}
}

func bySMTP(t *testing.T) carrier {
	server := testkit.NewMailServer(t, smtp.Plain)
	text := func(all []testkit.Mailbox) []string {
		var texts []string
		for _, one := range all {
			texts = append(texts, one.Name+"|"+one.Address)
		}
		return texts
	}
	first := func(all []string) string { return strings.Join(all[:min(len(all), 1)], "") }
	return carrier{
		mailer: smtp.New(smtp.Options{Host: server.Host, Port: server.Port, TLS: smtp.Plain}, clock.System{}),
		key:    func(key string) string { return key + "@example.com" },
		failing: func(t *testing.T, end ending) app.Mailer {
			host, port, err := net.SplitHostPort(mailServer(t, end))
			if err != nil {
				t.Fatal(err)
			}
			number, err := strconv.Atoi(port)
			if err != nil {
				t.Fatal(err)
			}
			options := smtp.Options{Host: host, Port: number, TLS: smtp.Plain, Timeout: short(end)}
			if end == locked {
				options.Username, options.Password = "canary", "canary"
			}
			return smtp.New(options, clock.System{})
		},
		got: func(t *testing.T) []arrived {
			var all []arrived
			for _, m := range server.Mails(t) {
				all = append(all, arrived{
					From: first(text(m.From)), ReplyTo: first(text(m.ReplyTo)), To: text(m.To), Subject: m.Subject, Key: m.MessageID,
					HTML: strings.ReplaceAll(m.HTML, "\r\n", "\n"), Text: strings.ReplaceAll(m.Text, "\r\n", "\n"),
					Unsubscribe: strings.Join(m.Header["List-Unsubscribe"], ""), Post: strings.Join(m.Header["List-Unsubscribe-Post"], ""),
				})
			}
			return all
		},
	}
}

// mailServer returns where a mail server is that fails so.
func mailServer(t *testing.T, end ending) string {
	switch end {
	case silent:
		return testkit.Silence(t, "127.0.0.1:0")
	case nobody:
		return vacant(t)
	}
	answer := map[ending]string{refuses: "550 5.1.1 canary@example.org", putsOff: "451 4.7.1 canary", locked: "535 5.7.8 canary"}[end]
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		// A client that sends one line at a time needs no more than the right answers in their order.
		for _, say := range []string{"220 here", "250-here\r\n250 AUTH PLAIN", "250 fine", answer, answer} {
			if end == locked && say == "250 fine" {
				say = answer
			}
			if _, err := io.WriteString(conn, say+"\r\n"); err != nil {
				return
			}
			if _, err := conn.Read(make([]byte, 4096)); err != nil {
				return
			}
		}
	}()
	return listener.Addr().String()
}

func byConsole() carrier {
	var out strings.Builder
	return carrier{mailer: console.New(&out, "", clock.System{})}
}

func letter(key string) domain.Mail {
	return domain.Mail{
		Key: key, Kind: "welcome", From: domain.Address{Email: "hello@example.com", Name: "Acme"},
		To: []domain.Address{{Email: "canary@example.org", Name: "Ada"}}, Subject: "Welcome", HTML: "<p>Hi</p>\n", Text: "Hi\n",
	}
}

// TestCarriersAgree sends the same mails every way, and they arrive alike.
func TestCarriersAgree(t *testing.T) {
	long := strings.Repeat("a very long line without an end ", 200) + "\n"
	for name, carrier := range carriers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simple, full, wild := letter("key-1"), letter("key-2"), letter("key-3")
			full.From.Name = "Acme, Inc. “Köln”"
			full.ReplyTo = &domain.Address{Email: "team@example.com", Name: "Jörg Müller"}
			full.To = []domain.Address{
				{Email: "ada@example.org", Name: `Ada "the first" (Countess); Lovelace`}, {Email: "bob@example.org"},
				{Email: "eve+tag@example.net", Name: "Ève 😀"}, {Email: "ADA@example.org", Name: "Again"},
			}
			full.Subject = "Grüße aus Köln 😀: " + strings.Repeat("ein langer Betreff ", 12)
			full.HTML, full.Text = "<p>Grüße 😀</p>"+long, "Grüße 😀\n.\n..\n"+long
			full.Unsubscribe = "https://example.com/api/v1/public/unsubscribe/abc.def?x=1"
			wild.Subject = "Hi\r\nBcc: eve@example.net\r\n\r\nbody\x00"
			wild.To[0].Name = "Ada\nBcc: eve@example.net"
			wild.From.Name = "Acme\r\n\r\n<script>"
			wild.ReplyTo = &domain.Address{Email: "team@example.com", Name: "T\r\nX-Evil: 1"}

			for _, mail := range []domain.Mail{simple, full, wild} {
				receipt, err := carrier.mailer.Send(t.Context(), mail)
				if err != nil {
					t.Fatal(err)
				}
				if receipt == "" && name != "sendgrid" { // ours sends no X-Message-Id
					t.Error("there is no receipt")
				}
			}
			if carrier.got == nil {
				return
			}
			got := carrier.got(t)
			want := []arrived{
				{From: "Acme|hello@example.com", To: []string{"Ada|canary@example.org"}, Subject: "Welcome", HTML: simple.HTML, Text: simple.Text},
				{
					From: full.From.Name + "|hello@example.com", ReplyTo: "Jörg Müller|team@example.com",
					To:      []string{full.To[0].Name + "|ada@example.org", "|bob@example.org", "Ève 😀|eve+tag@example.net"},
					Subject: strings.TrimSpace(full.Subject), HTML: full.HTML, Text: full.Text,
					Unsubscribe: "<" + full.Unsubscribe + ">", Post: "List-Unsubscribe=One-Click",
				},
				{
					From: "Acme <script>|hello@example.com", ReplyTo: "T X-Evil: 1|team@example.com",
					To: []string{"Ada Bcc: eve@example.net|canary@example.org"}, Subject: "Hi Bcc: eve@example.net body",
					HTML: wild.HTML, Text: wild.Text,
				},
			}
			if len(got) != len(want) {
				t.Fatalf("%d mails arrived, want %d", len(got), len(want))
			}
			for i := range want {
				want[i].Key = carrier.key([]string{"key-1", "key-2", "key-3"}[i])
				if !slices.Equal(got[i].To, want[i].To) {
					t.Errorf("it went to %q, want %q", got[i].To, want[i].To)
				}
				got[i].To, want[i].To = nil, nil
				a, _ := json.Marshal(got[i])
				b, _ := json.Marshal(want[i])
				if string(a) != string(b) {
					t.Errorf("there arrived\n%s, want\n%s", a, b)
				}
			}
		})
	}
}

// TestCarriersRefuseAlike sends what nobody may get.
func TestCarriersRefuseAlike(t *testing.T) {
	for name, carrier := range carriers(t) {
		for what, change := range map[string]func(*domain.Mail){
			"nobody":       func(m *domain.Mail) { m.To = nil },
			"no address":   func(m *domain.Mail) { m.To[0].Email = "canary" },
			"two in one":   func(m *domain.Mail) { m.To[0].Email = "canary@example.org, eve@example.net" },
			"a line break": func(m *domain.Mail) { m.From.Email = "canary@example.org\r\nBcc: eve@example.net" },
			"no key":       func(m *domain.Mail) { m.Key = "" },
			"a bad key":    func(m *domain.Mail) { m.Key = "a\r\nAuthorization: canary" },
			"empty":        func(m *domain.Mail) { m.HTML, m.Text = "", "" },
			"a bad link":   func(m *domain.Mail) { m.Unsubscribe = "https://canary>\r\nBcc: eve@example.net" },
		} {
			mail := letter("key")
			change(&mail)
			_, err := carrier.mailer.Send(t.Context(), mail)
			if !errs.Is(err, errs.Invalid) || errs.From(err).Kind.Retryable() {
				t.Errorf("%s, %s: %v", name, what, err)
				continue
			}
			wantDiscreet(t, err)
		}
		if carrier.got != nil && len(carrier.got(t)) > 0 {
			t.Errorf("%s: something was sent", name)
		}
	}
}

// TestCarriersFailAlike meets other ends that fail.
func TestCarriersFailAlike(t *testing.T) {
	for name, carrier := range carriers(t) {
		if carrier.failing == nil {
			continue
		}
		for end, kind := range kinds {
			t.Run(name+" "+string(end), func(t *testing.T) {
				t.Parallel()
				_, err := carrier.failing(t, end).Send(t.Context(), letter("key"))
				if !errs.Is(err, kind) || errs.From(err).Details["service"] != name {
					t.Fatalf("the error is %v, want %s", err, kind.Code())
				}
				// Whoever speaks HTTP has said all by then; a mail server greets first.
				if unknown := end == silent && name != "smtp"; errors.Is(err, errs.ErrUnanswered) != unknown {
					t.Errorf("somebody knows whether it was sent, or doesn't, against all sense: %v", err)
				}
				if kind.Retryable() == (end == refuses) {
					t.Error("it's tried again, or isn't, against all sense")
				}
				wantDiscreet(t, err)
			})
		}
	}
}

func TestCarriersStopWhenTheCallerGoes(t *testing.T) {
	for name, carrier := range carriers(t) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := carrier.mailer.Send(ctx, letter("key"))
		if !errs.Is(err, errs.Unavailable) || !errs.From(err).Kind.Retryable() {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantDiscreet(t, err)
		if carrier.got != nil && len(carrier.got(t)) > 0 {
			t.Errorf("%s: something was sent", name)
		}
	}
}

// wantDiscreet checks that an error gives nothing of the mail or of our secrets away.
func wantDiscreet(t *testing.T, err error) {
	t.Helper()
	if text := err.Error(); strings.Contains(text, "canary") || strings.Contains(text, "@") {
		t.Errorf("the error says %s", text)
	}
}
