package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/platform/testkit/idp"
	"github.com/omnistack/omnistack/platform/webhook/webhooktest"
	"github.com/omnistack/omnistack/test/apptest"
)

const (
	clerkHook    = "/api/v1/public/webhooks/clerk"
	supabaseHook = "/api/v1/public/webhooks/supabase"
	identities   = "/api/v1/app/users/me/identities"
)

// withClerk are the settings of a product that believes Clerk and this process, and hears Clerk's webhooks.
func withClerk(clerk *idp.Issuer) []string {
	return append(clerk.Settings("AUTH_PROVIDER"), "CLERK_WEBHOOK_SECRET="+webhooktest.Secret, "AUTH_PROVIDER_SECONDARY=dev")
}

// signedIn returns the API as the subject uses it who has just signed in at the provider.
func signedIn(app *apptest.App, issuer *idp.Issuer, subject string) *testkit.API {
	return app.As(issuer.Issue(issuer.Algorithms()[0], idp.Person{Subject: subject}, time.Now()))
}

// clerkSays posts what Clerk says, signed.
func clerkSays(t *testing.T, app *apptest.App, id, body string) *testkit.Response {
	t.Helper()
	parts := []testkit.Part{testkit.Body(body)}
	for name, value := range webhooktest.Sign(t, "svix-", webhooktest.Secret, id, time.Now(), []byte(body)) {
		parts = append(parts, testkit.Header(name, value))
	}
	return app.Do(t, "POST", clerkHook, parts...)
}

func clerkUser(event, subject, email, name string, updated time.Time) string {
	return fmt.Sprintf(`{"type": %q, "object": "event", "data": {"id": %q, "first_name": %q, "last_name": null, "image_url": "https://img.example.com/x",
		"primary_email_address_id": "idn_1", "email_addresses": [{"id": "idn_1", "email_address": %q, "verification": {"status": "verified"}}],
		"updated_at": %d}}`, event, subject, name, email, updated.UnixMilli())
}

// processed waits until nothing that was posted is left to do.
func processed(t *testing.T, app *apptest.App, posts int) {
	t.Helper()
	apptest.Await(t, "the webhooks", func() bool {
		return testkit.Rows(t, app.DB, "users_webhooks", "processed_at IS NOT NULL AND payload IS NULL") == posts
	})
}

// silent demands that the log doesn't hold a text.
func silent(t *testing.T, app *apptest.App, text string) {
	t.Helper()
	for _, entry := range app.Logs.All() {
		if line := fmt.Sprint(entry.Message, entry.ContextMap()); strings.Contains(line, text) {
			t.Errorf("the log holds %q: %s", text, line)
		}
	}
}

func TestALoginIsNotedWithoutAChange(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice, admin := app.User(t, "alice"), as(t, app, "ann", "admin")
		first := alice.Do(t, "GET", me).Want(200).WantHeader("ETag", `"1"`)
		if at := first.Text("last_login_at"); at != first.Text("created_at") {
			t.Errorf("the first login was at %s", at)
		}
		forget := func() { // or her account is answered from memory for two seconds
			admin.Do(t, "PATCH", people+"/alice", testkit.Body(`{"is_active": false}`)).Want(200)
			admin.Do(t, "PATCH", people+"/alice", testkit.Body(`{"is_active": true}`)).Want(200)
		}
		wantLogins := func(when, want string) {
			t.Helper()
			if got := fmt.Sprint(app.Rows(t, "users", "id")[0]["login_count"]); got != want {
				t.Errorf("%s there were %s logins, want %s", when, got, want)
			}
		}
		app.Change(t, "UPDATE users SET last_login_at = ? WHERE id = 'alice'", time.Now().UTC().Add(-5*time.Hour))
		alice.Do(t, "GET", me).Want(200)
		wantLogins("from memory", "1")
		forget()
		together(16, func(int) { alice.Do(t, "GET", me).Want(200).WantHeader("ETag", `"3"`) })
		wantLogins("after sixteen requests at once", "2")
		forget()
		app.User(t, "alice").Do(t, "GET", me).Want(200).WantHeader("ETag", `"5"`)
		wantLogins("with a renewed token", "2")
		wantTold(t, app, "alice", "users.user_registered.v1", "users.user_suspended.v1", "users.user_reactivated.v1",
			"users.user_suspended.v1", "users.user_reactivated.v1")
	})
}

