package blob

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/keyring"
)

// Local keeps files in a folder of this machine.
//
// The file of the key "a/b" is "a/b@", so that there can be one of the key "a/b/c", too. It holds the content first, so that
// people can look at it, and behind it what is known of it, so that both become true together, by one rename. Nothing that is
// in place is ever changed. What is being written is in the folder .new, and is synced to the disk before it is put in place.
type Local struct {
	root  *os.Root
	links links
	clock clock.Clock
}

const (
	suffix    = "@"    // of a file; no key holds it
	newFolder = ".new" // no segment of a key begins with a dot
	magic     = "OSF1" // the end of every file, behind the length of what is known of it

	trailer   = len(magic) + 4
	mostFacts = 1 << 10 // bytes

	// abandoned is how long nothing must have been written to a new file until nobody is at it any more.
	abandoned = time.Hour
)

// facts are what is known of a file, as they are kept behind it.
type facts struct {
	Size int64  `json:"size"`
	Type string `json:"type"`
	ETag string `json:"etag"`
}

// OpenLocal opens a folder, and makes it if need be. What a crash has left there half written is removed, an hour after it was
// written last. Base is the URL below which Serve is reached.
func OpenLocal(folder string, keys *keyring.Keyring, base string, clock clock.Clock) (*Local, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("the folder for files can't be made: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("the folder for files can't be opened: %w", err)
	}
	l := &Local{root: root, links: links{keys.Signer("link to a file"), base}, clock: clock}
	if err = root.Mkdir(newFolder, 0o700); err == nil || errors.Is(err, fs.ErrExist) {
		err = l.sweep()
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("the folder for files can't be used: %w", err)
	}
	return l, nil
}

// Close releases the folder.
func (l *Local) Close() { _ = l.root.Close() } // only fails when it is closed already

