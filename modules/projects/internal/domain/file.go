package domain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// MaxFilename is the most characters of a filename (Unicode code points).
const MaxFilename = 255

// File is a file of a project. It is pending until its bytes were uploaded and looked at, and ready then.
type File struct {
	ID        string
	ProjectID string
	Owner     id.Scope
	Filename  string    // what a download is called; files are kept under ids
	Type      string    // the media type
	Size      int64     // bytes
	Object    string    // under which key the bytes are kept; "" while it is pending
	ExpiresAt time.Time // until when the bytes of a pending file may be uploaded
	Version   int64     // 1 at birth, one more with every change
	CreatedAt time.Time
	UpdatedAt time.Time
}

// FileDraft is what an owner says of a file to come.
type FileDraft struct {
	Filename string
	Type     string // the media type, in lower case and without parameters
	Size     int64  // bytes
}

// FileRules say which files are taken.
type FileRules struct {
	MaxBytes int64    // of one file
	Types    []string // the media types, in lower case and without parameters
}

// NewFile returns a pending file, or errs.Invalid with every rule that the draft breaks.
func (r FileRules) NewFile(fileID, projectID string, owner id.Scope, draft FileDraft, now, expires time.Time) (File, error) {
	broken := checkFilename(draft.Filename)
	if !slices.Contains(r.Types, draft.Type) {
		broken = append(broken, errs.Field{Name: "content_type", Message: "must be one of " + strings.Join(r.Types, ", ")})
	}
	if draft.Size < 1 || draft.Size > r.MaxBytes {
		broken = append(broken, errs.Field{Name: "size", Message: fmt.Sprintf("must be from 1 to %d bytes", r.MaxBytes)})
	}
	if len(broken) > 0 {
		return File{}, errs.InvalidFields(broken...)
	}
	return File{
		ID: fileID, ProjectID: projectID, Owner: owner, Filename: draft.Filename, Type: draft.Type, Size: draft.Size, ExpiresAt: expires,
		Version: 1, CreatedAt: now, UpdatedAt: now,
	}, nil
}

// checkFilename takes what every file system can save, so that a name is the same at whoever downloads it.
func checkFilename(name string) []errs.Field {
	if broken := errs.Line("filename", name, MaxFilename); len(broken) > 0 {
		return broken
	}
	if name == "." || name == ".." || strings.ContainsAny(name, `/\`) {
		return []errs.Field{{Name: "filename", Message: "must be a name without a path"}}
	}
	return nil
}

// Ready tells whether the file's bytes are there.
func (f File) Ready() bool { return f.Object != "" }

// Content is what was found by looking into a file.
type Content struct {
	Size  int64
	Types []string // the media type of the bytes, and behind it what that is a special case of: text/csv, text/plain
}

// Check returns nil for the content that was said to come, else errs.Invalid. A text says little of what kind it is, so that a CSV
// may look like any text; but no text that a browser runs passes for another.
func (f File) Check(content Content) error {
	if content.Size != f.Size {
		return errs.InvalidFields(errs.Field{Name: "size", Message: "isn't that of the file which was uploaded"})
	}
	found := content.Types[0]
	fits := found == f.Type || slices.Contains(content.Types, f.Type) && !active(found) || found == "text/plain" && textual(f.Type)
	if !fits {
		return errs.InvalidFields(errs.Field{Name: "content_type", Message: "isn't that of the file which was uploaded"})
	}
	return nil
}

func textual(mediaType string) bool {
	return strings.HasPrefix(mediaType, "text/") && !active(mediaType) || mediaType == "application/json"
}

// active tells whether a browser would run something in content of that type.
func active(mediaType string) bool {
	switch mediaType {
	case "text/html", "text/xml", "application/xml", "application/xhtml+xml", "image/svg+xml", "text/javascript", "application/javascript":
		return true
	}
	return false
}

// Accept makes a pending file ready, with its bytes under that key.
func (f *File) Accept(object string, now time.Time) {
	f.Object, f.UpdatedAt = object, now
	f.Version++
}

// Expect returns errs.Precondition unless version is the current one, or 0 for any.
func (f File) Expect(version int64) error {
	if version != 0 && version != f.Version {
		return errs.Stale()
	}
	return nil
}

// MayStoreFile returns nil for a file of that size, in bytes, where the owner's plan includes files up to the limit, else errs.PaymentRequired.
func MayStoreFile(size, limit int64) error {
	if size <= limit {
		return nil
	}
	return errs.New(errs.PaymentRequired, "Your plan doesn't include files as large as this").With("limit_bytes", limit).With("resource", "File")
}

// MayStore returns nil for an owner who stores used bytes and may store so many more by the limit, else errs.PaymentRequired.
func MayStore(used, more, limit int64) error {
	if more <= limit-used {
		return nil
	}
	return errs.New(errs.PaymentRequired, "Your plan doesn't include more storage").With("limit", limit).With("used", used).With("resource", "File")
}
