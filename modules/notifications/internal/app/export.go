package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/export"
	"github.com/omnistack/omnistack/platform/id"
)

// Exporter hands out what is kept of a person here. What is sealed it leaves as it is.
type Exporter struct{ store ExportStore }

// NewExporter returns an exporter over the store.
func NewExporter(store ExportStore) *Exporter { return &Exporter{store} }

// ExportStore reads what is handed out.
type ExportStore interface {
	// ExportNotifications returns at most limit of the user's notifications, the oldest first: those behind one of them, or from
	// the beginning for nil.
	ExportNotifications(ctx context.Context, user id.Scope, after *ExportedNotification, limit int) ([]ExportedNotification, error)

	// ExportMails is ExportNotifications of what was written to the user, by its ids.
	ExportMails(ctx context.Context, user id.Scope, after *ExportedMail, limit int) ([]ExportedMail, error)

	// Preferences is that of Store.
	Preferences(ctx context.Context, owner id.Scope) (domain.Preferences, error)
}

// ExportedNotification is a notification as it is handed out.
type ExportedNotification struct {
	ID        string      `json:"id"`
	Kind      string      `json:"kind"`
	Topic     string      `json:"topic"`
	Data      domain.Data `json:"data"`
	ReadAt    *time.Time  `json:"read_at"`
	CreatedAt time.Time   `json:"created_at"`
}

// ExportedMail is what is known of a mail as it is handed out: its text isn't kept, but what it was made of.
type ExportedMail struct {
	ID        string      `json:"id"`
	Kind      string      `json:"kind"`
	Template  string      `json:"template"`
	Data      domain.Data `json:"data"`
	State     string      `json:"state"`
	Reason    string      `json:"reason"`
	Receipt   string      `json:"receipt"`
	CreatedAt time.Time   `json:"created_at"`
	ExpiresAt *time.Time  `json:"expires_at"`
	EndedAt   *time.Time  `json:"ended_at"`
}

// exportedPreferences are what a user doesn't want to get, as they are handed out.
type exportedPreferences struct {
	SwitchedOff []exportedChoice `json:"switched_off"`
	UpdatedAt   *time.Time       `json:"updated_at"` // null for who never chose
}

type exportedChoice struct {
	Kind    string `json:"kind"`
	Channel string `json:"channel"`
}

// Export writes what the user was told, by which ways, and what is switched off.
func (e *Exporter) Export(ctx context.Context, user id.Scope, archive export.Archive) error {
	preferences, err := e.store.Preferences(ctx, user)
	if err != nil {
		return err
	}
	chosen := exportedPreferences{SwitchedOff: []exportedChoice{}}
	for _, off := range preferences.Off {
		chosen.SwitchedOff = append(chosen.SwitchedOff, exportedChoice{Kind: off.Kind, Channel: string(off.Channel)})
	}
	if preferences.Version > 0 {
		chosen.UpdatedAt = &preferences.UpdatedAt
	}
	if err := export.Value(archive, "preferences.json", chosen); err != nil {
		return err
	}
	err = export.Array(archive, "notifications.json", func(after *ExportedNotification, limit int) ([]ExportedNotification, error) {
		return e.store.ExportNotifications(ctx, user, after, limit)
	})
	if err != nil {
		return err
	}
	return export.Array(archive, "mails.json", func(after *ExportedMail, limit int) ([]ExportedMail, error) {
		return e.store.ExportMails(ctx, user, after, limit)
	})
}
