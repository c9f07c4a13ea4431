package usersmod_test

import (
	"context"
	"testing"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/testkit"
)

// What the rest of the house learns of a verified token: whose account it is, and what that may do.
func TestAccounts(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		module := newModule(t, db)
		accounts := module.Accounts()
		set := func(column string, value any, userID string) {
			t.Helper()
			err := db.WithinTx(t.Context(), func(ctx context.Context) error {
				return db.Tx(ctx).Exec("UPDATE users SET "+column+" = ? WHERE id = ?", value, userID).Error
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		resolves := func(when string, role auth.Role, want auth.Principal) {
			t.Helper()
			got, err := accounts.Resolve(t.Context(), auth.Identity{Issuer: "issuer", Subject: "sam", Role: role})
			if err != nil || got != want {
				t.Errorf("%s: got %+v, %v, want %+v", when, got, err, want)
			}
		}
		refuses := func(when string) {
			t.Helper()
			got, err := accounts.Resolve(t.Context(), auth.Identity{Issuer: "issuer", Subject: "sam", Role: auth.RoleAdmin})
			if !errs.Is(err, errs.Forbidden) || got != (auth.Principal{}) {
				t.Errorf("%s: got %+v, %v, want it forbidden", when, got, err)
			}
		}

		resolves("at first", "", auth.Principal{UserID: "sam", Role: auth.RoleUser})
		resolves("with a role in the token", auth.RoleAdmin, auth.Principal{UserID: "sam", Role: auth.RoleAdmin})
		resolves("without it again", "", auth.Principal{UserID: "sam", Role: auth.RoleUser})
		set("role", "admin", "sam")
		resolves("with a role of the account", "", auth.Principal{UserID: "sam", Role: auth.RoleAdmin})
		set("is_active", false, "sam")
		refuses("suspended")
		set("is_active", true, "sam")
		if _, err := module.Describe().Eraser.Erase(t.Context(), id.Of("sam")); err != nil {
			t.Fatal(err)
		}
		refuses("erased")

		// A role that only a token gave is gone with it, also when that token made the account.
		kim := auth.Identity{Issuer: "issuer", Subject: "kim", Role: auth.RoleSuperadmin}
		for _, want := range []auth.Role{auth.RoleSuperadmin, auth.RoleUser} {
			if got, err := accounts.Resolve(t.Context(), kim); err != nil || got.Role != want {
				t.Errorf("kim: got %+v, %v, want the role %s", got, err, want)
			}
			kim.Role = ""
		}
	})
}
