package blob

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

// Removals see to it that no file is orphaned, whenever a process dies, though no transaction spans the database and a store. Before a
// file can be there its key is noted, for a time by which it must have become somebody's. The transaction in which it does takes the
// note back, and whichever ends that makes one anew. So every file is either somebody's or noted, and a job removes what is due.
//
// The keys are kept, and whose files they were isn't.
type Removals struct {
	db    *database.DB
	files Store
	clock clock.Clock
}

// NewRemovals returns the removals from a store, noted in a database.
func NewRemovals(db *database.DB, files Store, clock clock.Clock) *Removals {
	return &Removals{db, files, clock}
}

// removalRow is the table blob_removals.
type removalRow struct {
	Key   database.Key `gorm:"primaryKey"`
	DueAt time.Time    `gorm:"not null;index:blob_removals_by_time"`
}

// TableName returns the name of the table.
func (removalRow) TableName() string { return "blob_removals" }

// removeDue has no arguments: it is for all files.
type removeDue struct{}

// Kind returns the name of the kind.
func (removeDue) Kind() string { return "blob.remove_due" }

// Describe returns what this package keeps in the database, and the job that removes files.
func (r *Removals) Describe() module.Descriptor {
	return module.Descriptor{
		Name:    "blob",
		Summary: "Files that are to be removed.",
		Models:  []any{&removalRow{}},
		Tables:  []module.Table{{Name: "blob_removals", Summary: "the keys of files that are nobody's, or won't be anybody's from a time on"}},
		Jobs: []module.Job{jobs.Kind(module.Job{
			Summary: "removes files that are nobody's", Cron: "*/5 * * * *", Timeout: 5 * time.Minute,
		}, func(ctx context.Context, _ removeDue) error { return r.RemoveDue(ctx) })},
	}
}

// Note notes that the files of some keys are to be removed from a time on, or at another time than was noted. It runs in the
// transaction that ctx carries.
func (r *Removals) Note(ctx context.Context, due time.Time, keys ...string) error {
	for _, key := range keys {
		err := r.db.Tx(ctx).Exec(`INSERT INTO blob_removals (key, due_at) VALUES (?, ?)
			ON CONFLICT (key) DO UPDATE SET due_at = excluded.due_at`, key, due).Error
		if err != nil {
			return database.Classify(err)
		}
	}
	return nil
}

// Keep takes the note of a key back, and tells whether there was one that isn't due yet. If not the file may be gone already. It runs
// in the transaction that ctx carries.
func (r *Removals) Keep(ctx context.Context, key string) (kept bool, err error) {
	done := r.db.Tx(ctx).Exec("DELETE FROM blob_removals WHERE key = ? AND due_at > ?", key, r.clock.Now())
	return done.RowsAffected > 0, database.Classify(done.Error)
}

// removalBatch is how many files are removed between two transactions.
const removalBatch = 100

// RemoveDue removes the files that are due. It can be broken off at any time: what was removed is removed again. A store in trouble is
// an error, and what is left is due still.
func (r *Removals) RemoveDue(ctx context.Context) error {
	for {
		due, err := database.All(r.db.Read(ctx).Raw("SELECT key FROM blob_removals WHERE due_at <= ? ORDER BY due_at, key LIMIT ?",
			r.clock.Now(), removalBatch), database.Scalar[string])
		if err != nil || len(due) == 0 {
			return err
		}
		for _, key := range due {
			if err := r.files.Delete(ctx, key); err != nil {
				return err
			}
		}
		err = r.db.WithinTx(ctx, func(ctx context.Context) error {
			return database.Classify(r.db.Tx(ctx).Where("key IN ?", due).Delete(&removalRow{}).Error)
		})
		if err != nil {
			return err
		}
	}
}
