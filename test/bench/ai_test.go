//scaffold:needs ai

package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
	"github.com/omnistack/omnistack/test/bench/naive"
)

// TestAllGatewaysAnswer sends the product, the naive gateway and the provider itself the bench's own calls by its own client.
func TestAllGatewaysAnswer(t *testing.T) {
	provider := httptest.NewServer(http.HandlerFunc(provide))
	t.Cleanup(provider.Close)
	settings := asking(strings.TrimPrefix(provider.URL, "http://"))
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		t.Setenv(name, value) // the naive gateway reads them there
	}
	handler, err := naive.New()
	if err != nil {
		t.Fatal(err)
	}
	plain := httptest.NewServer(handler)
	t.Cleanup(plain.Close)
	app := apptest.Start(t, database.SQLite, append(settings, "RATE_LIMIT_AI=1000000/second")...)
	people := []person{{token: app.Token(t, auth.DevClaims{Subject: "alice"})}, {token: app.Token(t, auth.DevClaims{Subject: "bob"})}}

	for name, url := range map[string]string{"direct": provider.URL, "naive": plain.URL, "product": app.URL} {
		address := strings.TrimPrefix(url, "http://")
		if err := greet(t.Context(), address, people); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, e := range aiEndpoints {
			t.Run(name+"/"+e.name, func(t *testing.T) {
				c, err := dial(t.Context(), address)
				if err != nil {
					t.Fatal(err)
				}
				defer c.close()
				began := time.Now()
				if err := c.expect(e.request(people[0], 0), e.status); err != nil {
					t.Fatal(err)
				}
				if words := bytes.Count(c.body, []byte("word ")); i == 0 && words != 150 {
					t.Errorf("the answer has %d words: %s", words, c.body)
				} else if i == 1 && (words != chunks || !bytes.HasSuffix(c.body, []byte("data: [DONE]\n\n")) || !c.first.After(began)) {
					t.Errorf("the stream has %d words, began at %s and ends with %q", words, c.first, c.body[max(0, len(c.body)-200):])
				}
				wait, err := pace(t.Context(), address, e.requests(people), paces[i], 50*time.Millisecond)
				if err != nil || wait <= 0 {
					t.Errorf("half of the calls took %s, %v", wait, err)
				}
			})
		}
	}
	if bad := testkit.Rows(t, app.DB, "ai_calls", "status <> 'completed'"); bad > 0 {
		t.Errorf("%d calls didn't end well", bad)
	}
}

// TestAPaceTellsOfWrongAnswers proves that an answer that isn't one doesn't pass for a quick one.
func TestAPaceTellsOfWrongAnswers(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"status": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusPaymentRequired) },
		"body":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) },
	} {
		server := httptest.NewServer(handler)
		_, err := pace(context.Background(), server.Listener.Addr().String(), [][]byte{ask(person{}, 0, false)}, 100, 20*time.Millisecond)
		if server.Close(); err == nil {
			t.Errorf("%s: it passes", name)
		}
	}
}
