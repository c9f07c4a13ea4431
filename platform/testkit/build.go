package testkit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// built returns the path of the program of a package of Go's, such as "example.com/server@v1.2.3", after building it if need
// be, once for the machine. That happens outside of any module, so that nothing of it gets into ours. As root it is built where
// the user whom servers run as can reach it.
func built(pkg string) (string, error) {
	folder, err := os.UserCacheDir()
	if os.Geteuid() == 0 {
		folder, err = "/usr/local/lib", nil
	}
	if err != nil {
		return "", err
	}
	versioned := path.Base(pkg)
	folder = filepath.Join(folder, "omnistack-testkit", versioned)
	name, _, _ := strings.Cut(versioned, "@")
	program := filepath.Join(folder, name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close() // and with it the lock
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	fmt.Fprintf(os.Stderr, "testkit: there is no %s here; building %s, which takes a minute\n", name, pkg)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "install", pkg)
	build.Dir = folder
	build.Env = append(os.Environ(), "GOBIN="+folder, "GOFLAGS=", "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the tests need %s: %w\n%s", pkg, err, out)
	}
	return program, nil
}
