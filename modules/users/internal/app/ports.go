package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

// Store keeps users and their identities. Writes run in the transaction that ctx carries.
type Store interface {
	// FindByIdentity returns the user behind an identity, suspended ones too, or errs.NotFound. Of a deleted user nothing is known
	// but that.
	FindByIdentity(ctx context.Context, identity domain.Identity) (domain.User, error)

	// Find returns a living user, or errs.NotFound.
	Find(ctx context.Context, userID string) (domain.User, error)

	// Lock is Find inside a transaction: nobody else changes the user until it ends.
	Lock(ctx context.Context, userID string) (domain.User, error)

	// ClaimIdentity makes the identity belong to the running transaction, and tells whether it was free. When another
	// transaction is claiming it, the call waits for that one to end.
	ClaimIdentity(ctx context.Context, identity domain.Identity) (free bool, err error)

	// Insert adds a user and tells whether the id was free; a deleted user's id is not.
	Insert(ctx context.Context, user domain.User) (free bool, err error)

	// Link makes the claimed identity stand for the user.
	Link(ctx context.Context, identity domain.Identity, userID string) error

	// Unlink makes the identity free.
	Unlink(ctx context.Context, identity domain.Identity) error

	// Bury takes the identity from whoever has it, so that nobody gets it again: it isn't free, and stands for a deleted user.
	Bury(ctx context.Context, identity domain.Identity, at time.Time) error

	// Identities returns the identities of a user, the oldest first.
	Identities(ctx context.Context, userID string) ([]domain.LinkedIdentity, error)

	// MarkTold notes that the provider told of the user's identity as it was at that time, and tells whether it never told of
	// the same time or a later one.
	MarkTold(ctx context.Context, identity domain.Identity, userID string, at time.Time) (newer bool, err error)

	// NoteLogin notes that a living user signed in, unless a login is noted that is no more than domain.LoginWindow older.
	NoteLogin(ctx context.Context, userID string, at time.Time, session string) error

	// NoteTokenRole notes which role the last token of a living user named.
	NoteTokenRole(ctx context.Context, userID string, role domain.Role) error

	// LockWithSuperadmins is Lock that also returns the ids of the living superadmins who aren't suspended, in order. None
	// of them changes until the transaction ends either.
	LockWithSuperadmins(ctx context.Context, userID string) (user domain.User, superadmins []string, err error)

	// Closed returns the ids of the closed accounts that are to be erased by that time, the longest due first.
	Closed(ctx context.Context, at time.Time, limit int) ([]string, error)

	// List returns the items of one page of the living users, the newest first, and the number of all that match.
	List(ctx context.Context, listing Listing) (items []domain.User, total int64, err error)

	// Administrators returns the living users who aren't suspended, have the role admin or superadmin, and have an e-mail
	// address, in the order of their ids.
	Administrators(ctx context.Context) ([]domain.User, error)

	// Tally counts users for a report.
	Tally(ctx context.Context, from, to time.Time) (Tally, error)

	// Save writes a user that Lock returned and that changed by one version.
	Save(ctx context.Context, user domain.User) error

	// SaveSubscription writes what billing says of a living user, unless what is there is of that version or a later one.
	SaveSubscription(ctx context.Context, userID string, said domain.Subscription, at time.Time) error

	// Erase removes the user, with identities and API keys, and buries the identities and the id: nobody gets them again, and
	// nobody can read them. Of nobody it removes nothing.
	Erase(ctx context.Context, user id.Scope, at time.Time) (erased map[string]int64, err error)

	// OldTombstones returns the ids of some deleted users of whom a row is left.
	OldTombstones(ctx context.Context, limit int) ([]string, error)

	Keys
}

