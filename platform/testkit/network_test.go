package testkit

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// echo is a server that says what it hears.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				conn.Close()
			}()
		}
	}()
	return "echo://user:secret@" + listener.Addr().String() + "/0?a=b"
}

// hears sends a text and reads what comes back of it, within a time.
func hears(conn net.Conn, text string, within time.Duration) (string, error) {
	if err := conn.SetDeadline(time.Now().Add(within)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	heard := make([]byte, len(text))
	read, err := io.ReadFull(conn, heard)
	return string(heard[:read]), err
}

func TestANetworkHasWeather(t *testing.T) {
	const moment = 50 * time.Millisecond
	n := NewNetwork(t, echo(t))
	if !strings.HasPrefix(n.URL, "echo://user:secret@127.0.0.1:") || !strings.HasSuffix(n.URL, "/0?a=b") {
		t.Fatalf("the URL is %s", n.URL)
	}
	turn := func(weather Weather) {
		t.Helper()
		if err := n.Turn(weather); err != nil {
			t.Fatal(err)
		}
	}
	dial := func() net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", n.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	want := func(conn net.Conn, text string, least time.Duration) {
		t.Helper()
		began := time.Now()
		if heard, err := hears(conn, text, patience); heard != text || err != nil {
			t.Fatalf("heard %.20q, %v", heard, err)
		}
		if took := time.Since(began); took < least {
			t.Errorf("heard after %s", took)
		}
	}

	kept := dial()
	want(kept, "good", 0)
	turn(Weather{Delay: moment})
	want(kept, "slow", 2*moment)
	turn(Weather{Rate: 10_000})
	want(kept, strings.Repeat("x", 1000), 2*moment)

	turn(Weather{Stalled: true})
	if heard, err := hears(kept, "lost?", moment); heard != "" || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("heard %q, %v", heard, err)
	}
	turn(Weather{})
	want(kept, "", 0) // for the deadline
	heard := make([]byte, 5)
	if _, err := io.ReadFull(kept, heard); string(heard) != "lost?" || err != nil {
		t.Errorf("heard %q, %v", heard, err)
	}
	want(kept, "good again", 0)

	turn(Weather{Reset: true})
	gone := func(err error) bool { return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) }
	if _, err := hears(kept, "gone", patience); !gone(err) {
		t.Errorf("a connection that is reset ends with %v", err)
	}
	conn, err := net.Dial("tcp", n.address)
	if err == nil {
		_, err = hears(conn, "gone", patience)
		conn.Close()
	}
	if !gone(err) {
		t.Errorf("a new connection ends with %v", err)
	}
	turn(Weather{})
	kept = dial()
	want(kept, "new", 0)

	turn(Weather{Refused: true})
	if _, err := net.Dial("tcp", n.address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a connection that is refused ends with %v", err)
	}
	if _, err := hears(kept, "gone", patience); err == nil {
		t.Error("a connection outlives")
	}
	turn(Weather{})
	want(dial(), "new", 0)
}
