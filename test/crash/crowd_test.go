//scaffold:needs projects

package crash

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
)

// Two hundred clients that are slow on purpose, and ten thousand who hold a connection and do nothing with it, leave others
// served, whether they come by a proxy or from one address, like the others here.
func TestACrowdLeavesOthersServed(t *testing.T) {
	for name, from := range map[string]struct {
		proxies  string
		slow     int
		holdable int // of ten thousand
	}{
		"by a proxy":       {"TRUSTED_PROXIES=127.0.0.1", 200, 10_000},
		"from one address": {"TRUSTED_PROXIES=", 0, 6_000},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, testkit.DatabaseOptions(t, database.SQLite), from.proxies, "REQUEST_TIMEOUT="+timeout.String())
			p := s.start()
			before := p.memory()

			idle := p.idle(min(10_000, sockets()-1000))
			after := p.memory()
			began, ended := time.Now(), p.slow(from.slow, s.token("slow"))
			during := s.serveOthers(p)
			held := held(idle)
			t.Logf("%d of %d idle connections are held, of %d bytes each", held, len(idle), (after-before)/max(1, held))
			if most := min(from.holdable, sockets()/4*3/2); held > from.holdable || held < most-from.slow-2*crowd {
				t.Errorf("%d idle connections are held, want about %d", held, most)
			}
			select {
			case <-ended:
				t.Logf("the slow were gone after %s", time.Since(began))
			case <-time.After(patience):
				t.Error("the slow keep their connections")
			}
			t.Log(s.count(during, s.serveOthers(p)))
		})
	}
}

// sockets returns how many a process may have: Go raises the limit as far as it may at the start.
func sockets() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur, 1<<30))
}

// memory returns how many bytes the program has in memory, 0 where there is no way to know.
func (p *program) memory() int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, line, _ := strings.Cut(string(text), "VmRSS:")
	var kilobytes int
	if _, err := fmt.Sscan(line, &kilobytes); err != nil {
		p.t.Errorf("the memory of a process isn't said: %v", err)
	}
	return kilobytes << 10
}

// dial opens a connection that is closed when the test ends.
func (p *program) dial() net.Conn {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.host)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	return conn
}

// idle returns so many connections that have been used once.
func (p *program) idle(count int) []net.Conn {
	p.t.Helper()
	conns := make([]net.Conn, count)
	for i := range conns {
		conns[i] = p.dial()
		fmt.Fprint(conns[i], "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
		answer, err := http.ReadResponse(bufio.NewReader(conns[i]), nil)
		if err != nil || answer.StatusCode != http.StatusOK {
			p.t.Fatalf("connection %d is answered %v, %v", i, answer, err)
		}
		_, _ = io.Copy(io.Discard, answer.Body) // it is here in one piece
	}
	return conns
}

// held returns how many of the connections the program still holds.
func held(conns []net.Conn) int {
	var count atomic.Int64
	var looking sync.WaitGroup
	for _, conn := range conns {
		looking.Go(func() {
			// What there is to read is here at once, if anything: the end.
			_ = conn.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
				count.Add(1)
			}
		})
	}
	looking.Wait()
	return int(count.Load())
}

// slow begins so many requests that drip: heads, bodies, and requests for answers that nobody reads. What it returns is
// closed when the program has hung up on all of them.
func (p *program) slow(count int, token string) <-chan struct{} {
	kinds := []struct{ head, drop string }{
		{"GET /health HTTP/1.1\r\nHost: localhost\r\n", "X-Drop: 1\r\n"},
		{"POST " + projects + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token +
			"\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n", " "},
		{strings.Repeat("GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n", 100), "G"},
	}
	var dripping sync.WaitGroup
	for i := range count {
		kind, conn := kinds[i%len(kinds)], p.dial()
		dripping.Go(func() {
			_, err := io.WriteString(conn, kind.head)
			for tick := time.Tick(200 * time.Millisecond); err == nil; <-tick {
				_, err = io.WriteString(conn, kind.drop)
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		dripping.Wait()
		close(ended)
	}()
	return ended
}

// serveOthers fails the test unless clients who do nothing odd get their answers.
func (s *site) serveOthers(p *program) *load {
	s.t.Helper()
	l := s.begin("http://"+p.host, mustAnswer, nil)
	l.reach(s.t, 100)
	l.end(s.t)
	return l
}
