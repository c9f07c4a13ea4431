package testkit

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

// stripeMock is Stripe's own double of its API. It refuses what its OpenAPI document doesn't know, and keeps nothing: what it
// answers is an example, whatever was asked before.
const stripeMock = "github.com/stripe/stripe-mock@v0.203.0"

// StripeMock starts a stripe-mock, which ends with the test, and returns the address of its API. It takes any key that begins
// with sk_test_.
func StripeMock(t testing.TB) string {
	t.Helper()
	NeedServers(t)
	program, err := findStripeMock()
	if err != nil {
		t.Fatal(err)
	}
	// Between the choice of a free port and its use another process may take it.
	for range 5 {
		var url string
		if url, err = startStripeMock(t, program); err == nil {
			return url
		}
	}
	t.Fatal(err)
	return ""
}

func startStripeMock(t testing.TB, program string) (string, error) {
	at, err := newSite()
	if err != nil {
		return "", err
	}
	address := fmt.Sprintf("127.0.0.1:%d", at.port)
	// Left alone it listens for HTTPS, too, on a port that all of them share.
	command := []string{program, "-http-addr", address, "-https-addr", "127.0.0.1:0"}
	running, err := launch(command, at.folder, "KILL", "rm -rf "+at.folder, at.as)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	url := "http://" + address
	if err := running.answers(ctx, "stripe-mock", func() error { return answersOK(ctx, url+"/v1/balance", "sk_test_testkit") }); err != nil {
		running.end(false)
		return "", err
	}
	t.Cleanup(func() { running.end(false) })
	return url, nil
}

var findStripeMock = sync.OnceValues(func() (string, error) { return built(stripeMock) })
