package resend

import (
	"encoding/json"
	"strings"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/webhook"
)

// Feedback reads Resend's webhooks (https://resend.com/docs/webhooks/emails/bounced, .../complained), which are signed as
// Svix does it.
type Feedback struct{ verifier *webhook.Verifier }

// NewFeedback returns a reader that accepts what is signed with any of the secrets, whsec_... Without a right one there is an
// error.
func NewFeedback(clock clock.Clock, secrets ...string) (*Feedback, error) {
	verifier, err := webhook.New(clock, secrets...)
	if err != nil {
		return nil, err
	}
	return &Feedback{verifier}, nil
}

// event is what a webhook says. Resend makes one for each recipient.
type event struct {
	Type string `json:"type"`
	Data struct {
		To     []string `json:"to"`
		Bounce struct {
			Type string `json:"type"` // Permanent, Transient or Undetermined
		} `json:"bounce"`
	} `json:"data"`
}

// Read verifies a posted body and returns what it says. See app.Feedback.
func (f *Feedback) Read(header func(name string) string, body []byte) ([]domain.Feedback, error) {
	if _, err := f.verifier.Verify(header, body); err != nil {
		return nil, err
	}
	var said event
	if err := json.Unmarshal(body, &said); err != nil {
		// The parser's text may repeat what it read, which may be an address.
		return nil, errs.New(errs.Malformed, "The webhook can't be read")
	}
	var about domain.Feedback
	switch said.Type {
	case "email.bounced":
		about.Reason, about.Permanent = domain.Bounced, said.Data.Bounce.Type == "Permanent"
	case "email.complained":
		about.Reason, about.Permanent = domain.Complained, true
	default:
		return nil, nil
	}
	if len(said.Data.To) == 0 {
		return nil, errs.New(errs.Malformed, "The webhook names no address")
	}
	var all []domain.Feedback
	for _, address := range said.Data.To {
		about.Address = bare(address)
		all = append(all, about)
	}
	return all, nil
}

// bare returns the address in "Name <address>".
func bare(text string) string {
	if begin := strings.LastIndexByte(text, '<'); begin >= 0 && strings.HasSuffix(text, ">") {
		return text[begin+1 : len(text)-1]
	}
	return text
}
