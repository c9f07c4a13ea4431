// Package app holds the use cases of notifications, one file each, and the ports they drive.
package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

// Mailer carries mail. There is one adapter for each way that mail can leave.
type Mailer interface {
	// Send hands a mail over to whoever delivers it, and returns the id under which they know it, empty if they give none.
	// An error whose errs.Kind isn't Retryable is permanent: sending the same mail again is of no use. errs.External,
	// errs.RateLimited, errs.Unavailable and errs.Timeout are transient. When nobody knows whether the mail was taken,
	// errs.ErrUnanswered is among the causes. Its text holds no address and no content.
	Send(ctx context.Context, mail domain.Mail) (receipt string, err error)

	// Remembers returns for how long a second mail with the Key of one that was taken is left out; 0 for not at all.
	Remembers() time.Duration
}

// Renderer makes the texts of mails.
type Renderer interface {
	// Render returns the content within the layout: a subject of one line, the HTML and the plain text.
	Render(content domain.Content, frame domain.Frame) (subject, html, text string, err error)
}

// Feedback reads what a carrier posts about mails that it took. There is one adapter for each carrier that does.
type Feedback interface {
	// Read verifies the signature of a posted body by its headers and returns what it says, nothing for what isn't about
	// an address that failed. A signature or a body that isn't right is errs.Malformed.
	Read(header func(name string) string, body []byte) ([]domain.Feedback, error)
}

// Reports asks every module what happened in it between two times.
type Reports interface {
	Sections(ctx context.Context, from, to time.Time) ([]domain.ReportSection, error)
}

// Queue does things later.
type Queue interface {
	// SendMail makes SendMail of the letter happen when the transaction in ctx has committed.
	SendMail(ctx context.Context, letterID string) error
}

// Sealer encrypts what must lie in the database unread. About says where it belongs.
type Sealer interface {
	Seal(plain, about []byte) []byte
	Open(sealed, about []byte) ([]byte, error)
}

// Signer signs links.
type Signer interface {
	Sign(message []byte) []byte // 32 bytes
	Verify(message, signature []byte) bool
}

// Store keeps what the context owns. Writes run in the transaction that ctx carries.
type Store interface {
	// AddNotification adds a notification unless there is one of the key.
	AddNotification(ctx context.Context, notification domain.Notification, key string) error

	// LockNotification returns one notification of the owner for a change, or errs.NotFound.
	LockNotification(ctx context.Context, owner id.Scope, notificationID string) (domain.Notification, error)

	// MarkRead sets when the owner's notification was read.
	MarkRead(ctx context.Context, owner id.Scope, notificationID string, at time.Time) error

	// ListNotifications returns the items of one page, the newest first, and the number of all that match.
	ListNotifications(ctx context.Context, owner id.Scope, listing Listing) (items []domain.Notification, total int64, err error)

	// Preferences returns the preferences of a user, those of who never chose too.
	Preferences(ctx context.Context, owner id.Scope) (domain.Preferences, error)

	// LockPreferences is Preferences inside a transaction: nobody else changes them until it ends.
	LockPreferences(ctx context.Context, owner id.Scope) (domain.Preferences, error)

	// SavePreferences writes preferences that LockPreferences returned and Apply changed.
	SavePreferences(ctx context.Context, preferences domain.Preferences) error

	// AddLetter adds a letter unless there is one of its key, and tells whether it did.
	AddLetter(ctx context.Context, letter domain.Letter) (added bool, err error)

	// LockLetter returns a letter for a change, or errs.NotFound.
	LockLetter(ctx context.Context, letterID string) (domain.Letter, error)

	// SaveLetter writes how far a letter that LockLetter returned has come.
	SaveLetter(ctx context.Context, letter domain.Letter) error

	// CountLetters returns how many letters of the kind were written to the user since the time.
	CountLetters(ctx context.Context, user id.Scope, kind string, since time.Time) (int64, error)

	// Suppress puts addresses, known by their hashes, on the list of those that get nothing. Once one is there it stays.
	Suppress(ctx context.Context, suppressions []domain.Suppression) error

	// Suppressed returns those of the hashes that are on the list.
	Suppressed(ctx context.Context, hashes []string) ([]string, error)

	// AddContact keeps what somebody wrote into the contact form.
	AddContact(ctx context.Context, messageID string, sealed []byte, at time.Time) error

	// Contact returns what somebody wrote, or errs.NotFound.
	Contact(ctx context.Context, messageID string) (sealed []byte, err error)

	// Erase removes every row of the user, and returns how many rows of which table that was.
	Erase(ctx context.Context, user id.Scope) (map[string]int64, error)

	// ExpireLetters closes at most limit of the letters that expired by the time and weren't sent, and returns how many.
	ExpireLetters(ctx context.Context, now time.Time, limit int) (int64, error)

	// AbandonLetters closes, as failed, at most limit of the letters that were written before a time and still wait, and
	// returns how many.
	AbandonLetters(ctx context.Context, before, now time.Time, limit int) (int64, error)

	// PurgeLetters, PurgeContacts and PurgeNotifications remove at most limit of the rows that were made before the time,
	// whoever's they are, and return how many.
	PurgeLetters(ctx context.Context, before time.Time, limit int) (int64, error)
	PurgeContacts(ctx context.Context, before time.Time, limit int) (int64, error)
	PurgeNotifications(ctx context.Context, before time.Time, limit int) (int64, error)
}

// Listing says which notifications to list.
type Listing struct {
	Unread bool // only those
	Skip   int
	Limit  int
	After  *page.Key // start behind this place; nil for the beginning
}

// Transactor runs a function in one transaction, joining an outer one.
type Transactor interface {
	WithinTx(ctx context.Context, fn func(ctx context.Context) error) error
}
