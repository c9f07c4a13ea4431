//scaffold:needs notifications projects

package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/platform/testkit/idp"
	"github.com/omnistack/omnistack/platform/webhook/webhooktest"
	"github.com/omnistack/omnistack/test/apptest"
)

const (
	contact  = "/api/v1/public/contact"
	resend   = "/api/v1/public/webhooks/resend"
	sendgrid = "/api/v1/public/webhooks/sendgrid"
)

// newcomer returns the API of somebody who has just signed in, once the welcome has arrived.
func newcomer(t *testing.T, app *apptest.App, subject string) *testkit.API {
	t.Helper()
	user := app.As(app.Token(t, auth.DevClaims{Subject: subject, Email: subject + "@example.com", Name: "New " + subject}))
	user.Do(t, "GET", me).Want(200)
	apptest.Await(t, "the welcome of "+subject, func() bool {
		return testkit.Rows(t, app.DB, "notifications_mails", "user_id = ? AND state = 'sent'", subject) == 1
	})
	return user
}

// mails returns the mails that were shown instead of sent, the oldest first, as pages with all that they say.
func mails(t *testing.T, app *apptest.App) []string {
	t.Helper()
	var all []string
	for number := 1; ; number++ {
		path := fmt.Sprintf("/dev/mail/%d", number)
		page := app.Do(t, "GET", path)
		if page.Status == 404 {
			return all
		}
		all = append(all, string(page.Want(200).Body)+string(app.Do(t, "GET", path+"/html").Want(200).Body))
	}
}

func TestANewUserIsWelcomedOnce(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := newcomer(t, app, "alice")
		sent := mails(t, app)
		if len(sent) != 1 || !strings.Contains(sent[0], "alice@example.com") || !strings.Contains(sent[0], "New alice") {
			t.Fatalf("%d mails were sent: %s", len(sent), sent)
		}
		alice.Do(t, "GET", notified).Want(200).WantJSON("total", 1).WantJSON("items.0.kind", "account.welcome").
			WantJSON("items.0.topic", "welcome").WantJSON("items.0.data", map[string]string{}).WantJSON("items.0.read_at", nil)
		for _, entry := range app.Logs.All() {
			if line := fmt.Sprint(entry.Message, entry.ContextMap()); strings.Contains(line, "alice@example.com") || strings.Contains(line, "New alice") {
				t.Errorf("the log gives her away: %s", line)
			}
		}
	})
}

// By the protocol that mail servers speak.
func TestAWelcomeArrivesAtAMailServer(t *testing.T) {
	t.Parallel()
	server := testkit.NewMailServer(t, "none")
	var newcomers []string
	for _, engine := range testkit.Engines() {
		newcomers = append(newcomers, "on-"+string(engine)+"@example.com")
		app := apptest.Start(t, engine, "EMAIL_PROVIDER=smtp", "SMTP_HOST="+server.Host, "SMTP_PORT="+strconv.Itoa(server.Port), "SMTP_TLS=none")
		newcomer(t, app, "on-"+string(engine))
	}
	var to []string
	for _, mail := range server.Mails(t) {
		to = append(to, mail.To[0].Address)
		if !strings.Contains(mail.Text, "New "+strings.TrimSuffix(mail.To[0].Address, "@example.com")) || len(mail.Header["List-Unsubscribe-Post"]) != 1 {
			t.Errorf("%s got %s", mail.To[0].Address, mail.Raw)
		}
	}
	slices.Sort(to)
	slices.Sort(newcomers)
	if !slices.Equal(to, newcomers) {
		t.Errorf("mails arrived for %q", to)
	}
}

