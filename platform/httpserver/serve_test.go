package httpserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/omnistack/omnistack/platform/testkit"
)

// serving is a fixture behind Serve itself.
type serving struct {
	*fixture
	stop  context.CancelFunc
	ended chan error // what Serve returned
}

func serve(t *testing.T, patience time.Duration, f *fixture) *serving {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s := &serving{fixture: f, stop: stop, ended: make(chan error, 1)}
	f.reach(t, "http://"+listener.Addr().String())
	go func() { s.ended <- f.server.Serve(ctx, listener, patience) }()
	t.Cleanup(func() {
		stop()
		_ = s.wait(t)
	})
	return s
}

// wait returns what Serve returned.
func (s *serving) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.ended:
		s.ended <- err // for the clean-up
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("the server doesn't end")
		return nil
	}
}

func TestSlowClientsAreCutOff(t *testing.T) {
	// Each limit is the only short one in its case, so that no other can do its work.
	start := func(t *testing.T, timeout time.Duration, short func(*limits)) *serving {
		f := newFixture(t, nil, func(o *Options) {
			o.HTTP.RequestTimeout, o.limits = timeout, limits{header: time.Hour, idle: time.Hour, margin: time.Hour, connections: 100}
			short(&o.limits)
		})
		f.server.raw(Route{Method: http.MethodGet, Path: "/endless"}, func(c *gin.Context) {
			for c.Request.Context().Err() == nil {
				_, _ = c.Writer.Write(make([]byte, 64<<10))
			}
		})
		return serve(t, time.Second, f)
	}
	const moment = 20 * time.Millisecond

	t.Run("a header that never ends", func(t *testing.T) {
		s := start(t, time.Hour, func(l *limits) { l.header = moment })
		conn := dial(t, s.url)
		drip(t, conn, "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		if answer, err := io.ReadAll(conn); err == nil && strings.Contains(string(answer), " 200 ") {
			t.Errorf("it was answered: %s", answer)
		} else if timedOut(err) {
			t.Error("the connection stays open")
		}
	})
	t.Run("a body that never ends", func(t *testing.T) {
		s := start(t, moment, func(l *limits) { l.margin = time.Second })
		conn := dial(t, s.url)
		drip(t, conn, "POST /api/v1/app/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer user\r\nContent-Length: 1000000\r\n\r\n")
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || answer.StatusCode != 504 || !answer.Close {
			t.Errorf("got %v and %v, want a 504 that ends the connection", answer, err)
		}
	})
	t.Run("a body that nobody reads never ends", func(t *testing.T) {
		s := start(t, moment, func(l *limits) { l.margin = moment })
		conn := dial(t, s.url)
		drip(t, conn, "GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n") // little enough to wait for
		if _, err := io.ReadAll(conn); timedOut(err) {
			t.Error("the connection stays open")
		}
	})
	t.Run("an answer that nobody reads", func(t *testing.T) {
		s := start(t, moment, func(l *limits) { l.margin = moment })
		conn := dial(t, s.url)
		fmt.Fprint(conn, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
		s.line(t) // the handler has ended
	})
	t.Run("a connection that is idle", func(t *testing.T) {
		s := start(t, time.Hour, func(l *limits) { l.idle = moment })
		conn := dial(t, s.url)
		fmt.Fprint(conn, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("the connection stays open: %v", err)
		}
	})
	t.Run("a header that is too large", func(t *testing.T) {
		s := start(t, time.Hour, func(*limits) {})
		for _, request := range []string{
			"GET /health?" + strings.Repeat("x", 64<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n",
			"GET /health HTTP/1.1\r\nHost: x\r\nX-Large: " + strings.Repeat("x", 64<<10) + "\r\n\r\n",
		} {
			if answer := exchange(t, s.url, request); !strings.HasPrefix(answer, "HTTP/1.1 431 ") {
				t.Errorf("got %.100s", answer)
			}
		}
	})
}

// drip sends the text and then one byte at a time, until the other side has had enough.
func drip(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	ticker := time.NewTicker(5 * time.Millisecond)
	done := make(chan struct{})
	t.Cleanup(func() {
		ticker.Stop()
		close(done)
	})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				if _, err := io.WriteString(conn, "x"); err != nil {
					return
				}
			}
		}
	}()
}