func TestClerkTellsOfItsUsers(t *testing.T) {
	clerk := idp.New(t, idp.Clerk)
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		now := time.Now()
		created := clerkUser("user.created", "user_1", "sam@example.com", "Sam", now)
		app.Do(t, "POST", clerkHook, testkit.Body(created)).WantError(400, "BAD_REQUEST")
		app.Do(t, "POST", clerkHook, testkit.Body(created), testkit.Header("Svix-Id", "msg_1"),
			testkit.Header("Svix-Timestamp", fmt.Sprint(now.Unix())), testkit.Header("Svix-Signature", "v1,AAAA")).WantError(400, "BAD_REQUEST")
		app.Do(t, "POST", clerkHook).WantError(400, "BAD_REQUEST")
		if rows := testkit.Rows(t, app.DB, "users_webhooks", ""); rows != 0 {
			t.Fatalf("%d posts of strangers are kept", rows)
		}
		for range 3 {
			clerkSays(t, app, "msg_1", created).Want(200).WantJSON("", map[string]any{"received": true})
		}
		clerkSays(t, app, "msg_2", `{"type": "session.created", "data": {"id": "sess_1"}}`).Want(200)
		processed(t, app, 2)
		wantTold(t, app, "user_1", "users.user_registered.v1")

		sam := signedIn(app, clerk, "user_1")
		found := sam.Do(t, "GET", me).Want(200).WantJSON("id", "user_1").WantJSON("email", "sam@example.com").WantJSON("full_name", "Sam").WantHeader("ETag", `"1"`)
		if found.Text("last_login_at") == "" {
			t.Error("the first request is no login")
		}
		sam.Do(t, "PATCH", me, testkit.Body(`{"full_name": "Sam I Am"}`)).Want(200)
		clerkSays(t, app, "msg_4", clerkUser("user.updated", "user_1", "new@example.com", "Samuel", now.Add(2*time.Second))).Want(200)
		processed(t, app, 3)
		clerkSays(t, app, "msg_3", clerkUser("user.updated", "user_1", "late@example.com", "Late", now.Add(time.Second))).Want(200)
		processed(t, app, 4)
		sam.Do(t, "GET", me).Want(200).WantJSON("email", "new@example.com").WantJSON("full_name", "Sam I Am").WantHeader("ETag", `"3"`)

		clerkSays(t, app, "msg_5", `{"type": "user.deleted", "data": {"id": "user_1", "object": "user", "deleted": true}}`).Want(200)
		clerkSays(t, app, "msg_6", `{"type": "user.deleted", "data": {"id": "user_2", "object": "user", "deleted": true}}`).Want(200)
		processed(t, app, 6)
		clerkSays(t, app, "msg_7", clerkUser("user.created", "user_2", "two@example.com", "Two", now)).Want(200)
		clerkSays(t, app, "msg_8", clerkUser("user.updated", "user_1", "sam@example.com", "Sam", now.Add(time.Hour))).Want(200)
		processed(t, app, 8)
		sam.Do(t, "GET", me).WantError(403, "FORBIDDEN")
		signedIn(app, clerk, "user_2").Do(t, "GET", me).WantError(403, "FORBIDDEN")
		wantTold(t, app, "user_1", "users.user_registered.v1", "users.user_profile_changed.v1", "users.user_profile_changed.v1", "users.user_deleted.v1")
		wantTold(t, app, "user_2")
		silent(t, app, "@example.com")
	}, withClerk(clerk)...)
}