func TestNotificationsAreRead(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice, bob := newcomer(t, app, "alice"), newcomer(t, app, "bob")
		mine := alice.Do(t, "POST", projects, testkit.Body(`{"name": "Apollo"}`)).Want(201).Header.Get("Location")
		alice.Do(t, "DELETE", mine).Want(204)
		apptest.Await(t, "the notice of the deletion", func() bool {
			return alice.Do(t, "GET", notified).JSON("total").(float64) == 2
		})
		first := alice.Do(t, "GET", notified+"?limit=1").Want(200).WantJSON("items.0.topic", "project_deleted").WantJSON("limit", 1).
			WantJSON("items.0.data", map[string]string{"project_id": mine[strings.LastIndex(mine, "/")+1:]})
		alice.Do(t, "GET", notified+"?limit=1&cursor="+first.Text("next_cursor")).Want(200).WantJSON("items.0.topic", "welcome")
		bob.Do(t, "GET", notified+"?cursor="+first.Text("next_cursor")).WantError(422, "VALIDATION_ERROR")
		alice.Do(t, "GET", notified+"?unread=true&cursor="+first.Text("next_cursor")).WantError(422, "VALIDATION_ERROR")

		read := notified + "/" + first.Text("items.0.id") + "/read"
		bob.Do(t, "POST", read).WantError(404, "NOT_FOUND")
		alice.Do(t, "POST", notified+"/none/read").WantError(404, "NOT_FOUND")
		at := alice.Do(t, "POST", read).Want(200).WantHeader("ETag", `"2"`).Text("read_at")
		alice.Do(t, "POST", read).Want(200).WantJSON("read_at", at)
		alice.Do(t, "GET", notified+"?unread=true").Want(200).WantJSON("total", 1).WantJSON("items.0.topic", "welcome")
		alice.Do(t, "GET", notified+"?unread=maybe").WantError(422, "VALIDATION_ERROR")
		bob.Do(t, "GET", notified).Want(200).WantJSON("total", 1)

		apptest.Await(t, "the mail about the deletion", func() bool { return len(mails(t, app)) == 3 })
		if mail := mails(t, app)[2]; !strings.Contains(mail, "Apollo") || !strings.Contains(mail, "alice@example.com") {
			t.Errorf("the mail about the deletion is %s", mail)
		}
	})
}

func TestPreferencesDecideWhatComes(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := newcomer(t, app, "alice")
		both := map[string]any{"in_app": true, "mail": true, "fixed": false}
		first := alice.Do(t, "GET", preferences).Want(200).WantHeader("ETag", `"1"`)
		kinds := first.JSON("kinds").(map[string]any)
		for kind, want := range map[string]any{
			"account.welcome": both, "projects.deleted": both, "billing.subscription": both, "note": both,
			"account.security": map[string]any{"in_app": true, "mail": true, "fixed": true},
			"data.export":      map[string]any{"in_app": true, "mail": true, "fixed": true},
			"billing.payment":  map[string]any{"in_app": true, "mail": true, "fixed": true},
		} {
			if fmt.Sprint(kinds[kind]) != fmt.Sprint(want) {
				t.Errorf("%s is %v, want %v", kind, kinds[kind], want)
			}
			delete(kinds, kind)
		}
		if len(kinds) > 0 {
			t.Errorf("these are listed too: %v", kinds)
		}
		admin := app.As(app.Token(t, auth.DevClaims{Subject: "root", Role: "admin"}))
		report := admin.Do(t, "GET", preferences).Want(200).JSON("kinds").(map[string]any)["admin.daily_report"]
		if fmt.Sprint(report) != fmt.Sprint(map[string]any{"in_app": nil, "mail": true, "fixed": false}) {
			t.Errorf("the daily report is %v", report)
		}

		const change = `{"kinds": {"projects.deleted": {"mail": false}}}`
		alice.Do(t, "PATCH", preferences, testkit.Body(change), testkit.Header("If-Match", `"2"`)).WantError(412, "PRECONDITION_FAILED")
		changed := alice.Do(t, "PATCH", preferences, testkit.Body(change), testkit.Header("If-Match", `"1"`)).Want(200).WantHeader("ETag", `"2"`)
		if got := changed.JSON("kinds").(map[string]any)["projects.deleted"]; fmt.Sprint(got) != fmt.Sprint(map[string]any{"in_app": true, "mail": false, "fixed": false}) {
			t.Errorf("it is %v now", got)
		}
		alice.Do(t, "PATCH", preferences, testkit.Body(`{"kinds": {}}`)).Want(200).WantHeader("ETag", `"2"`)
		alice.Do(t, "GET", preferences, testkit.Header("If-None-Match", `"2"`)).Want(304)
		for body, field := range map[string]string{
			`{}`: "kinds", `{"kinds": {"x": {"mail": false}}}`: "kinds.x.mail", `{"kinds": {"contact": {"mail": false}}}`: "kinds.contact.mail",
			`{"kinds": {"account.security": {"mail": false}}}`:    "kinds.account.security.mail",
			`{"kinds": {"projects.deleted": {"mail": null}}}`:     "kinds.projects.deleted.mail",
			`{"kinds": {"projects.deleted": {"mail": "no"}}}`:     "kinds.projects.deleted.mail",
			`{"kinds": {"projects.deleted": {"sms": true}}}`:      "kinds.projects.deleted.sms",
			`{"kinds": {"admin.daily_report": {"in_app": true}}}`: "kinds.admin.daily_report.in_app",
		} {
			if answer := alice.Do(t, "PATCH", preferences, testkit.Body(body)).WantError(422, "VALIDATION_ERROR"); !namesField(answer, field) {
				t.Errorf("%s: details.errors doesn't name %s\n%s", body, field, answer.Body)
			}
		}

		mine := alice.Do(t, "POST", projects, testkit.Body(`{"name": "Apollo"}`)).Want(201).Header.Get("Location")
		alice.Do(t, "DELETE", mine).Want(204)
		apptest.Await(t, "the notice of the deletion", func() bool { return alice.Do(t, "GET", notified).JSON("total").(float64) == 2 })
		if rows := testkit.Rows(t, app.DB, "notifications_mails", "kind = 'projects.deleted'"); rows != 0 {
			t.Errorf("%d mails were written to who doesn't want them", rows)
		}
	})
}

