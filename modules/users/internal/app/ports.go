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
	// FindByIdentity returns the user behind an identity, suspended or deleted ones too, or errs.NotFound.
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

	// LockWithSuperadmins is Lock that also returns the ids of the living superadmins who aren't suspended, in order. None
	// of them changes until the transaction ends either.
	LockWithSuperadmins(ctx context.Context, userID string) (user domain.User, superadmins []string, err error)

	// List returns the items of one page of the living users, the newest first, and the number of all that match.
	List(ctx context.Context, listing Listing) (items []domain.User, total int64, err error)

	// Administrators returns the living users who aren't suspended, have the role admin or superadmin, and have an e-mail
	// address, in the order of their ids.
	Administrators(ctx context.Context) ([]domain.User, error)

	// Tally counts users for a report.
	Tally(ctx context.Context, from, to time.Time) (Tally, error)

	// Save writes a user that Lock returned and that changed by one version.
	Save(ctx context.Context, user domain.User) error

	// Erase leaves a tombstone of the user: the id and the identities, nothing personal, and no API key. A tombstone, and
	// nobody, stay as they are.
	Erase(ctx context.Context, user id.Scope, at time.Time) error

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
}

// KeyListing says which API keys to list.
type KeyListing struct {
	Skip  int
	Limit int
	After *page.Key // start behind this place; nil for the beginning
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