// sweep removes what was left half written.
func (l *Local) sweep() error {
	left, err := l.names(newFolder)
	if err != nil {
		return err
	}
	for _, entry := range left {
		info, err := entry.Info()
		if err != nil || l.clock.Now().Sub(info.ModTime()) < abandoned {
			continue // it is gone, or may still be written
		}
		if err := l.root.Remove(path.Join(newFolder, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// names returns what a folder holds.
func (l *Local) names(folder string) ([]fs.DirEntry, error) {
	dir, err := l.root.Open(folder)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }() // it was only read
	return dir.ReadDir(-1)
}

// Put stores a file.
func (l *Local) Put(ctx context.Context, key string, body io.Reader, size int64, contentType string) error {
	if err := checkPut(key, size, contentType); err != nil {
		return err
	}
	whole := exactly(ctx, body, size)
	err := l.write(key, whole, facts{Size: size, Type: contentType, ETag: rand.Text()})
	if failure := whole.failed(); failure != nil {
		return ended(ctx, failure)
	}
	return l.trouble(err)
}

// write writes a file and puts it in place.
func (l *Local) write(key string, body io.Reader, known facts) error {
	name := path.Join(newFolder, rand.Text())
	file, err := l.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = fill(file, body, known)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = l.publish(name, key)
	}
	if err != nil {
		_ = l.root.Remove(name) // or the next start does
	}
	return err
}

// fill writes the whole of a file, down to the disk.
func fill(file *os.File, body io.Reader, known facts) error {
	// File has a ReadFrom of its own, which copies in smaller pieces.
	if _, err := io.CopyBuffer(struct{ io.Writer }{file}, struct{ io.Reader }{body}, make([]byte, 256<<10)); err != nil {
		return err
	}
	end, err := json.Marshal(known)
	if err != nil {
		return err
	}
	end = append(binary.BigEndian.AppendUint32(end, uint32(len(end))), magic...) //nolint:gosec // it has some hundred bytes
	if _, err := file.Write(end); err != nil {
		return err
	}
	return file.Sync()
}

// publish puts a new file in the place of its key.
func (l *Local) publish(name, key string) error {
	folder := path.Dir(key)
	err := fs.ErrNotExist
	for tries := 0; tries < 10 && errors.Is(err, fs.ErrNotExist); tries++ { // Delete removes folders that are empty
		if err = l.makeFolder(folder); err == nil {
			err = l.root.Rename(name, key+suffix)
		}
	}
	if err != nil {
		return err
	}
	return l.sync(folder)
}

// makeFolder makes a folder and those above it, and has the disk know of them.
func (l *Local) makeFolder(folder string) error {
	if folder == "." {
		return nil
	}
	if err := l.makeFolder(path.Dir(folder)); err != nil {
		return err
	}
	err := l.root.Mkdir(folder, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		err = l.sync(path.Dir(folder))
	}
	return err
}

// sync has the disk know what a folder holds. One that is gone holds nothing.
func (l *Local) sync(folder string) error {
	dir, err := l.root.Open(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }() // the disk has it
	return dir.Sync()
}

// opened is a file that is open.
type opened struct {
	*io.SectionReader

	file  *os.File
	about Object
}

// Close closes it.
func (o *opened) Close() error { return o.file.Close() }

// open opens the file of a key and reads what is known of it.
func (l *Local) open(key string) (*opened, error) {
	file, err := l.root.Open(key + suffix)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	known, err := readFacts(file, info.Size())
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &opened{
		SectionReader: io.NewSectionReader(file, 0, known.Size), file: file,
		about: Object{Key: key, Size: known.Size, ContentType: known.Type, ETag: known.ETag, Modified: info.ModTime().UTC()},
	}, nil
}

var errDamaged = errors.New("a file in the folder isn't as it was written")

// readFacts reads what is known of a file, whose length it checks.
func readFacts(file io.ReaderAt, whole int64) (facts, error) {
	var end [mostFacts]byte
	got := end[:min(whole, int64(len(end)))]
	if _, err := file.ReadAt(got, whole-int64(len(got))); err != nil && err != io.EOF {
		return facts{}, err
	}
	text, isOurs := strings.CutSuffix(string(got), magic)
	if !isOurs || len(text) < 4 {
		return facts{}, errDamaged
	}
	length := int64(binary.BigEndian.Uint32([]byte(text[len(text)-4:])))
	text = text[:len(text)-4]
	if length > int64(len(text)) {
		return facts{}, errDamaged
	}
	var known facts
	if err := json.Unmarshal([]byte(text[int64(len(text))-length:]), &known); err != nil || known.ETag == "" || known.Size != whole-length-int64(trailer) {
		return facts{}, errDamaged
	}
	return known, nil
}

// Get returns a part of a file.
func (l *Local) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := errors.Join(checkGet(key, offset, length), ended(ctx, ctx.Err())); err != nil {
		return nil, err
	}
	file, err := l.open(key)
	if err != nil {
		return nil, l.trouble(err)
	}
	if offset >= file.about.Size && (offset > 0 || length != Whole) {
		_ = file.Close() // nothing was read
		return nil, errRange
	}
	if length == Whole {
		length = file.about.Size
	}
	file.SectionReader = io.NewSectionReader(file.file, offset, min(length, file.about.Size-offset))
	return file, nil
}

// Stat returns what is known of a file.
func (l *Local) Stat(ctx context.Context, key string) (Object, error) {
	if err := errors.Join(CheckKey(key), ended(ctx, ctx.Err())); err != nil {
		return Object{}, err
	}
	file, err := l.open(key)
	if err != nil {
		return Object{}, l.trouble(err)
	}
	return file.about, file.Close()
}

// List goes through files.
func (l *Local) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		if err := checkPrefix(prefix); err != nil {
			yield(Object{}, err)
			return
		}
		l.walk(ctx, path.Dir(prefix+"x"), prefix, yield)
	}
}