// Whoever signs in with somebody else's address can't fill that mailbox.
func TestAnAccountDoesNotFloodItsAddress(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := newcomer(t, app, "alice")
		for i := range 13 {
			mine := alice.Do(t, "POST", projects, testkit.Body(fmt.Sprintf(`{"name": "Call me %d"}`, i))).Want(201).Header.Get("Location")
			alice.Do(t, "DELETE", mine).Want(204)
		}
		apptest.Await(t, "the notices", func() bool { return alice.Do(t, "GET", notified).JSON("total").(float64) == 14 })
		apptest.Await(t, "the mails", func() bool {
			return testkit.Rows(t, app.DB, "notifications_mails", "kind = 'projects.deleted' AND state = 'sent'") == 10
		})
		if rows := testkit.Rows(t, app.DB, "notifications_mails", "kind = 'projects.deleted'"); rows != 10 {
			t.Errorf("%d mails were written", rows)
		}
	})
}

func TestTheContactForm(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		if i := slices.IndexFunc(app.Routes, func(r httpserver.Route) bool { return r.Full == contact }); app.Routes[i].Rate != httpserver.RateAuth {
			t.Errorf("a stranger may write as often as %s says", app.Routes[i].Rate)
		}
		const form = `"name": "Eve", "email": "eve@example.org", "subject": "Hi", "message": "Hello\nthere"`
		answer := app.Do(t, "POST", contact, testkit.Body(`{`+form+`}`)).Want(202).WantJSON("status", "received")
		apptest.Await(t, "the mail", func() bool {
			return testkit.Rows(t, app.DB, "notifications_mails", "kind = 'contact' AND state = 'sent'") == 1
		})
		sent := mails(t, app)
		if len(sent) != 1 {
			t.Fatalf("%d mails were sent", len(sent))
		}
		for _, part := range []string{"team@example.com", "Reply-To", "eve@example.org", "Eve", "&gt; Hello\n&gt; there"} {
			if !strings.Contains(sent[0], part) {
				t.Errorf("the mail doesn't say %q:\n%s", part, sent[0])
			}
		}
		trapped := app.Do(t, "POST", contact, testkit.Body(`{`+form+`, "website": "https://spam.example.com"}`)).Want(202).WantJSON("status", "received")
		if trapped.Text("id") == answer.Text("id") || len(trapped.Body) != len(answer.Body) || len(trapped.Header) != len(answer.Header) {
			t.Errorf("a program can tell\n%s from\n%s", trapped.Body, answer.Body)
		}
		for body, field := range map[string]string{
			`{}`: "name", `{` + form + `, "phone": "1"}`: "phone",
			`{"name": "Eve", "email": "eve", "message": "x"}`:                                             "email",
			`{"name": "Eve\r\nBcc: b@example.org", "email": "eve@example.org", "message": "x"}`:           "name",
			`{"name": "Eve", "email": "eve@example.org", "subject": "a\nb", "message": "x"}`:              "subject",
			`{"name": "Eve", "email": "eve@example.org", "message": " "}`:                                 "message",
			`{"name": "Eve", "email": "eve@example.org", "message": "` + strings.Repeat("x", 5001) + `"}`: "message",
		} {
			if answer := app.Do(t, "POST", contact, testkit.Body(body)).WantError(422, "VALIDATION_ERROR"); !namesField(answer, field) {
				t.Errorf("%s: details.errors doesn't name %s\n%s", body, field, answer.Body)
			}
		}
		kept := app.Rows(t, "notifications_contacts", "id")
		if len(kept) != 1 {
			t.Fatalf("%d messages are kept, want the one", len(kept))
		}
		if sealed := string(kept[0]["sealed"].([]byte)); sealed == "" || strings.Contains(sealed, "Eve") || strings.Contains(sealed, "Hello") {
			t.Errorf("the message lies open: %q", sealed)
		}
	}, "CONTACT_TO_ADDRESS=team@example.com")
}

