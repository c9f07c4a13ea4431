package httpserver

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// stages returns the steps every request goes through, in their order. Each stands where it does for a reason: what
// comes first sees the most.
func (s *Server) stages() []gin.HandlerFunc {
	return []gin.HandlerFunc{
		s.trace,           // the record everything below adds to
		s.identify,        // so that every line and answer below can name the request
		s.accessLog,       // sees the final status, of panics too
		s.recover,         // a panic below is a 500 in the envelope
		s.securityHeaders, // on refusals too
		s.cors,            // a preflight ends here: it has no token
		s.requireTLS,      // before anything looks at what came in the clear
		s.limitAddress,    // before anything that costs more than a refusal
		s.limitBody,       // before anything reads the body
		s.setDeadline,     // bounds what follows
		s.authenticate,    // who is asking
		s.limitCaller,     // before authorize, so that what is forbidden counts too
		s.authorize,       // whether that one may
	}
}

func (s *Server) trace(c *gin.Context) {
	record := &call{
		Context: c.Request.Context(),
		client:  c.Request.Context(),
		request: c.Request,
		started: time.Now(),
		traceID: traceID(c.Request.Header.Get("Traceparent")),
		route:   s.routes[routeKey{c.Request.Method, c.FullPath()}],

		fromHere: loopback(c.Request.RemoteAddr) && loopback(c.Request.Host),
	}
	if c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead {
		record.ifNoneMatch = strings.Join(c.Request.Header["If-None-Match"], ",")
	}
	c.Request = c.Request.WithContext(record)
}

// loopback tells whether a host, with or without a port, is this machine to itself. A client elsewhere has another
// address, and a web page elsewhere that has its name lead here has another name.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}

// traceID returns the trace id of a W3C traceparent header, or a new one when there is none. A later version of the
// header may go on after the part that is known.
func traceID(traceparent string) string {
	const layout = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	if len(traceparent) >= len(layout) && sameShape(traceparent[:len(layout)], layout) {
		version, trace, span, rest := traceparent[:2], traceparent[3:35], traceparent[36:52], traceparent[len(layout):]
		ended := rest == "" || version != "00" && rest[0] == '-'
		if ended && version != "ff" && strings.Trim(trace, "0") != "" && strings.Trim(span, "0") != "" {
			return trace
		}
	}
	var fresh [16]byte
	_, _ = rand.Read(fresh[:]) // never fails: crypto/rand crashes the program instead
	return hex.EncodeToString(fresh[:])
}

// sameShape tells whether s has dashes where layout has some, and lower-case hexadecimal digits elsewhere.
func sameShape(s, layout string) bool {
	for i := range len(s) {
		digit := '0' <= s[i] && s[i] <= '9' || 'a' <= s[i] && s[i] <= 'f'
		if dash := layout[i] == '-'; dash && s[i] != '-' || !dash && !digit {
			return false
		}
	}
	return true
}

// headerRequestID is the header X-Request-ID as net/http spells it: another spelling is converted at every use.
const headerRequestID = "X-Request-Id"

func (s *Server) identify(c *gin.Context) {
	record := callIn(c)
	record.requestID = c.Request.Header.Get(headerRequestID)
	if !validRequestID(record.requestID) {
		record.requestID = id.New()
	}
	c.Header(headerRequestID, record.requestID)
}

