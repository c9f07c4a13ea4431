// Package upstream calls the HTTP APIs of others, within bounds: a call ends in time, follows no redirect, which would carry
// its key elsewhere, and reads no endless answer. What fails has the Kind that says whether to try again.
package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
)

// maxAnswer is how many bytes of an answer are read.
const maxAnswer = 64 << 10

// Client calls one service. It is safe for concurrent use.
type Client struct {
	service string
	timeout time.Duration
	http    *http.Client
}

// New returns a client for the service of that name, which errors show as details.service. No call takes longer than the
// timeout.
func New(service string, timeout time.Duration) *Client {
	return &Client{service: service, timeout: timeout, http: &http.Client{Transport: transport(), CheckRedirect: stay}}
}

// maxBody is how many bytes of an answer a library may read.
const maxBody = 4 << 20

// HTTP returns a client for a library that calls its service by itself. It keeps to the bounds of a Client: no call takes
// longer than the timeout, reading its answer included, and none follows a redirect. Of an answer's body 4 MiB can be read;
// behind them there is an *http.MaxBytesError.
func HTTP(timeout time.Duration) *http.Client {
	return &http.Client{Transport: bounded{transport()}, CheckRedirect: stay, Timeout: timeout}
}

// Stream returns what makes calls whose answers come bit by bit. The request's context says how long a call may take, and
// whoever reads its answer how much of it is read; no call follows a redirect, and many of one service go on at once. The
// transport is nil for the network.
func Stream(through http.RoundTripper) func(*http.Request) (*http.Response, error) {
	if through == nil {
		many := transport()
		many.DialContext = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext
		many.MaxIdleConns, many.MaxIdleConnsPerHost = 512, 256
		many.DisableCompression = true // what is compressed comes late
		through = many
	}
	return (&http.Client{Transport: through, CheckRedirect: stay}).Do
}

// Files returns a client for a library that sends and fetches files, which may take as long as they like while they move: a
// connection on which nothing has moved for as long as idle says, as little as that may be, is dropped, and that is a timeout.
// So is the time in which it is made and answered bounded, but not how much is read; a body that is to be sent and hangs by itself holds up its call. No call follows a
// redirect.
func Files(idle time.Duration) *http.Client {
	moving := transport()
	dial := (&net.Dialer{Timeout: min(5*time.Second, idle), KeepAlive: 30 * time.Second}).DialContext
	moving.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &movingConn{Conn: conn, idle: idle}, nil
	}
	moving.ForceAttemptHTTP2 = false // calls would share a connection, and the one that moves hide the one that doesn't
	moving.TLSHandshakeTimeout = min(10*time.Second, idle)
	moving.IdleConnTimeout = idle / 2 // before its own deadline, or a call may begin on one that is about to end
	moving.MaxIdleConnsPerHost = 32
	moving.DisableCompression = true // a file is what was stored
	moving.WriteBufferSize, moving.ReadBufferSize = 128<<10, 128<<10
	return &http.Client{Transport: moving, CheckRedirect: stay}
}

// movingConn is a connection that ends when nothing has moved for a while. What is written gives time to what is read too:
// while a file is sent, its answer is waited for.
type movingConn struct {
	net.Conn
	idle time.Duration
}

// Read reads what comes next.
func (c *movingConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.idle)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write sends all of it. What can't be sent is to be what fails, and not the wait for the answer.
func (c *movingConn) Write(p []byte) (int, error) {
	now := time.Now()
	if err := errors.Join(c.SetWriteDeadline(now.Add(c.idle)), c.SetReadDeadline(now.Add(c.idle+c.idle/4))); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func transport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = maxAnswer
	return transport
}

// stay has a redirect returned instead of followed.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// bounded bounds the bodies of answers.
type bounded struct{ http.RoundTripper }

// RoundTrip makes a call.
func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(request)
	if err == nil {
		answer.Body = http.MaxBytesReader(nil, answer.Body, maxBody)
	}
	return answer, err
}

// Answer is what a service says.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // as much of it as could be read, 64 KiB at most
}

// OK tells whether the service did what it was asked to.
func (a *Answer) OK() bool { return a.Status >= 200 && a.Status <= 299 }

