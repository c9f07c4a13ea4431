package httpserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
)

// fileServer is a server whose files are what f makes of a request.
func fileServer(t *testing.T, stall, timeout time.Duration, f func(w http.ResponseWriter, r *http.Request, key string) error) *serving {
	t.Helper()
	fixed := newFixture(t, nil, func(o *Options) {
		o.HTTP.RequestTimeout, o.HTTP.BodyLimit = timeout, 8
		o.limits = usualLimits
		o.limits.margin, o.limits.stall = 50*time.Millisecond, stall
	})
	fixed.server.AddFiles("/public/files", f)
	return serve(t, time.Second, fixed)
}

// Neither the limit of bodies nor the time of a request holds for a file that moves.
func TestFilesAreLargeAndSlow(t *testing.T) {
	const pieces, pause = 8, 100 * time.Millisecond // together much longer than a request may take
	s := fileServer(t, 10*time.Second, 200*time.Millisecond, func(w http.ResponseWriter, r *http.Request, key string) error {
		if key != "a/b" {
			t.Errorf("the key is %q", key)
		}
		if r.Method == http.MethodPut {
			read, err := io.Copy(io.Discard, r.Body)
			w.Header().Set("X-Read", fmt.Sprint(read))
			w.WriteHeader(http.StatusOK)
			return err
		}
		for range pieces {
			<-time.After(pause)
			if r.Context().Err() != nil {
				t.Error("whoever waits has hung up")
			}
			if _, err := w.Write(make([]byte, slowest)); err != nil { // as fast as it must be, or it had no time left
				return err
			}
		}
		return nil
	})
	body, sending := io.Pipe()
	go func() {
		for range pieces {
			<-time.After(pause)
			if _, err := sending.Write(make([]byte, slowest)); err != nil {
				break
			}
		}
		sending.Close()
	}()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.url+"/api/v1/public/files/a/b", body)
	if err != nil {
		t.Fatal(err)
	}
	request.ContentLength = pieces * slowest
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != 200 || answer.Header.Get("X-Read") != fmt.Sprint(pieces*slowest) {
		t.Errorf("it is answered %d, with %s bytes read", answer.StatusCode, answer.Header.Get("X-Read"))
	}
	if got := s.anyone.Do(t, "GET", "/api/v1/public/files/a/b").Want(200); len(got.Body) != pieces*slowest {
		t.Errorf("%d bytes came", len(got.Body))
	}
}

// A file that stands still, or falls behind, ends its connection.
func TestFilesThatDoNotMove(t *testing.T) {
	for name, limit := range map[string]struct{ stall, timeout time.Duration }{
		"stands still": {100 * time.Millisecond, time.Hour}, "falls behind": {time.Hour, 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan error, 1)
			s := fileServer(t, limit.stall, limit.timeout, func(w http.ResponseWriter, r *http.Request, _ string) error {
				var err error
				if r.Method == http.MethodPut {
					_, err = io.Copy(io.Discard, r.Body)
				} else {
					for err == nil {
						_, err = w.Write(make([]byte, 64<<10))
					}
				}
				ended <- err
				return err
			})
			conn := dial(t, s.url)
			if _, err := io.WriteString(conn, "PUT /api/v1/public/files/a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"); err != nil {
				t.Fatal(err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || answer.StatusCode != 400 {
				t.Errorf("a body that doesn't come is answered %v, %v", answer, err)
			}
			if err := <-ended; !errs.Is(err, errs.Malformed) {
				t.Errorf("reading it: %v", err)
			}
			if limit.stall == time.Hour {
				return // megabytes are with the kernel by then, which count for minutes
			}
			conn = dial(t, s.url)
			if _, err := io.WriteString(conn, "GET /api/v1/public/files/a HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err == nil {
				t.Error("what nobody takes is written")
			}
		})
	}
}

// What fails is in the envelope, or ends the connection if half of a file is out, and the log has no more of the URL than its
// route.
func TestFilesThatFail(t *testing.T) {
	forged := errs.New(errs.Forbidden, "The link isn't valid").Because(errors.New("a cause"))
	s := fileServer(t, time.Minute, time.Minute, func(w http.ResponseWriter, _ *http.Request, key string) error {
		if key == "half" {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
		}
		return forged
	})
	secret := "?signature=canary"
	for _, method := range []string{"GET", "PUT"} {
		s.anyone.Do(t, method, "/api/v1/public/files/a"+secret).WantError(403, "FORBIDDEN")
		_, fields := s.line(t)
		if line := fmt.Sprint(fields); fields["route"] != "/api/v1/public/files/*key" || strings.Contains(line, "canary") || !strings.Contains(line, "a cause") {
			t.Errorf("logged is %s", line)
		}
	}
	for _, method := range []string{"POST", "DELETE", "PATCH"} {
		s.anyone.Do(t, method, "/api/v1/public/files/a").WantError(405, "METHOD_NOT_ALLOWED")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/public/files/half", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err == nil {
		_, err = io.ReadAll(answer.Body)
		answer.Body.Close()
	}
	if err == nil {
		t.Error("half a file passes for a whole one")
	}
}
