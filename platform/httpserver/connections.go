package httpserver

import (
	"container/list"
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// connections is a listener that bounds how many connections there are, in all and of one peer, so that neither files nor
// memory run out. What makes room is a connection on which no request is under way, which a client has to be ready to lose
// at any time: the one that has waited longest, for its first request or for another. So those who hold connections lose
// them to those who use them. Where all are used, a peer that has its share gets no more, and the newest of anybody else
// waits until one ends, which the deadlines see to; the ones after it wait in the kernel's backlog. Streams have no deadline:
// there are half as many at most.
//
// Peers are those who connect: addresses, of IPv6 the networks of 64 bits that one client has. A proxy whose word we take
// has no share, as everybody comes by it.
type connections struct {
	net.Listener
	most, share int
	trusts      func(address netip.Addr) bool

	mu      sync.Mutex
	changed *sync.Cond // there may be room, or it is closed
	closed  bool
	open    map[net.Conn]*connection
	waiting list.List // of net.Conn, the one that has waited longest first
	peers   map[netip.Addr]*peer
}

// connection is one that is open. It is in both lists while no request is under way.
type connection struct {
	peer                *peer // nil without a share
	waiting, waitingToo *list.Element
}

// peer is whoever has connections.
type peer struct {
	address netip.Addr
	open    int
	waiting list.List // of net.Conn
}

func newConnections(listener net.Listener, most int, trusts func(address netip.Addr) bool) *connections {
	c := &connections{
		Listener: listener, most: most, share: max(1, most/2), trusts: trusts,
		open: map[net.Conn]*connection{}, peers: map[netip.Addr]*peer{},
	}
	c.changed = sync.NewCond(&c.mu)
	return c
}

// Accept returns the next connection for which there is room.
func (c *connections) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c.admit(conn) {
			return conn, nil
		}
		_ = conn.Close() // it is refused
	}
}

// Close ends the listener, and the wait for room.
func (c *connections) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.changed.Broadcast()
	return c.Listener.Close()
}

// admit waits for room, and tells whether there is some for the connection.
func (c *connections) admit(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	address, shares := c.sharing(conn)
	if from := c.peers[address]; shares && from != nil && from.open >= c.share && !c.makeRoom(&from.waiting) {
		return false
	}
	for len(c.open) >= c.most && !c.makeRoom(&c.waiting) {
		if c.closed {
			return false
		}
		c.changed.Wait()
	}
	one := &connection{}
	if shares {
		if one.peer = c.peers[address]; one.peer == nil {
			one.peer = &peer{address: address}
			c.peers[address] = one.peer
		}
		one.peer.open++
	}
	c.open[conn] = one
	c.wait(conn, one)
	return true
}

// sharing returns who is at the other end, and whether that is somebody who has a share.
func (c *connections) sharing(conn net.Conn) (netip.Addr, bool) {
	address := remoteAddress(conn.RemoteAddr().String())
	return clientNetwork(address), address.IsValid() && !c.trusts(address)
}

// makeRoom closes the connection that has waited longest, and tells whether there was one. Its request may be on its way; so
// it may with every connection that a server ends for being idle.
func (c *connections) makeRoom(waiting *list.List) bool {
	first := waiting.Front()
	if first == nil {
		return false
	}
	conn := first.Value.(net.Conn)
	c.leave(conn)
	_ = conn.Close() // net/http hears of it
	return true
}

// note takes down what becomes of a connection; net/http calls it.
func (c *connections) note(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.open[conn]
	if one == nil { // it had to make room
		return
	}
	switch state {
	case http.StateActive:
		c.begin(one)
	case http.StateIdle:
		c.wait(conn, one)
		c.changed.Signal()
	case http.StateClosed, http.StateHijacked:
		c.leave(conn)
		c.changed.Signal()
	}
}

// wait puts the connection behind those that wait.
func (c *connections) wait(conn net.Conn, one *connection) {
	one.waiting = c.waiting.PushBack(conn)
	if one.peer != nil {
		one.waitingToo = one.peer.waiting.PushBack(conn)
	}
}

// begin takes the connection off those that wait.
func (c *connections) begin(one *connection) {
	if one.waiting == nil {
		return
	}
	c.waiting.Remove(one.waiting)
	if one.peer != nil {
		one.peer.waiting.Remove(one.waitingToo)
	}
	one.waiting, one.waitingToo = nil, nil
}

// leave forgets the connection.
func (c *connections) leave(conn net.Conn) {
	one := c.open[conn]
	c.begin(one)
	delete(c.open, conn)
	if one.peer == nil {
		return
	}
	if one.peer.open--; one.peer.open == 0 {
		delete(c.peers, one.peer.address)
	}
}