// Get asks for a document of JSON and returns the answer, whatever its status. No answer is an error as it is of Post.
func (c *Client) Get(ctx context.Context, url string, header http.Header) (*Answer, error) {
	return c.call(ctx, http.MethodGet, url, header, nil)
}

// Post sends a body of JSON and returns the answer, whatever its status. No answer is errs.Timeout when it took too long,
// else errs.Unavailable, also when ctx was cancelled. When the request was on its way by then, errs.ErrUnanswered is among
// the causes: what was asked for may have been done or not.
func (c *Client) Post(ctx context.Context, url string, header http.Header, body []byte) (*Answer, error) {
	return c.call(ctx, http.MethodPost, url, header, body)
}

func (c *Client) call(ctx context.Context, method, url string, header http.Header, body []byte) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var left atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { left.Store(true) }})
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, errs.New(errs.Internal, "The request can't be made").Because(err)
	}
	maps.Copy(request.Header, header)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "OmniStack") // Resend refuses requests without one
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, c.unanswered(err, left.Load())
	}
	defer answer.Body.Close()
	// The status has said what happened. What can't be read any more doesn't change it.
	text, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	return &Answer{Status: answer.StatusCode, Header: answer.Header, Body: text}, nil
}

// unanswered returns the error for a call that got no answer, although its request had left or not.
func (c *Client) unanswered(err error, left bool) error {
	late, cause := Cause(err)
	if left {
		cause = fmt.Errorf("%w: %w", errs.ErrUnanswered, cause)
	}
	if late {
		return c.error(errs.Timeout, "The service took too long").Because(cause)
	}
	return c.error(errs.Unavailable, "The service can't be reached").Because(cause)
}

// Cause returns whether a call got no answer because it took too long, and what a log may say of it. The error is one of
// net/http, or of a library over it; such errors may repeat what was said instead of an answer, which is left out.
func Cause(err error) (late bool, cause error) {
	timer, ok := errors.AsType[net.Error](err)
	late = ok && timer.Timeout()
	_, isNet := errors.AsType[*net.OpError](err)
	_, isCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, isLong := errors.AsType[*http.MaxBytesError](err)
	switch {
	case isLong:
		return false, errors.New("the answer is too long")
	case late, isNet, isCertificate, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.Canceled):
		return late, err
	}
	return false, errors.New("the answer can't be read")
}

// Failed returns the error that an answer stands for which isn't OK. The reason is the service's own name for it, of which
// only a short one without anything but letters, digits, points, dashes and underscores is repeated; the rest of what it
// said may hold anything. Whoever isn't let in is errs.External, which is tried again: a wrong key loses nothing. A gateway
// that got no answer has none for us: errs.ErrUnanswered is among the causes then.
func (c *Client) Failed(answer *Answer, reason string) *errs.Error {
	cause := fmt.Errorf("%s answered %d", c.service, answer.Status)
	if Name(reason) {
		cause = fmt.Errorf("%w %s", cause, reason)
	}
	kind, message := errs.External, "The service failed"
	switch answer.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		kind, message = errs.Invalid, "The service refuses what it was sent"
	case http.StatusUnauthorized, http.StatusForbidden:
		message = "The service doesn't let us in: check its key and the account"
	case http.StatusTooManyRequests:
		kind, message = errs.RateLimited, "The service takes no more calls for now"
	case http.StatusServiceUnavailable:
		kind, message = errs.Unavailable, "The service is down"
	case http.StatusRequestTimeout:
		kind, message = errs.Timeout, "The service took too long"
	case http.StatusGatewayTimeout:
		kind, message = errs.Timeout, "The service took too long"
		cause = fmt.Errorf("%w: %w", errs.ErrUnanswered, cause)
	}
	return c.error(kind, message).Because(cause)
}

func (c *Client) error(kind errs.Kind, message string) *errs.Error {
	return errs.New(kind, message).With("service", c.service)
}

// Name tells whether a text is a name such as "validation_error", and no sentence: a service's own name for what is wrong may
// be logged, its sentences may hold anything.
func Name(text string) bool {
	if text == "" || len(text) > 64 {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == '.':
		default:
			return false
		}
	}
	return true
}
