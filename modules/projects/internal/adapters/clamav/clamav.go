// Package clamav has ClamAV look for malware: its daemon clamd, by the command INSTREAM.
//
// The bytes go there in chunks, each with its length before it, and an empty one ends them. The answer is a line: "stream: OK",
// "stream: NAME FOUND", or what went wrong and ERROR. Source: clamd(8), https://docs.clamav.net/manual/Usage/Scanning.html#clamd
package clamav

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/omnistack/omnistack/modules/projects/internal/app"
	"github.com/omnistack/omnistack/platform/errs"
)

const (
	dialTimeout = 5 * time.Second
	chunk       = 64 << 10 // bytes
	longest     = 1 << 10  // bytes of an answer
)

// Scanner is an app.Scanner over clamd.
type Scanner struct{ network, address string }

var _ app.Scanner = (*Scanner)(nil)

// New returns a scanner over the clamd at an address: host:port, or the absolute path of its socket.
func New(address string) *Scanner {
	if strings.HasPrefix(address, "/") {
		return &Scanner{"unix", address}
	}
	return &Scanner{"tcp", address}
}

// Scan returns what clamd finds in the body. A clamd that can't be reached, doesn't answer before ctx ends, or doesn't take as much as
// the body has, is errs.Unavailable; one that says something else errs.External. What the body fails with is returned.
func (s *Scanner) Scan(ctx context.Context, body io.Reader) (found string, err error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, s.network, s.address)
	if err != nil {
		return "", unavailable(err)
	}
	defer func() { _ = conn.Close() }()                                         // the verdict was read, or there is none
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })() // whoever waits is freed

	sending := send(conn, body)
	if failed, ok := errors.AsType[*bodyError](sending); ok {
		return "", failed.error
	}
	// clamd answers and closes when it has had enough, so there may be an answer though not all was sent.
	answer, err := bufio.NewReader(io.LimitReader(conn, longest)).ReadString(0)
	if err != nil {
		return "", unavailable(errors.Join(sending, err))
	}
	return verdict(strings.TrimSuffix(answer, "\x00"))
}

// bodyError is what reading the body failed with.
type bodyError struct{ error }

// send writes the command and the body.
func send(conn io.Writer, body io.Reader) error {
	if _, err := io.WriteString(conn, "zINSTREAM\x00"); err != nil {
		return err
	}
	buffer := make([]byte, 4+chunk)
	for {
		n, err := io.ReadFull(body, buffer[4:])
		if n > 0 {
			binary.BigEndian.PutUint32(buffer, uint32(n)) //nolint:gosec // at most chunk
			if _, err := conn.Write(buffer[:4+n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			_, err := conn.Write([]byte{0, 0, 0, 0})
			return err
		case err != nil:
			return &bodyError{err}
		}
	}
}

// verdict reads the answer.
func verdict(answer string) (found string, err error) {
	if answer == "stream: OK" {
		return "", nil
	}
	if name, is := strings.CutSuffix(answer, " FOUND"); is && strings.HasPrefix(name, "stream: ") {
		return strings.TrimPrefix(name, "stream: "), nil
	}
	if strings.HasSuffix(answer, " ERROR") {
		return "", unavailable(fmt.Errorf("clamd: %q", answer))
	}
	return "", trouble(errs.External, fmt.Errorf("clamd: %q", answer))
}

func unavailable(cause error) error { return trouble(errs.Unavailable, cause) }

func trouble(kind errs.Kind, cause error) error {
	return errs.New(kind, "The file can't be searched for malware now").With("service", "clamav").Because(cause)
}
