package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

const me = "/api/v1/app/users/me"

// emptyDatabase returns the DATABASE_URL of a database without a schema.
func emptyDatabase(t testing.TB, engine database.Engine) string {
	t.Helper()
	return apptest.URL(testkit.EmptyDatabaseOptions(t, engine))
}

// as returns the API as the subject uses it, with a token of the command line.
func (d desk) as(s *server, subject string) *testkit.API {
	d.t.Helper()
	given := d.run("token", "--sub", subject)
	given.want(d.t, exitOK, ".")
	return s.api.As(strings.TrimSpace(given.stdout))
}

func TestTheBannerSaysWhereItIsAndWhatToTry(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		testkit.SkipOrFail(t, "the banner's command needs curl")
	}
	for name, env := range map[string][]string{
		"with nothing set":                    nil,
		"with a data folder of this terminal": {"DATA_DIR=" + t.TempDir() + "/it's here"},
		"with another prefix":                 {"API_V1_STR=/v9", "HOST=0.0.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			s := d.with(env...).serve("serve")
			banner := s.stdout.String()
			for _, part := range []string{"OmniStack API is running.", "\n  API       " + s.url + "/", "\n  Docs      " + s.url + "/docs\n", "omnistack.db\n"} {
				if !strings.Contains(banner, part) {
					t.Errorf("it lacks %q\n%s", part, banner)
				}
			}
			s.api.Do(t, "GET", "/docs").Want(200)
			for _, page := range regexp.MustCompile(`(?m)^  \w+ +http://[^/]+(/dev/\S+)`).FindAllStringSubmatch(banner, -1) {
				s.api.Do(t, "GET", page[1]).Want(200)
			}
			if strings.Contains(s.stderr.String(), "River") {
				t.Errorf("River's news aren't for developers\n%s", s.stderr.String())
			}

			// The other terminal has none of this one's variables.
			command := s.await(&s.stdout, `(?m)^  (curl .+)$`)[1]
			shell := exec.Command("sh", "-c", command+` -w '\n%{http_code}'`)
			shell.Dir, shell.Env = d.folder, d.env
			out, err := shell.Output()
			if err != nil || !strings.HasSuffix(string(out), "\n200") || !strings.Contains(string(out), `"id":"alice"`) {
				t.Errorf("%s\n%s\n%v", command, out, err)
			}
			s.stop().want(t, exitOK, "is running", "request")
		})
	}
}

func TestASecondCopyOnThePortSaysSo(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	first := d.serve("serve")
	port := first.url[strings.LastIndex(first.url, ":")+1:]
	for _, call := range []string{"serve", "worker"} {
		d.with("PORT="+port).run(call).want(t, exitFailed, "", "port "+port+" is in use: another copy may be running")
	}
	first.api.Do(t, "GET", "/health").Want(200)
}

// underWay sends half a request and returns when the server is reading its body.
func underWay(t *testing.T, s *server, token string) (conn net.Conn, reader *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
		"Expect: 100-continue\r\nContent-Length: 20\r\n\r\n", me, token)
	reader = bufio.NewReader(conn)
	if line, err := reader.ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("the server doesn't ask for the body: %q, %v", line, err)
	}
	if _, err := reader.ReadString('\n'); err != nil { // the empty line behind it
		t.Fatal(err)
	}
	return conn, reader
}

// closed returns when the server takes no new connections.
func (s *server) closed() {
	s.t.Helper()
	apptest.Await(s.t, "the port to be closed", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}

func TestARequestUnderWayIsFinishedBeforeTheEnd(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			s := d.serve("serve")
			conn, reader := underWay(t, s, strings.TrimSpace(d.run("token", "--sub", "alice").stdout))
			s.signal(signal)
			s.closed()
			if _, err := io.WriteString(conn, `{"full_name": "Ada"}`); err != nil {
				t.Fatal(err)
			}
			answer, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Errorf("the request ends with %d", answer.StatusCode)
			}
			s.wait().want(t, exitOK, "is running", "request")
		})
	}
}

func TestASecondInterruptEndsItAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	s := d.serve("serve")
	underWay(t, s, strings.TrimSpace(d.run("token", "--sub", "alice").stdout))
	s.signal(syscall.SIGINT)
	s.closed()
	began := time.Now()
	apptest.Await(t, "the end", func() bool { // whoever wants it gone presses Ctrl-C until it is
		s.signal(syscall.SIGINT)
		return s.ended()
	})
	if took := time.Since(began); took > 5*time.Second { // it would drain for twenty
		t.Errorf("it took %s", took)
	}
	if status := s.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("it ended by itself, with %d", status.ExitStatus())
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	s := d.serve("serve")
	given := d.run("token", "--sub", "alice", "--email", "alice@example.com", "--name", "Alice", "--role", "admin")
	given.want(t, exitOK, ".")
	s.api.As(strings.TrimSpace(given.stdout)).Do(t, "GET", "/api/v1/app/users/me").Want(200).
		WantJSON("id", "alice").WantJSON("email", "alice@example.com").WantJSON("full_name", "Alice").WantJSON("role", "admin")

	d.run("token", "--sub", "alice", "--role", "king", "--ttl", "9000h").
		want(t, exitUsage, "", "--role must be user, admin or superadmin\n", "--ttl must be at most 30 days\n")
	d.run("token", "--sub", "").want(t, exitUsage, "", "--sub must be 1 to 255 printable ASCII characters")

	const refusal = "tokens are made here only where AUTH_PROVIDER is dev"
	d.with("AUTH_PROVIDER=supabase", "SUPABASE_PROJECT_URL=https://x.supabase.co").run("token", "--sub", "alice").want(t, exitFailed, "", refusal)
	d.with(production(emptyDatabase(t, database.SQLite))...).run("token", "--sub", "alice").want(t, exitFailed, "", refusal)
}

