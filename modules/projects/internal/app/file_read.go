package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

// downloadTime is how long a download URL works.
const downloadTime = 15 * time.Minute

// Get returns one file of an owner's project, and where it can be downloaded for the next minutes, "" while it is pending. One that
// isn't there is errs.NotFound.
func (f *Files) Get(ctx context.Context, owner id.Scope, projectID, fileID string) (file domain.File, url string, err error) {
	file, err = f.Store.FindFile(ctx, owner, projectID, fileID)
	if err == nil && file.Ready() {
		url, err = f.Objects.Download(ctx, file.Object, file.Filename, downloadTime)
	}
	return file, url, err
}

// List returns a page of the files of an owner's project. A cursor of another project or order is errs.Invalid, a project that isn't
// there errs.NotFound.
func (f *Files) List(ctx context.Context, owner id.Scope, projectID string, sort Sort, request page.Request) (page.Page[domain.File], error) {
	if _, err := f.Projects.Find(ctx, owner, projectID); err != nil {
		return page.Page[domain.File]{}, err
	}
	list := []string{"files", owner.User, projectID, string(sort)}
	key := func(file domain.File) page.Key { return page.At(file.CreatedAt, file.ID) }
	return page.List(f.Cursors, request, list, key,
		func(part page.Window) ([]domain.File, int64, error) {
			return f.Store.ListFiles(ctx, owner, projectID, Listing{Sort: sort, Skip: part.Skip, Limit: part.Limit, After: part.After})
		})
}
