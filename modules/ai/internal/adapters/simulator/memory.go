package simulator

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// RoundTrip answers a request in memory, as a server does over a socket: each flush reaches the reader at once, and
// waits until it has read that. Closing the body or the end of the request's context ends the context of the handler;
// a body that is read to its end or closed leaves no goroutine behind. A torn connection is io.ErrUnexpectedEOF.
func (s *Simulator) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	in := r.Clone(ctx)
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "memory"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Method == "" {
		in.Method = http.MethodGet
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	reader, writer := io.Pipe()
	w := &memoryWriter{request: r, header: http.Header{}, to: writer, head: make(chan *http.Response, 1)}
	w.body = &memoryBody{PipeReader: reader, cancel: cancel}
	torn := make(chan error, 1)
	go func() {
		defer cancel()
		defer context.AfterFunc(ctx, func() { _ = writer.CloseWithError(ctx.Err()) })() // it never fails
		defer in.Body.Close()
		err := run(s, w, in)
		if err == nil {
			w.finish()
			err = ctx.Err() // a handler that stopped because its client left has not told all
		}
		_ = writer.CloseWithError(err) // nil is a clean end; it never fails
		torn <- err
	}()
	select {
	case response := <-w.head:
		return response, nil
	case err := <-torn:
		select {
		case response := <-w.head: // it came before
			return response, nil
		default:
			return nil, err
		}
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// run runs a handler and returns how it ended if it didn't return.
func run(handler http.Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch reason := recover(); reason {
		case nil:
		case http.ErrAbortHandler:
			err = io.ErrUnexpectedEOF
		default:
			err = fmt.Errorf("simulator: %v", reason)
		}
	}()
	handler.ServeHTTP(w, r)
	return nil
}

// memoryBody is the body of an answer.
type memoryBody struct {
	*io.PipeReader
	cancel context.CancelFunc
}

// Close lets the handler know that its client left.
func (b *memoryBody) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}

// memoryWriter is the server's side of an answer.
type memoryWriter struct {
	request *http.Request
	header  http.Header
	status  int
	pending bytes.Buffer // what was written since the last flush
	to      *io.PipeWriter
	body    *memoryBody
	head    chan *http.Response
	sent    bool // the head
}

func (w *memoryWriter) Header() http.Header { return w.header }

func (w *memoryWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *memoryWriter) Write(text []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.pending.Write(text)
}

// FlushError sends what was written, and returns an error when the client has left.
func (w *memoryWriter) FlushError() error {
	w.WriteHeader(http.StatusOK)
	w.sendHead(-1)
	if w.pending.Len() == 0 { // a pipe hands on even nothing, and would wait
		return nil
	}
	_, err := w.pending.WriteTo(w.to)
	return err
}

// finish sends the rest. An answer that was never flushed has a length.
func (w *memoryWriter) finish() {
	w.WriteHeader(http.StatusOK)
	w.sendHead(int64(w.pending.Len()))
	_ = w.FlushError() // whoever left gets nothing
}

func (w *memoryWriter) sendHead(length int64) {
	if w.sent {
		return
	}
	w.sent = true
	w.head <- &http.Response{
		Status:        fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)),
		StatusCode:    w.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        w.header.Clone(),
		Body:          w.body,
		ContentLength: length,
		Request:       w.request,
	}
}
