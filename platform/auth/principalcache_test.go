package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
)

// answering is an Accounts that counts, and answers with what it is told to.
type answering struct {
	asked  int
	answer func() (Principal, error)
}

func (a *answering) Resolve(context.Context, Identity) (Principal, error) {
	a.asked++
	return a.answer()
}

func TestPrincipalCache(t *testing.T) {
	ann := Identity{Issuer: "i", Subject: "ann"}
	user := Principal{UserID: "1", Role: RoleUser}
	now := clock.NewManual(start)
	ask := func(cache *PrincipalCache, accounts *answering, who Identity, want Principal) {
		t.Helper()
		if got, err := cache.resolve(t.Context(), accounts, who); err != nil || got != want {
			t.Errorf("got %+v and %v, want %+v", got, err, want)
		}
	}
	stand := func(answer func() (Principal, error)) (*PrincipalCache, *answering) {
		return NewPrincipalCache(now), &answering{answer: answer}
	}
	always := func() (Principal, error) { return user, nil }

	t.Run("asks once in two seconds", func(t *testing.T) {
		cache, accounts := stand(always)
		ask(cache, accounts, ann, user)
		now.Advance(principalTTL - time.Microsecond)
		ask(cache, accounts, ann, user)
		if accounts.asked != 1 {
			t.Errorf("asked %d times", accounts.asked)
		}
		now.Advance(time.Microsecond)
		ask(cache, accounts, ann, user)
		if accounts.asked != 2 {
			t.Errorf("asked %d times after the time was up", accounts.asked)
		}
	})
	t.Run("keeps issuers, subjects and roles apart", func(t *testing.T) {
		cache, accounts := stand(always)
		for _, who := range []Identity{ann, {Issuer: "j", Subject: "ann"}, {Issuer: "i", Subject: "bob"}, {Issuer: "i", Subject: "ann", Role: RoleAdmin}} {
			ask(cache, accounts, who, user)
		}
		if accounts.asked != 4 {
			t.Errorf("asked %d times for four", accounts.asked)
		}
	})
	t.Run("forgets one user at once", func(t *testing.T) {
		cache, accounts := stand(always)
		var told []string
		cache.Forgotten = func(userID string) { told = append(told, userID) }
		ask(cache, accounts, ann, user)
		cache.Forget("2")
		ask(cache, accounts, ann, user)
		if accounts.asked != 1 {
			t.Error("forgot another user")
		}
		cache.Forget("1")
		ask(cache, accounts, ann, user)
		if accounts.asked != 2 {
			t.Error("didn't forget")
		}
		if !slices.Equal(told, []string{"2", "1"}) {
			t.Errorf("told of %v", told)
		}
	})
	t.Run("doesn't remember what was asked before a change", func(t *testing.T) {
		cache, accounts := stand(nil)
		accounts.answer = func() (Principal, error) {
			cache.Forget("1") // the change is committed while the answer is on its way
			return user, nil
		}
		ask(cache, accounts, ann, user)
		ask(cache, accounts, ann, user)
		if accounts.asked != 2 {
			t.Error("remembered an answer from before the change")
		}
	})
	t.Run("doesn't remember refusals", func(t *testing.T) {
		refused := errors.New("refused")
		cache, accounts := stand(func() (Principal, error) { return Principal{}, refused })
		for range 2 {
			if _, err := cache.resolve(t.Context(), accounts, ann); !errors.Is(err, refused) {
				t.Errorf("got %v", err)
			}
		}
		if accounts.asked != 2 {
			t.Error("remembered a refusal")
		}
	})
	t.Run("is bounded", func(t *testing.T) {
		cache, accounts := stand(always)
		for i := range 3 * maxPrincipals {
			ask(cache, accounts, Identity{Issuer: "i", Subject: fmt.Sprint(i)}, user)
		}
		if held := cache.known.Len(); held > maxPrincipals {
			t.Errorf("holds %d", held)
		}
	})
}
