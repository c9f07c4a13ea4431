package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/platform/id"
)

// Delete forgets a file, and its bytes soon after. With a version above 0 nothing happens unless that version is current
// (errs.Precondition).
func (f *Files) Delete(ctx context.Context, owner id.Scope, projectID, fileID string, version int64) error {
	return f.Tx.WithinTx(ctx, func(ctx context.Context) error {
		file, err := f.Store.LockFile(ctx, owner, projectID, fileID)
		if err == nil {
			err = file.Expect(version)
		}
		if err != nil {
			return err
		}
		if file.Ready() {
			if err := f.Removals.Note(ctx, f.Clock.Now(), file.Object); err != nil {
				return err
			}
		}
		if err := f.Store.DeleteFile(ctx, file); err != nil {
			return err
		}
		return f.Events.Publish(ctx, projects.FileDeleted{
			FileID: file.ID, ProjectID: file.ProjectID, OwnerID: owner.User, Version: file.Version + 1,
		})
	})
}

// ForgetExpired forgets the files that nobody uploaded in time. Their uploads, if they came after all, are noted already.
func (f *Files) ForgetExpired(ctx context.Context) error {
	before := f.Clock.Now().Add(-slack)
	for {
		var dropped int64
		err := f.Tx.WithinTx(ctx, func(ctx context.Context) (err error) {
			dropped, err = f.Store.DropExpired(ctx, before, purgeBatch)
			return err
		})
		if err != nil || dropped < purgeBatch {
			return err
		}
	}
}

// eraseOf forgets all files of an owner, within a transaction, and returns how many.
func (f *Files) eraseOf(ctx context.Context, owner id.Scope) (int64, error) {
	dropped, objects, err := f.Store.DropFilesOf(ctx, owner)
	if err != nil {
		return 0, err
	}
	return dropped, f.Removals.Note(ctx, f.Clock.Now(), objects...)
}

// purgeOf forgets the files of projects that are purged, within the transaction.
func (f *Files) purgeOf(ctx context.Context, before time.Time, limit int) error {
	objects, err := f.Store.DropFilesOfDeleted(ctx, before, limit)
	if err != nil {
		return err
	}
	return f.Removals.Note(ctx, f.Clock.Now(), objects...)
}
