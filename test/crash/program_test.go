package crash

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/blob"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// patience is how long a program may take to end, on a busy machine: longer than it may take to drain.
const patience = 40 * time.Second

// TestMain builds the program once.
func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

var binary string

func buildAndRun(m *testing.M) int {
	folder, err := os.MkdirTemp("", "omnistack-crash-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(folder)
	binary = filepath.Join(folder, "omnistack")
	build := exec.Command("go", "build", "-o", binary)
	if testkit.Raced() { // then the program is watched, too
		build.Args = append(build.Args, "-race")
	}
	build.Args = append(build.Args, "../../cmd/omnistack")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("%s: %v\n%s", build, err, out)
		return 1
	}
	return m.Run()
}

// site is where programs run, one after the other or side by side: a database, and a folder for what they keep.
type site struct {
	t        *testing.T
	db       *database.DB // the test's own way to look at the rows
	folder   string
	env      []string
	jwtKey   []byte
	launched int
}

// issuer is whose tokens the programs believe. Nobody is there: its legacy secret is all that it takes.
const issuer = "http://127.0.0.1:1"

// newSite returns a site over the database, for programs as they are deployed. Each setting on top of that is in the form
// "NAME=value".
func newSite(t *testing.T, options database.Options, settings ...string) *site {
	t.Helper()
	s := &site{t: t, folder: t.TempDir(), jwtKey: []byte(rand.Text() + rand.Text())}
	s.env = append([]string{
		"ENVIRONMENT=staging", "HOST=127.0.0.1", "PORT=0", "PUBLIC_URL=https://api.example.com", "DATA_DIR=" + s.folder,
		"DATABASE_URL=" + apptest.URL(options), "SECRET_KEY=" + rand.Text() + rand.Text(), "RATE_LIMIT_ENABLED=false",
		"BILLING_CATALOG_FILE=" + apptest.Plans(t),
		"AUTH_PROVIDER=supabase", "SUPABASE_PROJECT_URL=" + issuer, "SUPABASE_JWT_SECRET=" + string(s.jwtKey),
		"EMAIL_PROVIDER=smtp", "SMTP_HOST=127.0.0.1", "SMTP_PORT=1", "SMTP_TLS=none", // mails wait: nobody is there
		"GORACE=atexit_sleep_ms=0", // else it sleeps for a second at its end, under the race detector
	}, settings...)
	s.db = testkit.OpenDatabase(t, options)
	return s
}

// eachEngine runs the test over a site of either database, which is migrated and empty.
func eachEngine(t *testing.T, test func(t *testing.T, s *site), settings ...string) {
	t.Parallel()
	for _, engine := range testkit.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			test(t, newSite(t, testkit.DatabaseOptions(t, engine), settings...))
		})
	}
}

// token returns an access token of the subject that is good for an hour.
func (s *site) token(subject string) string {
	encode := base64.RawURLEncoding.EncodeToString
	claims, err := json.Marshal(map[string]any{
		"iss": issuer + "/auth/v1", "aud": "authenticated", "sub": subject, "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	signed := encode([]byte(`{"alg":"HS256"}`)) + "." + encode(claims)
	mac := hmac.New(sha256.New, s.jwtKey)
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}

// program is a running omnistack.
type program struct {
	t     *testing.T
	cmd   *exec.Cmd
	log   string // the file of what it writes
	host  string // where it listens, once it is ready
	began time.Time
	took  time.Duration // from its beginning until it was ready
	ended chan struct{}
}

// start returns a program that says it is ready.
func (s *site) start() *program {
	s.t.Helper()
	p := s.launch()
	p.await()
	return p
}

// launch returns a program that has just begun. It is killed when the test ends, if it is still there.
func (s *site) launch() *program {
	s.t.Helper()
	s.launched++
	p := &program{t: s.t, ended: make(chan struct{}), log: filepath.Join(s.folder, fmt.Sprintf("%d.log", s.launched))}
	log, err := os.Create(p.log)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	p.cmd = exec.Command(binary, "serve")
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = s.folder, s.env, log, log
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.ended)
	}()
	s.t.Cleanup(p.bury)
	return p
}

// listening finds the port in the log of a deployed program, and in what one on a developer's machine greets with.
var listening = regexp.MustCompile(`(?:"address":"127\.0\.0\.1|  API +http://localhost):(\d+)`)

// await returns when the program says that it is ready.
func (p *program) await() {
	p.t.Helper()
	apptest.Await(p.t, "the program to be ready", func() bool {
		if found := listening.FindStringSubmatch(p.written()); found != nil {
			p.host = "127.0.0.1:" + found[1]
		}
		return p.host != "" && probe(p.host, "/health/ready") == http.StatusOK
	})
	p.took = time.Since(p.began)
}

