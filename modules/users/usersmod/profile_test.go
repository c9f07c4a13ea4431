package usersmod_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/omnistack/omnistack/modules/users/usersmod"
	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events/eventstest"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/testkit"
)

// enqueued keeps the jobs that it is given.
type enqueued struct{ all []jobs.Args }

func (e *enqueued) Enqueue(_ context.Context, args jobs.Args, _ ...jobs.Option) error {
	e.all = append(e.all, args)
	return nil
}

// Clerk's tokens have no e-mail address: it is asked for at the first request, and that is tried again while Clerk is down.
func TestClerkIsAskedForTheAddress(t *testing.T) {
	const issuer, key = "https://clerk.example.com", "sk_test_nobodys"
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		var down atomic.Bool
		clerk := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case down.Load():
				w.WriteHeader(http.StatusServiceUnavailable)
			case r.URL.Path != "/v1/users/user_1" || r.Header.Get("Authorization") != "Bearer "+key:
				w.WriteHeader(http.StatusNotFound)
			default:
				_, _ = w.Write([]byte(`{"id": "user_1", "first_name": "Sam", "primary_email_address_id": "idn_1", "updated_at": 1767323045123,
				"email_addresses": [{"id": "idn_1", "email_address": "sam@example.com", "verification": {"status": "verified"}}]}`))
			}
		}))
		t.Cleanup(clerk.Close)
		keys, queue := keyring.New(strings.Repeat("k", 32), ""), &enqueued{}
		users, err := usersmod.New(usersmod.Deps{
			DB: db, Events: eventstest.New(db, nil), Jobs: queue, Cursors: page.NewCursors(keys), Keyring: keys, Clock: clock.System{},
			Principals: auth.NewPrincipalCache(clock.System{}), Settings: &usersmod.Settings{}, Issuer: issuer,
			Auth:     config.Auth{Provider: config.ProviderClerk, ClerkIssuerURL: issuer, ClerkSecretKey: key},
			ClerkAPI: clerk.URL,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, who := range []auth.Identity{{Subject: "user_1"}, {Subject: "user_2", Email: "two@example.com"}, {Subject: "user_1"}} {
			who.Issuer = issuer
			if _, err := users.Accounts().Resolve(t.Context(), who); err != nil {
				t.Fatal(err)
			}
		}
		if len(queue.all) != 1 || queue.all[0].Kind() != "users.fetch_profile" {
			t.Fatalf("enqueued is %+v", queue.all)
		}
		args, err := json.Marshal(queue.all[0])
		if err != nil {
			t.Fatal(err)
		}
		kinds := users.Describe().Jobs
		fetch := kinds[slices.IndexFunc(kinds, func(j module.Job) bool { return j.Kind == "users.fetch_profile" })]
		down.Store(true)
		if err := fetch.Run(t.Context(), args); !errs.Is(err, errs.Unavailable) {
			t.Errorf("while Clerk is down: %v", err)
		}
		down.Store(false)
		for range 2 {
			if err := fetch.Run(t.Context(), args); err != nil {
				t.Error(err)
			}
		}
		found, err := users.Directory().Find(t.Context(), "user_1")
		if err != nil || found.Email != "sam@example.com" || found.FullName != "Sam" {
			t.Errorf("the user is %+v, %v", found, err)
		}
	})
}

func TestASecretThatIsNoneIsRefused(t *testing.T) {
	for name, conf := range map[string]config.Auth{
		"clerk":    {Provider: config.ProviderClerk, ClerkIssuerURL: "https://clerk.example.com", ClerkWebhookSecret: "secret"},
		"supabase": {Provider: config.ProviderSupabase, SupabaseProjectURL: "https://abc.supabase.co", SupabaseWebhookSecret: "secret"},
	} {
		keys := keyring.New(strings.Repeat("k", 32), "")
		if _, err := usersmod.New(usersmod.Deps{Keyring: keys, Settings: &usersmod.Settings{}, Auth: conf}); err == nil || strings.Contains(err.Error(), `"secret"`) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
