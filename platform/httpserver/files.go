package httpserver

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// slowest is how many bytes a second a file must move on average, behind a time of REQUEST_TIMEOUT for free.
const slowest = 16 << 10

// AddFiles serves signed URLs below a path that itself is below API_V1_STR: the rest of their path is the key of a file, which
// a PUT stores and a GET returns. Serve checks the signature, and the length of what is put, before it reads anything: neither
// BODY_LIMIT nor REQUEST_TIMEOUT holds for files. What does is that a file has to move: a transfer ends that stands still for
// thirty seconds, or falls behind sixteen kilobytes a second. An error of serve is answered as any other, if nothing was
// written before.
//
// They are as open as the bucket that they stand in for: whoever has a URL, in a page of whatever origin, may use it as often
// as it likes. Who gets URLs is limited where they are made. The signature is in the query, which no log shows.
func (s *Server) AddFiles(path string, serve func(w http.ResponseWriter, r *http.Request, key string) error) {
	root := s.options.HTTP.APIPrefix + path + "/"
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		route := Route{
			Method: method, Path: path + "/*key", Guard: SignedURL, Rate: RateExempt, Hidden: true, File: true,
			Summary: "A file that is kept here, by a signed URL", Module: "platform", Full: root + "*key",
		}
		s.addRoute(&route)
		s.handle(method, route.Full, func(c *gin.Context) {
			s.transfer(c, func(w http.ResponseWriter, r *http.Request) error {
				return serve(w, r, strings.TrimPrefix(r.URL.EscapedPath(), root)) // an escaped key is another one
			})
		})
	}
}

// transfer answers with what serve writes, or its error.
func (s *Server) transfer(c *gin.Context, serve func(http.ResponseWriter, *http.Request) error) {
	p := &pace{
		control: http.NewResponseController(c.Writer), free: time.Now().Add(s.options.HTTP.RequestTimeout), stall: s.options.limits.stall,
	}
	record := callIn(c)
	if c.Request.ContentLength == 0 {
		_ = p.control.SetReadDeadline(time.Time{}) // that of a whole request would pass for a client that hung up
	} else {
		length := max(c.Request.ContentLength, 0) // one that isn't told isn't signed
		record.body = &body{ReadCloser: pacedBody{c.Request.Body, p}, left: length, limit: length}
		c.Request.Body = record.body
	}
	err := serve(pacedWriter{c.Writer, p}, c.Request)
	switch {
	case err == nil:
	case c.Writer.Written():
		record.failure = err
		panic(http.ErrAbortHandler) // half a file must not pass for a whole one
	default:
		p.answer()
		refuse(c, err)
	}
}

// pace gives a connection time for as long as a file moves on it.
type pace struct {
	control *http.ResponseController
	free    time.Time // until when it may be slow
	stall   time.Duration
	moved   int64 // bytes
}

// next returns until when the next bytes have to have moved.
func (p *pace) next() time.Time {
	end, last := time.Now().Add(p.stall), p.free.Add(time.Duration(p.moved/slowest)*time.Second)
	if last.Before(end) {
		return last
	}
	return end
}

// answer gives time for an answer that isn't a file.
func (p *pace) answer() { _ = p.control.SetWriteDeadline(time.Now().Add(p.stall)) }

// pacedBody is a file that is put.
type pacedBody struct {
	io.ReadCloser
	*pace
}

// Read reads on.
func (b pacedBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(b.next())
	n, err := b.ReadCloser.Read(p)
	b.moved += int64(n)
	return n, err
}

// pacedWriter is where a file is written that is got.
type pacedWriter struct {
	gin.ResponseWriter
	*pace
}

// WriteHeader writes the header, for which there is time whatever came before it.
func (w pacedWriter) WriteHeader(status int) {
	w.answer()
	w.ResponseWriter.WriteHeader(status)
}

// Write writes on.
func (w pacedWriter) Write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(w.next())
	n, err := w.ResponseWriter.Write(p)
	w.moved += int64(n)
	return n, err
}
