package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

const (
	// uploadTime is how long an upload URL works.
	uploadTime = 15 * time.Minute

	// slack is how long an object may be there before it is a file's, or after its URL has expired: longer than any request, and
	// than clocks of machines differ.
	slack = time.Hour
)

// uploadKey and contentKey are where the bytes of a file are put, and kept. There may be several of the latter: each try to accept
// the file has its own.
func uploadKey(fileID string) string  { return "uploads/" + fileID }
func contentKey(fileID string) string { return "projects/" + fileID + "/" + id.New() }

// Begun is an upload that may begin.
type Begun struct {
	File   domain.File
	Upload Upload
}

// Prepare returns a file to come of an owner's project, and the request that uploads it. What breaks a rule is errs.Invalid.
// Nothing is kept of it until Begin.
func (f *Files) Prepare(ctx context.Context, owner id.Scope, projectID string, draft domain.FileDraft) (Begun, error) {
	now := f.Clock.Now()
	file, err := f.rules.NewFile(id.New(), projectID, owner, draft, now, now.Add(uploadTime))
	if err != nil {
		return Begun{}, err
	}
	upload, err := f.Objects.Upload(ctx, uploadKey(file.ID), file.Size, file.Type, uploadTime)
	return Begun{file, upload}, err
}

// Begin keeps a pending file. A project that isn't there is errs.NotFound, and more bytes than the owner's plan includes,
// in one file or in all, errs.PaymentRequired. Pending files count: an owner can't begin more than could end.
func (f *Files) Begin(ctx context.Context, begun Begun) error {
	return f.Tx.WithinTx(ctx, func(ctx context.Context) error {
		file := begun.File
		if err := f.makeRoom(ctx, file); err != nil {
			return err
		}
		if err := f.Removals.Note(ctx, begun.Upload.ExpiresAt.Add(slack), uploadKey(file.ID)); err != nil {
			return err
		}
		return f.Store.InsertFile(ctx, file)
	})
}

// makeRoom returns nil if there is a project for the file and its owner may store it. Nobody else stores something of the same owner's
// until the transaction ends, and the project stays.
func (f *Files) makeRoom(ctx context.Context, file domain.File) error {
	name, err := f.Store.LockPlan(ctx, file.Owner)
	if err != nil {
		return err
	}
	if _, err := f.Projects.Lock(ctx, file.Owner, file.ProjectID); err != nil {
		return err
	}
	plan := f.Plans.Plan(name)
	if plan.FileBytes != billing.Unlimited {
		if err := domain.MayStoreFile(file.Size, plan.FileBytes); err != nil {
			return err
		}
	}
	if plan.StorageBytes == billing.Unlimited {
		return nil
	}
	used, err := f.Store.Stored(ctx, file.Owner)
	if err != nil {
		return err
	}
	return domain.MayStore(used, file.Size, plan.StorageBytes)
}

// Inspected is an upload that was looked at and can be accepted, or a file that was accepted before.
type Inspected struct {
	file   domain.File
	object string // "" for a file that was ready
}

// Inspect copies what was uploaded and looks at the copy. Nothing there yet is errs.Conflict. What isn't what it was said to be, or
// holds malware, is errs.Invalid, and forgotten with its bytes. It calls what is outside.
func (f *Files) Inspect(ctx context.Context, owner id.Scope, projectID, fileID string) (Inspected, error) {
	file, err := f.Store.FindFile(ctx, owner, projectID, fileID)
	if err != nil || file.Ready() {
		return Inspected{file: file}, err
	}
	object := contentKey(file.ID)
	if _, err := f.Objects.Size(ctx, uploadKey(file.ID)); err != nil {
		return Inspected{}, awaited(file, err)
	}
	err = f.Tx.WithinTx(ctx, func(ctx context.Context) error {
		return f.Removals.Note(ctx, f.Clock.Now().Add(slack), object)
	})
	if err != nil {
		return Inspected{}, err
	}
	if err := f.Objects.Copy(ctx, uploadKey(file.ID), object); err != nil {
		return Inspected{}, awaited(file, err)
	}
	if err := f.look(ctx, file, object); err != nil {
		if errs.Is(err, errs.Invalid) {
			if err := f.refuse(ctx, file, object); err != nil {
				return Inspected{}, err
			}
		}
		return Inspected{}, err
	}
	return Inspected{file, object}, nil
}

// awaited returns the error of what asked for the upload of a file. None that is there is the client's business.
func awaited(file domain.File, err error) error {
	if errs.Is(err, errs.NotFound) {
		return errs.New(errs.Conflict, "Nothing has been uploaded yet").With("resource", "File").With("id", file.ID)
	}
	return err
}

// look returns errs.Invalid for bytes that aren't what was said of them, or that nobody should have.
func (f *Files) look(ctx context.Context, file domain.File, object string) error {
	content, err := f.Objects.Look(ctx, object)
	if err != nil {
		return err
	}
	if err := file.Check(content); err != nil || f.Scanner == nil {
		return err
	}
	body, err := f.Objects.Open(ctx, object)
	if err != nil {
		return err
	}
	defer body.Close()
	found, err := f.Scanner.Scan(ctx, body)
	if err == nil && found != "" {
		err = errs.InvalidFields(errs.Field{Name: "file", Message: "holds malware"})
	}
	return err
}

// refuse forgets a file whose bytes aren't taken. They go by a job that follows.
func (f *Files) refuse(ctx context.Context, file domain.File, object string) error {
	return f.Tx.WithinTx(ctx, func(ctx context.Context) error {
		now, err := f.Store.LockFile(ctx, file.Owner, file.ProjectID, file.ID)
		if err == nil && !now.Ready() {
			err = f.Store.DeleteFile(ctx, now)
		}
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
		return f.Removals.Note(ctx, f.Clock.Now(), object)
	})
}

// Accept makes a file ready that was inspected, and returns it as it is now. Who comes second finds it ready.
func (f *Files) Accept(ctx context.Context, inspected Inspected) (domain.File, error) {
	file := inspected.file
	if inspected.object == "" {
		return file, nil
	}
	err := f.Tx.WithinTx(ctx, func(ctx context.Context) (err error) {
		if file, err = f.Store.LockFile(ctx, file.Owner, file.ProjectID, file.ID); err != nil || file.Ready() {
			return err
		}
		kept, err := f.Removals.Keep(ctx, inspected.object)
		if err != nil {
			return err
		}
		if !kept {
			return errs.New(errs.Unavailable, "It took too long to look at the file: complete it again")
		}
		file.Accept(inspected.object, f.Clock.Now())
		if err := f.Store.SaveFile(ctx, file); err != nil {
			return err
		}
		return f.Events.Publish(ctx, projects.FileAdded{
			FileID: file.ID, ProjectID: file.ProjectID, OwnerID: file.Owner.User, Size: file.Size, Version: file.Version,
		})
	})
	return file, err
}
