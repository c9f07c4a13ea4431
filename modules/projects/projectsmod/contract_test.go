package projectsmod_test

import (
	"strings"
	"testing"

	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/modules/projects/projectsmod"
	"github.com/omnistack/omnistack/modules/projects/projectstest"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/testkit"
)

// The real port and its fake keep one contract, so that other modules' tests with the fake are worth something.

func TestTheModuleKeepsTheContract(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		module := projectsmod.New(projectsmod.Deps{
			DB: db, Cursors: page.NewCursors(keyring.New(strings.Repeat("k", 32), "")), Clock: clock.System{},
		})
		described := module.Describe()
		keepsTheCatalog(t, module.Catalog(), world{
			add: func(owner id.Scope, count int) error {
				return described.Seeder.Seed(t.Context(), []id.Scope{owner}, count)
			},
			erase: func(owner id.Scope) error { return described.Eraser.Erase(t.Context(), owner) },
		})
	})
}

func TestTheFakeKeepsTheContract(t *testing.T) {
	fake := projectstest.Catalog{}
	keepsTheCatalog(t, fake, world{
		add: func(owner id.Scope, count int) error {
			fake[owner] += int64(count)
			return nil
		},
		erase: func(owner id.Scope) error {
			delete(fake, owner)
			return nil
		},
	})
}

// world is how the contract makes things happen.
type world struct {
	add   func(owner id.Scope, count int) error
	erase func(owner id.Scope) error
}

func keepsTheCatalog(t *testing.T, catalog projects.Catalog, world world) {
	t.Helper()
	alice, bob, nobody := id.Of("alice"), id.Of("bob"), id.Of("nobody")
	expect := func(when string, counts map[id.Scope]int64) {
		t.Helper()
		for owner, want := range counts {
			if got, err := catalog.Count(t.Context(), owner); err != nil || got != want {
				t.Errorf("%s: %s has %d projects, %v, want %d", when, owner.User, got, err, want)
			}
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	expect("at first", map[id.Scope]int64{alice: 0, nobody: 0})
	must(world.add(alice, 2))
	must(world.add(bob, 1))
	must(world.add(alice, 1))
	expect("then", map[id.Scope]int64{alice: 3, bob: 1, nobody: 0})
	must(world.erase(alice))
	must(world.erase(nobody))
	expect("in the end", map[id.Scope]int64{alice: 0, bob: 1, nobody: 0})
}
