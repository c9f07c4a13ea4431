package resend_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/resend"
	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
)

const key = "re_canary_key"

func letter() domain.Mail {
	return domain.Mail{
		Key: "01a214e3-d424-7aee-8d82-a112b91ec602", Kind: "projects.deleted",
		From:    domain.Address{Email: "hello@example.com", Name: "Acme, Inc."},
		To:      []domain.Address{{Email: "canary@example.org", Name: "Jörg"}, {Email: "bob@example.org"}},
		Subject: "Welcome", HTML: "<p>Hi</p>", Text: "Hi",
	}
}

// service is Resend as its documentation has it: it answers with a status and a body.
func service(t *testing.T, status int, body string) (*resend.Mailer, *http.Request, *bytes.Buffer) {
	t.Helper()
	request, text := &http.Request{}, &bytes.Buffer{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*request = *r
		_, _ = io.Copy(text, r.Body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return resend.New(resend.Options{Key: key, BaseURL: server.URL + "/"}), request, text
}

func TestWhatResendGets(t *testing.T) {
	mailer, request, text := service(t, 200, `{"id":"49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}`)
	mail := letter()
	mail.ReplyTo, mail.Unsubscribe = &domain.Address{Email: "team@example.com"}, "https://example.com/u/abc"
	receipt, err := mailer.Send(t.Context(), mail)
	if err != nil || receipt != "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794" {
		t.Fatalf("%q, %v", receipt, err)
	}
	if request.Method != "POST" || request.URL.Path != "/emails" {
		t.Errorf("%s %s", request.Method, request.URL)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer " + key, "Idempotency-Key": mail.Key, "Content-Type": "application/json", "User-Agent": "OmniStack",
	} {
		if got := request.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	wantJSON(t, text.String(), `{
		"from": "\"Acme, Inc.\" <hello@example.com>", "to": ["Jörg <canary@example.org>", "bob@example.org"],
		"reply_to": "team@example.com", "subject": "Welcome", "html": "<p>Hi</p>", "text": "Hi",
		"headers": {"List-Unsubscribe": "<https://example.com/u/abc>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
		"tags": [{"name": "kind", "value": "projects_deleted"}]
	}`)
}

func TestOnlyWhatThereIsIsSent(t *testing.T) {
	mailer, _, text := service(t, 200, `not JSON`)
	mail := letter()
	mail.Kind, mail.HTML, mail.To, mail.From.Name = "", "", mail.To[1:], ""
	if receipt, err := mailer.Send(t.Context(), mail); err != nil || receipt != "" {
		t.Errorf("%q, %v", receipt, err)
	}
	wantJSON(t, text.String(), `{"from": "hello@example.com", "to": ["bob@example.org"], "subject": "Welcome", "text": "Hi"}`)
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

// The statuses and names of https://resend.com/docs/api-reference/errors.
func TestErrorsAreToldApart(t *testing.T) {
	for _, test := range []struct {
		status int
		name   string
		kind   errs.Kind
	}{
		{400, "validation_error", errs.External},
		{400, "invalid_idempotency_key", errs.External},
		{422, "missing_required_field", errs.External},
		{422, "invalid_from_address", errs.External},
		{413, "", errs.Invalid},
		{401, "missing_api_key", errs.External},
		{401, "restricted_api_key", errs.External},
		{403, "invalid_api_key", errs.External},
		{403, "invalid_from_address", errs.External},
		{403, "validation_error", errs.External},
		{404, "not_found", errs.External},
		{405, "method_not_allowed", errs.External},
		{409, "concurrent_idempotent_requests", errs.External},
		{409, "invalid_idempotent_request", errs.Conflict},
		{429, "rate_limit_exceeded", errs.RateLimited},
		{429, "daily_quota_exceeded", errs.RateLimited},
		{500, "application_error", errs.External},
		{502, "", errs.External},
		{503, "", errs.Unavailable},
		{504, "", errs.Timeout},
		{302, "", errs.External},
	} {
		body, err := json.Marshal(map[string]any{
			"statusCode": test.status, "name": test.name, "message": "canary@example.org isn't welcome, re_canary_key neither",
		})
		if err != nil {
			t.Fatal(err)
		}
		mailer, _, _ := service(t, test.status, string(body))
		_, err = mailer.Send(t.Context(), letter())
		if !errs.Is(err, test.kind) {
			t.Errorf("%d %s: the error is %v, want %s", test.status, test.name, err, test.kind.Code())
			continue
		}
		if !strings.Contains(err.Error(), test.name) || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "welcome") {
			t.Errorf("%d %s: the error says %v", test.status, test.name, err)
		}
	}
}

// Resend calls most things a validation error: what is wrong with us loses no mail.
func TestOnlyWhatIsTheMailsFaultIsFinal(t *testing.T) {
	for message, kind := range map[string]errs.Kind{
		"API key is invalid": errs.External,
		"The example.com domain is not verified. Please, add and verify your domain":              errs.External,
		"Invalid `from` field. The email address needs to follow the `email@example.com` format.": errs.External,
		"Missing `from` or `to` field.": errs.External,
		"Your account is under review":  errs.External,
		"":                              errs.External,
		"Invalid `to` field. The email address needs to follow the `email@example.com` format.": errs.Invalid,
		"Invalid `reply_to` field.":       errs.Invalid,
		"Missing `html` or `text` field.": errs.Invalid,
	} {
		for _, status := range []int{400, 422} {
			body, err := json.Marshal(map[string]any{"statusCode": status, "message": message, "name": "validation_error"})
			if err != nil {
				t.Fatal(err)
			}
			mailer, _, _ := service(t, status, string(body))
			if _, err := mailer.Send(t.Context(), letter()); !errs.Is(err, kind) {
				t.Errorf("%d %s: %v, want %s", status, message, err, kind.Code())
			}
		}
	}
}

func TestGarbageIsNotRepeated(t *testing.T) {
	for _, body := range []string{"", "<html>canary</html>", `{"name":"Sorry, canary"}`, `{"name":7}`, strings.Repeat("canary", 1<<16), "[]"} {
		mailer, _, _ := service(t, 500, body)
		if _, err := mailer.Send(t.Context(), letter()); !errs.Is(err, errs.External) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%v", err)
		}
	}
}

func TestAMailThatNobodyMayGetIsNotSent(t *testing.T) {
	mailer, request, _ := service(t, 200, `{}`)
	mail := letter()
	mail.To[0].Email = "canary"
	if _, err := mailer.Send(t.Context(), mail); !errs.Is(err, errs.Invalid) || request.Method != "" {
		t.Errorf("%v", err)
	}
}
