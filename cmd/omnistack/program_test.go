package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// asProgram is the variable that makes this test binary the program.
const asProgram = "RUN_AS_OMNISTACK"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// patience is how long a program may take for anything, on a busy machine.
const patience = 30 * time.Second

// desk is a folder of its own, from which the program is called as from a terminal: with few variables, no .env, and
// what it keeps in ./data.
type desk struct {
	t      testing.TB
	folder string
	env    []string
}

func newDesk(t testing.TB, env ...string) desk {
	folder := t.TempDir()
	return desk{t, folder, append(env, asProgram+"=1", "PORT=0", "HOME="+folder, "PATH="+os.Getenv("PATH"),
		"GORACE=atexit_sleep_ms=0")} // else each program sleeps for a second at its end, under the race detector
}

// with returns the desk with more variables, in the form NAME=value.
func (d desk) with(env ...string) desk {
	d.env = append(append([]string(nil), d.env...), env...)
	return d
}

// outcome is how a program ended.
type outcome struct {
	call           string
	code           int
	stdout, stderr string
}

// run calls the program and waits for its end.
func (d desk) run(args ...string) outcome {
	d.t.Helper()
	return d.start(args...).wait()
}

// start calls the program. It is killed when the test ends, if it is still there.
func (d desk) start(args ...string) *program {
	d.t.Helper()
	p := &program{t: d.t, exited: make(chan struct{})}
	p.cmd = exec.Command(os.Args[0], args...)
	p.cmd.Dir, p.cmd.Env = d.folder, d.env
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.exited)
	}()
	d.t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // unless it has ended
		<-p.exited
		if d.t.Failed() {
			d.t.Logf("%s: %s\n%s%s", p.call(), p.cmd.ProcessState, &p.stdout, &p.stderr)
		}
	})
	return p
}

// serve calls the program with these arguments and returns it when its banner is out.
func (d desk) serve(args ...string) *server {
	d.t.Helper()
	p := d.start(args...)
	found := p.await(&p.stdout, `(http://\S+:\d+)`)
	p.await(&p.stdout, `  Database  .+\n\n`)
	return &server{program: p, url: found[1], api: testkit.NewAPI(d.t, found[1])}
}

// program is a running program.
type program struct {
	t              testing.TB
	cmd            *exec.Cmd
	stdout, stderr transcript
	exited         chan struct{}
}

// server is a program that serves.
type server struct {
	*program
	url string
	api *testkit.API
}

// call is the program's command line, as a person would write it.
func (p *program) call() string {
	return strings.Join(append([]string{"omnistack"}, p.cmd.Args[1:]...), " ")
}

// await returns the match of the expression as soon as the program has written one.
func (p *program) await(where *transcript, expression string) []string {
	p.t.Helper()
	pattern := regexp.MustCompile(expression)
	var match []string
	found := func() bool {
		match = pattern.FindStringSubmatch(where.String())
		return match != nil
	}
	apptest.Await(p.t, "the program to write "+expression, func() bool {
		ended := p.ended() // before looking, for what it wrote last
		if !found() && ended {
			p.t.Fatalf("the program ended and didn't write %s", expression)
		}
		return match != nil
	})
	return match
}

// ended tells whether the program has ended.
func (p *program) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// signal sends the signal.
func (p *program) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
}

// stop ends the program as an orchestrator does.
func (p *program) stop() outcome {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	return p.wait()
}

// wait returns how the program ended.
func (p *program) wait() outcome {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatal("the program doesn't end")
	}
	return outcome{p.call(), p.cmd.ProcessState.ExitCode(), p.stdout.String(), p.stderr.String()}
}

// transcript is what a program has written so far.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

var stackTrace = regexp.MustCompile(`goroutine \d+|panic:|\.go:\d+ \+0x`)

// want checks the exit code, that stdout and stderr hold the given texts, and that neither shows the inside of the
// program. A text "" for stdout means that nothing may be there.
func (o outcome) want(t testing.TB, code int, stdout string, stderr ...string) {
	t.Helper()
	if o.code != code {
		t.Errorf("%s exits with %d, want %d", o.call, o.code, code)
	}
	if stdout == "" && o.stdout != "" || !strings.Contains(o.stdout, stdout) {
		t.Errorf("%s: the standard output isn't %q", o.call, stdout)
	}
	for _, part := range stderr {
		if !strings.Contains(o.stderr, part) {
			t.Errorf("%s: the standard error output lacks %q", o.call, part)
		}
	}
	if code == exitOK && len(stderr) == 0 && o.stderr != "" {
		t.Errorf("%s: all is well and yet there is something on the standard error output", o.call)
	}
	if trace := stackTrace.FindString(o.stdout + o.stderr); trace != "" {
		t.Errorf("%s shows a stack trace: %q", o.call, trace)
	}
}

// file returns the path of a file or folder of the desk.
func (d desk) file(name string) string { return filepath.Join(d.folder, name) }
