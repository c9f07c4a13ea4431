package sendgrid

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
)

// How far the time of a post may be from ours. SendGrid tries a post that failed again for 24 hours and doesn't say whether it
// signs it anew, so that a narrower bound could lose what happened during an outage. A post that somebody repeats within the
// bound says again what has been heard.
const (
	latest   = 25 * time.Hour
	earliest = 5 * time.Minute
)

// Feedback reads SendGrid's signed event webhook
// (https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features).
type Feedback struct {
	keys  []*ecdsa.PublicKey
	clock clock.Clock
}

// NewFeedback returns a reader that accepts what is signed for any of the verification keys, which SendGrid shows in base64.
// Without a right one there is an error.
func NewFeedback(clock clock.Clock, keys ...string) (*Feedback, error) {
	if len(keys) == 0 {
		return nil, errors.New("sendgrid: there is no verification key")
	}
	f := &Feedback{clock: clock}
	for _, text := range keys {
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, errors.New("sendgrid: a verification key must be in base64")
		}
		parsed, err := x509.ParsePKIXPublicKey(der)
		key, ok := parsed.(*ecdsa.PublicKey)
		if err != nil || !ok || key.Curve != elliptic.P256() {
			return nil, errors.New("sendgrid: a verification key must be a public key of ECDSA P-256")
		}
		f.keys = append(f.keys, key)
	}
	return f, nil
}

// event is one of those in a post (https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event).
type event struct {
	Event  string `json:"event"`
	Email  string `json:"email"`
	Type   string `json:"type"`   // of a bounce: bounce or blocked
	Reason string `json:"reason"` // of a dropped mail: one of a few names
}

// Read verifies a posted body and returns what it says. See app.Feedback.
func (f *Feedback) Read(header func(name string) string, body []byte) ([]domain.Feedback, error) {
	if err := f.verify(header, body); err != nil {
		return nil, errs.New(errs.Malformed, "The signature of the webhook is not valid").Because(err)
	}
	var events []event
	if err := json.Unmarshal(body, &events); err != nil {
		// The parser's text may repeat what it read, which may be an address.
		return nil, errs.New(errs.Malformed, "The webhook can't be read")
	}
	var all []domain.Feedback
	for _, one := range events {
		reason, permanent := one.meaning()
		if reason == "" || one.Email == "" {
			continue
		}
		all = append(all, domain.Feedback{Address: one.Email, Reason: reason, Permanent: permanent})
	}
	return all, nil
}

// verify checks the signature over timestamp and body.
func (f *Feedback) verify(header func(string) string, body []byte) error {
	timestamp := header("x-twilio-email-event-webhook-timestamp")
	seconds, err := strconv.ParseUint(timestamp, 10, 63)
	if err != nil || len(timestamp) > 11 {
		return errors.New("it has no timestamp")
	}
	signature, err := base64.StdEncoding.DecodeString(header("x-twilio-email-event-webhook-signature"))
	if err != nil || len(signature) == 0 {
		return errors.New("it has no signature")
	}
	if age := f.clock.Now().Sub(time.Unix(int64(seconds), 0)); age > latest || age < -earliest {
		return errors.New("its time is too far from ours")
	}
	hash := sha256.New()
	hash.Write([]byte(timestamp))
	hash.Write(body)
	digest := hash.Sum(nil)
	for _, key := range f.keys {
		if ecdsa.VerifyASN1(key, digest, signature) {
			return nil
		}
	}
	return errors.New("the signature is wrong")
}

// meaning returns what an event says about its address, no reason when it says nothing. A blocked mail is one that the
// mailbox's server refused for the mail's sake; a dropped one is one that SendGrid didn't even try to deliver.
func (e event) meaning() (reason string, permanent bool) {
	switch e.Event {
	case "bounce":
		return domain.Bounced, e.Type != "blocked"
	case "spamreport":
		return domain.Complained, true
	case "dropped":
		switch e.Reason {
		case "Bounced Address", "Invalid":
			return domain.Bounced, true
		case "Spam Reporting Address":
			return domain.Complained, true
		}
	}
	return "", false
}
