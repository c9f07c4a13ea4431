package app_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/events"
)

func TestALoginIsNoted(t *testing.T) {
	fresh := domain.Claims{Identity: sam, IssuedAt: birth.Add(40 * time.Minute), Session: "s1"}
	for name, test := range map[string]struct {
		claims  domain.Claims
		failing string
		want    []string
	}{
		"of a new session":            {claims: fresh, want: []string{"sam 2026-01-02T03:44:05Z s1"}},
		"but not of an old token":     {claims: domain.Claims{Identity: sam, IssuedAt: birth.Add(time.Minute)}},
		"and stands in nobody's way":  {claims: fresh, failing: "note", want: []string{"sam 2026-01-02T03:44:05Z s1"}},
		"at our time, whatever comes": {claims: domain.Claims{Identity: sam, IssuedAt: now.Add(time.Minute)}, want: []string{"sam 2026-01-02T04:04:05Z "}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.failing, person("sam"))
			if got, err := f.SignIn(t.Context(), test.claims); err != nil || got.ID != "sam" || got.Version != 3 {
				t.Errorf("got %+v and %v", got, err)
			}
			if !slices.Equal(f.store.logins, test.want) {
				t.Errorf("noted is %v, want %v", f.store.logins, test.want)
			}
			f.events.Expect(t)
			if len(f.principals.forgotten) > 0 {
				t.Error("a login makes others ask for the account")
			}
		})
	}
	suspended := person("sam")
	suspended.Active = false
	f := newFixture("", suspended)
	if _, err := f.SignIn(t.Context(), fresh); !errs.Is(err, errs.Forbidden) || f.store.logins != nil {
		t.Errorf("a suspended user: got %v, and noted is %v", err, f.store.logins)
	}
}

func TestTheProviderIsAskedForAnAddress(t *testing.T) {
	for name, test := range map[string]struct {
		claims domain.Claims
		want   []string
	}{
		"that the token lacks": {domain.Claims{Identity: sam}, []string{"sam"}},
		"that the token has":   {domain.Claims{Identity: sam, Email: "sam@example.com"}, nil},
		"whom nobody can ask":  {domain.Claims{Identity: domain.Identity{Issuer: "other", Subject: "sam"}}, nil},
	} {
		f := newFixture("")
		if _, err := f.SignIn(t.Context(), test.claims); err != nil || !slices.Equal(f.queue.fetching, test.want) {
			t.Errorf("%s: asked is for %v, %v", name, f.queue.fetching, err)
		}
	}
	f := newFixture("enqueue")
	if _, err := f.SignIn(t.Context(), domain.Claims{Identity: sam}); !errors.Is(err, errstest.ErrBoom) || f.tx.RolledBack != 1 {
		t.Errorf("got %v", err)
	}

	bare := person("sam")
	bare.Email = nil
	f = newFixture("", bare)
	f.provider.says["sam"] = app.Notice{Claims: domain.Claims{Identity: sam, Email: "sam@example.com", FullName: "Sam"}, UpdatedAt: birth}
	if err := f.FetchProfile(t.Context(), "sam"); err != nil || *f.store.users["sam"].Email != "sam@example.com" {
		t.Errorf("the user is %+v, %v", f.store.users["sam"], err)
	}
	f.events.Expect(t, users.UserProfileChanged{UserID: "sam", Version: 4})
	for userID, is := range map[string]func(error) bool{"unreachable": errstest.Boom, "unknown": errstest.Success, "nobody": errstest.Success} {
		f := newFixture("", person("unreachable"), person("unknown"))
		if err := f.FetchProfile(t.Context(), userID); !is(err) {
			t.Errorf("%s: got %v", userID, err)
		}
		f.events.Expect(t)
	}
}

// post sends what the provider says through the whole of it, and returns the error of the job.
func (f fixture) post(t *testing.T, says string) error {
	t.Helper()
	post, err := f.Verify("provider", func(string) string { return "right" }, []byte(says))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Receive(t.Context(), "provider", post, []byte(says)); err != nil {
		t.Fatal(err)
	}
	return f.ProcessWebhook(t.Context(), f.queue.processing[len(f.queue.processing)-1])
}

