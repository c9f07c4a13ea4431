// Package keyring derives one key per purpose from SECRET_KEY, so that what was signed or sealed for one purpose is
// worthless for another. Derivation is HKDF-SHA256 (RFC 5869) with the purpose as info; signatures are HMAC-SHA256 (RFC
// 2104), and what is sealed is encrypted by AES-256-GCM (NIST SP 800-38D).
package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
)

// size is the length of a derived key and of a signature, in bytes.
const size = sha256.Size

// Keyring holds the secret in use and, while it is being rotated, the one before.
type Keyring struct{ secrets [][]byte }

// New returns a keyring that signs and seals with current. A non-empty previous is still accepted by Verify and Open.
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
	return Signer{keys: r.derive(purpose)}
}

// derive returns the keys of a purpose, the one in use first.
func (r *Keyring) derive(purpose string) [][]byte {
	var keys [][]byte
	for _, secret := range r.secrets {
		key, err := hkdf.Key(sha256.New, secret, nil, purpose, size)
		if err != nil {
			panic(err) // only for a length above 255 hashes, which size is not
		}
		keys = append(keys, key)
	}
	return keys
}

// Sign returns the signature of message, 32 bytes.
func (s Signer) Sign(message []byte) []byte { return sign(s.keys[0], message) }

// Signatures returns the signature of message by every key of this ring, that of Sign first: what is looked for by its signature
// may have been signed before the rotation.
func (s Signer) Signatures(message []byte) [][]byte {
	signatures := make([][]byte, len(s.keys))
	for i, key := range s.keys {
		signatures[i] = sign(key, message)
	}
	return signatures
}

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

// Sealer seals and opens for one purpose. It is safe for concurrent use.
type Sealer struct{ ciphers []cipher.AEAD }

// Sealer returns the sealer of a purpose, such as "mail". It derives the keys once: keep it.
func (r *Keyring) Sealer(purpose string) Sealer {
	var sealer Sealer
	for _, key := range r.derive("sealed: " + purpose) { // no key both signs and encrypts, whatever purposes are called
		block, err := aes.NewCipher(key)
		if err != nil {
			panic(err) // only for a length that AES doesn't have, which size is
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			panic(err) // only for a block that isn't AES's
		}
		sealer.ciphers = append(sealer.ciphers, aead)
	}
	return sealer
}

// Seal returns what nobody without the key can read or change, 28 bytes longer than plain. It opens only together with
// the same about, which says where it belongs, such as the id of its row, and isn't part of it.
func (s Sealer) Seal(plain, about []byte) []byte {
	return s.ciphers[0].Seal(nil, nil, plain, about) //nolint:gosec // the cipher makes the nonce itself
}

// ErrSealed is the error of what can't be opened: it was changed, belongs elsewhere, or was sealed with another key.
var ErrSealed = errors.New("keyring: it can't be opened")

// Open returns what was sealed with the same about, by a key of this ring, or ErrSealed.
func (s Sealer) Open(sealed, about []byte) ([]byte, error) {
	for _, aead := range s.ciphers {
		if plain, err := aead.Open(nil, nil, sealed, about); err == nil {
			return plain, nil
		}
	}
	return nil, ErrSealed
}
