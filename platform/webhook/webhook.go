// Package webhook verifies that a posted body comes from whoever shares a secret with us, by the scheme of Standard
// Webhooks (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md) and of Svix, from
// which it comes (https://docs.svix.com/receiving/verifying-payloads/how-manual). Resend, Clerk and Supabase sign so.
//
// The signature is an HMAC-SHA256 over id, timestamp and body. Whoever repeats a post within the tolerance is believed: what
// a webhook leads to must be right when it happens twice.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
)

// Tolerance is how far the time of a post may be from ours, in the past and in the future.
const Tolerance = 5 * time.Minute

// The bounds of what is believed to be a signed post.
const (
	minKey        = 24 // bytes, as the specification has it
	maxID         = 256
	maxTimestamp  = 11 // digits
	maxSignatures = 4096
)

// Verifier verifies posts. It is safe for concurrent use.
type Verifier struct {
	keys  [][]byte
	clock clock.Clock
}

// New returns a verifier that accepts a signature made with any of the secrets: while one is replaced there are two. A
// secret is "whsec_" and at least 24 bytes in base64; Supabase writes "v1," before it. Without a secret, and with one that
// is something else, there is an error, which doesn't hold it.
func New(clock clock.Clock, secrets ...string) (*Verifier, error) {
	if len(secrets) == 0 {
		return nil, errors.New("webhook: there is no secret")
	}
	v := &Verifier{clock: clock}
	for _, secret := range secrets {
		encoded, found := strings.CutPrefix(strings.TrimPrefix(secret, "v1,"), "whsec_")
		key, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(encoded, "="))
		if !found || err != nil || len(key) < minKey {
			return nil, errors.New(`webhook: a secret must be "whsec_" and at least 24 bytes in base64`)
		}
		v.keys = append(v.keys, key)
	}
	return v, nil
}

// Verify returns the id of the post, which is the same when it is posted again. Header returns a header by its name in
// small letters, empty when there is none. What isn't signed rightly, or not now, is errs.Malformed.
func (v *Verifier) Verify(header func(name string) string, body []byte) (id string, err error) {
	post, err := read(header)
	if err != nil {
		return "", refused(err)
	}
	if age := v.clock.Now().Sub(post.at); age > Tolerance || age < -Tolerance {
		return "", refused(errors.New("its time is too far from ours"))
	}
	for _, key := range v.keys {
		want := sum(key, post.id, post.timestamp, body)
		for _, signature := range post.signatures {
			if hmac.Equal(signature, want) {
				return post.id, nil
			}
		}
	}
	return "", refused(errors.New("no signature is right"))
}

func refused(reason error) error {
	return errs.New(errs.Malformed, "The signature of the webhook is not valid").Because(reason)
}

// post is what the headers say.
type post struct {
	id         string
	timestamp  string
	at         time.Time
	signatures [][]byte
}

// read takes all three headers from one family: Svix's own, or the standard's.
func read(header func(string) string) (post, error) {
	family := "svix-"
	if header(family+"signature") == "" {
		family = "webhook-"
	}
	p := post{id: header(family + "id"), timestamp: header(family + "timestamp")}
	// A point in an id would let the end of the id pass for the timestamp, and the timestamp for the body.
	if p.id == "" || len(p.id) > maxID || strings.Contains(p.id, ".") {
		return post{}, errors.New("it has no id")
	}
	seconds, err := strconv.ParseUint(p.timestamp, 10, 63)
	if err != nil || len(p.timestamp) > maxTimestamp {
		return post{}, errors.New("it has no timestamp")
	}
	p.at = time.Unix(int64(seconds), 0)
	if p.signatures = signatures(header(family + "signature")); len(p.signatures) == 0 {
		return post{}, errors.New("it has no signature of version 1")
	}
	return p, nil
}

// signatures returns the signatures of version 1 in a list such as "v1,aaa= v1,bbb= v1a,ccc=". What else is there is left
// out: v1a is the scheme with a public key.
func signatures(list string) [][]byte {
	if len(list) > maxSignatures {
		return nil
	}
	var found [][]byte
	for entry := range strings.SplitSeq(list, " ") {
		encoded, ours := strings.CutPrefix(entry, "v1,")
		if !ours {
			continue
		}
		if signature, err := base64.StdEncoding.Strict().DecodeString(encoded); err == nil && len(signature) == sha256.Size {
			found = append(found, signature)
		}
	}
	return found
}

// sum returns the signature of version 1.
func sum(key []byte, id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}