func (p *program) written() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		p.t.Error(err)
	}
	return string(text)
}

// probe returns the status that the path is answered with on a connection of its own, zero without an answer.
func probe(host, path string) int {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + host + path)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

// call makes one call for a user.
func (s *site) call(host, method, path, subject, body string) answer {
	request, err := http.NewRequest(method, "http://"+host+path, strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	request.Header.Set("Authorization", "Bearer "+s.token(subject))
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}} // a kept one repeats by itself
	return read(client.Do(request))
}

// everyone runs the function for so many people at once, and returns when all have ended.
func everyone(people int, run func(subject string)) {
	var running sync.WaitGroup
	for number := range people {
		running.Go(func() { run(fmt.Sprint("person-", number)) })
	}
	running.Wait()
}

// await returns when a query of one number finds zero.
func (s *site) await(what, query string) {
	s.t.Helper()
	deadline := time.Now().Add(3 * time.Minute) // the reconciler begins after half a minute
	for tick := time.Tick(100 * time.Millisecond); ; <-tick {
		left, err := database.One(s.db.Read(s.t.Context()).Raw(query), database.Scalar[int64])
		if err != nil {
			s.t.Fatal(err)
		}
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain for %s: %d are left", what, left)
		}
	}
}

// files returns the store in which the programs keep files.
func (s *site) files() blob.Store {
	s.t.Helper()
	store, err := blob.OpenLocal(filepath.Join(s.folder, "blobs"), keyring.New("", ""), "", clock.System{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(store.Close)
	return store
}

// stored returns the files of a store whose keys begin with the prefix.
func stored(t *testing.T, files blob.Store, prefix string) []blob.Object {
	t.Helper()
	var all []blob.Object
	for object, err := range files.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, object)
	}
	return all
}

// killAmid has workers do something over and over, each with its number, and kills the program when it was done that many times. It
// returns when all have stopped, which an error does.
func (p *program) killAmid(workers int, times int64, do func(worker int) error) {
	p.t.Helper()
	var working sync.WaitGroup
	var done atomic.Int64
	enough := make(chan struct{})
	for worker := range workers {
		working.Go(func() {
			for do(worker) == nil { // until the program is gone
				if done.Add(1) == times {
					close(enough)
				}
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(patience):
		p.t.Fatal("nothing is done")
	}
	p.kill()
	working.Wait()
}

// kill ends the program as nothing can be survived: it has no chance to do anything more.
func (p *program) kill() {
	p.t.Helper()
	p.end(syscall.SIGKILL)
}

// stop ends the program as every platform does, and fails the test unless it ends well.
func (p *program) stop() {
	p.t.Helper()
	if state := p.end(syscall.SIGTERM); state.ExitCode() != 0 {
		p.t.Errorf("the program was told to stop and ended with: %s", state)
	}
}

func (p *program) end(signal syscall.Signal) *os.ProcessState {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.t.Fatalf("the program has ended before its time: %v", err)
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatal("the program doesn't end")
	}
	return p.cmd.ProcessState
}

var broken = regexp.MustCompile(`(?m)^(panic:|fatal error:|WARNING: DATA RACE)|"msg":"panic"|http: panic serving`)

// bury kills the program if it is still there, and looks at what it has written. A failed test prints it, without the
// requests that went well.
func (p *program) bury() {
	_ = p.cmd.Process.Kill() // unless it has ended
	<-p.ended
	written := p.written()
	if found := broken.FindString(written); found != "" {
		p.t.Errorf("the program wrote %q", found)
	}
	if p.t.Failed() {
		lines := slices.DeleteFunc(strings.Split(written, "\n"), func(line string) bool {
			return strings.Contains(line, `"msg":"request"`) && strings.Contains(line, `"level":"info"`)
		})
		p.t.Logf("the program at %q ended with %s and wrote\n%s", p.host, p.cmd.ProcessState, strings.Join(lines, "\n"))
	}
}

// answer is what came of a request.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error // there is no answer, or not all of it
	took   time.Duration
}

func (a answer) complete() bool { return a.err == nil }

func (a answer) good() bool { return a.complete() && a.status/100 == 2 }

func (a answer) String() string {
	if a.err != nil {
		return "no answer: " + a.err.Error()
	}
	return fmt.Sprintf("%d %s", a.status, a.body)
}

// read reads the whole answer.
func read(response *http.Response, err error) answer {
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	a := answer{status: response.StatusCode, header: response.Header}
	a.body, a.err = io.ReadAll(response.Body)
	return a
}
