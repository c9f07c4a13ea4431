package usersmod_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/usersmod"
	"github.com/omnistack/omnistack/modules/users/userstest"
	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events/eventstest"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/testkit"
)

// The real ports and their fakes keep one contract, so that other modules' tests with the fakes are worth something.

func TestTheModuleKeepsTheContract(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		module := newModule(t, db, "ada@example.com", "Grace@Example.com", "ADA@example.com")
		change := func(statement string, args ...any) error {
			return db.WithinTx(t.Context(), func(ctx context.Context) error { return db.Tx(ctx).Exec(statement, args...).Error })
		}
		keepsTheDirectory(t, module.Directory(), world{
			join: func(user users.User) error {
				_, err := module.Accounts().Resolve(t.Context(), auth.Identity{
					Issuer: "issuer", Subject: user.ID, Email: user.Email, Name: user.FullName,
				})
				return err
			},
			appoint: func(userID string) error { return change("UPDATE users SET role = 'admin' WHERE id = ?", userID) },
			suspend: func(userID string) error { return change("UPDATE users SET is_active = ? WHERE id = ?", false, userID) },
			erase: func(userID string) error {
				_, err := module.Describe().Eraser.Erase(t.Context(), id.Of(userID))
				return err
			},
		})
	})
}

func TestTheFakeKeepsTheContract(t *testing.T) {
	fake := &userstest.Directory{Users: map[string]users.User{}, Emails: []string{"ada@example.com", "Grace@Example.com", "ADA@example.com"}}
	keepsTheDirectory(t, fake, world{
		join: func(user users.User) error {
			fake.Users[user.ID] = user
			return nil
		},
		appoint: func(userID string) error {
			fake.Admins = append(fake.Admins, userID)
			return nil
		},
		suspend: func(userID string) error {
			user := fake.Users[userID]
			user.Active = false
			fake.Users[userID] = user
			return nil
		},
		erase: func(userID string) error {
			delete(fake.Users, userID)
			return nil
		},
	})
}

// world is how the contract makes things happen.
type world struct {
	join    func(user users.User) error
	appoint func(userID string) error // as an administrator
	suspend func(userID string) error
	erase   func(userID string) error
}

func keepsTheDirectory(t *testing.T, directory users.Directory, world world) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	finds := func(when string, want users.User) {
		t.Helper()
		if got, err := directory.Find(t.Context(), want.ID); err != nil || got != want {
			t.Errorf("%s: found %+v, %v, want %+v", when, got, err, want)
		}
	}
	missing := func(when, userID string) {
		t.Helper()
		got, err := directory.Find(t.Context(), userID)
		if !errs.Is(err, errs.NotFound) || got != (users.User{}) {
			t.Errorf("%s: found %+v, %v, want it not found", when, got, err)
			return
		}
		if details := errs.From(err).Details; details["resource"] != "User" || details["id"] != userID {
			t.Errorf("%s: the details are %v", when, details)
		}
	}

	sam := users.User{ID: "sam", Email: "sam@example.com", FullName: "Sam 🚀", Active: true}
	bare := users.User{ID: "bare", Active: true}
	missing("at first", "sam")
	must(world.join(sam))
	must(world.join(bare))
	finds("with everything", sam)
	finds("with nothing", bare)
	missing("a stranger", "nobody")
	missing("an empty id", "")

	// Who hears what concerns everybody: the two addresses of the settings, and administrators of their own.
	administrators := func(when string, want ...users.User) {
		t.Helper()
		if got, err := directory.Administrators(t.Context()); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: the administrators are %+v, %v, want %+v", when, got, err, want)
		}
	}
	onlyAda, onlyGrace := users.User{Email: "ada@example.com"}, users.User{Email: "Grace@Example.com"}
	grace := users.User{ID: "grace", Email: "grace@example.COM", FullName: "Grace", Active: true}
	administrators("by the settings alone", onlyAda, onlyGrace)
	must(world.join(grace))
	for _, userID := range []string{"sam", "bare", "grace"} {
		must(world.appoint(userID))
	}
	administrators("with two who have an account and an address", grace, sam, onlyAda)
	finds("as an administrator", sam)

	must(world.suspend("sam"))
	administrators("with one suspended", grace, onlyAda)
	sam.Active = false
	finds("suspended", sam)
	must(world.erase("sam"))
	missing("erased", "sam")
	finds("somebody else", bare)
	must(world.erase("grace"))
	administrators("with none who has an account", onlyAda, onlyGrace)
}

// newModule returns the module over the database, with these addresses in ADMIN_EMAILS.
func newModule(t *testing.T, db *database.DB, adminEmails ...string) *usersmod.Module {
	t.Helper()
	keys := keyring.New(strings.Repeat("k", 32), "")
	module, err := usersmod.New(usersmod.Deps{
		DB: db, Events: eventstest.New(db, nil), Cursors: page.NewCursors(keys), Keyring: keys, Clock: clock.System{},
		Principals: auth.NewPrincipalCache(clock.System{}), Settings: &usersmod.Settings{AdminEmails: adminEmails}, Issuer: "issuer",
	})
	if err != nil {
		t.Fatal(err)
	}
	return module
}

func TestReport(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		described := newModule(t, db).Describe()
		if err := described.Seeder.Seed(t.Context(), []id.Scope{id.Of("sam"), id.Of("sue"), id.Of("old")}, 0); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		if err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			return db.Tx(ctx).Exec("UPDATE users SET created_at = ? WHERE id = 'old'", now.AddDate(0, 0, -7).UTC()).Error
		}); err != nil {
			t.Fatal(err)
		}
		got, err := described.Reporter.Report(t.Context(), now.AddDate(0, 0, -1), now.Add(time.Hour))
		if want := []module.Figure{{Name: "New users", Value: "2"}, {Name: "Users", Value: "3"}}; err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	})
}
