package id_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/omnistack/omnistack/platform/id"
)

func TestNewMakesUUIDsOfVersion7InOrder(t *testing.T) {
	before := ""
	for range 10_000 {
		made := id.New()
		if !id.Valid(made) || uuid.MustParse(made).Version() != 7 {
			t.Fatalf("%q is no UUIDv7", made)
		}
		if made <= before {
			t.Fatalf("%q was made after %q", made, before)
		}
		before = made
	}
}

func TestNewNeverMakesTheSameTwice(t *testing.T) {
	var made sync.Map
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 1000 {
				if fresh := id.New(); !first(&made, fresh) {
					t.Errorf("%q was made twice", fresh)
				}
			}
		})
	}
	all.Wait()
}

func first(seen *sync.Map, s string) bool {
	_, twice := seen.LoadOrStore(s, true)
	return !twice
}

func TestValid(t *testing.T) {
	const good = "0190a5c8-7d5e-7abc-8def-0123456789ab"
	for s, want := range map[string]bool{
		good:                                    true,
		id.New():                                true,
		"":                                      false,
		"alice":                                 false,
		strings.ToUpper(good):                   false,
		"{" + good + "}":                        false,
		"urn:uuid:" + good:                      false,
		strings.ReplaceAll(good, "-", ""):       false,
		good[:35]:                               false,
		good + "0":                              false,
		" " + good:                              false,
		good[:35] + "g":                         false,
		"0190a5c8-7d5e-7abc-8def-0123456789a\n": false,
	} {
		if id.Valid(s) != want {
			t.Errorf("%q is valid: %t, want %t", s, !want, want)
		}
	}
}

func TestAScopeIsItsOwner(t *testing.T) {
	if id.Of("alice") != (id.Scope{User: "alice"}) || id.Of("alice") == id.Of("bob") {
		t.Error("a scope isn't its owner")
	}
}