// production returns the settings that production doesn't start without.
func production(databaseURL string) []string {
	return []string{
		"ENVIRONMENT=production", "HOST=127.0.0.1", "DATABASE_URL=" + databaseURL, "SECRET_KEY=" + canary,
		"PUBLIC_URL=https://api.example.com", "FRONTEND_URL=https://example.com", "BACKEND_CORS_ORIGINS=https://example.com",
		"AUTH_PROVIDER=custom", "OAUTH_ISSUER=https://issuer.example.com", "OAUTH_JWKS_URL=https://127.0.0.1:1/jwks", "OAUTH_AUDIENCE=api",
		"EMAIL_PROVIDER=smtp", "SMTP_HOST=localhost", "EMAIL_FROM_ADDRESS=hello@example.com", "OPENAI_API_KEY=" + canary,
		"STORAGE_LOCAL_IN_PRODUCTION=true",
	}
}

func TestProductionIsMigratedBeforeItStarts(t *testing.T) {
	for _, engine := range testkit.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t).with(production(emptyDatabase(t, engine))...)
			for _, call := range []string{"serve", "worker"} {
				d.run(call).want(t, exitFailed, "", "the database is behind: run `omnistack migrate up`")
			}
			d.run("migrate", "up").want(t, exitOK, "applied 2", "migration applied")

			p := d.start("serve")
			api := testkit.NewAPI(t, "http://"+p.await(&p.stderr, `"msg":"listening","address":"([^"]+)"`)[1])
			api.Do(t, "GET", "/health").Want(200)
			api.Do(t, "GET", "/health/ready").Want(200)
			api.Do(t, "GET", me).WantError(401, "UNAUTHENTICATED")
			for _, path := range []string{"/docs", "/openapi.json", "/.well-known/jwks.json"} {
				api.Do(t, "GET", path).WantError(404, "NOT_FOUND")
			}
			api.Do(t, "POST", "/api/v1/public/auth/dev-token", testkit.Body(`{"sub": "alice"}`)).WantError(404, "NOT_FOUND")
			ended := p.stop()
			ended.want(t, exitOK, "", "listening")
			if strings.Contains(ended.stderr, canary) {
				t.Error("the log holds a secret")
			}
		})
	}
}

func TestAWorkerServesItsProbesOnly(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"worker", "serve --roles worker"} {
		d := newDesk(t)
		s := d.serve(strings.Fields(call)...)
		if banner := s.stdout.String(); !strings.Contains(banner, s.url+"/health") || !strings.Contains(banner, "background work only") ||
			strings.Contains(banner, "curl") || strings.Contains(banner, "/docs") {
			t.Errorf("%s greets with %s", call, banner)
		}
		s.api.Do(t, "GET", "/health").Want(200)
		s.api.Do(t, "GET", "/health/ready").Want(200)
		s.api.Do(t, "GET", "/api/v1/public/health").Want(200)
		for _, path := range []string{me, "/docs", "/openapi.json", "/.well-known/jwks.json"} {
			d.as(s, "alice").Do(t, "GET", path).WantError(404, "NOT_FOUND")
		}
		s.stop().want(t, exitOK, "is running", "request")
	}
	api := newDesk(t).serve("serve", "--roles", "api")
	api.api.Do(t, "GET", me).WantError(401, "UNAUTHENTICATED")
}

func TestPostgresMayComeUpLater(t *testing.T) {
	t.Parallel()
	postgres := testkit.NewPostgresServer(t)
	postgres.Kill()
	d := newDesk(t, "DATABASE_URL="+postgres.URL)

	const waiting = "the database doesn't answer yet, trying again"

	impatient := d.start("serve")
	impatient.await(&impatient.stderr, waiting)
	impatient.stop().want(t, exitFailed, "", "the database can't be reached: is it running, and is DATABASE_URL right?")

	p := d.start("serve")
	p.await(&p.stderr, waiting)
	if err := postgres.Restart(); err != nil {
		t.Fatal(err)
	}
	p.await(&p.stdout, "is running")
	p.stop().want(t, exitOK, "PostgreSQL", "connection refused", "migration applied")
}

// answers tells whether the address answers with 200.
func answers(url string) bool {
	answer, err := http.Get(url)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// BenchmarkStart reports how long a start takes, from the process to the first answer, on SQLite and a database that is
// there already.
func BenchmarkStart(b *testing.B) {
	d := newDesk(b)
	d.run("migrate", "up").want(b, exitOK, "applied", "migration applied")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		b.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	d = d.with("PORT=" + port)
	for b.Loop() {
		p := d.start("serve")
		for tick := time.NewTicker(time.Millisecond); !answers("http://" + address + "/health"); <-tick.C {
			if p.ended() {
				b.Fatal("the program ended")
			}
		}
		b.StopTimer()
		http.DefaultClient.CloseIdleConnections()
		p.stop().want(b, exitOK, "is running", "request")
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/start")
}
