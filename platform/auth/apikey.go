package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"strings"
)

// APIKey is the secret that a program calls with instead of a person's token: "omni_", 43 letters and digits drawn at
// random, which are 256 bits, and a checksum of six. The checksum (CRC-32 of what stands before it, in base 62) is no
// protection: by it a mistyped key, and a text that only looks like one, is told from a key without asking anybody, here
// and by those who search for leaked secrets.
type APIKey string

const (
	apiKeyPrefix   = "omni_"
	apiKeyRandom   = 43 // 62^43 > 2^256
	apiKeyChecksum = 6  // 62^6 > 2^32
	apiKeyLength   = len(apiKeyPrefix) + apiKeyRandom + apiKeyChecksum

	// apiKeyShown is how much of a key may be shown for recognition: the prefix and 4 characters, which leaves 232 bits.
	apiKeyShown = len(apiKeyPrefix) + 4
)

// base62 are the digits of a key: no character that a double click, a URL or a shell stumbles over.
const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// NewAPIKey returns a key that nobody has had.
func NewAPIKey() APIKey {
	key := append(make([]byte, 0, apiKeyLength), apiKeyPrefix...)
	const fair = 256 - 256%len(base62) // bytes from here on would make some digits likelier than others
	for random := [64]byte{}; len(key) < len(apiKeyPrefix)+apiKeyRandom; {
		_, _ = rand.Read(random[:]) // never fails: crypto/rand crashes the program instead
		for _, b := range random {
			if int(b) < fair && len(key) < len(apiKeyPrefix)+apiKeyRandom {
				key = append(key, base62[int(b)%len(base62)])
			}
		}
	}
	sum := checksum(string(key))
	return APIKey(append(key, sum[:]...))
}

// ParseAPIKey returns the key that text spells, and whether it spells one. It asks nobody: the key may never have been
// made.
func ParseAPIKey(text string) (APIKey, bool) {
	if len(text) != apiKeyLength || !looksLikeAPIKey(text) {
		return "", false
	}
	for i := len(apiKeyPrefix); i < len(text); i++ {
		if c := text[i]; !isBase64URL(c) || c == '-' || c == '_' {
			return "", false
		}
	}
	sum := checksum(text[:apiKeyLength-apiKeyChecksum])
	if string(sum[:]) != text[apiKeyLength-apiKeyChecksum:] {
		return "", false
	}
	return APIKey(text), true
}

// looksLikeAPIKey tells whether text is meant to be a key. No JWT is: its header begins with a brace.
func looksLikeAPIKey(text string) bool { return strings.HasPrefix(text, apiKeyPrefix) }

// checksum returns the last digits of a key. The loop is crc32.ChecksumIEEE, for which a text would have to be copied.
func checksum(body string) [apiKeyChecksum]byte {
	sum := ^uint32(0)
	for i := range len(body) {
		sum = crc32.IEEETable[byte(sum&0xff)^body[i]] ^ sum>>8
	}
	sum = ^sum
	var digits [apiKeyChecksum]byte
	for i := range digits {
		digits[len(digits)-1-i] = base62[sum%uint32(len(base62))]
		sum /= uint32(len(base62))
	}
	return digits
}

// Hash returns the SHA-256 of the key, which is what may be kept of it. A slow hash is for passwords, which can be guessed:
// against 256 random bits guessing is hopeless at any speed, and each request would pay for it. Looking a hash up leaks
// nothing by its timing either: whoever measures how much of a hash was right can't make a key with that hash.
func (k APIKey) Hash() [sha256.Size]byte { return digestOf(string(k)) }

// Prefix returns the beginning of the key, such as "omni_ab12", by which its owner recognises it.
func (k APIKey) Prefix() string { return string(k[:min(len(k), apiKeyShown)]) }
