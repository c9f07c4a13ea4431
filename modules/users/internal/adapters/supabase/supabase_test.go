package supabase_test

import (
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/adapters/supabase"
	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/webhook/webhooktest"
)

const (
	issuer = "https://abc.supabase.co/auth/v1"
	secret = "v1," + webhooktest.Secret
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// row is a row of auth.users, as a trigger sees it.
const row = `{
	"id": "8484b834-f29e-4af2-bf42-80644d154f76", "aud": "authenticated", "role": "authenticated", "email": "sam@example.com",
	"phone": null, "instance_id": "00000000-0000-0000-0000-000000000000", "encrypted_password": "$2a$10$xxxxxxxxxxxxxxxxxxxxxx",
	"confirmation_token": "", "email_confirmed_at": "2026-01-02T03:00:00.123456+00:00", "invited_at": null, "banned_until": null,
	"raw_app_meta_data": {"provider": "email", "providers": ["email"], "role": "admin"}, "is_super_admin": null,
	"raw_user_meta_data": {"sub": "8484b834", "full_name": "Sam", "avatar_url": "https://example.com/sam.png", "role": "superadmin"},
	"created_at": "2026-01-02T02:00:00+00:00", "updated_at": "2026-01-02T03:04:05.678901+00:00", "deleted_at": null, "is_anonymous": false
}`

var told = app.Notice{
	Claims: domain.Claims{
		Identity: domain.Identity{Issuer: issuer, Subject: "8484b834-f29e-4af2-bf42-80644d154f76"},
		Email:    "sam@example.com", EmailVerified: true, FullName: "Sam", AvatarURL: "https://example.com/sam.png",
	},
	UpdatedAt: time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC),
}

func change(kind, table, record, old string) string {
	return `{"type": "` + kind + `", "table": "` + table + `", "schema": "auth", "record": ` + record + `, "old_record": ` + old + `}`
}

// hook is what Supabase Auth posts before and after it makes a user.
func hook(name string) string {
	return `{
		"metadata": {"uuid": "8b34dcdd-9df1-4c10-850a-b3277c653040", "time": "2026-01-01T20:04:05.678901-07:00", "name": "` + name + `", "ip_address": "127.0.0.1"},
		"user": {
			"id": "8484b834-f29e-4af2-bf42-80644d154f76", "aud": "authenticated", "role": "", "email": "sam@example.com", "phone": "",
			"app_metadata": {"provider": "email", "providers": ["email"]}, "user_metadata": {"full_name": "Sam", "avatar_url": ""},
			"identities": [], "created_at": "0001-01-01T00:00:00Z", "updated_at": "0001-01-01T00:00:00Z", "is_anonymous": false
		}
	}`
}

