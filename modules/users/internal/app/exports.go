package app

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/export"
	"github.com/omnistack/omnistack/platform/id"
)

// Exports is the use cases of archives with all that is kept of a person.
type Exports struct{ ExportPorts }

// ExportPorts is what the use cases of exports drive.
type ExportPorts struct {
	Users    Store // whose exports they are
	Store    ExportStore
	Queue    ExportQueue
	Sources  func() []Source
	Bundles  Bundles
	Archives Archives
	Tx       Transactor
	Events   events.Publisher
	Clock    clock.Clock
}

// NewExports returns the use cases over their driven ports.
func NewExports(ports ExportPorts) *Exports { return &Exports{ports} }

// ExportStore keeps what is known of exports. Writes run in the transaction that ctx carries.
type ExportStore interface {
	InsertExport(ctx context.Context, export domain.Export) error

	// FindExport returns one export of the owner, or errs.NotFound.
	FindExport(ctx context.Context, owner id.Scope, exportID string) (domain.Export, error)

	// ExportsSince returns the owner's exports that were asked for since then, and those that are still to come.
	ExportsSince(ctx context.Context, owner id.Scope, since time.Time) ([]domain.Export, error)

	// LockExport returns an export and lets nobody else change it until the transaction ends. That of a user who is gone is
	// errs.NotFound.
	LockExport(ctx context.Context, exportID string) (domain.Export, error)

	// SaveExport writes an export that LockExport returned.
	SaveExport(ctx context.Context, export domain.Export) error

	// ExportsDue returns at most limit exports, whoever's they are or were, that are to be removed.
	ExportsDue(ctx context.Context, now time.Time, limit int) ([]domain.Export, error)

	// DropExport forgets an export that is still to be removed.
	DropExport(ctx context.Context, exportID string, now time.Time) error
}

// ExportQueue enqueues the job of an export in the transaction of ctx.
type ExportQueue interface {
	ExportUserData(ctx context.Context, exportID string) error
}

// Source is a module that hands out what it holds of a person.
type Source struct {
	Name     string
	Exporter interface {
		Export(ctx context.Context, scope id.Scope, archive export.Archive) error
	}
}

// Bundles makes files of many.
type Bundles interface {
	// New returns an empty bundle, of files from that time. The caller closes it.
	New(at time.Time) (Bundle, error)
}

// Bundle is one file of many, as it grows. Nothing of it outlives the process.
type Bundle interface {
	export.Archive // of files beside the folders

	// Folder returns the archive of what is below a folder.
	Folder(name string) export.Archive

	// Finish returns the whole file and how many bytes it has. Nothing is added afterwards.
	Finish() (file io.Reader, size int64, err error)

	Close() error
}

// Archives keeps archives under keys, outside the process.
type Archives interface {
	Put(ctx context.Context, key string, body io.Reader, size int64) error

	// Delete removes an archive. There may be none.
	Delete(ctx context.Context, key string) error

	// Download returns a URL at which whoever has it gets the archive.
	Download(ctx context.Context, key, filename string, expires time.Duration) (url string, err error)
}

// Ask has all that is kept of the owner exported. While that is going on already it is errs.Conflict, and too often errs.RateLimited.
func (e *Exports) Ask(ctx context.Context, owner id.Scope) (domain.Export, error) {
	var asked domain.Export
	err := e.Tx.WithinTx(ctx, func(ctx context.Context) error {
		user, err := e.Users.Lock(ctx, owner.User) // so that of many at once there is one
		if err != nil {
			return err
		}
		if err := user.MayAct(); err != nil {
			return err
		}
		now := e.Clock.Now()
		lately, err := e.Store.ExportsSince(ctx, owner, now.Add(-domain.ExportDay))
		if err != nil {
			return err
		}
		object := "exports/" + strings.ToLower(rand.Text()) + ".zip" // nobody guesses it, nor learns it from the id
		if asked, err = domain.MakeExport(id.New(), owner, object, lately, now); err != nil {
			return err
		}
		if err := e.Store.InsertExport(ctx, asked); err != nil {
			return err
		}
		return e.Queue.ExportUserData(ctx, asked.ID)
	})
	if err != nil {
		return domain.Export{}, err
	}
	return asked, nil
}

// downloadTime is how long a download URL works.
const downloadTime = 15 * time.Minute

// Get returns one export of the owner, and where it can be downloaded for the next minutes, "" while it isn't ready. One that isn't
// there, or has expired, is errs.NotFound.
func (e *Exports) Get(ctx context.Context, owner id.Scope, exportID string) (found domain.Export, url string, err error) {
	found, err = e.Store.FindExport(ctx, owner, exportID)
	if err != nil || found.Status != domain.ExportReady {
		return found, "", err
	}
	now := e.Clock.Now()
	left := min(found.Left(now), downloadTime)
	if left < time.Second {
		return domain.Export{}, "", errs.Missing("Export", exportID)
	}
	url, err = e.Archives.Download(ctx, found.Object, "export-"+found.CreatedAt.Format(time.DateOnly)+".zip", left)
	return found, url, err
}