func TestSupabaseTellsOfItsUsers(t *testing.T) {
	supabase := idp.New(t, idp.Supabase)
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		const userID = "8484b834-f29e-4af2-bf42-80644d154f76"
		row := fmt.Sprintf(`{"id": %q, "email": "sam@example.com", "encrypted_password": "$2a$10$hash", "email_confirmed_at": "2026-01-02T03:00:00+00:00",
			"raw_user_meta_data": {"full_name": "Sam"}, "updated_at": "2026-01-02T03:04:05.678+00:00"}`, userID)
		change := func(kind, record, old string) string {
			return fmt.Sprintf(`{"type": %q, "table": "users", "schema": "auth", "record": %s, "old_record": %s}`, kind, record, old)
		}
		secret := testkit.Header("X-Webhook-Secret", "v1,"+webhooktest.Secret)
		insert := testkit.Body(change("INSERT", row, "null"))
		app.Do(t, "POST", supabaseHook, insert).WantError(400, "BAD_REQUEST")
		app.Do(t, "POST", supabaseHook, insert, testkit.Header("X-Webhook-Secret", "wrong")).WantError(400, "BAD_REQUEST")
		for range 2 {
			app.Do(t, "POST", supabaseHook, insert, secret).Want(200).WantJSON("", map[string]any{"received": true})
		}
		hook := fmt.Sprintf(`{"metadata": {"name": "after-user-created", "time": "2026-01-01T03:04:05Z"}, "user": {"id": %q, "email": "old@example.com"}}`, userID)
		parts := []testkit.Part{testkit.Body(hook)}
		for name, value := range webhooktest.Sign(t, "webhook-", webhooktest.Secret, "msg_1", time.Now(), []byte(hook)) {
			parts = append(parts, testkit.Header(name, value))
		}
		app.Do(t, "POST", supabaseHook, parts...).Want(200)
		processed(t, app, 2)
		sam := signedIn(app, supabase, userID)
		sam.Do(t, "GET", me).Want(200).WantJSON("id", userID).WantJSON("email", "sam@example.com").WantJSON("full_name", "Sam")
		app.Do(t, "POST", supabaseHook, testkit.Body(change("DELETE", "null", row)), secret).Want(200)
		processed(t, app, 3)
		sam.Do(t, "GET", me).WantError(403, "FORBIDDEN")
		if events := told(t, app, userID); len(events) < 2 || events[0] != "users.user_registered.v1" || events[len(events)-1] != "users.user_deleted.v1" {
			t.Errorf("told was %v", events)
		}
		for _, text := range []string{"@example.com", "$2a$10", webhooktest.Secret} {
			silent(t, app, text)
		}
	}, append(supabase.Settings("AUTH_PROVIDER"), "SUPABASE_WEBHOOK_SECRET=v1,"+webhooktest.Secret)...)
}

func TestProvidersWithoutASecretAreNotHeard(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		for _, path := range []string{clerkHook, supabaseHook} {
			app.Do(t, "POST", path, testkit.Body(`{}`)).WantError(404, "NOT_FOUND")
		}
	}, "CLERK_WEBHOOK_SECRET="+webhooktest.Secret) // of a provider that nobody signs in with
}

func TestFirstRequestsAndWebhooksMakeOneUserEach(t *testing.T) {
	clerk := idp.New(t, idp.Clerk)
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		const people, requests = 20, 64
		tokens := make([]*testkit.API, people)
		for i := range people {
			tokens[i] = signedIn(app, clerk, fmt.Sprint("person-", i))
		}
		now := time.Now()
		together(people*(requests+2), func(i int) {
			person := i % people
			subject := fmt.Sprint("person-", person)
			switch i / people {
			case requests:
				clerkSays(t, app, "created "+subject, clerkUser("user.created", subject, subject+"@example.com", "Sam", now)).Want(200)
			case requests + 1:
				clerkSays(t, app, "updated "+subject, clerkUser("user.updated", subject, "new-"+subject+"@example.com", "Sue", now.Add(time.Second))).Want(200)
			default:
				tokens[person].Do(t, "GET", me).Want(200).WantJSON("id", subject)
			}
		})
		processed(t, app, 2*people)
		for _, table := range []string{"users", "users_identities"} {
			if rows := testkit.Rows(t, app.DB, table, ""); rows != people {
				t.Errorf("%s has %d rows", table, rows)
			}
		}
		for i := range people {
			subject := fmt.Sprint("person-", i)
			if rows := testkit.Rows(t, app.DB, "events_outbox", "name = 'users.user_registered.v1' AND aggregate = '"+subject+"'"); rows != 1 {
				t.Errorf("%s was registered %d times", subject, rows)
			}
			tokens[i].Do(t, "GET", me).Want(200).WantJSON("email", "new-"+subject+"@example.com").WantJSON("full_name", "Sue")
		}
	}, withClerk(clerk)...)
}

