package store

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
)

// notificationRow is the table notifications. One index serves a user's list, the other what of it is unread; the third
// finds what is old.
type notificationRow struct {
	ID        database.Key `gorm:"primaryKey;index:notifications_by_user,priority:3;index:notifications_unread,priority:3,where:read_at IS NULL"`
	Key       database.Key `gorm:"not null;uniqueIndex:notifications_by_key"`
	UserID    database.Key `gorm:"not null;index:notifications_by_user,priority:1;index:notifications_unread,priority:1"`
	Kind      string       `gorm:"type:text;not null"`
	Topic     string       `gorm:"type:text;not null"`
	Data      string       `gorm:"type:text;not null"` // JSON
	ReadAt    *time.Time
	CreatedAt time.Time `gorm:"not null;index:notifications_by_user,priority:2;index:notifications_unread,priority:2;index:notifications_by_age"`
}

// TableName returns the name of the table.
func (notificationRow) TableName() string { return "notifications" }

// preferencesRow is the table notifications_preferences. Who never chose has no row.
type preferencesRow struct {
	UserID      database.Key `gorm:"primaryKey"`
	SwitchedOff string       `gorm:"column:switched_off;type:text;not null"` // lines of a kind, a space and a channel
	Version     int64        `gorm:"not null"`
	UpdatedAt   time.Time    `gorm:"not null"`
}

// TableName returns the name of the table.
func (preferencesRow) TableName() string { return "notifications_preferences" }

// mailRow is the table notifications_mails. One index counts what a user got of a kind lately; the
// partial ones find what may expire and what still waits, for the purge.
type mailRow struct {
	ID           database.Key  `gorm:"primaryKey"`
	Key          database.Key  `gorm:"not null;uniqueIndex:notifications_mails_by_key"`
	Kind         string        `gorm:"type:text;not null;index:notifications_mails_by_user,priority:2"`
	UserID       *database.Key `gorm:"index:notifications_mails_by_user,priority:1"`
	Template     string        `gorm:"type:text;not null"`
	Data         *string       `gorm:"type:text"` // JSON
	Sealed       []byte
	State        string     `gorm:"type:text;not null"`
	Reason       string     `gorm:"type:text;not null"`
	Receipt      string     `gorm:"type:text;not null"`
	CreatedAt    time.Time  `gorm:"not null;index:notifications_mails_by_age;index:notifications_mails_by_user,priority:3;index:notifications_mails_unsent,where:state = 'queued'"`
	ExpiresAt    *time.Time `gorm:"index:notifications_mails_by_expiry,where:(state = 'queued' OR state = 'failed') AND expires_at IS NOT NULL"`
	ClaimedUntil *time.Time
	EndedAt      *time.Time

	Unanswered      int `gorm:"not null"`
	UnansweredSince *time.Time
}

// TableName returns the name of the table.
func (mailRow) TableName() string { return "notifications_mails" }

// suppressionRow is the table notifications_suppressions. It holds no addresses.
type suppressionRow struct {
	AddressHash database.Key `gorm:"primaryKey"` // SHA-256 of the folded address, in hexadecimal
	Reason      string       `gorm:"type:text;not null"`
	CreatedAt   time.Time    `gorm:"not null"`
}

// TableName returns the name of the table.
func (suppressionRow) TableName() string { return "notifications_suppressions" }

// contactRow is the table notifications_contacts.
type contactRow struct {
	ID        database.Key `gorm:"primaryKey"`
	Sealed    []byte       `gorm:"not null"`
	CreatedAt time.Time    `gorm:"not null;index:notifications_contacts_by_age"`
}

// TableName returns the name of the table.
func (contactRow) TableName() string { return "notifications_contacts" }

// Models returns the rows of this store, for the schema tooling.
func Models() []any {
	return []any{&notificationRow{}, &preferencesRow{}, &mailRow{}, &suppressionRow{}, &contactRow{}}
}

// The scanners believe the row: a rule that came later must not make an old row unreadable.

const notificationFields = "SELECT id, user_id, kind, topic, data, read_at, created_at FROM notifications"

func scanNotification(found database.Row) (domain.Notification, error) {
	var n domain.Notification
	var data string
	err := found.Scan(&n.ID, &n.Owner.User, &n.Kind, &n.Topic, &data, &n.ReadAt, &n.CreatedAt)
	if err == nil {
		err = json.Unmarshal([]byte(data), &n.Data)
	}
	n.ReadAt, n.CreatedAt = database.InUTC(n.ReadAt), n.CreatedAt.UTC()
	return n, err
}

const mailFields = `SELECT id, key, kind, user_id, template, data, sealed, state, reason, receipt, created_at, expires_at,
	claimed_until, ended_at, unanswered, unanswered_since FROM notifications_mails`

func scanLetter(found database.Row) (domain.Letter, error) {
	var l domain.Letter
	var user, data *string
	err := found.Scan(&l.ID, &l.Key, &l.Kind, &user, &l.Template, &data, &l.Sealed, &l.State, &l.Reason, &l.Receipt,
		&l.CreatedAt, &l.ExpiresAt, &l.ClaimedUntil, &l.EndedAt, &l.Unanswered, &l.UnansweredSince)
	if user != nil {
		l.User = *user
	}
	if err == nil && data != nil {
		err = json.Unmarshal([]byte(*data), &l.Data)
	}
	l.CreatedAt, l.ExpiresAt = l.CreatedAt.UTC(), database.InUTC(l.ExpiresAt)
	l.ClaimedUntil, l.EndedAt, l.UnansweredSince = database.InUTC(l.ClaimedUntil), database.InUTC(l.EndedAt), database.InUTC(l.UnansweredSince)
	return l, err
}

func scanPreferences(found database.Row) (domain.Preferences, error) {
	var p domain.Preferences
	var off string
	err := found.Scan(&p.Owner.User, &off, &p.Version, &p.UpdatedAt)
	for line := range strings.Lines(off) {
		kind, channel, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		p.Off = append(p.Off, domain.Choice{Kind: kind, Channel: domain.Channel(channel)})
	}
	p.UpdatedAt = p.UpdatedAt.UTC()
	return p, err
}

func linesOf(off []domain.Choice) string {
	var lines strings.Builder
	for _, choice := range off {
		lines.WriteString(choice.Kind + " " + string(choice.Channel) + "\n")
	}
	return lines.String()
}

// jsonOf returns the data as JSON, nil for none.
func jsonOf(data domain.Data) *string {
	if data == nil {
		return nil
	}
	text, _ := json.Marshal(data) // a map of texts always can be
	return new(string(text))
}
