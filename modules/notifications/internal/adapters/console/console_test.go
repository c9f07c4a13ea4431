package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/console"
	"github.com/omnistack/omnistack/modules/notifications/internal/app"
	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/testkit"
)

var _ app.Mailer = (*console.Mailer)(nil)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func letter(key string) domain.Mail {
	return domain.Mail{
		Key: key, Kind: "welcome", From: domain.Address{Email: "hello@example.com", Name: "Acme"},
		To: []domain.Address{{Email: "ada@example.org", Name: "Ada"}, {Email: "bob@example.org"}}, Subject: "Welcome, <b>Ada</b>",
		HTML:        `<!doctype html><html><head lang="en"><title>x</title></head><body><a href="http://localhost:3000/start?a=1&amp;b=2">Start</a></body></html>`,
		Text:        "Hi Ada\n\nStart (http://localhost:3000/start?a=1&b=2).\n<script>alert(1)</script>",
		Unsubscribe: "http://localhost:8000/u/abc",
	}
}

// product is a server with the pages.
func product(t *testing.T, mailer *console.Mailer, environment config.Environment) *httpserver.Server {
	t.Helper()
	log, _ := testkit.Logger(t)
	server := httpserver.New(httpserver.Options{
		Title: "Test", HTTP: config.HTTP{APIPrefix: "/api/v1", BodyLimit: 1 << 20, RequestTimeout: 10 * time.Second},
	}, log)
	mailer.Register(server.Router("notifications"), environment)
	return server
}

func get(server *httpserver.Server, client, host, path string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.RemoteAddr, request.Host = client, host
	answer := httptest.NewRecorder()
	server.Handler().ServeHTTP(answer, request)
	return answer
}

func getHere(server *httpserver.Server, path string) *httptest.ResponseRecorder {
	return get(server, "127.0.0.1:1", "localhost:8000", path)
}

func TestMailIsPrinted(t *testing.T) {
	var out strings.Builder
	mailer := console.New(&out, "http://localhost:8000/", clock.NewManual(now))
	mail := letter("1")
	mail.ReplyTo = &domain.Address{Email: "team@example.com"}
	mail.Text += "\x1b[31mred\x07\r\nend"
	receipt, err := mailer.Send(t.Context(), mail)
	if err != nil || receipt != "1" {
		t.Fatalf("%q, %v", receipt, err)
	}
	want := `
--- Mail 1 ------------------------------------------------------------
From:        Acme <hello@example.com>
To:          Ada <ada@example.org>, bob@example.org
Reply-To:    team@example.com
Subject:     Welcome, <b>Ada</b>
Unsubscribe: http://localhost:8000/u/abc

Hi Ada

Start (http://localhost:3000/start?a=1&b=2).
<script>alert(1)</script>[31mred
end

Open it:     http://localhost:8000/dev/mail/1
------------------------------------------------------------------------
`
	if out.String() != want {
		t.Errorf("it prints %q", out.String())
	}

	out.Reset()
	mail.Key, mail.Text = "2", ""
	if _, err := console.New(&out, "", clock.NewManual(now)).Send(t.Context(), mail); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, "(HTML only)") || strings.Contains(text, "Open it") {
		t.Errorf("it prints %s", text)
	}
}

func TestTheSameKeyIsShownOnce(t *testing.T) {
	var out strings.Builder
	mailer := console.New(&out, "", clock.NewManual(now))
	for range 3 {
		if receipt, err := mailer.Send(t.Context(), letter("1")); err != nil || receipt != "1" {
			t.Errorf("%q, %v", receipt, err)
		}
	}
	if strings.Count(out.String(), "Welcome") != 1 {
		t.Errorf("it prints %s", out.String())
	}
}

func TestWhatIsNotShown(t *testing.T) {
	var out strings.Builder
	mailer := console.New(&out, "", clock.NewManual(now))
	mail := letter("1")
	mail.To = nil
	if _, err := mailer.Send(t.Context(), mail); !errs.Is(err, errs.Invalid) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := mailer.Send(ctx, letter("1")); !errs.Is(err, errs.Unavailable) {
		t.Errorf("%v", err)
	}
	if out.String() != "" {
		t.Errorf("it prints %s", out.String())
	}
}

