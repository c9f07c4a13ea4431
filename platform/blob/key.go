package blob

import (
	"mime"
	"strings"

	"github.com/omnistack/omnistack/platform/errs"
)

// The bounds of a key, in bytes. File systems end at 255 for a segment, to which Local adds.
const (
	MaxKey     = 512
	maxSegment = 200
)

var (
	errKey  = errs.New(errs.Invalid, "The name under which the file is kept isn't a good one")
	errType = errs.New(errs.Invalid, "The media type of the file isn't a good one")
)

// CheckKey returns nil for a good key, else errs.Invalid. A key is one or more segments with slashes between them, such as
// "projects/42/report.pdf". A segment is made of a-z, 0-9, dots, dashes and underscores, and neither begins nor ends with a
// dot. There are no capitals, because some file systems don't tell them from small letters. Names that people give to files
// are no keys: PresignDownload takes them.
func CheckKey(key string) error {
	if key == "" || len(key) > MaxKey {
		return errKey
	}
	for segment := range strings.SplitSeq(key, "/") {
		if !goodSegment(segment) {
			return errKey
		}
	}
	return nil
}

func goodSegment(segment string) bool {
	if segment == "" || len(segment) > maxSegment || segment[0] == '.' || segment[len(segment)-1] == '.' {
		return false
	}
	for i := range len(segment) {
		switch c := segment[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// checkPrefix returns nil for what a good key can begin with.
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	return CheckKey(prefix + "x")
}

// checkType returns nil for a media type that can be a header.
func checkType(contentType string) error {
	if len(contentType) > 255 {
		return errType
	}
	for i := range len(contentType) {
		if contentType[i] < ' ' || contentType[i] > '~' {
			return errType
		}
	}
	if kind, _, err := mime.ParseMediaType(contentType); err != nil || !strings.Contains(kind, "/") {
		return errType
	}
	return nil
}