func TestAProviderTellsOfAUser(t *testing.T) {
	told := app.Notice{Claims: domain.Claims{Identity: sam, Email: "sam@example.com", EmailVerified: true, FullName: "Sam"}, UpdatedAt: birth}
	gone := app.Notice{Claims: domain.Claims{Identity: sam}, Deleted: true}
	known, deleted, root, two := person("sam"), person("sam"), person("sam"), person("sam")
	known.Email, known.FullName = nil, nil
	deleted.Deleted, root.Role = true, domain.RoleSuperadmin
	filled := known
	filled.Email, filled.EmailVerified, filled.FullName, filled.Version, filled.UpdatedAt = new("sam@example.com"), true, new("Sam"), 4, now
	for name, test := range map[string]struct {
		user   *domain.User
		linked []domain.Identity
		told   time.Time
		says   app.Notice
		want   domain.User
		events []events.Event
		is     func(error) bool
	}{
		"who is new":   {says: told, want: domain.Register("sam", told.Claims, now), events: []events.Event{users.UserRegistered{UserID: "sam", Version: 1}}},
		"who is known": {user: &known, says: told, want: filled, events: []events.Event{users.UserProfileChanged{UserID: "sam", Version: 4}}},
		"again":        {user: &known, told: birth, says: told, want: known},
		"as of before": {user: &known, told: birth.Add(time.Second), says: told, want: known},
		"as of an unknown time": {user: &known, says: app.Notice{Claims: told.Claims}, want: filled,
			events: []events.Event{users.UserProfileChanged{UserID: "sam", Version: 4}}},
		"who was deleted here": {user: &deleted, says: told, want: deleted},
		"of nobody":            {user: &known, want: known},
		"whom no token can name": {user: &known, says: app.Notice{Claims: domain.Claims{Identity: domain.Identity{Issuer: "issuer", Subject: "a\nb"}}},
			want: known, is: errstest.Kind(errs.Invalid)},
		"who is gone": {user: &known, says: gone, want: domain.User{ID: "sam", Role: domain.RoleUser, Version: 4, Deleted: true},
			events: []events.Event{users.UserDeleted{UserID: "sam", Version: 4}}},
		"who is gone twice":                    {user: &deleted, says: gone, want: deleted},
		"who is gone, and never was here":      {says: gone},
		"who is gone, but is the last root":    {user: &root, says: gone, want: root, is: errstest.Kind(errs.Conflict)},
		"who is gone, but has more identities": {user: &two, linked: []domain.Identity{{Issuer: "other", Subject: "s"}}, says: gone, want: two},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture("")
			if test.user != nil {
				f = newFixture("", *test.user)
			}
			for _, identity := range test.linked {
				f.store.identities[identity] = "sam"
			}
			f.store.told[sam] = test.told
			f.provider.says["it"] = test.says
			if test.is == nil {
				test.is = errstest.Success
			}
			if err := f.post(t, "it"); !test.is(err) {
				t.Errorf("got %v", err)
			}
			if !reflect.DeepEqual(f.store.users["sam"], test.want) {
				t.Errorf("the user is %+v, want %+v", f.store.users["sam"], test.want)
			}
			f.events.Expect(t, test.events...)
			if test.says.Deleted && test.want.Role != domain.RoleSuperadmin {
				if _, err := f.SignIn(t.Context(), domain.Claims{Identity: sam}); !errs.Is(err, errs.Forbidden) {
					t.Errorf("an old token gives %v", err)
				}
				f.provider.says["late"] = told
				if err := f.post(t, "late"); err != nil {
					t.Error(err)
				}
				if _, err := f.SignIn(t.Context(), domain.Claims{Identity: sam}); !errs.Is(err, errs.Forbidden) {
					t.Errorf("an old token gives %v after a late notice", err)
				}
				f.events.Expect(t, test.events...)
			}
		})
	}
}

func TestWhatIsPostedIsKeptSealedAndProcessedOnce(t *testing.T) {
	f := newFixture("", person("sam"))
	f.provider.says["secret text"] = app.Notice{}
	if err := f.post(t, "secret text"); err != nil {
		t.Fatal(err)
	}
	webhookID := f.queue.processing[0]
	kept := f.webhooks.kept[webhookID]
	if kept.Sealed != nil || kept.Provider != "provider" || kept.Post != (app.Post{ID: "post secret text", Type: "user.updated"}) || kept.ReceivedAt != now {
		t.Errorf("kept is %+v", kept)
	}
	f.store.Expect(t, "add in tx", "enqueue in tx", "look", "close in tx")
	if err := f.ProcessWebhook(t.Context(), webhookID); err != nil {
		t.Error(err)
	}
	post, _ := f.Verify("provider", func(string) string { return "right" }, []byte("secret text"))
	if err := f.Receive(t.Context(), "provider", post, []byte("secret text")); err != nil || len(f.queue.processing) != 1 {
		t.Errorf("a duplicate is processed, %v", err)
	}
	f.store.Expect(t, "add in tx", "enqueue in tx", "look", "close in tx", "look", "add in tx")
	if err := f.PurgeWebhooks(t.Context()); err != nil || len(f.webhooks.kept) != 1 {
		t.Errorf("what is young is gone, %v", err)
	}
	kept.ReceivedAt = now.Add(-30*24*time.Hour - 1)
	f.webhooks.kept[webhookID] = kept
	if err := f.PurgeWebhooks(t.Context()); err != nil || len(f.webhooks.kept) != 0 {
		t.Errorf("what is old is there, %v", err)
	}
}

