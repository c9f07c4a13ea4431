package usersmod_test

import (
	"context"
	"testing"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/usersmod"
	"github.com/omnistack/omnistack/modules/users/userstest"
	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/testkit"
)

// The real ports and their fakes keep one contract, so that other modules' tests with the fakes are worth something.

func TestTheModuleKeepsTheContract(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		module := usersmod.New(usersmod.Deps{DB: db, Clock: clock.System{}, Principals: auth.NewPrincipalCache(clock.System{}), Settings: &usersmod.Settings{}, Issuer: "issuer"})
		keepsTheDirectory(t, module.Directory(), world{
			join: func(user users.User) error {
				_, err := module.Accounts().Resolve(t.Context(), auth.Identity{
					Issuer: "issuer", Subject: user.ID, Email: user.Email, Name: user.FullName,
				})
				return err
			},
			suspend: func(userID string) error {
				return db.WithinTx(t.Context(), func(ctx context.Context) error {
					return db.Tx(ctx).Exec("UPDATE users SET is_active = ? WHERE id = ?", false, userID).Error
				})
			},
			erase: func(userID string) error { return module.Describe().Eraser.Erase(t.Context(), id.Of(userID)) },
		})
	})
}

func TestTheFakeKeepsTheContract(t *testing.T) {
	fake := userstest.Directory{}
	keepsTheDirectory(t, fake, world{
		join: func(user users.User) error {
			fake[user.ID] = user
			return nil
		},
		suspend: func(userID string) error {
			user := fake[userID]
			user.Active = false
			fake[userID] = user
			return nil
		},
		erase: func(userID string) error {
			delete(fake, userID)
			return nil
		},
	})
}

// world is how the contract makes things happen.
type world struct {
	join    func(user users.User) error
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

	must(world.suspend("sam"))
	sam.Active = false
	finds("suspended", sam)
	must(world.erase("sam"))
	missing("erased", "sam")
	finds("somebody else", bare)
}
