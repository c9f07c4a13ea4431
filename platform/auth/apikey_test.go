package auth

import (
	"crypto/sha256"
	"regexp"
	"strings"
	"testing"
)

// aKey is a key whose checksum was worked out elsewhere: zlib's crc32 of what stands before it, in base 62.
const aKey = "omni_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg3lepGs"

func TestNewAPIKey(t *testing.T) {
	form := regexp.MustCompile(`^omni_[0-9A-Za-z]{49}$`)
	digits, seen := map[byte]int{}, map[APIKey]bool{}
	const made = 2000
	for range made {
		key := NewAPIKey()
		if !form.MatchString(string(key)) || seen[key] {
			t.Fatalf("%q isn't a key, or not a new one", key)
		}
		seen[key] = true
		if parsed, ok := ParseAPIKey(string(key)); !ok || parsed != key {
			t.Fatalf("%q doesn't parse", key)
		}
		for _, digit := range []byte(key[len(apiKeyPrefix) : len(apiKeyPrefix)+apiKeyRandom]) {
			digits[digit]++
		}
	}
	// A digit that is favoured as by taking bytes modulo 62 would come 5/4 as often; the spread by chance is below 0.03.
	const each = made * apiKeyRandom / len(base62)
	for i := range len(base62) {
		if n := digits[base62[i]]; n < each*85/100 || n > each*115/100 {
			t.Errorf("%c came %d times, want about %d", base62[i], n, each)
		}
	}
}

func TestParseAPIKey(t *testing.T) {
	key, ok := ParseAPIKey(aKey)
	if !ok || string(key) != aKey || key.Prefix() != "omni_0123" {
		t.Errorf("%q gives %q, %t", aKey, key, ok)
	}
	if key.Hash() != sha256.Sum256([]byte(aKey)) {
		t.Error("the hash isn't the SHA-256 of the text")
	}
	for what, text := range map[string]string{
		"nothing":              "",
		"the prefix":           "omni_",
		"no checksum":          aKey[:len(aKey)-6],
		"one more":             aKey + "0",
		"one less":             aKey[:len(aKey)-1],
		"another prefix":       "omni-" + aKey[5:],
		"an upper-case prefix": "OMNI_" + aKey[5:],
		"a space before":       " " + aKey[:len(aKey)-1],
		"a dash inside":        aKey[:10] + "-" + aKey[11:],
		"an underscore inside": aKey[:10] + "_" + aKey[11:],
		"a NUL inside":         aKey[:10] + "\x00" + aKey[11:],
		"a letter beyond":      aKey[:10] + "é" + aKey[12:],
		"a checksum of zeros":  aKey[:len(aKey)-6] + "000000",
		"two digits swapped":   aKey[:10] + aKey[11:12] + aKey[10:11] + aKey[12:],
	} {
		if got, ok := ParseAPIKey(text); ok || got != "" {
			t.Errorf("%s: %q is the key %q", what, text, got)
		}
	}
	for i := len(apiKeyPrefix); i < len(aKey); i++ { // each mistyped character shows
		for j := range len(base62) {
			text := aKey[:i] + base62[j:j+1] + aKey[i+1:]
			if _, ok := ParseAPIKey(text); ok != (text == aKey) {
				t.Errorf("%q is a key: %t", text, ok)
			}
		}
	}
}

func FuzzParseAPIKey(f *testing.F) {
	for _, seed := range []string{"", "omni_", aKey, aKey + " ", strings.ToUpper(aKey), strings.Repeat("omni_", 11), "omni_" + strings.Repeat("0", 49)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, ok := ParseAPIKey(text)
		if ok != (key != "") || ok && (string(key) != text || len(text) != apiKeyLength) {
			t.Fatalf("%q gives %q, %t", text, key, ok)
		}
		if !ok {
			return
		}
		if strings.Trim(text[len(apiKeyPrefix):], base62) != "" || !isToken68(text) || !strings.HasPrefix(text, key.Prefix()) {
			t.Fatalf("%q is a key", text)
		}
		if changed := []byte(text); true { // no key is one character from another
			changed[len(changed)/2] = base62[(strings.IndexByte(base62, changed[len(changed)/2])+1)%len(base62)]
			if _, ok := ParseAPIKey(string(changed)); ok {
				t.Fatalf("%q and %q are both keys", text, changed)
			}
		}
	})
}

func TestScopes(t *testing.T) {
	for names, want := range map[string]Scopes{
		"": 0, "read": ScopeRead, "ai": ScopeAI, "read write": ScopeRead | ScopeWrite, "read write ai": ScopeRead | ScopeWrite | ScopeAI,
	} {
		got, ok := ParseScopes(strings.Fields(names))
		if !ok || got != want || got.String() != names {
			t.Errorf("%q gives %d, called %q, %t", names, got, got, ok)
		}
	}
	if got, ok := ParseScopes([]string{"ai", "read", "ai"}); !ok || got.String() != "read ai" {
		t.Errorf("in another order, and twice: %q, %t", got, ok)
	}
	for _, unknown := range []string{"", "admin", "Read", "read write", "*"} {
		if got, ok := ParseScopes([]string{"read", unknown}); ok || got != 0 {
			t.Errorf("%q gives %q", unknown, got)
		}
	}
	for _, needed := range []Scopes{0, ScopeRead, ScopeWrite, ScopeAI} {
		if err := (Principal{UserID: "ann"}).Permit(needed); err != nil {
			t.Errorf("a person lacks %q: %v", needed, err)
		}
		for set := range ScopeAI << 1 {
			err := Principal{UserID: "ann", KeyID: "k", Scopes: set}.Permit(needed)
			if permitted := needed != 0 && set&needed == needed; permitted != (err == nil) {
				t.Errorf("a key for %q at what needs %q: %v", set, needed, err)
			}
		}
	}
	for needed, want := range map[Scopes]string{
		0:          `Bearer realm="api", error="insufficient_scope"`,
		ScopeWrite: `Bearer realm="api", error="insufficient_scope", scope="write"`,
	} {
		lacking := InsufficientScope{Needed: needed}
		if got := lacking.Challenge(); got != want || lacking.Error() == "" {
			t.Errorf("%d gives %s, want %s", needed, got, want)
		}
	}
}
