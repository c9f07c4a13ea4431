package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"time"
)

// connection is a keep-alive connection that does as little as a client can: it writes bytes that were made before, and
// reads of the answer what it needs to find its end. So most of what is measured is the server.
type connection struct {
	conn net.Conn
	in   *bufio.Reader

	// The last answer; valid until the next exchange.
	status     int
	head, body []byte
	first      time.Time // when the first chunk of its body was there, zero for a body without chunks
}

// patience is how long a server may take to answer.
const patience = 30 * time.Second

func dial(ctx context.Context, address string) (*connection, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	return &connection{conn: conn, in: bufio.NewReaderSize(conn, 16<<10)}, nil
}

func (c *connection) close() { _ = c.conn.Close() } // everything was read

// expect sends a request and reads its answer, which must have the status.
func (c *connection) expect(request []byte, status int) error {
	if err := c.exchange(request); err != nil {
		return err
	}
	if c.status != status {
		return fmt.Errorf("the server answers %d where %d was expected: %s", c.status, status, c.body)
	}
	return nil
}

func (c *connection) exchange(request []byte) error {
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	length, chunked, err := c.readHead()
	switch {
	case err != nil:
		return err
	case chunked:
		return c.readChunks()
	}
	return c.readBody(length)
}

// readHead reads the status line and the headers, and returns what they say of the body. Go's server writes their names
// in one spelling.
func (c *connection) readHead() (length int, chunked bool, err error) {
	c.head, c.body, c.status, c.first, length = c.head[:0], c.body[:0], 0, time.Time{}, -1
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, false, err
		}
		c.head = append(c.head, line...)
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case c.status == 0:
			if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
				return 0, false, fmt.Errorf("no status line: %q", line)
			}
			if c.status, err = strconv.Atoi(string(line[9:12])); err != nil {
				return 0, false, err
			}
		case len(line) == 0:
			if length < 0 && !chunked {
				return 0, false, errors.New("the answer says nothing of its length")
			}
			return length, chunked, nil
		case bytes.HasPrefix(line, []byte("Content-Length: ")):
			if length, err = strconv.Atoi(string(line[16:])); err != nil {
				return 0, false, err
			}
		case bytes.Equal(line, []byte("Transfer-Encoding: chunked")):
			chunked = true
		}
	}
}

// readBody appends the next bytes to the body.
func (c *connection) readBody(length int) error {
	start := len(c.body)
	c.body = slices.Grow(c.body, length)[:start+length]
	_, err := io.ReadFull(c.in, c.body[start:])
	return err
}

// readChunks reads a body in chunks (RFC 9112, section 7.1) without trailers, which our servers don't send.
func (c *connection) readChunks() error {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseUint(string(bytes.TrimRight(line, "\r\n")), 16, 31)
		if err != nil {
			return err
		}
		if err := c.readBody(int(size)); err != nil {
			return err
		}
		if c.first.IsZero() {
			c.first = time.Now()
		}
		if _, err := c.in.Discard(len("\r\n")); err != nil || size == 0 {
			return err
		}
	}
}

// header returns a header of the last answer, "" if it has none.
func (c *connection) header(name string) string {
	_, after, _ := bytes.Cut(c.head, []byte("\r\n"+name+": "))
	value, _, _ := bytes.Cut(after, []byte("\r\n"))
	return string(value)
}

// sample is what one round of load saw.
type sample struct {
	perSecond float64 // answers
	cpu       float64 // microseconds of the server's for each; 0 where that can't be known
	p50, p95  float64 // milliseconds until an answer was there
}

// load sends the requests in a circle over that many connections at once until the length is over. Every answer must
// have the status. read returns the server's CPU time so far; nil leaves it out.
func load(ctx context.Context, address string, requests [][]byte, status, connections int, length time.Duration, read func() time.Duration) (sample, error) {
	asking := make([]*connection, connections)
	for i := range asking {
		c, err := dial(ctx, address)
		if err != nil {
			return sample{}, err
		}
		defer c.close()
		asking[i] = c
	}
	var before, after time.Duration
	if read != nil {
		before = read()
	}
	started := time.Now()
	end := started.Add(length)

	type result struct {
		took []time.Duration
		err  error
	}
	results := make(chan result, connections)
	for i, c := range asking {
		go func() {
			r := result{took: make([]time.Duration, 0, 1<<14)}
			r.err = c.conn.SetDeadline(end.Add(patience))
			next := i * len(requests) / connections
			for at := time.Now(); r.err == nil && at.Before(end) && ctx.Err() == nil; next++ {
				r.err = c.expect(requests[next%len(requests)], status)
				now := time.Now()
				r.took = append(r.took, now.Sub(at))
				at = now
			}
			results <- r
		}()
	}
	var all []time.Duration
	var failed []error
	for range asking {
		r := <-results
		all, failed = append(all, r.took...), append(failed, r.err)
	}
	took := time.Since(started)
	if read != nil {
		after = read()
	}
	if err := errors.Join(append(failed, ctx.Err())...); err != nil {
		return sample{}, err
	}
	if len(all) == 0 {
		return sample{}, errors.New("no request was answered in time")
	}
	slices.Sort(all)
	return sample{
		perSecond: float64(len(all)) / took.Seconds(),
		cpu:       (after - before).Seconds() * 1e6 / float64(len(all)),
		p50:       millis(all[len(all)/2]),
		p95:       millis(all[len(all)*95/100]),
	}, nil
}

func millis(d time.Duration) float64 { return d.Seconds() * 1e3 }