func TestPages(t *testing.T) {
	mailer := console.New(&strings.Builder{}, "", clock.NewManual(now))
	server := product(t, mailer, config.Local)
	if body := getHere(server, "/dev/mail").Body.String(); !strings.Contains(body, "No mail yet.") {
		t.Errorf("the empty list is %s", body)
	}
	for _, key := range []string{"1", "2"} {
		if _, err := mailer.Send(t.Context(), letter(key)); err != nil {
			t.Fatal(err)
		}
	}

	for path, test := range map[string]struct {
		policy   string
		has, not []string
	}{
		"/dev/mail": {
			"default-src 'none'; style-src 'unsafe-inline';",
			[]string{`href="/dev/mail/2"`, `href="/dev/mail/1"`, "Welcome, &lt;b&gt;Ada&lt;/b&gt;", "12:00:00", "Ada &lt;ada@example.org&gt;"},
			[]string{"<b>Ada", "<script"},
		},
		"/dev/mail/2": {
			"frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			[]string{
				`sandbox="allow-popups allow-popups-to-escape-sandbox"`, `src="/dev/mail/2/html"`, "2@example.com",
				`(<a href="http://localhost:3000/start?a=1&amp;b=2" target="_blank" rel="noopener noreferrer">http://localhost:3000/start?a=1&amp;b=2</a>).`,
				"&lt;script&gt;", "http://localhost:8000/u/abc", "2026-03-01 12:00:00 UTC",
			},
			[]string{"<b>Ada", "<script", "allow-scripts", "allow-same-origin"},
		},
		"/dev/mail/2/html": {
			"frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox",
			[]string{`<head lang="en"><base target="_blank"><title>`, `<a href="http://localhost:3000/start?a=1&amp;b=2">`},
			nil,
		},
	} {
		answer := getHere(server, path)
		body, policy := answer.Body.String(), answer.Header().Get("Content-Security-Policy")
		if answer.Code != 200 || answer.Header().Get("Content-Type") != "text/html; charset=utf-8" || answer.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", path, answer.Code, answer.Header())
		}
		if !strings.Contains(policy, test.policy) || strings.Contains(policy, "script-src") || !strings.HasPrefix(policy, "default-src 'none'") {
			t.Errorf("%s: the policy is %s", path, policy)
		}
		for _, part := range test.has {
			if !strings.Contains(body, part) {
				t.Errorf("%s lacks %s:\n%s", path, part, body)
			}
		}
		for _, part := range test.not {
			if strings.Contains(body, part) {
				t.Errorf("%s holds %s:\n%s", path, part, body)
			}
		}
	}
	if body := getHere(server, "/dev/mail").Body.String(); strings.Index(body, "/dev/mail/2") > strings.Index(body, "/dev/mail/1") {
		t.Error("the newest isn't the first")
	}
	for path, status := range map[string]int{"/dev/mail/3": 404, "/dev/mail/3/html": 404, "/dev/mail/0": 422, "/dev/mail/x": 422} {
		if answer := getHere(server, path); answer.Code != status {
			t.Errorf("%s: %d, want %d", path, answer.Code, status)
		}
	}
}

func TestMailWithoutOneForm(t *testing.T) {
	mailer := console.New(&strings.Builder{}, "", clock.NewManual(now))
	server := product(t, mailer, config.Test)
	plain, rich := letter("1"), letter("2")
	plain.HTML, rich.Text = "", ""
	rich.HTML = "<p>No head</p>"
	for _, mail := range []domain.Mail{plain, rich} {
		if _, err := mailer.Send(t.Context(), mail); err != nil {
			t.Fatal(err)
		}
	}
	for path, part := range map[string]string{
		"/dev/mail/1": "There is none.", "/dev/mail/2": "There is none.", "/dev/mail/2/html": `<base target="_blank"><p>No head</p>`,
	} {
		if body := getHere(server, path).Body.String(); !strings.Contains(body, part) {
			t.Errorf("%s is %s", path, body)
		}
	}
}

// Links are secrets: nobody else on the network sees a mail, nor does a page that leads a name of its own here.
func TestThePagesAreForThisMachine(t *testing.T) {
	mailer := console.New(&strings.Builder{}, "", clock.NewManual(now))
	server := product(t, mailer, config.Local)
	if _, err := mailer.Send(t.Context(), letter("1")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/dev/mail", "/dev/mail/1", "/dev/mail/1/html", "/dev/mail/x"} {
		for _, from := range [][2]string{{"192.0.2.1:1", "localhost:8000"}, {"127.0.0.1:1", "evil.example"}} {
			if answer := get(server, from[0], from[1], path); answer.Code != 404 || strings.Contains(answer.Body.String(), "Ada") {
				t.Errorf("%s from %s to %s: %d %s", path, from[0], from[1], answer.Code, answer.Body)
			}
		}
	}
	for _, environment := range []config.Environment{config.Staging, config.Production} {
		if answer := getHere(product(t, mailer, environment), "/dev/mail"); answer.Code != 404 {
			t.Errorf("in %s: %d", environment, answer.Code)
		}
	}
}

func TestTheLastFiftyAreKept(t *testing.T) {
	mailer := console.New(&strings.Builder{}, "", clock.NewManual(now))
	server := product(t, mailer, config.Local)
	var sending sync.WaitGroup
	for i := range 60 {
		sending.Go(func() {
			if _, err := mailer.Send(t.Context(), letter(fmt.Sprint("key-", i))); err != nil {
				t.Error(err)
			}
		})
	}
	sending.Wait()
	if body := getHere(server, "/dev/mail").Body.String(); strings.Count(body, `<td><a href="/dev/mail/`) != 50 {
		t.Errorf("%d are kept", strings.Count(body, `<td><a href="/dev/mail/`))
	}
	for path, status := range map[string]int{"/dev/mail/10": 404, "/dev/mail/11": 200, "/dev/mail/60": 200} {
		if answer := getHere(server, path); answer.Code != status {
			t.Errorf("%s: %d, want %d", path, answer.Code, status)
		}
	}
}
