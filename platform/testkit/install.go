package testkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// inDocker stands for the program of a product that is run by Docker.
const inDocker = "docker"

// locate returns the path of the product's program, after installing it if need be, or inDocker.
func locate(ctx context.Context, p product) (string, error) {
	if program := p.find(); program != "" {
		return program, nil
	}
	if dockerAnswers(ctx) {
		return inDocker, nil
	}
	advice := fmt.Errorf("the tests need %s: install %s, start Docker, or set %s to a server for tests", p.name, p.manual, p.variable)
	if !canInstall() {
		return "", advice
	}
	if err := install(ctx, p); err != nil {
		return "", errors.Join(advice, err)
	}
	if program := p.find(); program != "" {
		return program, nil
	}
	return "", advice
}

func dockerAnswers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return exec.CommandContext(ctx, "docker", "info").Run() == nil
}

var debian = regexp.MustCompile(`(?m)^ID(_LIKE)?=.*\b(debian|ubuntu)\b`)

// canInstall tells whether we are root on Debian, Ubuntu or one of their children.
func canInstall() bool {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil || os.Geteuid() != 0 || !debian.Match(release) {
		return false
	}
	_, err = exec.LookPath("apt-get")
	return err == nil
}

// install has apt-get install the product, one process at a time, and leaves no service running.
func install(ctx context.Context, p product) error {
	lock, err := os.OpenFile("/run/omnistack-testkit.lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close() // and with it the lock
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if p.find() != "" {
		return nil // by another process, while this one waited
	}

	fmt.Fprintf(os.Stderr, "testkit: there is no %s here; installing Debian's package %s with apt-get, which takes a minute\n",
		p.name, p.packages)
	// Every service is refused its start, and postgresql is told not to make a database cluster of its own.
	restore, err := replaceFile("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
	defer restore()
	if err != nil {
		return err
	}
	restore, err = replaceFile("/etc/postgresql-common/createcluster.d/omnistack-testkit.conf", "create_main_cluster = false\n", 0o644)
	defer restore()
	if err != nil {
		return err
	}
	if err := aptGet(ctx, "install", p.packages); err == nil {
		return nil
	}
	// The package lists are missing or old.
	if err := aptGet(ctx, "update"); err != nil {
		return err
	}
	return aptGet(ctx, "install", p.packages)
}

func aptGet(ctx context.Context, arguments ...string) error {
	options := []string{"-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"}
	cmd := exec.CommandContext(ctx, "apt-get", append(options, arguments...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	// Killed in its middle, it would leave half a package.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out[max(0, len(out)-2000):])
	}
	return nil
}

// replaceFile writes a file and returns what puts the former one back, or none. A file of ours that a killed process
// left behind counts as none.
func replaceFile(name, text string, mode os.FileMode) (restore func(), err error) {
	former, err := os.ReadFile(name)
	mine := []byte(text + "# Temporary, by OmniStack's testkit.\n")
	restore = func() { _ = os.Remove(name) }
	if err == nil && !bytes.Equal(former, mine) {
		info, err := os.Stat(name)
		if err != nil {
			return func() {}, err
		}
		restore = func() { _ = errors.Join(os.WriteFile(name, former, info.Mode()), os.Chmod(name, info.Mode())) }
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return func() {}, err
	}
	return restore, errors.Join(os.WriteFile(name, mine, mode), os.Chmod(name, mode))
}
