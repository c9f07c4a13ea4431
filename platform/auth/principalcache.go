package auth

import (
	"context"
	"sync"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
)

const (
	// principalTTL bounds how long a change made by another process goes unnoticed here.
	principalTTL = 2 * time.Second

	// maxPrincipals bounds the memory of principals.
	maxPrincipals = 10_000
)

// PrincipalCache remembers for two seconds which account an identity stands for, so that a client that calls often
// costs no query each time. A change made in this process counts at once, because whoever makes it calls Forget; one
// made elsewhere counts within those two seconds. Refusals aren't remembered. It is safe for concurrent use.
type PrincipalCache struct {
	clock clock.Clock
	known *recent[bearer, remembered]

	mu     sync.Mutex // makes "nothing was forgotten meanwhile, so remember" one step
	forgot uint64     // how often Forget was called
}

// bearer is what a principal depends on: the identity, and the role that the token names.
type bearer struct {
	issuer, subject string
	role            Role
}

type remembered struct {
	principal Principal
	until     time.Time
}

// NewPrincipalCache returns an empty cache that reads the time from clock.
func NewPrincipalCache(clock clock.Clock) *PrincipalCache {
	return &PrincipalCache{clock: clock, known: newRecent[bearer, remembered](maxPrincipals)}
}

// Forget makes the next request of the user ask the accounts again. Call it when a change to the user's role or state
// has been committed.
func (c *PrincipalCache) Forget(userID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgot++
	c.known.drop(func(_ bearer, r remembered) bool { return r.principal.UserID == userID })
}

// resolve returns the principal of a verified identity, from memory or from the accounts.
func (c *PrincipalCache) resolve(ctx context.Context, accounts Accounts, who Identity) (Principal, error) {
	key, now := bearer{who.Issuer, who.Subject, who.Role}, c.clock.Now()
	if r, ok := c.known.get(key); ok && now.Before(r.until) {
		return r.principal, nil
	}
	c.mu.Lock()
	before := c.forgot
	c.mu.Unlock()

	principal, err := accounts.Resolve(ctx, who)
	if err != nil {
		return Principal{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forgot == before { // else the answer may be older than the change
		c.known.put(key, remembered{principal, now.Add(principalTTL)})
	}
	return principal, nil
}
