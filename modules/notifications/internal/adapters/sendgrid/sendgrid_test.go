package sendgrid_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/sendgrid"
	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
)

const key = "SG.canary.key"

func letter() domain.Mail {
	return domain.Mail{
		Key: "01a214e3-d424-7aee-8d82-a112b91ec602", Kind: "welcome",
		From:    domain.Address{Email: "hello@example.com", Name: "Acme"},
		To:      []domain.Address{{Email: "canary@example.org", Name: "Jörg"}, {Email: "bob@example.org"}},
		Subject: "Welcome", HTML: "<p>Hi</p>", Text: "Hi",
	}
}

// service is SendGrid as its documentation has it: it answers with a status and a body.
func service(t *testing.T, status int, body string) (*sendgrid.Mailer, *http.Request, *bytes.Buffer) {
	t.Helper()
	request, text := &http.Request{}, &bytes.Buffer{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*request = *r
		_, _ = io.Copy(text, r.Body)
		w.Header().Set("X-Message-Id", "14c5d75ce93")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return sendgrid.New(sendgrid.Options{Key: key, BaseURL: server.URL + "/"}), request, text
}

func TestWhatSendGridGets(t *testing.T) {
	mailer, request, text := service(t, 202, "")
	mail := letter()
	mail.ReplyTo, mail.Unsubscribe = &domain.Address{Email: "team@example.com", Name: "Team"}, "https://example.com/u/abc"
	receipt, err := mailer.Send(t.Context(), mail)
	if err != nil || receipt != "14c5d75ce93" {
		t.Fatalf("%q, %v", receipt, err)
	}
	if request.Method != "POST" || request.URL.Path != "/v3/mail/send" || request.Header.Get("Authorization") != "Bearer "+key ||
		request.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s %v", request.Method, request.URL, request.Header)
	}
	wantJSON(t, text.String(), `{
		"personalizations": [{"to": [{"email": "canary@example.org", "name": "Jörg"}, {"email": "bob@example.org"}]}],
		"from": {"email": "hello@example.com", "name": "Acme"}, "reply_to": {"email": "team@example.com", "name": "Team"},
		"subject": "Welcome",
		"content": [{"type": "text/plain", "value": "Hi"}, {"type": "text/html", "value": "<p>Hi</p>"}],
		"headers": {
			"Message-ID": "<01a214e3-d424-7aee-8d82-a112b91ec602@example.com>",
			"List-Unsubscribe": "<https://example.com/u/abc>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"
		},
		"categories": ["welcome"], "custom_args": {"mail_key": "01a214e3-d424-7aee-8d82-a112b91ec602"},
		"tracking_settings": {
			"click_tracking": {"enable": false}, "open_tracking": {"enable": false}, "subscription_tracking": {"enable": false}
		}
	}`)
}

func TestOnlyWhatThereIsIsSent(t *testing.T) {
	mailer, _, text := service(t, 202, "")
	mail := letter()
	mail.Kind, mail.Text, mail.To = "", "", mail.To[1:]
	if _, err := mailer.Send(t.Context(), mail); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"reply_to", "categories", "text/plain", "List-Unsubscribe", `"name":""`} {
		if strings.Contains(text.String(), part) {
			t.Errorf("there is %s in %s", part, text)
		}
	}
}

func wantJSON(t *testing.T, got, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("it got %s", got)
	}
}

// The statuses of https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/errors.
func TestErrorsAreToldApart(t *testing.T) {
	for status, kind := range map[int]errs.Kind{
		400: errs.Invalid, 413: errs.Invalid, 401: errs.External, 403: errs.External, 404: errs.External, 406: errs.External,
		429: errs.RateLimited, 451: errs.External, 500: errs.External, 503: errs.Unavailable, 504: errs.Timeout, 307: errs.External,
	} {
		mailer, _, _ := service(t, status, `{"errors":[{"message":"canary@example.org is no address","field":"personalizations.0.to.0.email","help":"canary"}]}`)
		_, err := mailer.Send(t.Context(), letter())
		if !errs.Is(err, kind) {
			t.Errorf("%d: the error is %v, want %s", status, err, kind.Code())
			continue
		}
		if !strings.Contains(err.Error(), "personalizations.0.to.0.email") || strings.Contains(err.Error(), "canary") {
			t.Errorf("%d: the error says %v", status, err)
		}
	}
}

// What is wrong with us loses no mail.
func TestOnlyWhatIsTheMailsFaultIsFinal(t *testing.T) {
	for body, kind := range map[string]errs.Kind{
		`{"errors":[{"field":"personalizations.0.to.0.email"}]}`:                  errs.Invalid,
		`{"errors":[{"field":"subject"},{"field":"content.0.value"}]}`:            errs.Invalid,
		`{"errors":[{"field":"from.email"}]}`:                                     errs.External,
		`{"errors":[{"field":"personalizations.0.to.0.email"},{"field":"from"}]}`: errs.External,
		`{"errors":[{"field":"mail_settings.sandbox_mode"}]}`:                     errs.External,
		`{"errors":[{"field":null,"message":"Maximum credits exceeded"}]}`:        errs.External,
		`{"errors":[]}`: errs.External,
		"":              errs.External,
	} {
		mailer, _, _ := service(t, 400, body)
		if _, err := mailer.Send(t.Context(), letter()); !errs.Is(err, kind) {
			t.Errorf("%s: %v, want %s", body, err, kind.Code())
		}
	}
}

func TestGarbageIsNotRepeated(t *testing.T) {
	for _, body := range []string{
		"", "<html>canary</html>", `{"errors":[{"field":"canary @"}]}`, `{"errors":"canary"}`, `{"errors":[{"field":null}]}`,
		strings.Repeat("canary", 1<<16),
	} {
		mailer, _, _ := service(t, 500, body)
		if _, err := mailer.Send(t.Context(), letter()); !errs.Is(err, errs.External) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%v", err)
		}
	}
}

func TestAMailThatNobodyMayGetIsNotSent(t *testing.T) {
	mailer, request, _ := service(t, 202, "")
	mail := letter()
	mail.From.Email = "canary"
	if _, err := mailer.Send(t.Context(), mail); !errs.Is(err, errs.Invalid) || request.Method != "" {
		t.Errorf("%v", err)
	}
}
