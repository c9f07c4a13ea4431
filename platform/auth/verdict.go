package auth

import (
	"crypto/sha256"
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
