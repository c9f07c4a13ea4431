package auth

import (
	"crypto/sha256"
	"sync"
	"time"
)

// digest is the SHA-256 of a token, so that the cache holds no token that could be stolen from a memory dump.
type digest [sha256.Size]byte

// digestOf copies a token of usual length to the stack: converting it to bytes would be the one allocation of a hit.
func digestOf(token string) digest {
	var stack [1536]byte
	return sha256.Sum256(append(stack[:0], token...))
}

// verdict is a token that was found valid, and what that rests on.
type verdict struct {
	who    Identity
	source *KeySource // nil for HS256
	keys   *keySet    // the set of source that verified it
}

// holds tells whether the verdict is still right: the token hasn't expired, and the issuer's keys are the same.
func (v verdict) holds(now time.Time) bool {
	return now.Before(v.who.ExpiresAt) && (v.source == nil || v.source.current.Load() == v.keys)
}

// verdicts is a bounded map of what was verified. It has two generations: when the young one has half of the limit, the
// old one is dropped and the young one grows old; what is used in the old one becomes young again. That is an LRU
// in effect, without a list to lock and relink on every hit.
type verdicts struct {
	half       int
	mu         sync.RWMutex
	young, old map[digest]verdict
}

func newVerdicts(limit int) *verdicts {
	return &verdicts{half: limit / 2, young: make(map[digest]verdict)}
}

// get returns the verdict on a token that still holds.
func (c *verdicts) get(key digest, now time.Time) (Identity, bool) {
	c.mu.RLock()
	known, young := c.young[key]
	found := young
	if !young {
		known, found = c.old[key]
	}
	c.mu.RUnlock()
	if !found || !known.holds(now) {
		return Identity{}, false
	}
	if !young {
		c.put(key, known)
	}
	return known.who, true
}

func (c *verdicts) put(key digest, known verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.half {
		c.old, c.young = c.young, make(map[digest]verdict, c.half)
	}
	c.young[key] = known
}
