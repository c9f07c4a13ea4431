package domain

import (
	"time"

	"github.com/omnistack/omnistack/platform/id"
)

// Data are the ids, numbers, names of states and fixed words that a text is made of. It holds nothing that gives a person away.
type Data map[string]string

// Notification is what a user reads in the web app, which has the words for it.
type Notification struct {
	ID        string
	Owner     id.Scope
	Kind      string
	Topic     string // what of the kind happened; the template of the mail about it has the same name
	Data      Data
	ReadAt    *time.Time // nil while unread
	CreatedAt time.Time
}

// Version is 1 while the notification is unread and 2 after.
func (n Notification) Version() int64 {
	if n.ReadAt != nil {
		return 2
	}
	return 1
}
