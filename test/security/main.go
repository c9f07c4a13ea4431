package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "security:", err)
		os.Exit(1)
	}
}

// options are the tools, whose versions are pinned in the Makefile.
type options struct {
	lint            []string // golangci-lint
	govulncheck     []string
	vulnerabilities string // the address of the database that govulncheck asks
}

func parse(args []string) (options, error) {
	flags := flag.NewFlagSet("security", flag.ExitOnError)
	lint := flags.String("lint", "golangci-lint", "the command that runs golangci-lint")
	govulncheck := flags.String("govulncheck", "govulncheck", "the command that runs govulncheck")
	vulnerabilities := flags.String("vulnerabilities", "https://vuln.go.dev", "the database that govulncheck asks")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, errors.New("there are no arguments")
	}
	return options{strings.Fields(*lint), strings.Fields(*govulncheck), *vulnerabilities}, nil
}

// run goes through all steps, whatever becomes of them, so that one sees everything that is wrong at once.
func run(ctx context.Context, args []string) error {
	opts, err := parse(args)
	if err != nil {
		return err
	}
	// The linter's gosec, and not gosec by itself: it knows the exceptions of .golangci.yml, each with its reason there or
	// in a nolint comment, so there is one way to make one. It waits for another linter that runs, as of an editor.
	gosec := slices.Concat(opts.lint, []string{"run", "--enable-only", "gosec", "--allow-serial-runners"})
	steps := []struct {
		title string
		run   func() error
	}{
		{"The tests that the tables name", func() error { return proveTables(ctx) }},
		{"gosec", func() error { return command(ctx, gosec) }},
		{"go mod verify", func() error { return command(ctx, []string{"go", "mod", "verify"}) }},
		{"Modules that their authors gave up or took back", func() error { return checkModules(ctx, time.Now()) }},
		{"govulncheck", func() error { return checkVulnerabilities(ctx, opts) }},
	}
	var failed []string
	for _, step := range steps {
		progress("\n== %s", step.title)
		if err := step.run(); err != nil {
			progress("FAIL %s: %v", step.title, err)
			failed = append(failed, step.title)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("failed: %s", strings.Join(failed, "; "))
	}
	progress("\nall of it holds")
	return nil
}

// command runs a program whose output tells what is wrong.
func command(ctx context.Context, args []string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

func progress(format string, args ...any) { fmt.Printf(format+"\n", args...) }