func TestAUserLinksAnotherIdentity(t *testing.T) {
	clerk := idp.New(t, idp.Clerk)
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice, bob := app.User(t, "alice"), app.User(t, "bob")
		alice.Do(t, "GET", me).Want(200)
		bob.Do(t, "GET", me).Want(200)
		own := alice.Do(t, "GET", identities).Want(200).WantJSON("total", 1).WantJSON("items.0.subject", "alice").Text("items.0.id")

		proof := clerk.Issue("RS256", idp.Person{Subject: "user_1"}, time.Now())
		body := testkit.Body(fmt.Sprintf(`{"token": %q}`, proof))
		linked := alice.Do(t, "POST", identities, body).Want(201).WantJSON("issuer", clerk.Name()).WantJSON("subject", "user_1")
		linked.WantHeader("Location", identities+"/"+linked.Text("id"))
		alice.Do(t, "POST", identities, body).Want(201).WantJSON("id", linked.Text("id"))
		alice.Do(t, "GET", identities).Want(200).WantJSON("total", 2).WantJSON("items.1.id", linked.Text("id"))
		if events := told(t, app, "alice"); !slices.Equal(events, []string{"users.user_registered.v1", "users.user_identity_linked.v1"}) {
			t.Errorf("told was %v", events)
		}
		apptest.Await(t, "what follows from it", func() bool { return testkit.Rows(t, app.DB, "river_job", "state IN ('available', 'running')") == 0 })
		bob.Do(t, "POST", identities, body).WantError(409, "CONFLICT")
		app.Do(t, "POST", identities, body).WantError(401, "UNAUTHENTICATED")
		other := app.As(proof)
		other.Do(t, "GET", me).Want(200).WantJSON("id", "alice")
		before := contents(t, app)
		for body, field := range map[string]string{
			`{}`: "token", `{"token": ""}`: "token", `{"token": "x"}`: "token", `{"token": null}`: "token", `{"token": "a.b.c", "email": "x"}`: "email",
			fmt.Sprintf(`{"token": %q}`, proof[:len(proof)-2]): "token",
		} {
			if answer := alice.Do(t, "POST", identities, testkit.Body(body)).WantError(422, "VALIDATION_ERROR"); !namesField(answer, field) {
				t.Errorf("%s: details.errors doesn't name %s\n%s", body, field, answer.Body)
			}
		}
		alice.Do(t, "DELETE", identities+"/"+own).WantError(409, "CONFLICT")
		other.Do(t, "DELETE", identities+"/"+linked.Text("id")).WantError(409, "CONFLICT")
		bob.Do(t, "DELETE", identities+"/"+linked.Text("id")).WantError(404, "NOT_FOUND")
		alice.Do(t, "DELETE", identities+"/x").WantError(404, "NOT_FOUND")
		if after := contents(t, app); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Error("something that was refused changed rows")
		}

		// The old one goes: from now on alice comes with the new one. Whoever comes with the old one is somebody new.
		other.Do(t, "DELETE", identities+"/"+own).Want(204)
		other.Do(t, "DELETE", identities+"/"+linked.Text("id")).WantError(409, "CONFLICT")
		other.Do(t, "GET", me).Want(200).WantJSON("id", "alice")
		if stranger := alice.Do(t, "GET", me).Want(200); stranger.Text("id") == "alice" {
			t.Error("the old identity is still alice")
		}
		silent(t, app, proof)
	}, withClerk(clerk)...)
}
