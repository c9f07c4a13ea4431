// Package supabase hears from Supabase what becomes of its users.
package supabase

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/webhook"
)

// SecretHeader is where a database webhook has the secret, in small letters. Supabase lets whoever makes one add headers, and
// signs nothing.
const SecretHeader = "x-webhook-secret"

// Webhook reads what Supabase posts: database webhooks on auth.users (https://supabase.com/docs/guides/database/webhooks), and
// auth hooks (https://supabase.com/docs/guides/auth/auth-hooks), which are signed as Standard Webhooks have it.
type Webhook struct {
	verifier *webhook.Verifier
	secret   string
	issuer   string
}

var _ app.Provider = (*Webhook)(nil)

// NewWebhook returns a reader of what is posted about the users of the issuer, with the secret that Supabase shows for its
// hooks, v1,whsec_...
func NewWebhook(clock clock.Clock, issuer, secret string) (*Webhook, error) {
	verifier, err := webhook.New(clock, secret)
	if err != nil {
		return nil, err
	}
	return &Webhook{verifier, secret, issuer}, nil
}

// event is what is posted: a change of a row, or what a hook is about.
type event struct {
	Type      string `json:"type"` // INSERT, UPDATE or DELETE
	Schema    string `json:"schema"`
	Table     string `json:"table"`
	Record    *row   `json:"record"`
	OldRecord *row   `json:"old_record"`

	Metadata struct {
		Name string `json:"name"`
		Time stamp  `json:"time"`
	} `json:"metadata"`
	User *hookUser `json:"user"`
}

// row is a row of auth.users.
type row struct {
	ID               string   `json:"id"`
	Email            string   `json:"email"`
	EmailConfirmedAt stamp    `json:"email_confirmed_at"`
	Metadata         metadata `json:"raw_user_meta_data"`
	UpdatedAt        stamp    `json:"updated_at"`
	DeletedAt        stamp    `json:"deleted_at"`
}

// hookUser is the same as hooks show it.
type hookUser struct {
	row
	Metadata metadata `json:"user_metadata"`
}

// metadata is what providers say of a person, and what the person may change.
type metadata struct {
	FullName  string `json:"full_name"`
	AvatarURL string `json:"avatar_url"`
}

// UnmarshalJSON reads what it can: users write into it what they like.
func (m *metadata) UnmarshalJSON(text []byte) error {
	var found map[string]any
	if json.Unmarshal(text, &found) != nil {
		return nil //nolint:nilerr // it isn't an object, so it says nothing
	}
	m.FullName, _ = found["full_name"].(string)
	m.AvatarURL, _ = found["avatar_url"].(string)
	return nil
}

// stamp is a time as PostgreSQL or Supabase writes it into JSON; zero for none.
type stamp struct{ time.Time }

// UnmarshalJSON takes a time with a zone. Any other text is no time.
func (s *stamp) UnmarshalJSON(text []byte) error {
	var written string
	if json.Unmarshal(text, &written) != nil {
		return nil //nolint:nilerr // null, mostly
	}
	if at, err := time.Parse(time.RFC3339Nano, written); err == nil && at.Year() > 1 {
		s.Time = at.UTC()
	}
	return nil
}

// kind returns the name of what happened, such as "auth.users.INSERT" or "before-user-created"; "" for what is neither.
func (e event) kind() string {
	if e.Type != "" && e.Table != "" {
		return e.Schema + "." + e.Table + "." + e.Type
	}
	return e.Metadata.Name
}

// Verify verifies what was posted. See app.Provider. A hook that waits for another answer than that it was received, to send a
// mail or to add claims, is refused: Supabase would take that answer for done.
func (w *Webhook) Verify(header func(name string) string, body []byte) (app.Post, error) {
	var post app.Post
	if given := header(SecretHeader); given != "" {
		if !w.knows(given) {
			return app.Post{}, errs.New(errs.Malformed, "The secret of the webhook is not valid")
		}
		sum := sha256.Sum256(body) // a row that changed twice has two times
		post.ID = "sha256:" + hex.EncodeToString(sum[:])
	} else {
		var err error
		if post.ID, err = w.verifier.Verify(header, body); err != nil {
			return app.Post{}, err
		}
	}
	var said event
	if json.Unmarshal(body, &said) != nil {
		// The parser's text may repeat what it read, which may be personal.
		return app.Post{}, errs.New(errs.Malformed, "The webhook can't be read")
	}
	if post.Type = said.kind(); post.Type == "" {
		return app.Post{}, errs.New(errs.Malformed, "The webhook is neither about a table nor a hook that is only told of")
	}
	return post, nil
}

// knows tells, in constant time, whether it is the secret.
func (w *Webhook) knows(given string) bool {
	want, got := sha256.Sum256([]byte(w.secret)), sha256.Sum256([]byte(given))
	return hmac.Equal(want[:], got[:])
}

// Read returns what a body says that Verify let in. A hook before something happens says nothing: it may yet fail.
func (w *Webhook) Read(body []byte) (app.Notice, error) {
	var said event
	if json.Unmarshal(body, &said) != nil {
		return app.Notice{}, errs.New(errs.Invalid, "The webhook can't be read")
	}
	var about *row
	switch said.kind() {
	case "auth.users.INSERT", "auth.users.UPDATE":
		about = said.Record
	case "auth.users.DELETE":
		about = said.OldRecord
	case "after-user-created":
		if said.User != nil {
			about = &said.User.row
			about.Metadata = said.User.Metadata
			if about.UpdatedAt.IsZero() {
				about.UpdatedAt = said.Metadata.Time
			}
		}
	default:
		return app.Notice{}, nil
	}
	if about == nil || about.ID == "" {
		return app.Notice{}, errs.New(errs.Invalid, "What Supabase says of a user can't be read")
	}
	return app.Notice{
		Claims: domain.Claims{
			Identity:      domain.Identity{Issuer: w.issuer, Subject: about.ID},
			Email:         about.Email,
			EmailVerified: !about.EmailConfirmedAt.IsZero(),
			FullName:      about.Metadata.FullName,
			AvatarURL:     about.Metadata.AvatarURL,
		},
		UpdatedAt: about.UpdatedAt.Time,
		Deleted:   said.Type == "DELETE" || !about.DeletedAt.IsZero(),
	}, nil
}
