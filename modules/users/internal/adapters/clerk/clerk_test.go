package clerk_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/adapters/clerk"
	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/webhook/webhooktest"
)

const issuer = "https://clerk.example.com"

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// person is a user as Clerk shows one.
const person = `{
	"id": "user_29w83sxmDNGwOuEthce5gg56FcC", "object": "user", "username": null, "first_name": "Sam", "last_name": "Example",
	"image_url": "https://img.clerk.com/xxxxxx", "has_image": true, "banned": false, "locked": false,
	"primary_email_address_id": "idn_2", "primary_phone_number_id": null, "password_enabled": true,
	"email_addresses": [
		{"id": "idn_1", "object": "email_address", "email_address": "old@example.com", "linked_to": [], "verification": {"status": "verified", "strategy": "ticket"}},
		{"id": "idn_2", "object": "email_address", "email_address": "sam@example.com", "linked_to": [], "verification": {"status": "verified", "strategy": "ticket"}}
	],
	"phone_numbers": [], "external_accounts": [], "public_metadata": {"role": "admin"}, "private_metadata": {}, "unsafe_metadata": {},
	"created_at": 1767323000000, "updated_at": 1767323045123, "last_sign_in_at": null
}`

var told = app.Notice{
	Claims: domain.Claims{
		Identity: domain.Identity{Issuer: issuer, Subject: "user_29w83sxmDNGwOuEthce5gg56FcC"},
		Email:    "sam@example.com", EmailVerified: true, FullName: "Sam Example", AvatarURL: "https://img.clerk.com/xxxxxx",
	},
	UpdatedAt: time.UnixMilli(1767323045123).UTC(),
}

func event(kind, data string) string {
	return `{"type": "` + kind + `", "object": "event", "instance_id": "ins_1", "timestamp": 1767323046000, "data": ` + data + `}`
}

func TestWebhooks(t *testing.T) {
	hook, err := clerk.NewWebhook(clock.NewManual(now), issuer, webhooktest.Secret)
	if err != nil {
		t.Fatal(err)
	}
	bare := app.Notice{Claims: domain.Claims{Identity: domain.Identity{Issuer: issuer, Subject: "u1"}}, UpdatedAt: time.UnixMilli(1767323046000).UTC()}
	gone := bare
	gone.Deleted, gone.UpdatedAt = true, time.Time{}
	unverified := told
	unverified.EmailVerified = false
	noPrimary := told
	noPrimary.Email, noPrimary.EmailVerified = "", false
	for name, test := range map[string]struct {
		body, kind string
		want       app.Notice
	}{
		"a new user":            {event("user.created", person), "user.created", told},
		"a changed user":        {event("user.updated", person), "user.updated", told},
		"with nulls":            {event("user.updated", `{"id": "u1", "first_name": null, "last_name": null, "image_url": null, "primary_email_address_id": null, "email_addresses": null, "updated_at": null}`), "user.updated", bare},
		"an unverified address": {event("user.updated", strings.ReplaceAll(person, `"verified"`, `"unverified"`)), "user.updated", unverified},
		"no primary address":    {event("user.updated", strings.Replace(person, `"idn_2"`, `null`, 1)), "user.updated", noPrimary},
		"an address unproved":   {event("user.updated", strings.ReplaceAll(person, `{"status": "verified", "strategy": "ticket"}`, `null`)), "user.updated", unverified},
		"a deleted user":        {event("user.deleted", `{"id": "u1", "object": "user", "deleted": true}`), "user.deleted", gone},
		"a session":             {event("session.created", `{"id": "sess_1"}`), "session.created", app.Notice{}},
	} {
		for _, family := range []string{"svix-", "webhook-"} {
			header := webhooktest.Of(webhooktest.Sign(t, family, webhooktest.Secret, "msg_1", now, []byte(test.body)))
			if post, err := hook.Verify(header, []byte(test.body)); err != nil || post != (app.Post{ID: "msg_1", Type: test.kind}) {
				t.Errorf("%s: got %+v, %v", name, post, err)
			}
			if _, err := hook.Verify(header, []byte(test.body+" ")); !errs.Is(err, errs.Malformed) {
				t.Errorf("%s, changed: got %v", name, err)
			}
		}
		if got, err := hook.Read([]byte(test.body)); err != nil || got != test.want {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, test.want)
		}
	}
	for _, body := range []string{``, `[]`, `{}`, `{"type": 1}`, `{"type": ""}`, `{"type": "user.created"`} {
		header := webhooktest.Of(webhooktest.Sign(t, "svix-", webhooktest.Secret, "msg_1", now, []byte(body)))
		if _, err := hook.Verify(header, []byte(body)); !errs.Is(err, errs.Malformed) || strings.Contains(err.Error(), "user") {
			t.Errorf("%s: got %v", body, err)
		}
	}
	for _, data := range []string{`{}`, `[]`, `null`, `{"id": 7}`, `{"id": "u1", "email_addresses": {}}`} {
		for _, kind := range []string{"user.created", "user.deleted"} {
			if _, err := hook.Read([]byte(event(kind, data))); !errs.Is(err, errs.Invalid) {
				t.Errorf("%s of %s: got %v", kind, data, err)
			}
		}
	}
	for _, at := range []time.Duration{6 * time.Minute, -6 * time.Minute} {
		body := []byte(event("user.created", person))
		if _, err := hook.Verify(webhooktest.Of(webhooktest.Sign(t, "svix-", webhooktest.Secret, "msg_1", now.Add(at), body)), body); !errs.Is(err, errs.Malformed) {
			t.Errorf("posted %s from now: got %v", at, err)
		}
	}
	if _, err := clerk.NewWebhook(clock.System{}, issuer, "secret"); err == nil {
		t.Error("a secret that is none is taken")
	}
}

