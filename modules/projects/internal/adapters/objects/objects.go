// Package objects keeps the bytes of files where the product keeps all of them, and finds out what they are.
//
// Why gabriel-vasile/mimetype (MIT, maintained, linked anyway by gin's validator): it knows what a type is a special case of, which
// tells a CSV from a page of HTML where net/http's table calls both text, and office documents from other ZIP archives.
package objects

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/gabriel-vasile/mimetype"

	"github.com/omnistack/omnistack/modules/projects/internal/app"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/blob"
)

// Objects is an app.Objects over a store of files.
type Objects struct{ files blob.Store }

var _ app.Objects = Objects{}

// New returns objects over the store.
func New(files blob.Store) Objects { return Objects{files} }

// Copy stores an object under another key, too.
func (o Objects) Copy(ctx context.Context, from, to string) error { return o.files.Copy(ctx, from, to) }

// Size returns how many bytes an object has.
func (o Objects) Size(ctx context.Context, key string) (int64, error) {
	object, err := o.files.Stat(ctx, key)
	return object.Size, err
}

// head is how many bytes are looked at, which is as many as mimetype knows what to do with.
const head = 3072

// Look returns the size and the types of an object.
func (o Objects) Look(ctx context.Context, key string) (domain.Content, error) {
	size, err := o.Size(ctx, key)
	if err != nil {
		return domain.Content{}, err
	}
	body, err := o.files.Get(ctx, key, 0, head)
	if err != nil {
		return domain.Content{}, err
	}
	defer body.Close()
	first, err := io.ReadAll(body)
	if err != nil {
		return domain.Content{}, err
	}
	content := domain.Content{Size: size}
	for found := mimetype.Detect(first); found != nil; found = found.Parent() {
		bare, _, _ := strings.Cut(found.String(), ";") // without its charset
		content.Types = append(content.Types, bare)
	}
	return content, nil
}

// Open returns an object.
func (o Objects) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	return o.files.Get(ctx, key, 0, blob.Whole)
}

// Upload returns a signed request.
func (o Objects) Upload(ctx context.Context, key string, size int64, mediaType string, expires time.Duration) (app.Upload, error) {
	upload, err := o.files.PresignUpload(ctx, key, size, mediaType, expires)
	return app.Upload(upload), err
}

// Download returns a signed URL.
func (o Objects) Download(ctx context.Context, key, filename string, expires time.Duration) (string, error) {
	return o.files.PresignDownload(ctx, key, filename, expires)
}