func TestWebhooks(t *testing.T) {
	reader, err := supabase.NewWebhook(clock.NewManual(now), issuer, secret)
	if err != nil {
		t.Fatal(err)
	}
	gone, soft, made, odd := told, told, told, told
	gone.Deleted, soft.Deleted = true, true
	made.EmailVerified, made.AvatarURL, made.UpdatedAt = false, "", time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	odd.FullName, odd.AvatarURL = "", ""
	unconfirmed := told
	unconfirmed.EmailVerified = false
	for name, test := range map[string]struct {
		body, kind string
		want       app.Notice
	}{
		"a new row":           {change("INSERT", "users", row, "null"), "auth.users.INSERT", told},
		"a changed row":       {change("UPDATE", "users", row, `{"id": "x"}`), "auth.users.UPDATE", told},
		"a deleted row":       {change("DELETE", "users", "null", row), "auth.users.DELETE", gone},
		"a row marked so":     {change("UPDATE", "users", strings.Replace(row, `"deleted_at": null`, `"deleted_at": "2026-01-02T03:04:05+00:00"`, 1), row), "auth.users.UPDATE", soft},
		"not confirmed":       {change("INSERT", "users", strings.Replace(row, `"2026-01-02T03:00:00.123456+00:00"`, "null", 1), "null"), "auth.users.INSERT", unconfirmed},
		"odd user data":       {change("INSERT", "users", strings.Replace(row, `"full_name": "Sam", "avatar_url": "https://example.com/sam.png"`, `"full_name": 7, "avatar_url": {}`, 1), "null"), "auth.users.INSERT", odd},
		"another table":       {change("INSERT", "sessions", `{"id": "s1"}`, "null"), "auth.sessions.INSERT", app.Notice{}},
		"before a user":       {hook("before-user-created"), "before-user-created", app.Notice{}},
		"after a user":        {hook("after-user-created"), "after-user-created", made},
		"one yet to be known": {hook("after-the-fact"), "after-the-fact", app.Notice{}},
	} {
		body := []byte(test.body)
		signed := webhooktest.Of(webhooktest.Sign(t, "webhook-", webhooktest.Secret, "msg_1", now, body))
		if post, err := reader.Verify(signed, body); err != nil || post != (app.Post{ID: "msg_1", Type: test.kind}) {
			t.Errorf("%s, signed: got %+v, %v", name, post, err)
		}
		if _, err := reader.Verify(signed, append(body, ' ')); !errs.Is(err, errs.Malformed) {
			t.Errorf("%s, changed: got %v", name, err)
		}
		shown := webhooktest.Of(map[string]string{supabase.SecretHeader: secret})
		post, err := reader.Verify(shown, body)
		if err != nil || post.Type != test.kind || len(post.ID) != len("sha256:")+64 {
			t.Errorf("%s, with the secret: got %+v, %v", name, post, err)
		}
		if again, _ := reader.Verify(shown, body); again != post {
			t.Errorf("%s, twice: got %+v and %+v", name, post, again)
		}
		if got, err := reader.Read(body); err != nil || got != test.want {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, test.want)
		}
	}

	body := []byte(change("INSERT", "users", row, "null"))
	for name, headers := range map[string]map[string]string{
		"nothing":                        {},
		"another secret":                 {supabase.SecretHeader: secret + "x"},
		"the secret without its version": {supabase.SecretHeader: webhooktest.Secret},
		"a wrong secret beside a signature": func() map[string]string {
			headers := webhooktest.Sign(t, "webhook-", webhooktest.Secret, "msg_1", now, body)
			headers[supabase.SecretHeader] = "wrong"
			return headers
		}(),
		"an old signature": webhooktest.Sign(t, "webhook-", webhooktest.Secret, "msg_1", now.Add(-6*time.Minute), body),
	} {
		if _, err := reader.Verify(webhooktest.Of(headers), body); !errs.Is(err, errs.Malformed) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	shown := webhooktest.Of(map[string]string{supabase.SecretHeader: secret})
	for name, body := range map[string]string{
		"junk": "x", "a list": "[]", "nothing": "{}",
		"a mail to send": `{"user": {"id": "u1", "email": "sam@example.com"}, "email_data": {"token": "305805", "email_action_type": "signup"}}`,
		"claims to add":  `{"user_id": "u1", "claims": {"iat": 1}, "authentication_method": "password"}`,
	} {
		if _, err := reader.Verify(shown, []byte(body)); !errs.Is(err, errs.Malformed) || strings.Contains(err.Error(), "sam@") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, body := range []string{
		"x", change("INSERT", "users", "null", "null"), change("DELETE", "users", row, "null"), change("INSERT", "users", `{"id": ""}`, "null"),
		change("INSERT", "users", `{"id": 7}`, "null"), `{"metadata": {"name": "after-user-created"}}`,
	} {
		if got, err := reader.Read([]byte(body)); !errs.Is(err, errs.Invalid) || got != (app.Notice{}) {
			t.Errorf("%s: got %+v, %v", body, got, err)
		}
	}
	if _, err := supabase.NewWebhook(clock.System{}, issuer, "secret"); err == nil {
		t.Error("a secret that is none is taken")
	}
}
