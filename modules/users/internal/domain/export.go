package domain

import (
	"slices"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// ExportStatus is how far an export has come.
type ExportStatus string

// The states of an export. What is tried again is running.
const (
	ExportQueued  ExportStatus = "queued"
	ExportRunning ExportStatus = "running"
	ExportReady   ExportStatus = "ready"
	ExportFailed  ExportStatus = "failed"
)

// The bounds of exports.
const (
	MaxExports    = 3                  // how many a user gets within an ExportDay; failed ones don't count
	ExportDay     = 24 * time.Hour     // also how long one may take from when it was last begun, and how long a failed one is kept
	KeptExport    = 7 * 24 * time.Hour // how long one can be downloaded
	ExportTimeout = 5 * time.Minute    // of one attempt
	ExportSlack   = 2 * ExportTimeout  // after how long nothing of an attempt is on its way any more
)

// Export is an archive with all that is kept of a person, from when it was asked for.
//
// Its object is named before it can be there, and every export is removed at some time, with its object, whatever became of it. So no
// object is left behind, whenever the process dies.
type Export struct {
	ID        string
	Owner     id.Scope
	Status    ExportStatus
	Done      int64  // modules that have handed out
	Total     int64  // of how many
	Object    string // under which key the archive is kept
	CreatedAt time.Time
	ExpiresAt *time.Time // until when it can be downloaded; nil until it is ready
	DueAt     time.Time  // when it is removed
}

// MakeExport returns an export as it is asked for, by who has asked for these within a day. One of them that isn't ended is
// errs.Conflict, and too many are errs.RateLimited.
func MakeExport(exportID string, owner id.Scope, object string, lately []Export, now time.Time) (Export, error) {
	if slices.ContainsFunc(lately, Export.Open) {
		return Export{}, errs.New(errs.Conflict, "Your data is being exported already")
	}
	var asked []time.Time
	for _, export := range lately {
		if export.Status != ExportFailed && export.CreatedAt.After(now.Add(-ExportDay)) {
			asked = append(asked, export.CreatedAt)
		}
	}
	if len(asked) >= MaxExports {
		slices.SortFunc(asked, time.Time.Compare)
		free := asked[len(asked)-MaxExports].Add(ExportDay).Sub(now)
		return Export{}, errs.New(errs.RateLimited, "You can have your data exported three times a day: try again later").
			With("retry_after", int(free/time.Second)+1)
	}
	return Export{
		ID: exportID, Owner: owner, Status: ExportQueued, Object: object, CreatedAt: now, DueAt: now.Add(ExportDay),
	}, nil
}

// Open tells whether the export is still to come.
func (e Export) Open() bool { return e.Status == ExportQueued || e.Status == ExportRunning }

// Begin notes that an attempt begins, which asks so many modules.
func (e *Export) Begin(total int64, now time.Time) {
	e.Status, e.Done, e.Total, e.DueAt = ExportRunning, 0, total, now.Add(ExportDay)
}

// Finish notes that the archive is there.
func (e *Export) Finish(now time.Time) {
	e.Status, e.Done, e.DueAt = ExportReady, e.Total, now.Add(KeptExport)
	e.ExpiresAt = new(e.DueAt)
}

// Fail notes that nobody tries it again.
func (e *Export) Fail(now time.Time) { e.Status, e.DueAt = ExportFailed, now.Add(ExportDay) }

// Left returns for how long a ready export can still be downloaded; nothing or less when it can't.
func (e Export) Left(now time.Time) time.Duration {
	if e.ExpiresAt == nil {
		return 0
	}
	return e.ExpiresAt.Sub(now)
}
