// Package archives makes ZIP files of what is exported, and keeps them where the product keeps files.
package archives

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/platform/blob"
	"github.com/omnistack/omnistack/platform/export"
)

// Archives is an app.Archives over a store of files.
type Archives struct{ files blob.Store }

var _ app.Archives = Archives{}

// New returns archives over the store.
func New(files blob.Store) Archives { return Archives{files} }

// Put stores an archive.
func (a Archives) Put(ctx context.Context, key string, body io.Reader, size int64) error {
	return a.files.Put(ctx, key, body, size, "application/zip")
}

// Delete removes an archive.
func (a Archives) Delete(ctx context.Context, key string) error { return a.files.Delete(ctx, key) }

// Download returns a signed URL.
func (a Archives) Download(ctx context.Context, key, filename string, expires time.Duration) (string, error) {
	return a.files.PresignDownload(ctx, key, filename, expires)
}

// Folder is an app.Bundles whose files grow in a folder of this machine, in which there is nothing else.
type Folder string

var _ app.Bundles = Folder("")

// growing is the pattern of what files are called before they have no name.
const growing = "export-*.zip"

// New begins a ZIP file. It has no name in the folder any more when New returns, so that it goes with the process, however that ends.
// Where a file that is open can't be removed, as on Windows, it goes when it is closed. What a process left that was killed before
// either goes first.
func (f Folder) New(at time.Time) (app.Bundle, error) {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return nil, err
	}
	left, err := fs.Glob(os.DirFS(string(f)), growing) // not filepath.Glob, to which the folder's own name would be a pattern
	if err != nil {
		return nil, err
	}
	for _, name := range left {
		_ = os.Remove(filepath.Join(string(f), name)) // if it can't be it is in use
	}
	file, err := os.CreateTemp(string(f), growing)
	if err != nil {
		return nil, err
	}
	b := &bundle{file: file, zip: zip.NewWriter(file), at: at}
	err = os.Remove(file.Name())
	b.named = err != nil && !errors.Is(err, fs.ErrNotExist) // another New may have been quicker
	return b, nil
}

type bundle struct {
	file  *os.File
	zip   *zip.Writer
	at    time.Time
	named bool // the file is still to be removed
}

// Create begins a file beside the folders.
func (b *bundle) Create(name string) (io.Writer, error) {
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("archives: %q is no name of a file in an archive", name)
	}
	return b.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: b.at})
}

// Folder returns an archive whose files are all in the folder.
func (b *bundle) Folder(name string) export.Archive { return folder{b, name} }

type folder struct {
	bundle *bundle
	name   string
}

// Create begins a file in the folder. It is checked by itself, so that it can't lead out of it.
func (f folder) Create(name string) (io.Writer, error) {
	if !fs.ValidPath(name) || name == "." {
		return nil, fmt.Errorf("archives: %q is no name of a file of %s", name, f.name)
	}
	return f.bundle.Create(path.Join(f.name, name))
}

// Finish writes the table of contents and goes back to the beginning.
func (b *bundle) Finish() (io.Reader, int64, error) {
	if err := b.zip.Close(); err != nil {
		return nil, 0, err
	}
	size, err := b.file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, err
	}
	_, err = b.file.Seek(0, io.SeekStart)
	return b.file, size, err
}

// Close gives the space back.
func (b *bundle) Close() error {
	err := b.file.Close()
	if b.named {
		return os.Remove(b.file.Name())
	}
	return err
}