var unsubscribeLink = regexp.MustCompile(`/api/v1/public/unsubscribe/[A-Za-z0-9_-]+`)

func TestOneClickEndsMails(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := newcomer(t, app, "alice")
		link := unsubscribeLink.FindString(mails(t, app)[0])
		page := app.Do(t, "GET", link).Want(200).WantHeader("Content-Type", "text/html; charset=utf-8").WantHeader("Cache-Control", "no-store")
		if body := string(page.Body); !strings.Contains(body, `<form method="post">`) || !strings.Contains(page.Header.Get("Content-Security-Policy"), "form-action 'self'") {
			t.Errorf("the page is %s\n%v", body, page.Header)
		}
		style := regexp.MustCompile(`<style>(.*)</style>`).FindSubmatch(page.Body)
		hash := sha256.Sum256(style[1])
		if !strings.Contains(page.Header.Get("Content-Security-Policy"), "'sha256-"+base64.StdEncoding.EncodeToString(hash[:])+"'") {
			t.Error("the policy doesn't allow the style of the page")
		}
		alice.Do(t, "GET", preferences).WantHeader("ETag", `"1"`) // looking changes nothing

		for _, parts := range [][]testkit.Part{
			{testkit.Header("Content-Type", "application/x-www-form-urlencoded"), testkit.Body("List-Unsubscribe=One-Click")}, // RFC 8058
			{testkit.Header("Content-Type", "multipart/form-data; boundary=x"),
				testkit.Body("--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n")},
			nil,
		} {
			done := app.Do(t, "POST", link, parts...).Want(200).WantHeader("Content-Type", "text/html; charset=utf-8")
			if strings.Contains(string(done.Body), "<form") {
				t.Errorf("it asks again: %s", done.Body)
			}
			changed := alice.Do(t, "GET", preferences).Want(200).WantHeader("ETag", `"2"`).JSON("kinds").(map[string]any)["account.welcome"]
			if fmt.Sprint(changed) != fmt.Sprint(map[string]any{"in_app": true, "mail": false, "fixed": false}) {
				t.Errorf("it is %v now", changed)
			}
		}
		for _, method := range []string{"GET", "POST"} {
			app.Do(t, method, link[:len(link)-2]).WantError(404, "NOT_FOUND")
			app.Do(t, method, "/api/v1/public/unsubscribe/x").WantError(404, "NOT_FOUND")
		}
		for _, entry := range app.Logs.All() {
			if line := fmt.Sprint(entry.Message, entry.ContextMap()); strings.Contains(line, link[len(link)-20:]) {
				t.Errorf("the log holds the link: %s", line)
			}
		}
	})
}

func TestCarriersTellOfAddressesThatBounced(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		bounce := `{"type": "email.bounced", "created_at": "2026-01-02T03:04:05Z", "data": {"email_id": "r1", "to": ["Alice@Example.com"], "bounce": {"type": "Permanent"}}}`
		signed := func(body string) []testkit.Part {
			parts := []testkit.Part{testkit.Body(body)}
			for name, value := range webhooktest.Sign(t, "svix-", webhooktest.Secret, "msg_1", time.Now(), []byte(bounce)) {
				parts = append(parts, testkit.Header(name, value))
			}
			return parts
		}
		app.Do(t, "POST", resend, testkit.Body(bounce)).WantError(400, "BAD_REQUEST")
		app.Do(t, "POST", resend, signed(bounce+" ")...).WantError(400, "BAD_REQUEST")
		app.Do(t, "POST", resend).WantError(400, "BAD_REQUEST")
		if rows := testkit.Rows(t, app.DB, "notifications_suppressions", ""); rows != 0 {
			t.Fatalf("%d addresses are suppressed by a stranger", rows)
		}
		for range 2 {
			app.Do(t, "POST", resend, signed(bounce)...).Want(200).WantJSON("", map[string]any{"received": true})
		}
		app.As(app.Token(t, auth.DevClaims{Subject: "alice", Email: "alice@example.com"})).Do(t, "GET", me).Want(200)
		apptest.Await(t, "the welcome to be skipped", func() bool {
			return testkit.Rows(t, app.DB, "notifications_mails", "state = 'skipped' AND reason = 'suppressed'") == 1
		})
		if sent := mails(t, app); len(sent) != 0 {
			t.Errorf("%d mails were sent", len(sent))
		}

		body := `[{"event": "spamreport", "email": "bob@example.com", "timestamp": 1, "sg_message_id": "a.b"}]`
		timestamp := strconv.FormatInt(time.Now().Unix(), 10)
		digest := sha256.Sum256([]byte(timestamp + body))
		signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		complain := func(body string) *testkit.Response {
			return app.Do(t, "POST", sendgrid, testkit.Body(body), testkit.Header("X-Twilio-Email-Event-Webhook-Timestamp", timestamp),
				testkit.Header("X-Twilio-Email-Event-Webhook-Signature", base64.StdEncoding.EncodeToString(signature)))
		}
		complain(body+" ").WantError(400, "BAD_REQUEST")
		complain(body).Want(200).WantJSON("", map[string]any{"received": true})
		if rows := testkit.Rows(t, app.DB, "notifications_suppressions", ""); rows != 2 {
			t.Errorf("%d addresses are suppressed, want two", rows)
		}
		app.Do(t, "POST", sendgrid, testkit.Body(strings.Repeat("x", 2<<20))).WantError(413, "PAYLOAD_TOO_LARGE")
	}, "RESEND_WEBHOOK_SECRET="+webhooktest.Secret, "SENDGRID_WEBHOOK_PUBLIC_KEY="+base64.StdEncoding.EncodeToString(public))
}

