package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/keyring"
)

// Store keeps files under their keys, which CheckKey describes. It is safe for concurrent use.
type Store interface {
	// Put stores size bytes, 0 to MaxSize, as the file of that key, in place of the one that was there. The body must be
	// exactly as long; if it isn't, or fails, or ctx ends, nothing is changed, and what the body failed with is returned. A
	// body that hangs holds up the call. Two Puts of one key end as one of them, whole.
	Put(ctx context.Context, key string, body io.Reader, size int64, contentType string) error

	// Get returns length bytes of a file from offset on, fewer where it ends before, and all the rest of it for Whole. The
	// caller closes it, and reads it before ctx ends. An offset at or behind the end is errs.Invalid, but 0 with Whole isn't.
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)

	// Stat returns what is known of a file.
	Stat(ctx context.Context, key string) (Object, error)

	// List goes through the files whose keys begin with the prefix, "" for all, in the order of the bytes of their keys. They
	// are without their ContentType. It ends with the first error. What is put or deleted meanwhile may be in it or not.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]

	// Copy stores the file of one key under another, too, with its media type.
	Copy(ctx context.Context, from, to string) error

	// Delete removes a file. There may be none.
	Delete(ctx context.Context, key string) error

	// PresignUpload returns the request by which whoever has it can put a file of exactly that size, 1 to MaxSize, and media
	// type under the key, until it expires. That is a second to MaxExpiry from now.
	PresignUpload(ctx context.Context, key string, size int64, contentType string, expires time.Duration) (Upload, error)

	// PresignDownload returns a URL at which whoever has it can get the file, until it expires, as an attachment of that
	// filename. Any text will do for the name: what no filename should have is left out of it.
	PresignDownload(ctx context.Context, key, filename string, expires time.Duration) (string, error)
}

// What goes with the calls of a Store.
const (
	Whole     = -1                 // the length of all that follows an offset
	MaxSize   = 5 << 30            // of a file, in bytes
	MaxExpiry = 7 * 24 * time.Hour // of a signed URL; S3 allows no more
)

// farthest is an offset behind the end of every file, to which a length can be added.
const farthest = 1 << 60

// Object is what is known of a file.
type Object struct {
	Key         string
	Size        int64  // bytes
	ContentType string // as it was put
	ETag        string // another one for another content; without quotes
	Modified    time.Time
}

// Upload is the request that puts a file. A client sends it as it is, with the file as its body.
type Upload struct {
	Method    string
	URL       string
	Headers   map[string]string // Content-Type and Content-Length, of which browsers set the latter by themselves
	ExpiresAt time.Time
}

// Open returns the store that the settings choose, and what releases it. Local files are kept in the folder blobs of dataDir,
// and base is the URL below which Local.Serve is reached by clients.
func Open(storage config.Storage, dataDir string, keys *keyring.Keyring, base string, clock clock.Clock) (Store, func(), error) {
	switch storage.Provider {
	case config.StorageS3:
		return NewS3(S3Options{
			Endpoint: storage.S3Endpoint, Region: storage.AWSRegion, Bucket: storage.AWSBucket,
			AccessKeyID: storage.AWSAccessKeyID, SecretAccessKey: storage.AWSSecretAccessKey,
		}, clock), func() {}, nil
	case config.StorageR2:
		return NewS3(r2(storage), clock), func() {}, nil
	case config.StorageLocal:
		local, err := OpenLocal(filepath.Join(dataDir, "blobs"), keys, base, clock)
		if err != nil {
			return nil, nil, err
		}
		return local, local.Close, nil
	}
	return nil, nil, fmt.Errorf("blob: there is no storage %q", storage.Provider)
}

// Check proves that a store works: it puts a small file, reads it and deletes it.
func Check(ctx context.Context, store Store) error {
	key, content := "checks/"+id.New(), []byte("OmniStack checks its storage.")
	if err := store.Put(ctx, key, bytes.NewReader(content), int64(len(content)), "text/plain"); err != nil {
		return err
	}
	err := readBack(ctx, store, key, content)
	return errors.Join(err, store.Delete(ctx, key))
}

func readBack(ctx context.Context, store Store, key string, want []byte) error {
	file, err := store.Get(ctx, key, 0, Whole)
	if err != nil {
		return err
	}
	defer file.Close()
	got, err := io.ReadAll(file)
	if err == nil && !bytes.Equal(got, want) {
		err = errs.New(errs.External, "The file storage returned something else than what was stored")
	}
	return err
}

var (
	errMissing = errs.New(errs.NotFound, "File not found")
	errRange   = errs.New(errs.Invalid, "The file has no such part")
	errSize    = errs.New(errs.Invalid, "The size of the file isn't allowed")
	errExpiry  = errs.New(errs.Invalid, "The time until the link expires isn't allowed")
)

// trouble returns the error of a store that is in trouble.
func trouble(kind errs.Kind, message string, cause error) error {
	return errs.New(kind, message).With("service", "storage").Because(cause)
}

func checkPut(key string, size int64, contentType string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if size < 0 || size > MaxSize {
		return errSize
	}
	return checkType(contentType)
}

func checkGet(key string, offset, length int64) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if offset < 0 || offset > farthest || length == 0 || length < Whole {
		return errRange
	}
	return nil
}

func checkUpload(key string, size int64, contentType string, expires time.Duration) error {
	if err := checkPut(key, size, contentType); err != nil {
		return err
	}
	if size == 0 { // S3 doesn't sign that a body is empty
		return errSize
	}
	return checkExpiry(expires)
}

func checkDownload(key string, expires time.Duration) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	return checkExpiry(expires)
}

func checkExpiry(expires time.Duration) error {
	if expires < time.Second || expires > MaxExpiry {
		return errExpiry
	}
	return nil
}

func checkCopy(from, to string) error {
	if err := CheckKey(from); err != nil {
		return err
	}
	return CheckKey(to)
}