func TestWhatIsPostedCanBeBad(t *testing.T) {
	f := newFixture("")
	if _, err := f.Verify("provider", func(string) string { return "wrong" }, nil); !errs.Is(err, errs.Malformed) {
		t.Errorf("a wrong signature: %v", err)
	}
	if _, err := f.Verify("other", func(string) string { return "right" }, nil); !errs.Is(err, errs.NotFound) {
		t.Errorf("a provider that isn't configured: %v", err)
	}
	if err := f.post(t, "unreadable"); !errs.Is(err, errs.Invalid) {
		t.Errorf("what can't be read: %v", err)
	}
	if f.webhooks.kept[f.queue.processing[0]].Sealed == nil {
		t.Error("it is forgotten, though nothing came of it")
	}
	if err := f.ProcessWebhook(t.Context(), "nothing"); !errs.Is(err, errs.NotFound) {
		t.Errorf("no post: %v", err)
	}
	f.webhooks.kept["moved"] = app.Webhook{ID: "moved", Provider: "provider", Sealed: f.webhooks.kept[f.queue.processing[0]].Sealed}
	if err := f.ProcessWebhook(t.Context(), "moved"); !errs.Is(err, errs.Invalid) {
		t.Errorf("what was sealed for another row: %v", err)
	}
	f.webhooks.kept["old"] = app.Webhook{ID: "old", Provider: "before", Sealed: []byte("x")}
	if err := f.ProcessWebhook(t.Context(), "old"); !errs.Is(err, errs.NotFound) {
		t.Errorf("of a provider that was: %v", err)
	}
	for _, failing := range []string{"add", "enqueue"} {
		f := newFixture(failing)
		if err := f.Receive(t.Context(), "provider", app.Post{ID: "p"}, nil); !errors.Is(err, errstest.ErrBoom) || f.tx.RolledBack != 1 {
			t.Errorf("the %s fails: %v", failing, err)
		}
	}
	for _, failing := range []string{"look", "close", "claim", "lock", "mark", "save", "publish"} {
		bare := person("sam")
		bare.Email = nil
		f := newFixture(failing, bare)
		f.provider.says["it"] = app.Notice{Claims: domain.Claims{Identity: sam, Email: "sam@example.com"}}
		if err := f.post(t, "it"); !errors.Is(err, errstest.ErrBoom) || failing != "look" && f.tx.RolledBack != 1 {
			t.Errorf("the %s fails: %v", failing, err)
		}
	}
	for _, failing := range []string{"claim", "identify", "hold", "identities", "erase", "publish"} {
		f := newFixture(failing, person("sam"))
		f.provider.says["it"] = app.Notice{Claims: domain.Claims{Identity: sam}, Deleted: true}
		if err := f.post(t, "it"); !errors.Is(err, errstest.ErrBoom) || f.tx.RolledBack != 1 {
			t.Errorf("the %s fails: %v", failing, err)
		}
	}
}

func TestIdentitiesOfAUser(t *testing.T) {
	other := domain.Identity{Issuer: "other", Subject: "s"}
	theirs := domain.Identity{Issuer: "issuer", Subject: "sue"}
	f := newFixture("", person("sam"), person("sue"))
	if linked, err := f.LinkIdentity(t.Context(), "sam", other); err != nil || linked.Identity != other || f.store.identities[other] != "sam" {
		t.Errorf("got %+v, %v", linked, err)
	}
	f.store.Expect(t, "lock in tx", "identities in tx", "claim in tx", "link in tx", "identities in tx")
	if linked, err := f.LinkIdentity(t.Context(), "sam", other); err != nil || linked.Identity != other {
		t.Errorf("again: got %+v, %v", linked, err)
	}
	if _, err := f.LinkIdentity(t.Context(), "sam", theirs); !errs.Is(err, errs.Conflict) || f.store.identities[theirs] != "sue" {
		t.Errorf("somebody's: got %v", err)
	}
	if _, err := f.LinkIdentity(t.Context(), "nobody", other); !errs.Is(err, errs.NotFound) {
		t.Errorf("for nobody: got %v", err)
	}
	if got, err := f.SignIn(t.Context(), domain.Claims{Identity: other}); err != nil || got.ID != "sam" {
		t.Errorf("the other identity is %+v, %v", got, err)
	}
	if all, err := f.Identities(t.Context(), "sam"); err != nil || len(all) != 2 {
		t.Errorf("they are %+v, %v", all, err)
	}
	if err := f.UnlinkIdentity(t.Context(), "sam", sam.ID(), sam); !errs.Is(err, errs.Conflict) {
		t.Errorf("the one in use: got %v", err)
	}
	if err := f.UnlinkIdentity(t.Context(), "sam", theirs.ID(), sam); !errs.Is(err, errs.NotFound) {
		t.Errorf("somebody's: got %v", err)
	}
	if err := f.UnlinkIdentity(t.Context(), "sam", other.ID(), sam); err != nil || !slices.Equal(f.principals.forgotten, []string{"sam"}) {
		t.Errorf("got %v, and forgotten are %v", err, f.principals.forgotten)
	}
	if _, linked := f.store.identities[other]; linked {
		t.Error("it is still there")
	}
	f.events.Expect(t, users.UserIdentityLinked{UserID: "sam", Issuer: "other", Version: 3}) // once
	for _, failing := range []string{"lock", "identities", "claim", "link", "publish"} {
		f := newFixture(failing, person("sam"))
		if linked, err := f.LinkIdentity(t.Context(), "sam", other); !errors.Is(err, errstest.ErrBoom) || linked != (domain.LinkedIdentity{}) {
			t.Errorf("the %s fails: got %v", failing, err)
		}
	}
}
