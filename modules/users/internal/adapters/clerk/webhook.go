// Package clerk hears and asks Clerk what it knows of its users.
package clerk

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/webhook"
)

// Webhook reads Clerk's webhooks (https://clerk.com/docs/guides/development/webhooks/overview), which Svix signs and sends.
type Webhook struct {
	verifier *webhook.Verifier
	issuer   string
}

var _ app.Provider = (*Webhook)(nil)

// NewWebhook returns a reader of what is posted about the users of the issuer, signed with the secret, whsec_...
func NewWebhook(clock clock.Clock, issuer, secret string) (*Webhook, error) {
	verifier, err := webhook.New(clock, secret)
	if err != nil {
		return nil, err
	}
	return &Webhook{verifier, issuer}, nil
}

// event is what a webhook says. The data of user.deleted is an id and little else.
type event struct {
	Type      string          `json:"type"`
	Timestamp int64           `json:"timestamp"` // when it happened, in milliseconds
	Data      json.RawMessage `json:"data"`
}

// Verify verifies what was posted. See app.Provider.
func (w *Webhook) Verify(header func(name string) string, body []byte) (app.Post, error) {
	postID, err := w.verifier.Verify(header, body)
	if err != nil {
		return app.Post{}, err
	}
	var said event
	if err := json.Unmarshal(body, &said); err != nil || said.Type == "" {
		// The parser's text may repeat what it read, which may be personal.
		return app.Post{}, errs.New(errs.Malformed, "The webhook can't be read")
	}
	return app.Post{ID: postID, Type: said.Type}, nil
}

// Read returns what a body says that Verify let in. Of what isn't about a user it says nothing.
func (w *Webhook) Read(body []byte) (app.Notice, error) {
	var said event
	if json.Unmarshal(body, &said) != nil {
		return app.Notice{}, errs.New(errs.Invalid, "The webhook can't be read")
	}
	switch said.Type {
	case "user.created", "user.updated":
		notice, err := read(w.issuer, said.Data)
		if notice.UpdatedAt.IsZero() && said.Timestamp > 0 {
			notice.UpdatedAt = time.UnixMilli(said.Timestamp).UTC()
		}
		return notice, err
	case "user.deleted":
		notice, err := read(w.issuer, said.Data)
		notice.Deleted = true
		return notice, err
	}
	return app.Notice{}, nil
}

// user is a user as Clerk's webhooks and its Backend API show it
// (https://clerk.com/docs/reference/backend-api/tag/users/get/users/%7Buser_id%7D).
type user struct {
	ID                    string `json:"id"`
	FirstName             string `json:"first_name"`
	LastName              string `json:"last_name"`
	ImageURL              string `json:"image_url"`
	PrimaryEmailAddressID string `json:"primary_email_address_id"`
	EmailAddresses        []struct {
		ID           string `json:"id"`
		EmailAddress string `json:"email_address"`
		Verification struct {
			Status string `json:"status"`
		} `json:"verification"`
	} `json:"email_addresses"`
	UpdatedAt int64 `json:"updated_at"` // in milliseconds
}

// read returns what a user's document says. Of the addresses the primary one counts.
func read(issuer string, document []byte) (app.Notice, error) {
	var found user
	if json.Unmarshal(document, &found) != nil || found.ID == "" {
		return app.Notice{}, errs.New(errs.Invalid, "What Clerk says of a user can't be read")
	}
	notice := app.Notice{Claims: domain.Claims{
		Identity:  domain.Identity{Issuer: issuer, Subject: found.ID},
		FullName:  strings.TrimSpace(found.FirstName + " " + found.LastName),
		AvatarURL: found.ImageURL,
	}}
	for _, address := range found.EmailAddresses {
		if address.ID != "" && address.ID == found.PrimaryEmailAddressID {
			notice.Email, notice.EmailVerified = address.EmailAddress, address.Verification.Status == "verified"
		}
	}
	if found.UpdatedAt > 0 {
		notice.UpdatedAt = time.UnixMilli(found.UpdatedAt).UTC()
	}
	return notice, nil
}
