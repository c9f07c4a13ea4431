package testkit

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// versityGW is a server that speaks S3's protocol over a folder, and checks signatures as S3 does.
const versityGW = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"

// S3Server is a server of a test's own that speaks S3's protocol, with an empty bucket. Its methods must not be called at the
// same time.
type S3Server struct {
	Endpoint        string // http://127.0.0.1:PORT; it stays the same over restarts
	Region          string
	Bucket          string
	AccessKeyID     string
	SecretAccessKey string

	command []string
	at      site
	running *process
}

// S3 starts a server that speaks S3's protocol. It ends with the test.
func S3(t testing.TB) *S3Server {
	t.Helper()
	NeedServers(t)
	program, err := findVersityGW()
	if err != nil {
		t.Fatal(err)
	}
	// Between the choice of a free port and its use another process may take it. And there are file systems on which the server
	// can't note what it knows of a file at the file, and ends: then it does beside them.
	for attempt := range 6 {
		s := &S3Server{Region: "us-east-1", Bucket: "files", AccessKeyID: "testkit", SecretAccessKey: rand.Text()}
		if err = s.start(t.Context(), program, attempt%2 == 1); err == nil {
			t.Cleanup(s.stop)
			return s
		}
		s.stop()
	}
	t.Fatal(err)
	return nil
}

// Kill ends the server at once, as a crash would, and returns when it is gone. What it has stored stays.
func (s *S3Server) Kill() {
	if s.running != nil {
		s.running.end(true)
		s.running = nil
	}
}

// Restart starts a killed server again on the same port and files, and returns when it answers.
func (s *S3Server) Restart(ctx context.Context) error {
	s.Kill()
	return s.run(ctx)
}

// stop ends the server and removes its files.
func (s *S3Server) stop() {
	if s.running != nil {
		s.running.end(false)
		s.running = nil
	}
	if s.at.folder != "" {
		_ = os.RemoveAll(s.at.folder)
	}
}

// start makes the bucket and starts the server. The bucket is a folder.
func (s *S3Server) start(ctx context.Context, program string, beside bool) error {
	var err error
	if s.at, err = newSite(); err != nil {
		return err
	}
	address := fmt.Sprintf("127.0.0.1:%d", s.at.port)
	s.Endpoint = "http://" + address
	buckets, facts := filepath.Join(s.at.folder, "buckets"), filepath.Join(s.at.folder, "facts")
	for _, folder := range []string{buckets, filepath.Join(buckets, s.Bucket), facts} {
		if err := s.at.makeFolder(folder); err != nil {
			return err
		}
	}
	s.command = []string{
		"/usr/bin/env", "ROOT_ACCESS_KEY=" + s.AccessKeyID, "ROOT_SECRET_KEY=" + s.SecretAccessKey,
		program, "--port", address, "--region", s.Region, "--health", healthPath, "--quiet", "--keep-alive", "posix",
	}
	if beside {
		s.command = append(s.command, "--sidecar", facts)
	}
	s.command = append(s.command, buckets)
	return s.run(ctx)
}

// makeFolder makes a folder that the server's user owns.
func (s site) makeFolder(name string) error {
	err := os.Mkdir(name, 0o700)
	if err == nil && s.as != nil {
		err = os.Chown(name, int(s.as.Uid), int(s.as.Gid))
	}
	return err
}

const healthPath = "/health"

// run starts the server and waits until it answers or ends.
func (s *S3Server) run(ctx context.Context) error {
	running, err := launch(s.command, s.at.folder, "KILL", "rm -rf "+s.at.folder, s.at.as)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := running.answers(ctx, "versitygw", func() error { return answersOK(ctx, s.Endpoint+healthPath, "") }); err != nil {
		running.end(true)
		return err
	}
	s.running = running
	return nil
}

var findVersityGW = sync.OnceValues(func() (string, error) { return built(versityGW) })