func TestWebhooksWithoutASecretAreNotThere(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		for _, path := range []string{resend, sendgrid} {
			app.Do(t, "POST", path, testkit.Body(`{}`)).WantError(404, "NOT_FOUND")
		}
	})
}

// The form counts as an attempt to sign in does, with which it shares a limit.
func TestTheContactFormIsLimited(t *testing.T) {
	app := apptest.Start(t, database.SQLite, limitsOn, "RATE_LIMIT_AUTH=2/day", "CONTACT_TO_ADDRESS=team@example.com")
	const form = `{"name": "Eve", "email": "eve@example.org", "message": "Hello"}`
	for range 2 {
		app.Do(t, "POST", contact, testkit.Body(form)).Want(202).WantHeader("RateLimit-Policy", `"auth";q=2;w=86400`)
	}
	app.Do(t, "POST", contact, testkit.Body(form)).WantError(429, "RATE_LIMIT_EXCEEDED")
	app.As("guessed").Do(t, "GET", me).WantError(429, "RATE_LIMIT_EXCEEDED")
}

func TestStrangersMayRepeatACall(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		letter := testkit.Body(`{"name": "Ada", "email": "ada@example.com", "message": "Hello there"}`)
		first := app.Do(t, "POST", contact, letter, under("k")).Want(202)
		wantReplay(t, first, app.Do(t, "POST", contact, letter, under("k")))
		app.Do(t, "POST", contact, letter, under("l")).Want(202).WantHeader("Idempotent-Replayed", "")
		// Somebody else behind the same address may have the same key.
		other := testkit.Body(`{"name": "Grace", "email": "grace@example.com", "message": "Hello you"}`)
		app.Do(t, "POST", contact, other, under("k")).Want(202).WantHeader("Idempotent-Replayed", "")
		if rows := testkit.Rows(t, app.DB, "notifications_mails", ""); rows != 3 {
			t.Errorf("there are %d mails", rows)
		}
		const given = "a-key-that-nobody-guesses"
		app.Do(t, "POST", contact, letter, under(given)).Want(202)
		rows := whole(t, app, "SELECT * FROM idempotency_keys WHERE status = 202")
		for _, text := range []string{given, "127.0.0.1", "ada@example.com", "Hello"} {
			if len(rows) < len("[{}]") || strings.Contains(rows, text) {
				t.Errorf("the table of keys holds %q: %s", text, rows)
			}
		}
	}, "CONTACT_TO_ADDRESS=team@example.com")
}

func TestALinkedIdentityIsTold(t *testing.T) {
	clerk := idp.New(t, idp.Clerk)
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := app.User(t, "alice")
		alice.Do(t, "GET", me).Want(200)
		proof := clerk.Issue("RS256", idp.Person{Subject: "user_1"}, time.Now())
		alice.Do(t, "POST", identities, testkit.Body(fmt.Sprintf(`{"token": %q}`, proof))).Want(201)
		apptest.Await(t, "the notice of it", func() bool { return alice.Do(t, "GET", notified).Want(200).JSON("total") == 2.0 })
	}, withClerk(clerk)...)
}
