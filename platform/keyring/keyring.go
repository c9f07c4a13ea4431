// Package keyring derives one key per purpose from SECRET_KEY, so that what was signed for one purpose is worthless
// for another. Derivation is HKDF-SHA256 (RFC 5869) with the purpose as info; signatures are HMAC-SHA256 (RFC 2104).
package keyring

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
)

// size is the length of a derived key and of a signature, in bytes.
const size = sha256.Size

// Keyring holds the secret in use and, while it is being rotated, the one before.
type Keyring struct{ secrets [][]byte }

// New returns a keyring that signs with current. A non-empty previous is still accepted by Verify.
func New(current, previous string) *Keyring {
	ring := &Keyring{secrets: [][]byte{[]byte(current)}}
	if previous != "" {
		ring.secrets = append(ring.secrets, []byte(previous))
	}
	return ring
}

// Signer signs and verifies for one purpose. It is safe for concurrent use.
type Signer struct{ keys [][]byte }

// Signer returns the signer of a purpose, such as "cursor". It derives the keys once: keep it.
func (r *Keyring) Signer(purpose string) Signer {
	var signer Signer
	for _, secret := range r.secrets {
		key, err := hkdf.Key(sha256.New, secret, nil, purpose, size)
		if err != nil {
			panic(err) // only for a length above 255 hashes, which size is not
		}
		signer.keys = append(signer.keys, key)
	}
	return signer
}

// Sign returns the signature of message, 32 bytes.
func (s Signer) Sign(message []byte) []byte { return sign(s.keys[0], message) }

// Verify tells, in constant time, whether signature is one of message under a key of this ring.
func (s Signer) Verify(message, signature []byte) bool {
	for _, key := range s.keys {
		if hmac.Equal(sign(key, message), signature) {
			return true
		}
	}
	return false
}

func sign(key, message []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(message)
	return mac.Sum(nil)
}
