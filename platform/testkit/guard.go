package testkit

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// guard is the parent of every server. It ends the server and cleans up when its standard input ends, which happens
// by itself when we die, however we die. A parent-death signal would do the first half, on Linux only, and leave some
// 40 MB of data behind after each test process. The order "keep" ends the server and keeps its data; any other is a shell
// line, in which $! is the server.
//
// The server holds the only open end of the output, so that the end of the output means that all of it is gone.
const guard = `
clean=$1 signal=$2; shift 2
"$@" </dev/null &
exec >/dev/null 2>&1
while read -r order && [ "$order" != keep ]; do eval "$order"; done
kill -s "$signal" $!
wait $!
[ "$order" = keep ] || eval "$clean"
`

// process is a running server behind its guard.
type process struct {
	cmd    *exec.Cmd
	orders io.WriteCloser
	output tail
	gone   chan struct{} // closed when no process of the server is left
}

// launch starts the command behind a guard. When the guard's input ends it sends the signal, such as KILL, and runs the
// shell line clean.
func launch(command []string, folder, signal, clean string, as *syscall.Credential) (*process, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close()

	p := &process{gone: make(chan struct{})}
	p.cmd = exec.Command("/bin/sh", append([]string{"-c", guard, "guard", clean, signal}, command...)...)
	p.cmd.Dir = folder
	p.cmd.Env = append(os.Environ(), "LC_ALL=C") // PostgreSQL on macOS refuses to start without a locale
	p.cmd.Stdout, p.cmd.Stderr = write, write
	// In a group of its own, or Ctrl-C would end the server before the tests that use it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as}
	if p.orders, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		read.Close()
		return nil, err
	}
	go func() {
		_, _ = io.Copy(&p.output, read)
		read.Close()
		close(p.gone)
	}()
	return p, nil
}

// order has the guard run a shell line.
func (p *process) order(line string) { _, _ = fmt.Fprintln(p.orders, line) } // fails when the server has ended

// end stops the server and waits until it is gone. Its data stays if keep is set.
func (p *process) end(keep bool) {
	if keep {
		_, _ = fmt.Fprintln(p.orders, "keep")
	}
	p.orders.Close()
	_ = p.cmd.Wait()
	<-p.gone
}

// tail keeps the last few kilobytes written to it: the reason why a server didn't start.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = bytes.Clone(t.text[max(0, len(t.text)-4096):])
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