// lastMoment is how long it may take to note that an export failed, when there is no time left.
const lastMoment = 10 * time.Second

// Make makes the archive of an export, and says so to the other modules. It can be broken off at any time and made again: the next
// attempt puts the same object in the place of the last one's. When that fails which is the last one, the export has failed. It calls
// what is outside.
func (e *Exports) Make(ctx context.Context, exportID string, last bool) error {
	err := e.attempt(ctx, exportID)
	switch {
	case err == nil:
		return nil
	case errs.Is(err, errs.NotFound) && e.gone(ctx, exportID):
		return nil
	case errors.Is(ctx.Err(), context.Canceled), errs.From(err).Kind.Retryable() && !last: // the process stops, or there is another try
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastMoment)
	defer cancel()
	return errors.Join(err, e.change(ctx, exportID, func(_ context.Context, export *domain.Export) error {
		export.Fail(e.Clock.Now())
		return nil
	}))
}

// gone tells whether the export is nobody's any more.
func (e *Exports) gone(ctx context.Context, exportID string) bool {
	err := e.Tx.WithinTx(ctx, func(ctx context.Context) error {
		_, err := e.Store.LockExport(ctx, exportID)
		return err
	})
	return errs.Is(err, errs.NotFound)
}

// change changes an export that is to come. Of one that has ended it is nothing, and one that is nobody's any more is errs.NotFound.
func (e *Exports) change(ctx context.Context, exportID string, change func(ctx context.Context, export *domain.Export) error) error {
	return e.Tx.WithinTx(ctx, func(ctx context.Context) error {
		export, err := e.Store.LockExport(ctx, exportID)
		if err != nil || !export.Open() {
			return err
		}
		if err := change(ctx, &export); err != nil {
			return err
		}
		return e.Store.SaveExport(ctx, export)
	})
}

func (e *Exports) attempt(ctx context.Context, exportID string) error {
	sources := e.Sources()
	var begun domain.Export
	err := e.change(ctx, exportID, func(_ context.Context, export *domain.Export) error {
		export.Begin(int64(len(sources)), e.Clock.Now())
		begun = *export
		return nil
	})
	if err != nil || begun.ID == "" {
		return err
	}
	bundle, err := e.Bundles.New(e.Clock.Now())
	if err != nil {
		return err
	}
	defer func() { _ = bundle.Close() }() // there is nothing in it that isn't elsewhere
	if err := e.collect(ctx, begun, sources, bundle); err != nil {
		return err
	}
	file, size, err := bundle.Finish()
	if err != nil {
		return err
	}
	if err := e.Archives.Put(ctx, begun.Object, file, size); err != nil {
		return err
	}
	return e.change(ctx, exportID, func(ctx context.Context, export *domain.Export) error {
		export.Finish(e.Clock.Now())
		return e.Events.Publish(ctx, users.ExportReady{UserID: export.Owner.User, ExportID: export.ID, ExpiresAt: *export.ExpiresAt})
	})
}

// collect fills the bundle.
func (e *Exports) collect(ctx context.Context, begun domain.Export, sources []Source, bundle Bundle) error {
	about, err := bundle.Create("README.txt")
	if err != nil {
		return err
	}
	if _, err := io.WriteString(about, readme(begun, sources)); err != nil {
		return err
	}
	for done, source := range sources {
		if err := source.Exporter.Export(ctx, begun.Owner, bundle.Folder(source.Name)); err != nil {
			return err
		}
		err := e.change(ctx, begun.ID, func(_ context.Context, export *domain.Export) error {
			export.Done = int64(done) + 1
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func readme(begun domain.Export, sources []Source) string {
	var text strings.Builder
	text.WriteString("This is what we hold about you, as of your request on " + begun.CreatedAt.Format("2 January 2006, 15:04 MST") + ".\n\n" +
		"There is a folder for each part of the product:\n\n")
	for _, source := range sources {
		text.WriteString("  " + source.Name + "/\n")
	}
	text.WriteString("\nFiles that end in .json are in a format that people and programs can read (RFC 8259). Times are in UTC.\n" +
		"Files that you uploaded are in it as you uploaded them.\n")
	return text.String()
}

// removalBatch is how many exports are looked up at once.
const removalBatch = 100

// RemoveDue removes the exports that have expired, have failed, were given up or are nobody's any more: first the object, then what
// is known of it. It can be broken off at any time. It calls what is outside.
func (e *Exports) RemoveDue(ctx context.Context) error {
	for {
		now := e.Clock.Now()
		due, err := e.Store.ExportsDue(ctx, now, removalBatch)
		if err != nil {
			return err
		}
		for _, export := range due {
			if err := e.Archives.Delete(ctx, export.Object); err != nil {
				return err // the store is in trouble: the job comes again
			}
			err := e.Tx.WithinTx(ctx, func(ctx context.Context) error { return e.Store.DropExport(ctx, export.ID, now) })
			if err != nil {
				return err
			}
		}
		if len(due) < removalBatch {
			return nil
		}
	}
}
