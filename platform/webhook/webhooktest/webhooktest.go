// Package webhooktest signs posts as services do that platform/webhook verifies.
package webhooktest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Secret is a secret of 32 bytes, none of which are anybody's.
const Secret = "whsec_dGhpcyBpcyBub2JvZHkncyBzZWNyZXQsIDMyIGJ5dGU="

// Sign returns the headers of a post in one family, "svix-" or "webhook-", by their names in small letters.
func Sign(t testing.TB, family, secret, id string, at time.Time, body []byte) map[string]string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return map[string]string{
		family + "id":        id,
		family + "timestamp": timestamp,
		family + "signature": "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	}
}

// Of returns what looks a header up in those of Sign.
func Of(headers map[string]string) func(name string) string {
	return func(name string) string { return headers[name] }
}
