package testkit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a server may take until it answers, on a busy machine.
const patience = 60 * time.Second

// Server is a server of a test's own, which it may kill. Its methods must not be called at the same time.
type Server struct {
	// URL is how to reach it, a password included. It stays the same over restarts.
	URL string

	product product
	recipe  recipe
	running *process
}

// recipe is how a product is run on this machine.
type recipe struct {
	start   []string // the first run
	restart []string // later ones
	signal  string   // ends it at once, leaving nothing half alive
	clean   string   // the shell line that removes its data
	freeze  string   // the shell line that stops it without ending it; $! is the command that was started
	thaw    string   // the one that lets it go on
	folder  string   // the working folder
	as      *syscall.Credential
}

// product is what differs between PostgreSQL and Redis.
type product struct {
	name     string
	variable string        // the environment variable that names a server to use
	manual   string        // what a person should install
	find     func() string // the path of its program, or ""
	packages string        // Debian's package
	url      func(port int, password string) string
	ping     func(ctx context.Context, url string) error
	native   func(ctx context.Context, program string, at site) (recipe, error)
	docker   func(at site) recipe
}

// site is where one server lives.
type site struct {
	folder   string
	port     int
	password string
	as       *syscall.Credential
}

// StartPostgres returns the URL of a PostgreSQL server for tests, of a user that may create databases. Stop ends the
// server; it does nothing if TEST_DATABASE_URL named one.
func StartPostgres(ctx context.Context) (url string, stop func(), err error) {
	return startShared(ctx, postgres)
}

// StartRedis returns the URL of a Redis server for tests. Stop ends the server; it does nothing if TEST_REDIS_URL named
// one.
func StartRedis(ctx context.Context) (url string, stop func(), err error) {
	return startShared(ctx, redisServer)
}

// NewPostgresServer starts a PostgreSQL server that this test may kill and restart. It ends with the test.
func NewPostgresServer(t testing.TB) *Server { return newServer(t, postgres) }

// NewRedisServer starts a Redis server that this test may kill and restart; it keeps nothing on disk, so killing it
// loses everything. It ends with the test.
func NewRedisServer(t testing.TB) *Server { return newServer(t, redisServer) }

// Kill ends the server at once, as a crash would, and returns when it is gone. What a PostgreSQL server committed stays.
func (s *Server) Kill() {
	if s.running != nil {
		s.running.end(true)
		s.running = nil
	}
}

// Freeze stops a Redis server without ending it: connections stay, new ones are accepted, and nothing is answered. It takes
// a moment to come true. PostgreSQL is many processes, and goes on.
func (s *Server) Freeze() { s.running.order(s.recipe.freeze) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw() { s.running.order(s.recipe.thaw) }

// Restart starts a killed server again on the same port and data, and returns when it answers.
func (s *Server) Restart() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.Kill()
	return s.run(ctx, s.recipe.restart)
}

// Stop ends the server and removes its data.
func (s *Server) Stop() {
	if s.running != nil {
		s.running.end(false)
		s.running = nil
		return
	}
	sweep(s.recipe)
}

// run starts the server and waits until it answers or ends.
func (s *Server) run(ctx context.Context, command []string) error {
	r := s.recipe
	running, err := launch(command, r.folder, r.signal, r.clean, r.as)
	if err != nil {
		return fmt.Errorf("%s can't be started: %w", s.product.name, err)
	}
	if err := running.answers(ctx, s.product.name, func() error { return s.product.ping(ctx, s.URL) }); err != nil {
		running.end(true)
		return err
	}
	s.running = running
	return nil
}

// answers waits until a server that was started answers, which ping finds out, or ends.
func (p *process) answers(ctx context.Context, name string, ping func() error) error {
	for {
		err := ping()
		select {
		case <-p.gone:
			// Whoever answered on that port, it wasn't ours.
			return fmt.Errorf("%s ended at its start:\n%s", name, &p.output)
		default:
		}
		if err == nil {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s doesn't answer: %w\n%s", name, err, &p.output)
		}
	}
}

// answersOK returns nil for an HTTP request that is answered 200. It may have a user's name.
func answersOK(ctx context.Context, url, user string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if user != "" {
		request.SetBasicAuth(user, "")
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New("it answers " + answer.Status)
	}
	return nil
}

func startShared(ctx context.Context, p product) (string, func(), error) {
	if url := os.Getenv(p.variable); url != "" {
		return url, func() {}, nil
	}
	s, err := start(ctx, p)
	if err != nil {
		return "", nil, err
	}
	return s.URL, s.Stop, nil
}

func newServer(t testing.TB, p product) *Server {
	t.Helper()
	NeedServers(t)
	s, err := start(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// start finds out how to run the product here and runs it. Between the choice of a free port and its use another
// process may take it, so it tries a few.
func start(ctx context.Context, p product) (*Server, error) {
	program, err := locate(ctx, p)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for range 5 {
		var s *Server
		if s, err = startOnce(ctx, p, program); err == nil {
			return s, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

func startOnce(ctx context.Context, p product, program string) (*Server, error) {
	at, err := newSite()
	if err != nil {
		return nil, err
	}
	s := &Server{URL: p.url(at.port, at.password), product: p}
	if program == inDocker {
		s.recipe = p.docker(at)
	} else if s.recipe, err = p.native(ctx, program, at); err != nil {
		return nil, errors.Join(err, os.RemoveAll(at.folder))
	}
	if err := s.run(ctx, s.recipe.start); err != nil {
		sweep(s.recipe)
		return nil, err
	}
	return s, nil
}

// newSite returns a folder that the server's user owns, a free port and a password. The servers have one because every
// user of the machine can reach the port, and whoever commands a database server runs programs as its user.
func newSite() (site, error) {
	at := site{password: rand.Text()}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return at, err
	}
	at.port = listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return at, err
	}
	if at.folder, err = os.MkdirTemp(scratch(), "omnistack-testkit-"); err != nil {
		return at, err
	}
	if at.as, err = servant(); err == nil && at.as != nil {
		err = os.Chown(at.folder, int(at.as.Uid), int(at.as.Gid))
	}
	return at, err
}

// scratch returns where servers keep their data: in memory if there is plenty. Measured on a virtual machine's disk, the
// copy of a database took 100 to 700 ms there and 15 to 40 ms here. It isn't the folder of TMPDIR, because as root that
// may be one that the server's user can't enter.
func scratch() string {
	const memory, plenty = "/dev/shm", 2 << 30 // containers have 64 MB
	var free syscall.Statfs_t
	if err := syscall.Statfs(memory, &free); err == nil && free.Bavail*uint64(free.Bsize) >= plenty {
		return memory
	}
	return "/tmp"
}

// servant returns whom servers run as: nil for ourselves, or an unprivileged user when we are root, because PostgreSQL
// refuses to run as root.
var servant = sync.OnceValues(func() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(uidErr, gidErr)
	}
	return nil, errors.New("testkit runs as root and finds no user postgres or nobody to run servers as")
})
