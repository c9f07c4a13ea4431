package stripe

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
)

// Tolerance is how far the time of a post may be from ours, in the past and in the future.
const Tolerance = 5 * time.Minute

// The bounds of what is believed to be a post, in bytes.
const (
	maxSignature = 4096 // of the header
	maxName      = 255  // of ids and types
)

// Hook verifies posts by the scheme of https://docs.stripe.com/webhooks#verify-manually. The library's own check takes posts
// from the future, and secrets that are empty. It is safe for concurrent use.
type Hook struct {
	clock   clock.Clock
	secrets [][]byte
}

var _ app.Hook = (*Hook)(nil)

// NewHook returns a hook that believes a signature made with any of the secrets, whsec_...: while one is replaced there are two.
// No secret, or an empty one, is an error.
func NewHook(clock clock.Clock, secrets ...string) (*Hook, error) {
	if len(secrets) == 0 {
		return nil, errors.New("stripe: there is no secret for webhooks")
	}
	hook := &Hook{clock: clock}
	for _, secret := range secrets {
		if secret == "" {
			return nil, errors.New("stripe: a secret for webhooks is empty")
		}
		hook.secrets = append(hook.secrets, []byte(secret))
	}
	return hook, nil
}

// Verify returns what a post says. What isn't signed rightly, or not now, and what is no event, is errs.Malformed.
func (h *Hook) Verify(signature string, body []byte) (app.Post, error) {
	signed, err := readSignature(signature)
	if err != nil {
		return app.Post{}, forged(err)
	}
	if age := h.clock.Now().Sub(signed.at); age > Tolerance || age < -Tolerance {
		return app.Post{}, forged(errors.New("its time is too far from ours"))
	}
	for _, secret := range h.secrets {
		want := sum(secret, signed.timestamp, body)
		if slices.ContainsFunc(signed.sums, func(sum []byte) bool { return hmac.Equal(sum, want) }) {
			return read(body)
		}
	}
	return app.Post{}, forged(errors.New("no signature is right"))
}

func forged(reason error) error {
	return errs.New(errs.Malformed, "The signature of the webhook is not valid").Because(reason)
}

// signed is what the header Stripe-Signature says.
type signed struct {
	timestamp string // as it was signed
	at        time.Time
	sums      [][]byte // of version 1
}

// readSignature reads a header such as "t=1492774577,v1=5257a8,v0=6ffbb5". What isn't of version 1 is left out.
func readSignature(header string) (signed, error) {
	if len(header) > maxSignature {
		return signed{}, errors.New("the header is too long")
	}
	var found signed
	for entry := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(entry, "=")
		switch name {
		case "t":
			if found.timestamp != "" {
				return signed{}, errors.New("it has two times")
			}
			found.timestamp = value
		case "v1":
			if sum, err := hex.DecodeString(value); err == nil && len(sum) == sha256.Size {
				found.sums = append(found.sums, sum)
			}
		}
	}
	seconds, err := strconv.ParseUint(found.timestamp, 10, 63)
	if err != nil {
		return signed{}, errors.New("it has no time")
	}
	if len(found.sums) == 0 {
		return signed{}, errors.New("it has no signature of version 1")
	}
	found.at = time.Unix(int64(seconds), 0)
	return found, nil
}

// sum returns the signature of version 1.
func sum(secret []byte, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// read returns what the body of a post says. Of the state in it nothing is believed.
func read(body []byte) (app.Post, error) {
	var said struct {
		ID   string          `json:"id"`
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	// The parser's text may repeat what it read.
	malformed := errs.New(errs.Malformed, "The webhook can't be read")
	if json.Unmarshal(body, &said) != nil {
		return app.Post{}, malformed
	}
	var data struct {
		Object json.RawMessage `json:"object"`
	}
	_ = json.Unmarshal(said.Data, &data) // else it is about nobody we know
	post, ok := postOf(said.ID, said.Type, data.Object)
	if !ok {
		return app.Post{}, malformed
	}
	return post, nil
}

// postOf returns a post of an event about an object, and whether the event is one of Stripe's.
func postOf(eventID, kind string, object json.RawMessage) (post app.Post, ok bool) {
	if !isName(eventID) || !strings.HasPrefix(eventID, "evt_") || !isName(kind) {
		return app.Post{}, false
	}
	return app.Post{ID: eventID, Type: kind, CustomerID: customerIn(object)}, true
}

// customerIn returns the id of the customer that an object is or belongs to, empty for none.
func customerIn(object json.RawMessage) string {
	var about struct {
		Object   string          `json:"object"`
		ID       string          `json:"id"`
		Customer json.RawMessage `json:"customer"`
	}
	if json.Unmarshal(object, &about) != nil {
		return ""
	}
	var customerID string
	var expanded struct {
		ID string `json:"id"`
	}
	switch {
	case about.Object == "customer":
		customerID = about.ID
	case json.Unmarshal(about.Customer, &customerID) == nil:
	case json.Unmarshal(about.Customer, &expanded) == nil:
		customerID = expanded.ID
	}
	if !isName(customerID) {
		return ""
	}
	return customerID
}

// isName tells whether a text may be an id, or a type such as "invoice.paid".
func isName(text string) bool {
	return text != "" && len(text) <= maxName && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}
