package testkit

import (
	"net"
	"testing"
)

// Silence listens at the address until the test ends: it accepts every connection and never says a word, as a server
// that hangs. It returns where it listens; port 0 takes a free one.
func Silence(t testing.TB, address string) string {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // which ends the loop below
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }()
		}
	}()
	return listener.Addr().String()
}