// timedOut tells whether our own patience with the server ended.
func timedOut(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// holding is a server with a route that answers when it is let go.
func holding(t *testing.T, patience time.Duration) (s *serving, entered chan struct{}, release chan struct{}) {
	entered, release = make(chan struct{}, 1000), make(chan struct{})
	f := newFixture(t, func(r *Router) {
		Query(r, Route{Method: http.MethodGet, Path: "/hold", Guard: Public}, func(context.Context, *struct{}) (*Object[number], error) {
			entered <- struct{}{}
			<-release
			return &Object[number]{Body: number{1}}, nil
		})
	})
	return serve(t, patience, f), entered, release
}

func TestAStopLetsRunningRequestsFinish(t *testing.T) {
	s, entered, release := holding(t, time.Minute)
	answered := make(chan *testkit.Response, 1)
	go func() { answered <- s.anyone.Do(t, "GET", "/api/v1/hold") }()
	<-entered

	s.stop()
	refused(t, s.url)
	select {
	case err := <-s.ended:
		t.Fatalf("the server ended with a request running: %v", err)
	default:
	}
	close(release)
	if answer := <-answered; answer.Status != 200 || string(answer.Body) != `{"value":1}` {
		t.Errorf("the running request got %d %s", answer.Status, answer.Body)
	}
	if err := s.wait(t); err != nil {
		t.Errorf("the server ended with %v", err)
	}
}

func TestAStopLosesPatience(t *testing.T) {
	s, entered, release := holding(t, time.Millisecond)
	defer close(release)
	conn := dial(t, s.url)
	fmt.Fprint(conn, "GET /api/v1/hold HTTP/1.1\r\nHost: x\r\n\r\n")
	<-entered

	s.stop()
	if err := s.wait(t); err == nil || !strings.Contains(err.Error(), "requests were still running after 1ms") {
		t.Errorf("the server ended with %v", err)
	}
	if answer, err := io.ReadAll(conn); len(answer) != 0 || timedOut(err) {
		t.Errorf("the request that was cut off got %q and %v", answer, err)
	}
}

// refused waits until the server takes no new connection.
func refused(t *testing.T, url string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			return
		}
		conn.Close()
	}
	t.Fatal("the server takes new connections")
}

// Under load, every request that reached a handler is answered in full.
func TestAStopDropsNoRequestThatBegan(t *testing.T) {
	var began, answered atomic.Int64
	f := newFixture(t, func(r *Router) {
		Query(r, Route{Method: http.MethodPost, Path: "/count", Guard: Public}, func(context.Context, *struct{ Body number }) (*Object[number], error) {
			began.Add(1)
			return &Object[number]{Body: number{1}}, nil
		})
	})
	s := serve(t, time.Minute, f)

	var clients sync.WaitGroup
	warm := make(chan struct{}, 1000)
	for range 16 {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for n := 0; ; n++ {
				answer, err := client.Post(s.url+"/api/v1/count", contentType, strings.NewReader(`{"value":1}`))
				if err != nil {
					return
				}
				body, err := io.ReadAll(answer.Body)
				answer.Body.Close()
				if err == nil && answer.StatusCode == 200 && string(body) == `{"value":1}` {
					answered.Add(1)
				}
				if n == 20 {
					warm <- struct{}{}
				}
			}
		})
	}
	for range 16 {
		<-warm
	}
	s.stop()
	if err := s.wait(t); err != nil {
		t.Error(err)
	}
	clients.Wait()
	if began.Load() != answered.Load() {
		t.Errorf("%d requests began and %d were answered", began.Load(), answered.Load())
	}
}

// What isn't a usual request is answered in the envelope too, as long as it is HTTP.
func TestOddRequests(t *testing.T) {
	s := serve(t, time.Second, newFixture(t, nil))
	for line, want := range map[string]string{
		"OPTIONS * HTTP/1.1\r\nHost: x":              "HTTP/1.1 404 ",
		"GET * HTTP/1.1\r\nHost: x":                  "HTTP/1.1 404 ",
		"CONNECT x:80 HTTP/1.1\r\nHost: x":           "HTTP/1.1 404 ",
		"GET http://x/health HTTP/1.1\r\nHost: y":    "HTTP/1.1 200 ",
		"GET http://x HTTP/1.1\r\nHost: x":           "HTTP/1.1 404 ",
		"get /health HTTP/1.1\r\nHost: x":            "HTTP/1.1 405 ",
		"GET //health HTTP/1.1\r\nHost: x":           "HTTP/1.1 404 ",
		"GET /health?%zz HTTP/1.1\r\nHost: x":        "HTTP/1.1 400 ",
		"GET /health/../docs HTTP/1.1\r\nHost: x":    "HTTP/1.1 404 ",
		"GET /health HTTP/1.0":                       "HTTP/1.0 200 ",
		"GET /health HTTP/1.1\r\nHost: x\r\nHost: y": "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain",
		"GET /%zz HTTP/1.1\r\nHost: x":               "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain",
		"nonsense":                                   "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain",
	} {
		answer := exchange(t, s.url, line+"\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(answer, want) {
			t.Errorf("%q was answered %s", line, answer)
		}
		if ours := !strings.HasSuffix(want, "text/plain"); ours && !strings.Contains(answer, "X-Request-Id: ") {
			t.Errorf("%q was answered without our headers: %s", line, answer)
		}
	}
}