// Keys keeps API keys. Writes run in the transaction that ctx carries.
type Keys interface {
	// InsertAPIKey adds a key.
	InsertAPIKey(ctx context.Context, key domain.APIKey) error

	// CountAPIKeys counts the owner's keys that are good at that time.
	CountAPIKeys(ctx context.Context, owner id.Scope, at time.Time) (int, error)

	// ListAPIKeys returns the items of one page of the owner's keys that weren't revoked, expired ones too, the newest first,
	// and the number of all of them.
	ListAPIKeys(ctx context.Context, owner id.Scope, listing KeyListing) (items []domain.APIKey, total int64, err error)

	// FindAPIKey returns the key with that hash and its owner, whatever became of both, or errs.NotFound.
	FindAPIKey(ctx context.Context, hash string) (domain.APIKey, domain.User, error)

	// RevokeAPIKey marks a key of the owner as revoked. Another's, and one that is marked, are errs.NotFound.
	RevokeAPIKey(ctx context.Context, owner id.Scope, keyID string, at time.Time) error

	// NoteAPIKeyUse writes down the last use of a key, unless a use after since is written down.
	NoteAPIKeyUse(ctx context.Context, keyID string, at, since time.Time) error

	// PurgeAPIKeys deletes the owner's keys that were revoked or expired before that time.
	PurgeAPIKeys(ctx context.Context, owner id.Scope, before time.Time) error

	// PurgeEndedKeys deletes at most limit of anybody's keys that were revoked or expired before that time, and returns how many.
	PurgeEndedKeys(ctx context.Context, before time.Time, limit int) (int64, error)
}

// KeyListing says which API keys to list.
type KeyListing struct {
	Skip  int
	Limit int
	After *page.Key // start behind this place; nil for the beginning
}

// Webhooks keeps what providers posted. Writes run in the transaction that ctx carries.
type Webhooks interface {
	// AddWebhook adds a post and tells whether it is new: the id of a provider's post counts once.
	AddWebhook(ctx context.Context, webhook Webhook) (added bool, err error)

	// FindWebhook returns a post, or errs.NotFound.
	FindWebhook(ctx context.Context, webhookID string) (Webhook, error)

	// CloseWebhook forgets what was posted, and tells whether nobody did so before.
	CloseWebhook(ctx context.Context, webhookID string, at time.Time) (open bool, err error)

	// PurgeWebhooks removes at most limit of the posts from before that time, and returns how many.
	PurgeWebhooks(ctx context.Context, before time.Time, limit int) (int64, error)
}

// Provider is an identity provider that posts what becomes of its users.
type Provider interface {
	// Verify returns what was posted. The function returns a header by its name in small letters. What isn't signed, or says
	// not what it is about, is errs.Malformed.
	Verify(header func(name string) string, body []byte) (Post, error)

	// Read returns what a verified body says; one that can't be read is errs.Invalid.
	Read(body []byte) (Notice, error)
}

// ProfileSource is an identity provider that can be asked of its users.
type ProfileSource interface {
	// Fetch returns what it says of a subject, or errs.NotFound for one it doesn't know. It leaves the process.
	Fetch(ctx context.Context, subject string) (Notice, error)
}

// Queue enqueues jobs in the transaction of ctx.
type Queue interface {
	ProcessWebhook(ctx context.Context, webhookID string) error
	FetchProfile(ctx context.Context, userID string) error
}

// Receipts keeps what was erased of whom, in the transaction of ctx, in which that is done.
type Receipts interface {
	Record(ctx context.Context, module string, user id.Scope, erased map[string]int64) error
}

// Sealer makes unreadable what is kept. It opens only with the same about.
type Sealer interface {
	Seal(plain, about []byte) []byte
	Open(sealed, about []byte) ([]byte, error)
}

// Listing says which users to list.
type Listing struct {
	Filter // with a folded search
	Skip   int
	Limit  int
	After  *page.Key // start behind this place; nil for the beginning
}

// Tally is how many users there are.
type Tally struct {
	New int64 // who came between two times, the second one excluded
	All int64 // who were there at the second time
}

// Transactor runs a function in one transaction, joining an outer one.
type Transactor interface {
	WithinTx(ctx context.Context, fn func(ctx context.Context) error) error

	// AfterCommit calls fn when the transaction in ctx has been committed, and never if it isn't.
	AfterCommit(ctx context.Context, fn func())
}

// Principals is the memory of who may do what. Whoever changes that makes it forget, once the change is committed.
type Principals interface {
	Forget(userID string)
}
