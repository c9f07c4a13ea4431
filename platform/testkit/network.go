package testkit

import (
	"errors"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Network is the way to a server, which a test can make bad and good again. It is good at first. Its methods are safe for
// concurrent use.
type Network struct {
	// URL is the server's, with the network in between.
	URL string

	server  string
	address string

	mu       sync.Mutex
	weather  Weather
	changed  chan struct{} // closed when the weather changes
	listener net.Listener  // nil while connections are refused
	links    map[net.Conn]bool
	running  sync.WaitGroup
}

// Weather is what a network does to what is sent. The zero value is good weather.
type Weather struct {
	Delay   time.Duration // before each piece, in either direction
	Rate    int           // bytes a second in either direction of each connection; 0 is no limit
	Stalled bool          // nothing arrives before the weather changes, and nobody is told
	Reset   bool          // connections are reset when the weather begins, and new ones at once
	Refused bool          // connections are reset when the weather begins, and there are no new ones
}

// NewNetwork returns a network to the server of a URL with a host and a port. It ends with the test.
func NewNetwork(t testing.TB, serverURL string) *Network {
	t.Helper()
	u, err := url.Parse(serverURL)
	if err != nil || u.Port() == "" {
		t.Fatal("a network leads to a URL with a host and a port")
	}
	n := &Network{server: u.Host, address: "127.0.0.1:0", changed: make(chan struct{}), links: map[net.Conn]bool{}}
	if err := n.listen(); err != nil {
		t.Fatal(err)
	}
	n.address = n.listener.Addr().String()
	u.Host = n.address
	n.URL = u.String()
	t.Cleanup(func() {
		if err := n.Turn(Weather{Refused: true}); err != nil {
			t.Error(err)
		}
		n.running.Wait()
	})
	return n
}

// Turn changes the weather.
func (n *Network) Turn(weather Weather) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.weather = weather
	close(n.changed)
	n.changed = make(chan struct{})
	if weather.Reset || weather.Refused {
		for link := range n.links {
			abrupt(link) // all before one is closed: that closes the other end of it
		}
		for link := range n.links {
			_ = link.Close()
		}
	}
	switch {
	case weather.Refused && n.listener != nil:
		err := n.listener.Close()
		n.listener = nil
		return err
	case !weather.Refused && n.listener == nil:
		return n.listen()
	}
	return nil
}

// listen takes connections at the address, whose port may be somebody else's for a moment.
func (n *Network) listen() error {
	listener, err := net.Listen("tcp", n.address)
	for deadline := time.Now().Add(patience); err != nil && time.Now().Before(deadline); <-time.After(10 * time.Millisecond) {
		listener, err = net.Listen("tcp", n.address)
	}
	if err != nil {
		return err
	}
	n.listener = listener
	n.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				n.running.Go(func() { n.link(conn) })
			}
		}
	})
	return nil
}

// link carries what is sent between a client and the server, until one of them ends it.
func (n *Network) link(client net.Conn) {
	server, err := net.Dial("tcp", n.server)
	if err != nil {
		reset(client)
		return
	}
	n.mu.Lock()
	n.links[client], n.links[server] = true, true
	lost := n.weather.Reset || n.weather.Refused
	n.mu.Unlock()
	if lost {
		abrupt(client)
		abrupt(server)
		_ = client.Close()
	}
	var carrying sync.WaitGroup
	carrying.Go(func() { n.carry(client, server) })
	carrying.Go(func() { n.carry(server, client) })
	carrying.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.links, client)
	delete(n.links, server)
}

// carry brings what one end sends to the other, as the weather allows. When one end is done both are closed.
func (n *Network) carry(from, to net.Conn) {
	defer func() {
		_ = from.Close()
		_ = to.Close()
	}()
	piece := make([]byte, 16<<10)
	for {
		read, err := from.Read(piece)
		for rest := piece[:read]; len(rest) > 0; {
			next := rest[:n.pass(len(rest))]
			if _, err := to.Write(next); err != nil {
				return
			}
			rest = rest[len(next):]
		}
		if err != nil {
			return
		}
	}
}

// pass waits until something may arrive, and returns how much of so many bytes.
func (n *Network) pass(size int) int {
	for {
		n.mu.Lock()
		weather, changed := n.weather, n.changed
		n.mu.Unlock()
		wait := weather.Delay
		if weather.Rate > 0 {
			size = min(size, max(1, weather.Rate/20))
			wait += time.Duration(size) * time.Second / time.Duration(weather.Rate)
		}
		switch {
		case weather.Stalled:
			<-changed
			continue
		case wait > 0:
			select {
			case <-time.After(wait):
			case <-changed:
			}
		}
		return size
	}
}

// abrupt lets a connection end so that the other side hears of an error.
func abrupt(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) } // fails when it is closed already

// reset ends a connection abruptly.
func reset(conn net.Conn) {
	abrupt(conn)
	_ = conn.Close()
}
