//scaffold:needs projects

package api

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// connection is a client without manners: it sends what no HTTP library would.
type connection struct {
	net.Conn
	t *testing.T
}

func dial(t *testing.T, app *apptest.App) connection {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(app.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return connection{conn, t}
}

// send writes lines with CRLF behind each. An empty line ends a request's head.
func (c connection) send(lines ...string) {
	c.t.Helper()
	if _, err := io.WriteString(c, strings.Join(lines, "\r\n")+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
}

// answer is one that no HTTP client has seen.
type answer struct {
	status int
	header http.Header
	body   string
}

// answer reads an answer.
func (c connection) answer() answer {
	c.t.Helper()
	read, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		c.t.Fatalf("reading the answer: %v", err)
	}
	defer read.Body.Close()
	body, err := io.ReadAll(read.Body)
	if err != nil {
		c.t.Fatalf("reading the answer: %v", err)
	}
	return answer{read.StatusCode, read.Header, string(body)}
}

// ended returns how long the server takes to hang up, reading what it sends meanwhile.
func (c connection) ended(since time.Time) time.Duration {
	c.t.Helper()
	_, err := io.Copy(io.Discard, c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatal("the server keeps the connection open")
	}
	return time.Since(since)
}

// drip sends the text again and again, a piece every tenth of a second, until nobody takes it any more.
func (c connection) drip(text string) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
	}
}

func TestNoRequestWritesAHeaderOfTheAnswer(t *testing.T) {
	t.Parallel()
	app := apptest.Start(t, database.SQLite)
	for name, lines := range map[string][]string{
		"by its id":              {"GET /health HTTP/1.1", "X-Request-ID: a\rX-Evil: 1"},
		"by a line feed alone":   {"GET /health HTTP/1.1", "X-Request-ID: a\n X-Evil: 1"},
		"by its origin":          {"GET /health HTTP/1.1", "Origin: http://localhost:3000%0d%0aX-Evil: 1"},
		"by its path":            {"GET /api/v1/app/projects/%0d%0aX-Evil:%201 HTTP/1.1"},
		"by a break in the path": {"GET /health\rX-Evil:1 HTTP/1.1"},
		"by its host":            {"GET /health HTTP/1.1", "Host: a%0d%0aX-Evil: 1"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, app)
			conn.send(append(lines, "Host: localhost", "Connection: close", "")...)
			got := conn.answer()
			if got.header.Get("X-Evil") != "" || strings.Contains(got.body, "X-Evil") {
				t.Errorf("%d %v\n%s", got.status, got.header, got.body)
			}
		})
	}
}

func TestARequestIDIsTakenOverOnlyWhenItIsHarmless(t *testing.T) {
	t.Parallel()
	app := apptest.Start(t, database.SQLite)
	for id, taken := range map[string]bool{
		"abc-123": true, "~!": true, strings.Repeat("a", 128): true,
		"": false, "a b": false, "a\tb": false, "é": false, "\x80": false, strings.Repeat("a", 129): false,
	} {
		got := app.Do(t, "GET", "/health", testkit.Header("X-Request-ID", id)).Want(200).Header.Get("X-Request-ID")
		if got == "" || (got == id) != taken {
			t.Errorf("%q becomes %q", id, got)
		}
	}
}

// A slow client costs a connection for a while, and nobody else an answer.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	app := apptest.Start(t, database.SQLite, "REQUEST_TIMEOUT=1s")
	token := "Authorization: Bearer " + app.Token(t, claims("alice"))
	since := time.Now()

	silent := dial(t, app)
	endless := dial(t, app)
	endless.send("GET /health HTTP/1.1", "Host: localhost")
	go endless.drip("X-Drip: 1\r\n")
	dripping := dial(t, app)
	dripping.send("POST "+projects+" HTTP/1.1", "Host: localhost", token, "Content-Type: application/json", "Content-Length: 100000", "")
	go dripping.drip(" ")
	for range 20 {
		dial(t, app).send("GET /health HTTP/1.1", "Host: localhost")
	}

	app.User(t, "bob").Do(t, "POST", projects, testkit.Body(`{"name": "Gemini"}`)).Want(201)
	if waited := time.Since(since); waited > 4*time.Second {
		t.Errorf("a quick client waited %s beside the slow ones", waited)
	}

	dripping.answer().wantError(t, 504, "TIMEOUT")
	// A body may take somewhat longer than REQUEST_TIMEOUT, so that the answer to it can be told.
	if took := dripping.ended(since); took > 12*time.Second {
		t.Errorf("REQUEST_TIMEOUT is 1s, and a body that drips kept its connection for %s", took)
	}
	if took := endless.ended(since); took > 10*time.Second {
		t.Errorf("a head that never ends kept its connection for %s", took)
	}
	if took := silent.ended(since); took > 10*time.Second {
		t.Errorf("a client that says nothing kept its connection for %s", took)
	}
	if rows := testkit.Rows(t, app.DB, "projects", "owner_id = ?", "alice"); rows != 0 {
		t.Errorf("half a request made %d projects", rows)
	}
}

// wantError is what testkit's checks of an answer.
func (a answer) wantError(t *testing.T, status int, code string) {
	t.Helper()
	var envelope struct {
		Error struct {
			Code      string `json:"code"`
			RequestID string `json:"request_id"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(a.body), &envelope); err != nil || a.status != status || envelope.Error.Code != code ||
		envelope.Error.RequestID == "" || envelope.Error.RequestID != a.header.Get("X-Request-ID") {
		t.Errorf("want %d %s in the envelope, got %d\n%s", status, code, a.status, a.body)
	}
}
