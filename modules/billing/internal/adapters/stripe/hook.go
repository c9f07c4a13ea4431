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

// The bounds of what is believed to be a post.
const (
	maxSignature = 4096 // bytes of the header
	maxID        = 255
)

// Hook verifies posts by the scheme of https://docs.stripe.com/webhooks#verify-manually. The library's own check takes posts
// from the future, and any with an empty secret. It is safe for concurrent use.
type Hook struct {
	clock   clock.Clock
	secrets [][]byte
}

var _ app.Hook = (*Hook)(nil)

// NewHook returns a hook that accepts a signature made with any of the secrets: while one is replaced there are two. No secret,
// and an empty one, is an error.
func NewHook(clock clock.Clock, secrets ...string) (*Hook, error) {
	hook := &Hook{clock: clock}
	for _, secret := range secrets {
		if secret == "" {
			return nil, errors.New("stripe: a secret of the webhook is empty")
		}
		hook.secrets = append(hook.secrets, []byte(secret))
	}
	if len(hook.secrets) == 0 {
		return nil, errors.New("stripe: the webhook has no secret")
	}
	return hook, nil
}

// Verify returns what a post says. What isn't signed rightly, or not now, and what isn't an event is errs.Malformed.
func (h *Hook) Verify(signature string, body []byte) (app.Post, error) {
	timestamp, sums, err := readSignature(signature)
	if err != nil {
		return app.Post{}, refused(err)
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return app.Post{}, refused(errors.New("its time is no number"))
	}
	if age := h.clock.Now().Sub(time.Unix(seconds, 0)); age > Tolerance || age < -Tolerance {
		return app.Post{}, refused(errors.New("its time is too far from ours"))
	}
	signed := slices.ContainsFunc(h.secrets, func(secret []byte) bool {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(timestamp + "."))
		mac.Write(body)
		want := mac.Sum(nil)
		return slices.ContainsFunc(sums, func(sum []byte) bool { return hmac.Equal(sum, want) })
	})
	if !signed {
		return app.Post{}, refused(errors.New("no signature is right"))
	}
	return read(body)
}

func refused(reason error) error {
	return errs.New(errs.Malformed, "The signature of the webhook is not valid").Because(reason)
}

// readSignature returns the time, as it was signed, and the signatures of the scheme v1 in a header such as
// "t=1492774577,v1=5257a8,v0=6ffbb5".
func readSignature(header string) (timestamp string, sums [][]byte, err error) {
	if len(header) > maxSignature {
		return "", nil, errors.New("the header is too long")
	}
	for entry := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(entry), "=")
		switch name {
		case "t":
			if timestamp != "" {
				return "", nil, errors.New("it has two times")
			}
			timestamp = value
		case "v1":
			if sum, err := hex.DecodeString(value); err == nil && len(sum) == sha256.Size {
				sums = append(sums, sum)
			}
		}
	}
	if timestamp == "" || len(sums) == 0 {
		return "", nil, errors.New("it has no time, or no signature of the scheme v1")
	}
	return timestamp, sums, nil
}

// read returns what an event says. Of the state in it nothing is believed.
func read(body []byte) (app.Post, error) {
	var event struct {
		ID   string `json:"id"`
		Type string `json:"type"`
		Data struct {
			Object json.RawMessage `json:"object"`
		} `json:"data"`
	}
	malformed := errs.New(errs.Malformed, "The webhook holds no event")
	if err := json.Unmarshal(body, &event); err != nil {
		return app.Post{}, malformed.Because(errors.New("it isn't JSON of that shape")) // the error may repeat what stands there
	}
	for _, name := range []string{event.ID, event.Type} {
		if name == "" || len(name) > maxID || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return app.Post{}, malformed.Because(errors.New("its id or its type is no name"))
		}
	}
	return app.Post{ID: event.ID, Type: event.Type, CustomerID: customerIn(event.Data.Object)}, nil
}

// customerIn returns the customer that an object is, or belongs to; empty for none.
func customerIn(object json.RawMessage) string {
	var about struct {
		Object   string          `json:"object"`
		ID       string          `json:"id"`
		Customer json.RawMessage `json:"customer"`
	}
	if err := json.Unmarshal(object, &about); err != nil {
		return "" // it is about nobody we know
	}
	if about.Object == "customer" {
		return about.ID
	}
	var customerID string
	if err := json.Unmarshal(about.Customer, &customerID); err == nil {
		return customerID
	}
	var expanded struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(about.Customer, &expanded) // else it is about nobody
	return expanded.ID
}