// What one of two readers may take for a second request isn't answered as one: a proxy before us may be the other reader.
func TestNoRequestHidesInAnother(t *testing.T) {
	s := serve(t, time.Second, newFixture(t, nil))
	const hidden = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
	length := fmt.Sprint("Content-Length: ", len(hidden))
	for name, test := range map[string]struct {
		head string // behind the request line
		body string
		want string // how the only answer begins
	}{
		"two lengths":                  {length + "\r\nContent-Length: 0", hidden, "HTTP/1.1 400 "},
		"two lengths in one":           {length + ", 0", hidden, "HTTP/1.1 400 "},
		"a length with a sign":         {"Content-Length: +5", hidden, "HTTP/1.1 400 "},
		"a length below nothing":       {"Content-Length: -1", hidden, "HTTP/1.1 400 "},
		"a length in hexadecimal":      {"Content-Length: 0x0", hidden, "HTTP/1.1 400 "},
		"a space before the colon":     {"Content-Length : 0", hidden, "HTTP/1.1 400 "},
		"chunks and a space":           {"Transfer-Encoding : chunked", "0\r\n\r\n" + hidden, "HTTP/1.1 400 "},
		"chunks by another character":  {"Transfer-Encoding: \vchunked", "0\r\n\r\n" + hidden, "HTTP/1.1 400 "},
		"chunks twice":                 {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n" + hidden, "HTTP/1.1 501 "},
		"chunks of something else":     {"Transfer-Encoding: gzip, chunked", "0\r\n\r\n" + hidden, "HTTP/1.1 501 "},
		"chunks that end as something": {"Transfer-Encoding: chunked, identity", "0\r\n\r\n" + hidden, "HTTP/1.1 501 "},
		"no chunks":                    {"Transfer-Encoding: identity\r\n" + length, hidden, "HTTP/1.1 501 "},
		"a length that is right":       {length, hidden, "HTTP/1.1 401 "},
		"a line that goes on":          {"X-A: b\r\n " + length, "", "HTTP/1.1 401 "},
		"a header without a name":      {": chunked", hidden, "HTTP/1.1 400 "},
		"a header without a colon":     {"chunked", hidden, "HTTP/1.1 400 "},
		"a NUL":                        {"X-A: \x00", hidden, "HTTP/1.1 400 "},
		"two hosts":                    {"Host: y", hidden, "HTTP/1.1 400 "},
	} {
		conn := dial(t, s.url)
		fmt.Fprintf(conn, "POST /api/v1/app/things HTTP/1.1\r\nHost: x\r\n%s\r\nConnection: close\r\n\r\n%s", test.head, test.body)
		answers, err := io.ReadAll(conn)
		if timedOut(err) || !strings.HasPrefix(string(answers), test.want) || strings.Count(string(answers), "HTTP/1.1 ") != 1 {
			t.Errorf("%s: answered %s, %v", name, answers, err)
		}
	}
}

// Whoever says that its body comes in chunks and how long it is gets what comes in chunks, and its connection ends: what
// follows may be of somebody else, whom a proxy heard say something else.
func TestALengthBesideChunksEndsTheConnection(t *testing.T) {
	s := serve(t, time.Second, newFixture(t, nil))
	conn := dial(t, s.url)
	fmt.Fprint(conn, "POST /api/v1/app/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer user\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"+
		"c\r\n{\"name\":\"a\"}\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	answers, _ := io.ReadAll(conn) // what it didn't read may break the connection
	if strings.Count(string(answers), "HTTP/1.1 ") != 1 {
		t.Errorf("answered %s", answers)
	}
}

func TestHeadersAreBounded(t *testing.T) {
	s := serve(t, time.Second, newFixture(t, nil))
	for name, test := range map[string]struct {
		line, headers string
		want          string
	}{
		"many":                {"/health", strings.Repeat("a: b\r\n", 5_000), "HTTP/1.1 200 "},
		"too many":            {"/health", strings.Repeat("a: b\r\n", 10_000), "HTTP/1.1 431 "},
		"too many names":      {"/health", manyNames(10_000), "HTTP/1.1 431 "},
		"a long address":      {"/health?" + strings.Repeat("x", 30_000), "", "HTTP/1.1 422 "},
		"too long an address": {"/health?" + strings.Repeat("x", 1<<20), "", "HTTP/1.1 431 "},
		"too long a header":   {"/health", "X: " + strings.Repeat("x", 1<<20) + "\r\n", "HTTP/1.1 431 "},
	} {
		answer := refusedEarly(t, s.url, "GET "+test.line+" HTTP/1.1\r\nHost: x\r\n"+test.headers+"Connection: close\r\n\r\n")
		if !strings.HasPrefix(answer, test.want) {
			t.Errorf("%s: answered %.200s", name, answer)
		}
		if strings.Contains(answer, "xxx") && !strings.Contains(test.want, "422") {
			t.Errorf("%s: answered with what was sent: %.200s", name, answer)
		}
	}
}

// manyNames returns headers that all have another name.
func manyNames(count int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, "X-%d: a\r\n", i)
	}
	return text.String()
}

// refusedEarly sends what the server may not want to read to its end, and returns the answer.
func refusedEarly(t *testing.T, url, raw string) string {
	t.Helper()
	conn := dial(t, url)
	go func() { _, _ = io.WriteString(conn, raw) }()
	answer, _ := io.ReadAll(conn) // the connection may be reset behind the answer
	return string(answer)
}

func TestServeReportsAListenerThatFails(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if err := newFixture(t, nil).server.Serve(t.Context(), listener, time.Second); err == nil {
		t.Error("a closed listener was served")
	}
}
