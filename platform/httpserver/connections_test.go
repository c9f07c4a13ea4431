package httpserver

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// clients are at the other ends of a server that takes six connections, three of a peer.
type clients struct {
	t       *testing.T
	pipes   *pipes
	stop    context.CancelFunc
	ended   chan error
	release chan struct{} // lets a held request go
}

// client is one connection.
type client struct {
	net.Conn
	t *testing.T
}

// from is the server's end of a connection from an address.
type from struct {
	net.Conn
	address string
}

func (f from) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(f.address))
}

func withClients(t *testing.T, test func(c *clients)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &clients{t: t, pipes: newPipes(), ended: make(chan error, 1), release: make(chan struct{})}
		hold := func(r *Router) {
			Query(r, Route{Method: http.MethodGet, Path: "/hold", Guard: Public}, func(context.Context, *struct{}) (*Empty, error) {
				<-c.release
				return nil, nil
			})
		}
		f := newFixture(t, hold, func(o *Options) {
			o.limits = usualLimits
			o.limits.connections = 6
			o.HTTP.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		})
		var ctx context.Context
		ctx, c.stop = context.WithCancel(t.Context())
		go func() { c.ended <- f.server.Serve(ctx, c.pipes, time.Minute) }()
		test(c)
		close(c.release)
		c.stop()
		if err := <-c.ended; err != nil {
			t.Error(err)
		}
	})
}

// connect returns a connection from an address, such as 192.0.2.1. It may be waiting for room.
func (c *clients) connect(address string) client {
	c.t.Helper()
	ours, theirs := net.Pipe()
	c.t.Cleanup(func() { ours.Close() })
	remote := net.JoinHostPort(address, "1")
	go func() { c.pipes.dialled <- from{theirs, remote} }()
	synctest.Wait()
	return client{ours, c.t}
}

// idle returns a connection that has been used.
func (c *clients) idle(address string) client {
	c.t.Helper()
	conn := c.connect(address)
	conn.use()
	return conn
}

// busy returns a connection with a request under way.
func (c *clients) busy(address string) client {
	c.t.Helper()
	conn := c.connect(address)
	conn.send("GET /api/v1/hold HTTP/1.1\r\nHost: x\r\n\r\n")
	synctest.Wait()
	return conn
}

// finish answers the request of the connection that has been busy longest.
func (c *clients) finish(conn client) {
	c.t.Helper()
	c.release <- struct{}{}
	conn.wantAnswer(204)
}

func (c client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// use sends a request and reads the answer.
func (c client) use() {
	c.t.Helper()
	c.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
	c.wantAnswer(200)
}

func (c client) wantAnswer(status int) {
	c.t.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || answer.StatusCode != status {
		c.t.Fatalf("answered %v, %v", answer, err)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	synctest.Wait()
}

// gone tells whether the server has closed the connection.
func (c client) gone() bool {
	if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		return true // a pipe with a closed end has no deadlines
	}
	_, err := c.Read(make([]byte, 1))
	_ = c.SetReadDeadline(time.Time{}) // fails for one that is gone
	return !timedOut(err)
}

// want checks which connections are gone.
func (c *clients) want(gone bool, conns ...client) {
	c.t.Helper()
	for i, conn := range conns {
		if conn.gone() != gone {
			c.t.Errorf("connection %d is gone: %t", i, !gone)
		}
	}
}

const alice, bob, carol, dave, proxy = "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "10.0.0.1"

func TestWhoHasWaitedLongestMakesRoom(t *testing.T) {
	withClients(t, func(c *clients) {
		first, second, third := c.idle(alice), c.idle(bob), c.connect(carol)
		others := []client{c.idle(alice), c.busy(bob), c.idle(dave)}
		first.use()
		third.send("GET /health HTTP/1.1\r\nX-Half: ") // has begun, and is no request yet
		c.want(false, append(others, first, second, third)...)
		newcomers := []client{c.idle(carol), c.idle(carol)}
		c.want(true, second, third)
		c.want(false, append(append(others, first), newcomers...)...)
	})
}

func TestAPeerKeepsToItsShare(t *testing.T) {
	for name, addresses := range map[string][]string{
		"an address":                     {alice, alice, alice, alice},
		"an address in another spelling": {alice, "::ffff:" + alice, alice, "::ffff:" + alice},
		"a network of IPv6":              {"2001:db8::1", "2001:db8::2", "2001:db8::ffff", "2001:db8:0:0:ffff::1"},
	} {
		t.Run(name, func(t *testing.T) {
			withClients(t, func(c *clients) {
				other := c.idle(bob)
				first, second, third := c.idle(addresses[0]), c.idle(addresses[1]), c.idle(addresses[2])
				c.want(false, other, first, second, third)
				c.want(false, c.idle(addresses[3]))
				c.want(true, first)
				c.want(false, other, second, third)
			})
			withClients(t, func(c *clients) {
				busy := []client{c.busy(addresses[0]), c.busy(addresses[1]), c.busy(addresses[2])}
				c.want(true, c.connect(addresses[3]))
				c.want(false, busy...)
				c.want(false, c.idle(bob))
				c.finish(busy[0])
				c.want(false, c.idle(addresses[3]))
				c.want(true, busy[0])
			})
		})
	}
}

// Everybody comes by the proxy, so it may have all.
func TestAProxyHasNoShare(t *testing.T) {
	withClients(t, func(c *clients) {
		var busy []client
		for range 6 {
			busy = append(busy, c.busy(proxy))
		}
		c.want(false, busy...)
		late := c.connect(proxy)
		c.finish(busy[0])
		late.use()
	})
}

func TestWhereAllAreBusyTheNewestWaits(t *testing.T) {
	withClients(t, func(c *clients) {
		first := c.busy(alice)
		for _, address := range []string{alice, bob, bob, carol, carol} {
			c.busy(address)
		}
		late := c.connect(dave)
		sent := make(chan error, 1)
		go func() {
			_, err := io.WriteString(late, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
			sent <- err
		}()
		synctest.Wait()
		select {
		case err := <-sent:
			c.t.Fatalf("somebody reads the request of a connection for which there is no room: %v", err)
		default:
		}
		c.finish(first)
		if err := <-sent; err != nil {
			c.t.Fatal(err)
		}
		late.wantAnswer(200)
		c.want(true, first)
	})
}

func TestAStopEndsTheWaitForRoom(t *testing.T) {
	withClients(t, func(c *clients) {
		for _, address := range []string{alice, alice, bob, bob, carol, carol} {
			c.busy(address)
		}
		late := c.connect(dave)
		c.want(false, late)
		c.stop()
		synctest.Wait()
		c.want(true, late)
	})
}