func TestTheBackendAPI(t *testing.T) {
	const key = "sk_test_nobodys"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.Header.Get("Authorization") != "Bearer "+key {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		subject, _ := strings.CutPrefix(r.URL.EscapedPath(), "/v1/users/")
		answers := map[string]struct {
			status int
			body   string
		}{
			told.Subject:   {200, person},
			"a%2F..%2Fb":   {404, `{"errors": [{"code": "resource_not_found", "message": "not found"}]}`},
			"limited":      {429, `{"errors": [{"code": "too_many_requests"}]}`},
			"broken":       {500, `<html>sam@example.com</html>`},
			"forbidden":    {403, `{"errors": [{"code": "authorization_invalid"}]}`},
			"junk":         {200, `<html>`},
			"another":      {200, person},
			"redirected":   {302, ``},
			"unacceptable": {422, `{"errors": [{"code": "sam@example.com is wrong"}]}`},
		}
		answer := answers[subject]
		w.Header().Set("Location", "/v1/users/"+told.Subject)
		w.WriteHeader(answer.status)
		_, _ = w.Write([]byte(answer.body))
	}))
	defer server.Close()
	api := clerk.NewAPI(clerk.Options{Issuer: issuer, Key: key, BaseURL: server.URL + "/"})
	if got, err := api.Fetch(t.Context(), told.Subject); err != nil || got != told {
		t.Errorf("got %+v, %v, want %+v", got, err, told)
	}
	for subject, kind := range map[string]errs.Kind{
		"a/../b": errs.NotFound, "limited": errs.RateLimited, "broken": errs.External, "forbidden": errs.External, "junk": errs.External,
		"another": errs.External, "redirected": errs.External, "unacceptable": errs.Invalid,
	} {
		got, err := api.Fetch(t.Context(), subject)
		if !errs.Is(err, kind) || got != (app.Notice{}) {
			t.Errorf("%s: got %+v, %v", subject, got, err)
			continue
		}
		if text, _ := json.Marshal(errs.From(err).Details); strings.Contains(err.Error()+string(text), "sam@example.com") || strings.Contains(err.Error(), key) {
			t.Errorf("%s: the error tells too much: %v %s", subject, err, text)
		}
	}
	stranger := clerk.NewAPI(clerk.Options{Issuer: issuer, Key: "sk_wrong", BaseURL: server.URL})
	if _, err := stranger.Fetch(t.Context(), told.Subject); !errs.Is(err, errs.External) {
		t.Errorf("with a wrong key: %v", err)
	}
	server.Close()
	if _, err := api.Fetch(t.Context(), told.Subject); !errs.Is(err, errs.Unavailable) {
		t.Errorf("with nobody there: %v", err)
	}
}
