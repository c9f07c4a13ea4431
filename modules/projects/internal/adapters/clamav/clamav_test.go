package clamav

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/omnistack/omnistack/platform/errs"
)

// clamd answers each connection as the function says, which is given what came before the empty chunk.
func clamd(t *testing.T, network, address string, answer func(conn net.Conn, body string)) string {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			body, err := receive(conn)
			if err != nil {
				body = "broken: " + err.Error()
			}
			answer(conn, body)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return listener.Addr().String()
}

// receive reads the command and the chunks, none of which may be longer than is said here.
func receive(conn net.Conn) (string, error) {
	command := make([]byte, len("zINSTREAM\x00"))
	if _, err := io.ReadFull(conn, command); err != nil || string(command) != "zINSTREAM\x00" {
		return "", errors.Join(errors.New("no command"), err)
	}
	var body strings.Builder
	for {
		var length uint32
		if err := binary.Read(conn, binary.BigEndian, &length); err != nil || length == 0 {
			return body.String(), err
		}
		if length > 1<<20 {
			return "", errors.New("a chunk that is too long")
		}
		if _, err := io.CopyN(&body, conn, int64(length)); err != nil {
			return "", err
		}
	}
}

func says(answer string) func(net.Conn, string) {
	return func(conn net.Conn, _ string) { _, _ = io.WriteString(conn, answer) }
}

func TestScan(t *testing.T) {
	for name, test := range map[string]struct {
		answer, found string
		kind          errs.Kind // Internal for no error
	}{
		"clean":             {"stream: OK\x00", "", errs.Internal},
		"infected":          {"stream: Eicar-Test-Signature FOUND\x00", "Eicar-Test-Signature", errs.Internal},
		"too large":         {"INSTREAM size limit exceeded. ERROR\x00", "", errs.Unavailable},
		"another trouble":   {"stream: Can't allocate memory ERROR\x00", "", errs.Unavailable},
		"nothing":           {"", "", errs.Unavailable},
		"cut off":           {"stream: OK", "", errs.Unavailable},
		"something else":    {"PONG\x00", "", errs.External},
		"hardly found":      {"FOUND\x00", "", errs.External},
		"no end of answers": {strings.Repeat("stream: OK ", 1000) + "\x00", "", errs.Unavailable},
	} {
		scanner := New(clamd(t, "tcp", "127.0.0.1:0", says(test.answer)))
		found, err := scanner.Scan(t.Context(), strings.NewReader("content"))
		if found != test.found || (err == nil) != (test.kind == errs.Internal) || err != nil && errs.From(err).Kind != test.kind {
			t.Errorf("%s: found %q, %v", name, found, err)
		}
		if err != nil && errs.From(err).Details["service"] != "clamav" {
			t.Errorf("%s: the error is of %v", name, errs.From(err).Details)
		}
	}
}

// All of a body arrives, in pieces, whatever pieces it is read in, and over a socket of this machine, too.
func TestTheWholeBodyArrives(t *testing.T) {
	for _, size := range []int{0, 1, chunk - 1, chunk, chunk + 1, 3*chunk + 5} {
		body := strings.Repeat("x", size)
		for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "clamd")} {
			got := make(chan string, 1)
			scanner := New(clamd(t, network, address, func(conn net.Conn, received string) {
				got <- received
				says("stream: OK\x00")(conn, received)
			}))
			if found, err := scanner.Scan(t.Context(), iotest.HalfReader(strings.NewReader(body))); err != nil || found != "" {
				t.Errorf("%d bytes over %s: found %q, %v", size, network, found, err)
			}
			if received := <-got; received != body {
				t.Errorf("%d bytes over %s: %d arrive", size, network, len(received))
			}
		}
	}
}

func TestABrokenBodyIsNoVerdict(t *testing.T) {
	boom := errors.New("boom")
	scanner := New(clamd(t, "tcp", "127.0.0.1:0", says("stream: OK\x00")))
	if _, err := scanner.Scan(t.Context(), io.MultiReader(strings.NewReader("x"), iotest.ErrReader(boom))); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
}

func TestAScannerThatIsAway(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	for _, address := range []string{listener.Addr().String(), filepath.Join(t.TempDir(), "nothing")} {
		if _, err := New(address).Scan(t.Context(), strings.NewReader("x")); !errs.Is(err, errs.Unavailable) {
			t.Errorf("got %v", err)
		}
	}
}

// One that never answers is left when ctx ends.
func TestAScannerThatHangsIsLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan struct{})
	scanner := New(clamd(t, "tcp", "127.0.0.1:0", func(conn net.Conn, _ string) {
		cancel()
		_, _ = io.Copy(io.Discard, conn) // until the other end closes
		close(left)
	}))
	if _, err := scanner.Scan(ctx, strings.NewReader("x")); !errs.Is(err, errs.Unavailable) {
		t.Errorf("got %v", err)
	}
	<-left
}
