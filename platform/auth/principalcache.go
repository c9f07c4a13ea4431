package auth

import (
	"context"
	"sync"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/recent"
)

const (
	// principalTTL bounds how long a change made by another process goes unnoticed here.
	principalTTL = 2 * time.Second

	// maxPrincipals bounds the memory of principals.
	maxPrincipals = 10_000

	// unknownTTL is how long an API key that was refused is refused without asking. It can't become good: a key is known to
	// nobody before it is made, and what was revoked or has expired stays so.
	unknownTTL = time.Minute
)

// PrincipalCache remembers for two seconds which account an identity or an API key stands for, so that a client that calls
// often costs no query each time. A change made in this process counts at once, because whoever makes it calls Forget; one
// made elsewhere counts within those two seconds. Refusals aren't remembered, but for API keys that aren't good. It is safe
// for concurrent use.
type PrincipalCache struct {
	// Forgotten, when set before the first call, is told of each user that Forget was called for.
	Forgotten func(userID string)

	clock   clock.Clock
	known   *recent.Map[bearer, remembered]
	keys    *recent.Map[digest, remembered]
	unknown *recent.Map[digest, time.Time] // API keys that aren't good, and until when nobody is asked again
	noted   *recent.Map[digest, time.Time] // when the use of an API key was noted last, by this process

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
	return &PrincipalCache{
		clock:   clock,
		known:   recent.NewMap[bearer, remembered](maxPrincipals),
		keys:    recent.NewMap[digest, remembered](maxPrincipals),
		unknown: recent.NewMap[digest, time.Time](maxPrincipals),
		noted:   recent.NewMap[digest, time.Time](maxPrincipals),
	}
}

// Forget makes the next request of the user, and of each API key of the user, ask again. Call it when a change to the
// user's role or state, or the end of a key, has been committed.
func (c *PrincipalCache) Forget(userID string) {
	c.forget(userID)
	if c.Forgotten != nil {
		c.Forgotten(userID)
	}
}

func (c *PrincipalCache) forget(userID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgot++
	c.known.Drop(func(_ bearer, r remembered) bool { return r.principal.UserID == userID })
	c.keys.Drop(func(_ digest, r remembered) bool { return r.principal.UserID == userID })
}

// resolve returns the principal of a verified identity, from memory or from the accounts.
func (c *PrincipalCache) resolve(ctx context.Context, accounts Accounts, who Identity) (Principal, error) {
	key, now := bearer{who.Issuer, who.Subject, who.Role}, c.clock.Now()
	if r, ok := c.known.Get(key); ok && now.Before(r.until) {
		return r.principal, nil
	}
	before := c.forgotten()
	principal, err := accounts.Resolve(ctx, who)
	if err != nil {
		return Principal{}, err
	}
	keep(c, c.known, key, remembered{principal, now.Add(principalTTL)}, before)
	return principal, nil
}

// resolveKey returns the principal of an API key, from memory or from whoever keeps the keys, and whether these were asked.
func (c *PrincipalCache) resolveKey(ctx context.Context, keys Keys, hash digest) (who Principal, asked bool, err error) {
	now := c.clock.Now()
	if r, ok := c.keys.Get(hash); ok && now.Before(r.until) {
		return r.principal, false, nil
	}
	if until, ok := c.unknown.Get(hash); ok && now.Before(until) {
		return Principal{}, false, refusal(UnknownAPIKey)
	}
	before := c.forgotten()
	found, err := keys.FindKey(ctx, hash)
	switch {
	case errs.Is(err, errs.NotFound):
		c.unknown.Put(hash, now.Add(unknownTTL))
		return Principal{}, true, refusal(UnknownAPIKey)
	case err != nil:
		return Principal{}, true, err
	}
	until := now.Add(principalTTL)
	if expires := found.ExpiresAt; !expires.IsZero() && expires.Before(until) {
		until = expires
	}
	keep(c, c.keys, hash, remembered{found.principal(), until}, before)
	return found.principal(), true, nil
}

// noteUse tells whether the use of a key is to be noted now, and takes it for noted then.
func (c *PrincipalCache) noteUse(hash digest) bool {
	now := c.clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, ok := c.noted.Get(hash); ok && now.Before(last.Add(KeyUseNoted)) {
		return false
	}
	c.noted.Put(hash, now)
	return true
}

// forgotten returns how often Forget was called.
func (c *PrincipalCache) forgotten() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.forgot
}

// keep remembers what was learned, unless something was forgotten since before: then it may be older than the change.
func keep[K comparable](c *PrincipalCache, known *recent.Map[K, remembered], key K, learned remembered, before uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forgot == before {
		known.Put(key, learned)
	}
}
