// Command servers runs a command with a PostgreSQL and a Redis server beside it, and stops them afterwards:
//
//	go run ./platform/testkit/servers -- go test ./...
//
// The command finds them in TEST_DATABASE_URL and TEST_REDIS_URL; a variable that is set already is left alone. Where
// servers come from is told in package testkit. The exit code is the command's (go run makes every failure a 1), or
// 128 and the signal's number if a signal ended it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/omnistack/omnistack/platform/testkit"
)

// ended are the signals that ask a process to end; the command gets them all.
var ended = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

func main() {
	command := os.Args[1:]
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	if len(command) == 0 {
		fmt.Fprintln(os.Stderr, "usage: servers -- command [argument ...]")
		os.Exit(2)
	}
	code, err := run(command)
	if err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
	}
	os.Exit(code)
}

// run starts the servers, runs the command beside them and returns its exit code.
func run(command []string) (code int, err error) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, ended...)
	starting, done := signal.NotifyContext(context.Background(), ended...)
	defer done()

	env := os.Environ()
	for _, server := range []struct {
		variable string
		start    func(context.Context) (string, func(), error)
	}{
		{"TEST_DATABASE_URL", testkit.StartPostgres},
		{"TEST_REDIS_URL", testkit.StartRedis},
	} {
		url, stop, err := server.start(starting)
		if err != nil {
			return 1, err
		}
		defer stop()
		env = append(env, server.variable+"="+url)
	}

	child := exec.Command(command[0], command[1:]...)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	child.Env = env
	if err := child.Start(); err != nil {
		return 127, err
	}
	go func() {
		for s := range signals {
			_ = child.Process.Signal(s)
		}
	}()
	err = child.Wait()
	if err == nil {
		return 0, nil
	}
	var failed *exec.ExitError
	if !errors.As(err, &failed) {
		return 1, err
	}
	if status, ok := failed.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return failed.ExitCode(), nil
}
