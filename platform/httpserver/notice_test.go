package httpserver

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener where there is no network: in a bubble, in which time passes when nobody has anything to do.
type pipes struct {
	dialled chan net.Conn
	closed  chan struct{}
	close   func()
}

func newPipes() *pipes {
	p := &pipes{dialled: make(chan net.Conn), closed: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.closed) })
	return p
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) Close() error {
	p.close()
	return nil
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.dialled:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// dial returns the client's end of a connection that was accepted.
func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.dialled <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, errors.New("refused")
	}
}

func TestAStopGivesNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const notice = 5 * time.Second
		f := newFixture(t, nil, func(o *Options) { o.Notice = notice })
		listener := newPipes()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- f.server.Serve(ctx, listener, time.Minute) }()
		transport := &http.Transport{DialContext: listener.dial}
		defer transport.CloseIdleConnections()
		// want sends a request, and checks its answer and whether that ends the connection.
		want := func(via http.RoundTripper, path string, status int, ends bool) {
			t.Helper()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://server"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := via.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			told := strings.Contains(string(body), `"process":"failing"`)
			if err != nil || answer.StatusCode != status || answer.Close != ends || told != (status == 503) {
				t.Errorf("%s: got %d %s, %v; it ends the connection: %t", path, answer.StatusCode, body, err, answer.Close)
			}
		}

		want(transport, "/health/ready", 200, false)
		stop()
		synctest.Wait()
		for range 2 { // the second on a new connection
			want(transport, "/health", 200, true)
			want(transport, "/health/ready", 503, true)
		}

		time.Sleep(notice - time.Millisecond)
		late, err := listener.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer late.Close()
		time.Sleep(2 * time.Millisecond)
		if _, err := listener.dial(t.Context(), "", ""); err == nil {
			t.Error("a connection is accepted after the notice")
		}
		overLate := func(context.Context, string, string) (net.Conn, error) { return late, nil }
		want(&http.Transport{DialContext: overLate}, "/health", 200, true)

		began := time.Now()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("it goes on for %s", took)
		}
	})
}
