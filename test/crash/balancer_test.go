//scaffold:needs projects

package crash

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// balancer stands before the programs and does what any balancer can be relied on to do, and no more: it keeps
// connections alive, asks each program whether it is ready, and goes to another one when a connection is refused. What
// else happens to a request, its client sees.
type balancer struct {
	url       string
	transport *http.Transport
	refused   atomic.Int64 // the times that a connection was refused

	mu      sync.Mutex
	members []*member
	turns   int
}

type member struct {
	host  string
	ready bool
}

// balance returns a balancer that runs until the test ends.
func balance(t *testing.T, programs ...*program) *balancer {
	t.Helper()
	b := &balancer{transport: &http.Transport{MaxIdleConnsPerHost: crowd}}
	for _, p := range programs {
		b.add(p)
	}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.Out.URL.Scheme = "http" },
		Transport: b,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, "the balancer says: "+err.Error(), http.StatusBadGateway)
		},
		ErrorLog: log.New(io.Discard, "", 0),
	})
	b.url = server.URL
	stopped, watching := make(chan struct{}), sync.WaitGroup{}
	watching.Go(func() { b.watch(stopped) })
	t.Cleanup(func() {
		close(stopped)
		watching.Wait()
		server.Close()
		b.transport.CloseIdleConnections()
	})
	return b
}

func (b *balancer) add(p *program) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.members = append(b.members, &member{host: p.host, ready: true})
}

func (b *balancer) remove(p *program) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.members = slices.DeleteFunc(b.members, func(m *member) bool { return m.host == p.host })
}

// watch asks every program again and again whether it is ready.
func (b *balancer) watch(stopped <-chan struct{}) {
	for tick := time.Tick(100 * time.Millisecond); ; {
		select {
		case <-stopped:
			return
		case <-tick:
		}
		for _, host := range b.hosts() {
			is := probe(host, "/health/ready") == http.StatusOK
			b.mu.Lock()
			for _, m := range b.members {
				if m.host == host {
					m.ready = is
				}
			}
			b.mu.Unlock()
		}
	}
}

// hosts returns the programs in the order in which the next request tries them: those that are ready first.
func (b *balancer) hosts() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turns++
	var first, last []string
	for i := range b.members {
		m := b.members[(i+b.turns)%len(b.members)]
		if m.ready {
			first = append(first, m.host)
		} else {
			last = append(last, m.host)
		}
	}
	return append(first, last...)
}

// RoundTrip implements http.RoundTripper.
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	var body bytes.Buffer
	if r.Body != nil {
		if _, err := body.ReadFrom(r.Body); err != nil {
			return nil, err
		}
	}
	for _, host := range b.hosts() {
		attempt := r.Clone(r.Context())
		attempt.URL.Host = host
		// With a GetBody the transport sends a request again of which not a byte has left, as any balancer does. A POST
		// or PATCH of which more has left it doesn't.
		attempt.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body.Bytes())), nil }
		attempt.Body, _ = attempt.GetBody()
		answer, err := b.transport.RoundTrip(attempt)
		if failed := new(net.OpError); errors.As(err, &failed) && failed.Op == "dial" {
			b.refused.Add(1)
			continue
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", host, err)
		}
		return answer, err
	}
	return nil, errors.New("every program refuses the connection")
}