// walk yields the files below a folder, and returns whether to go on. Names are in the order of the keys that they are part
// of: "a-b" comes before "a/b", and so "a-b@" before the folder "a".
func (l *Local) walk(ctx context.Context, folder, prefix string, yield func(Object, error) bool) bool {
	entries, err := l.names(folder)
	if err == nil {
		err = ctx.Err()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		yield(Object{}, ended(ctx, l.trouble(err)))
		return false
	}
	var parts []string // of keys; with a slash behind folders
	for _, entry := range entries {
		name, isFile := strings.CutSuffix(entry.Name(), suffix)
		switch {
		case isFile:
			parts = append(parts, name)
		case entry.IsDir() && name != newFolder:
			parts = append(parts, name+"/")
		}
	}
	slices.Sort(parts)
	for _, part := range parts {
		key := path.Join(folder, part)
		inside, isFolder := strings.CutSuffix(part, "/")
		switch {
		case isFolder && overlaps(key+"/", prefix):
			if !l.walk(ctx, path.Join(folder, inside), prefix, yield) {
				return false
			}
		case !isFolder && strings.HasPrefix(key, prefix):
			if !l.yield(ctx, key, yield) {
				return false
			}
		}
	}
	return true
}

// overlaps tells whether a key that begins with the one may begin with the other.
func overlaps(one, other string) bool {
	return strings.HasPrefix(one, other) || strings.HasPrefix(other, one)
}

// yield yields a file, unless it is gone, and returns whether to go on.
func (l *Local) yield(ctx context.Context, key string, yield func(Object, error) bool) bool {
	known, err := l.Stat(ctx, key)
	if errs.Is(err, errs.NotFound) {
		return true
	}
	known.ContentType = ""
	return yield(known, err) && err == nil
}

// Copy stores a file under another key, too.
func (l *Local) Copy(ctx context.Context, from, to string) error {
	if err := checkCopy(from, to); err != nil {
		return err
	}
	file, err := l.open(from)
	if err != nil {
		return l.trouble(err)
	}
	defer func() { _ = file.Close() }() // it was only read
	return l.Put(ctx, to, file, file.about.Size, file.about.ContentType)
}

// Delete removes a file, and the folders that held nothing else.
func (l *Local) Delete(ctx context.Context, key string) error {
	if err := errors.Join(CheckKey(key), ended(ctx, ctx.Err())); err != nil {
		return err
	}
	folder := path.Dir(key)
	err := l.root.Remove(key + suffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = l.sync(folder)
	}
	for ; err == nil && folder != "."; folder = path.Dir(folder) {
		if l.root.Remove(folder) != nil {
			break // it holds something
		}
	}
	return l.trouble(err)
}

// PresignUpload returns the request that puts a file.
func (l *Local) PresignUpload(_ context.Context, key string, size int64, contentType string, expires time.Duration) (Upload, error) {
	if err := checkUpload(key, size, contentType, expires); err != nil {
		return Upload{}, err
	}
	return l.links.upload(key, size, contentType, l.clock.Now().Add(expires)), nil
}

// PresignDownload returns a URL at which the file can be got.
func (l *Local) PresignDownload(_ context.Context, key, filename string, expires time.Duration) (string, error) {
	if err := checkDownload(key, expires); err != nil {
		return "", err
	}
	return l.links.download(key, safeName(filename), l.clock.Now().Add(expires)), nil
}

// ended returns the error for a call whose caller has left or has no more time, else err as it is.
func ended(ctx context.Context, err error) error {
	switch {
	case err == nil || ctx.Err() == nil:
		return err
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return trouble(errs.Timeout, "The file storage took too long", context.DeadlineExceeded)
	}
	return trouble(errs.Unavailable, "The call was ended", context.Canceled)
}

// trouble returns the error that one of the file system's stands for, nil for nil. Nothing is left of it but what is wrong: its
// texts name the file.
func (l *Local) trouble(err error) error {
	if err == nil {
		return nil
	}
	if known, is := errors.AsType[*errs.Error](err); is {
		return known
	}
	cause := errors.New("the folder can't be used")
	number, isErrno := errors.AsType[syscall.Errno](err)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errMissing
	case isErrno:
		cause = number
	case errors.Is(err, errDamaged):
		return trouble(errs.External, "The file storage failed", errDamaged)
	}
	return trouble(errs.Unavailable, "The file storage can't be used now", cause)
}