// validRequestID tells whether a client's id is taken over: 1 to 128 visible ASCII characters.
func validRequestID(s string) bool {
	if len(s) == 0 || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// accessLog writes one line a request, when it is over, and when a panic drops its connection too.
func (s *Server) accessLog(c *gin.Context) {
	defer s.logCall(c)
	c.Next()
}

// logCall writes the line. The path is the route's template: ids and what strangers type stay out of the log, and
// query strings may hold personal data.
func (s *Server) logCall(c *gin.Context) {
	record := callIn(c)
	status := c.Writer.Status()
	if record.failure != nil && status < http.StatusBadRequest {
		status = statuses[errs.From(record.failure).Kind] // it failed when half of it was out
	}
	level := zap.InfoLevel
	if status >= http.StatusInternalServerError && !errors.Is(record.failure, errStopping) {
		level = zap.ErrorLevel
		// A call that fails after the client hung up fails for that reason, whatever its layers make of it.
		if record.client.Err() != nil {
			status, level = statusClientGone, zap.InfoLevel
		}
	}
	entry := s.log.Check(level, "request")
	if entry == nil {
		return
	}
	route := "none"
	if record.route != nil {
		route = record.route.Full
	}
	const most = 10 // with the three below
	fields := append(make([]zap.Field, 0, most),
		zap.String("method", c.Request.Method),
		zap.String("route", route),
		zap.Int("status", status),
		zap.Duration("took", time.Since(record.started)),
		zap.Int("bytes", max(0, c.Writer.Size())),
		zap.String("request_id", record.requestID),
		zap.String("trace_id", record.traceID),
	)
	if record.principal.UserID != "" {
		fields = append(fields, zap.String("user", record.principal.UserID))
	}
	if record.principal.KeyID != "" {
		fields = append(fields, zap.String("api_key", record.principal.KeyID)) // its id, not the key
	}
	if record.failure != nil && status != http.StatusNotFound {
		fields = append(fields, zap.NamedError("cause", record.failure))
	}
	entry.Write(fields...)
}

func (s *Server) recover(c *gin.Context) {
	defer func() {
		reason := recover()
		if reason == nil {
			return
		}
		record := callIn(c)
		err := s.panicked(record, reason)
		if c.Writer.Written() {
			record.failure = err
			panic(http.ErrAbortHandler) // half an answer is out: cutting it off is the only honest end
		}
		refuse(c, err)
	}()
	c.Next()
}

// panicked logs a panic and returns it as an error. It is called while the stack is still there.
func (s *Server) panicked(record *call, reason any) error {
	err, isError := reason.(error)
	if isError && errors.Is(err, http.ErrAbortHandler) {
		panic(reason) // net/http's own way to drop a connection
	}
	err = fmt.Errorf("panic: %v", reason)
	s.log.Error("panic", zap.Error(err), zap.String("request_id", record.requestID), zap.ByteString("stack", debug.Stack()))
	return err
}

// The values of the security headers, shared by all answers. X-XSS-Protection is 0 because the filters it switched on
// were themselves a hole. No page of another origin may read, frame or open an answer.
var (
	headerNoSniff     = []string{"nosniff"}
	headerDeny        = []string{"DENY"}
	headerZero        = []string{"0"}
	headerReferrer    = []string{"strict-origin-when-cross-origin"}
	headerPermissions = []string{"camera=(), geolocation=(), microphone=(), payment=(), usb=()"}
	headerSameOrigin  = []string{"same-origin"}
	headerCSP         = []string{"default-src 'none'; frame-ancestors 'none'"}
	headerHSTS        = []string{"max-age=31536000; includeSubDomains"}
	headerNoStore     = []string{"no-store"}
)

func (s *Server) securityHeaders(c *gin.Context) {
	header := c.Writer.Header()
	header["X-Content-Type-Options"] = headerNoSniff
	header["X-Frame-Options"] = headerDeny
	header["X-Xss-Protection"] = headerZero
	header["Referrer-Policy"] = headerReferrer
	header["Permissions-Policy"] = headerPermissions
	header["Cross-Origin-Opener-Policy"] = headerSameOrigin
	header["Cross-Origin-Resource-Policy"] = headerSameOrigin
	header["Content-Security-Policy"] = headerCSP
	header["Cache-Control"] = headerNoStore
	if s.encrypted(c.Request) {
		header["Strict-Transport-Security"] = headerHSTS
	}
}

func (s *Server) cors(c *gin.Context) {
	s.crossOrigin.HandlerFunc(c.Writer, c.Request)
	header := c.Request.Header
	if c.Request.Method == http.MethodOptions && header.Get("Origin") != "" && header.Get("Access-Control-Request-Method") != "" {
		c.AbortWithStatus(http.StatusNoContent)
	}
}

// requireTLS sends clients who came to a trusted proxy in the clear to where they should have come: what only looks is
// redirected, and all else refused, since a client that is redirected sends its secrets in the clear each time and never
// notices. It goes by PUBLIC_URL and not by the header Host, which is the client's own. Probes come from inside, in the clear.
func (s *Server) requireTLS(c *gin.Context) {
	route := callIn(c).route
	if s.options.HTTPS == "" || !s.inTheClear(c.Request) || route != nil && route.Probe {
		return
	}
	if c.Request.Method != http.MethodGet && c.Request.Method != http.MethodHead {
		refuse(c, errs.New(errs.Forbidden, "This must be asked for over https"))
		return
	}
	target := url.URL{Path: c.Request.URL.Path, RawPath: c.Request.URL.RawPath, RawQuery: c.Request.URL.RawQuery}
	if !strings.HasPrefix(target.Path, "/") { // it would be part of the host: GET * is HTTP
		target = url.URL{Path: "/"}
	}
	c.Header("Location", s.options.HTTPS+target.RequestURI())
	c.AbortWithStatus(http.StatusPermanentRedirect)
}

// inTheClear tells whether a proxy whose word we take says that the client doesn't speak TLS with it.
func (s *Server) inTheClear(r *http.Request) bool {
	return r.TLS == nil && r.Header.Get("X-Forwarded-Proto") == "http" && s.trusts(peerAddress(r))
}

func (s *Server) limitBody(c *gin.Context) {
	if route := callIn(c).route; route != nil && route.File {
		return
	}
	limit := int64(s.options.HTTP.BodyLimit)
	switch {
	case c.Request.ContentLength > limit:
		refuse(c, errTooLarge(limit))
	case c.Request.ContentLength != 0:
		if c.Request.ContentLength < 0 {
			// A length beside the chunks, by which a proxy may have gone, net/http hides; then what follows the body may
			// be of somebody else (RFC 9112, section 6.1).
			c.Header("Connection", "close")
		}
		record := callIn(c)
		record.body = &body{
			ReadCloser: c.Request.Body, left: limit, limit: limit,
			keeps: record.route != nil && record.route.Guard == Admin,
		}
		if len(c.Request.Header[headerIdempotencyKey]) > 0 {
			record.body.sum = sha256.New()
		}
		c.Request.Body = record.body
	}
}

func (s *Server) setDeadline(c *gin.Context) {
	record := callIn(c)
	if record.route != nil && record.route.File {
		return
	}
	ctx, cancel := context.WithTimeout(record.Context, s.options.HTTP.RequestTimeout)
	defer cancel()
	record.Context = ctx
	c.Next()
}

func (s *Server) authenticate(c *gin.Context) {
	record := callIn(c)
	if c.FullPath() == "" { // nothing is here, as the end of the chain says
		return
	}
	if record.route.Local && !record.fromHere {
		refuse(c, errNothingHere)
		return
	}
	if !record.route.authenticated() {
		return
	}
	principal, err := s.options.Auth.Authenticate(c.Request.Context(), c.Request.Header["Authorization"])
	if err != nil {
		refuse(c, s.countFailure(c, err))
		return
	}
	record.principal = principal
}

func (s *Server) authorize(c *gin.Context) {
	record := callIn(c)
	if record.route == nil || !record.route.authenticated() {
		return
	}
	if err := record.route.admit(record.principal); err != nil {
		refuse(c, err)
	}
}
