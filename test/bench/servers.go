package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// build compiles the floor and the naive gateway, and the product unless its binary was given.
func (b *bench) build(ctx context.Context) (err error) {
	const module = "github.com/omnistack/omnistack"
	b.floor, b.naive = filepath.Join(b.folder, "serve"), filepath.Join(b.folder, "gateway")
	packages := []string{module + "/test/bench/floor/serve", module + "/test/bench/naive/gateway"}
	if b.product == "" {
		b.product = filepath.Join(b.folder, "omnistack")
		packages = append(packages, module+"/cmd/omnistack")
	} else if b.product, err = filepath.Abs(b.product); err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "go", append([]string{"build", "-trimpath", "-o", b.folder + "/"}, packages...)...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", command, err, out)
	}
	return nil
}

// server is a running process that serves HTTP.
type server struct {
	address string        // host:port
	greeted string        // the line in which it told its address
	startup time.Duration // from the start of the process to the first answer of /health

	cmd *exec.Cmd
	log string
}

var greeting = regexp.MustCompile(`http://[^:/\s]+:(\d+)`)

// start runs a server in the folder and returns when it answers. It must print its address. Its log is a file there:
// writing that costs the server what it would cost in production, and nobody else anything.
func start(ctx context.Context, folder string, environ []string, program string, args ...string) (*server, error) {
	log, err := os.CreateTemp(folder, "log-")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	if err := log.Close(); err != nil {
		return nil, err
	}
	// Appending, so that it can be emptied while it is written.
	appended, err := os.OpenFile(log.Name(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	defer appended.Close()

	s := &server{cmd: exec.CommandContext(ctx, program, args...), log: log.Name()}
	s.cmd.Dir, s.cmd.Env, s.cmd.Stderr = folder, environ, appended
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	output, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	started := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if err := s.await(ctx, output); err != nil {
		s.stop()
		text, _ := os.ReadFile(s.log)
		return nil, fmt.Errorf("%s: %w\n%s", filepath.Base(program), err, text)
	}
	s.startup = time.Since(started)
	return s, nil
}

// await reads the address from the output and asks there for /health.
func (s *server) await(ctx context.Context, output io.Reader) error {
	lines := bufio.NewScanner(output)
	for s.address == "" {
		if !lines.Scan() {
			return errors.Join(errors.New("it ended, or told no address"), lines.Err())
		}
		if found := greeting.FindStringSubmatch(lines.Text()); found != nil {
			s.address, s.greeted = "127.0.0.1:"+found[1], lines.Text()
		}
	}
	go func() { _, _ = io.Copy(io.Discard, output) }() // so that it never waits for a reader
	c, err := dial(ctx, s.address)
	if err != nil {
		return err
	}
	defer c.close()
	return c.expect(request("GET", "/health", "", ""), 200)
}

// stop ends the server and waits until it has ended.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails when it has ended
	_ = s.cmd.Wait()                          // ended by our signal
}

// emptyLog forgets what was logged: minutes of load are a hundred megabytes.
func (s *server) emptyLog() { _ = os.Truncate(s.log, 0) }

// tick is the unit of CPU times in /proc: 1/100 s on every Linux that Go runs on (USER_HZ).
const tick = 10 * time.Millisecond

// cpu returns the user and system time that the process has used, 0 where there is no /proc.
func (s *server) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	// proc(5): the second field is the program's name, which may hold spaces and brackets; utime and stime are the
	// fields 14 and 15.
	_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick
}

// idle returns the percentage of a core that the process uses while nobody asks it anything, after a moment to settle.
func (s *server) idle(ctx context.Context, during time.Duration) (float64, error) {
	progress("asking nothing for %s", during)
	if err := pause(ctx, 2*time.Second); err != nil {
		return 0, err
	}
	before := s.cpu()
	if err := pause(ctx, during); err != nil {
		return 0, err
	}
	return 100 * (s.cpu() - before).Seconds() / during.Seconds(), nil
}

// pause returns when the time has passed, or with an error when ctx has ended.
func pause(ctx context.Context, during time.Duration) error {
	select {
	case <-time.After(during):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// memory is what a process has in memory, in MiB; 0 where there is no /proc.
type memory struct {
	now  float64 // all of it
	most float64 // the most it ever was
	own  float64 // of now, what it made itself; the rest is the program's file, as far as it was used
}

func (s *server) memory() memory {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return memory{}
	}
	var found memory
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			continue
		}
		kilobytes, _ := strconv.ParseFloat(fields[1], 64)
		switch fields[0] {
		case "VmRSS:":
			found.now = kilobytes / 1024
		case "VmHWM:":
			found.most = kilobytes / 1024
		case "RssAnon:":
			found.own = kilobytes / 1024
		}
	}
	return found
}
