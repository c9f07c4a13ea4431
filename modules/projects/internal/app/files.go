package app

import (
	"context"
	"io"
	"time"

	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

// Files is the use cases of the files of projects. Bytes go from the client to the store of objects and back, by signed URLs; here
// is what is known of them.
//
// No object is ever orphaned, whenever the process dies: Removals know of every one that isn't a file's.
//
// An upload URL may be used until it expires, and again after its file was accepted. So what is accepted is a copy, under a key that
// no URL was made for.
type Files struct {
	FilePorts
	rules domain.FileRules
}

// FilePorts is what the use cases of files drive.
type FilePorts struct {
	Projects Store // whose files they are
	Store    FileStore
	Objects  Objects
	Removals Removals
	Scanner  Scanner // nil when files aren't searched for malware
	Tx       Transactor
	Events   events.Publisher
	Cursors  page.Cursors
	Clock    clock.Clock
	Plans    billing.Entitlements
}

// NewFiles returns the use cases over their driven ports.
func NewFiles(ports FilePorts, rules domain.FileRules) *Files { return &Files{ports, rules} }

// FileStore keeps what is known of files. Every method but those that drop takes the owner, and sees nothing of anyone else, and no
// file of a deleted project. Writes run in the transaction that ctx carries.
type FileStore interface {
	InsertFile(ctx context.Context, file domain.File) error

	// FindFile returns one file of the project, or errs.NotFound.
	FindFile(ctx context.Context, owner id.Scope, projectID, fileID string) (domain.File, error)

	// LockFile is FindFile inside a transaction: nobody else changes the file until it ends.
	LockFile(ctx context.Context, owner id.Scope, projectID, fileID string) (domain.File, error)

	// SaveFile writes a file that LockFile returned and that was accepted.
	SaveFile(ctx context.Context, file domain.File) error

	// DeleteFile forgets the file.
	DeleteFile(ctx context.Context, file domain.File) error

	// ListFiles returns the items of one page, in the listing's order, and the number of all files of the project.
	ListFiles(ctx context.Context, owner id.Scope, projectID string, listing Listing) (items []domain.File, total int64, err error)

	// Stored returns how many bytes the files of an owner have, pending ones too.
	Stored(ctx context.Context, owner id.Scope) (bytes int64, err error)

	// LockPlan is that of Store.
	LockPlan(ctx context.Context, owner id.Scope) (plan string, err error)

	// DropExpired forgets at most limit pending files, whoever's they are, that could be uploaded until before the time, and returns
	// how many.
	DropExpired(ctx context.Context, before time.Time, limit int) (int64, error)

	// DropFilesOf forgets all files of an owner, those of deleted projects too, and returns how many, and where their bytes are.
	DropFilesOf(ctx context.Context, owner id.Scope) (dropped int64, objects []string, err error)

	// DropFilesOfDeleted forgets the files of at most limit projects that were deleted before the time, which are those that Purge
	// removes, and returns where their bytes are.
	DropFilesOfDeleted(ctx context.Context, before time.Time, limit int) (objects []string, err error)
}

// Removals remember which objects are to be removed, and remove them. Both methods run in the transaction that ctx carries.
type Removals interface {
	// Note notes that the objects of some keys are to be removed from a time on, or at another time than was noted.
	Note(ctx context.Context, due time.Time, keys ...string) error

	// Keep takes the note of a key back, and tells whether there was one that isn't due yet.
	Keep(ctx context.Context, key string) (kept bool, err error)
}

// Objects keeps bytes under keys.
type Objects interface {
	// Copy stores the object of one key under another, too. There may be none, which is errs.NotFound.
	Copy(ctx context.Context, from, to string) error

	// Size returns how many bytes an object has. There may be none, which is errs.NotFound.
	Size(ctx context.Context, key string) (int64, error)

	// Look returns what an object is, by its first bytes.
	Look(ctx context.Context, key string) (domain.Content, error)

	// Open returns the object. The caller closes it.
	Open(ctx context.Context, key string) (io.ReadCloser, error)

	// Upload returns the request by which a client puts an object of exactly that size and media type.
	Upload(ctx context.Context, key string, size int64, mediaType string, expires time.Duration) (Upload, error)

	// Download returns a URL at which a client gets the object as an attachment.
	Download(ctx context.Context, key, filename string, expires time.Duration) (url string, err error)
}

// Upload is a request that puts an object. A client sends it as it is, with the bytes as its body.
type Upload struct {
	Method    string
	URL       string
	Headers   map[string]string
	ExpiresAt time.Time
}

// Scanner looks for malware.
type Scanner interface {
	// Scan reads all of the body, and returns the name of what was found in them, "" for nothing.
	Scan(ctx context.Context, body io.Reader) (found string, err error)
}
