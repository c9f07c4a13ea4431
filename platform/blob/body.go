package blob

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/omnistack/omnistack/platform/errs"
)

var errLength = errs.New(errs.Invalid, "The file isn't as long as it was said to be")

// exact is a body that is as long as was said, or fails. It holds its last bytes back until it is known that nothing follows,
// so that nobody takes them for a whole file.
type exact struct {
	ctx  context.Context // what reads it has no other way to hear that the caller left
	body io.Reader
	left int64

	mu      sync.Mutex // the HTTP client may read on for a moment after it returned
	failure error      // what reading failed with
}

func exactly(ctx context.Context, body io.Reader, size int64) *exact {
	return &exact{ctx: ctx, body: body, left: size}
}

// Read reads on. It fails with errs.Invalid for a body of another length.
func (e *exact) Read(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n, err := e.read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		e.failure = err
	}
	return n, err
}

func (e *exact) read(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	if e.left == 0 {
		return 0, e.end()
	}
	n, err := e.body.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	switch {
	case errors.Is(err, io.EOF) && e.left > 0:
		return 0, errLength
	case err != nil && !errors.Is(err, io.EOF):
		return 0, err
	case e.left > 0:
		return n, nil
	}
	if end := e.end(); !errors.Is(end, io.EOF) {
		return 0, end
	}
	return n, io.EOF
}

// end returns io.EOF when nothing follows.
func (e *exact) end() error {
	_, err := io.ReadFull(e.body, make([]byte, 1))
	if err == nil {
		return errLength
	}
	return err
}

// failed returns what reading failed with, nil when it didn't.
func (e *exact) failed() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failure
}

// again is an exact that can be read again, from where the body was at first.
type again struct {
	*exact

	body        io.Seeker
	start, size int64
}

// rewindable returns the body as one that can be read again, if it can.
func rewindable(e *exact) io.Reader {
	body, can := e.body.(io.Seeker)
	if !can {
		return e
	}
	start, err := body.Seek(0, io.SeekCurrent)
	if err != nil {
		return e // such as a pipe that is a file
	}
	return &again{exact: e, body: body, start: start, size: e.left}
}

// Seek goes to another place of the body.
func (a *again) Seek(offset int64, whence int) (int64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at, err := a.body.Seek(offset, whence)
	if err == nil {
		a.left, a.failure = a.size-(at-a.start), nil
	}
	return at, err
}
