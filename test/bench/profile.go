package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/telemetry"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

// profiledCommand makes this program the product with a second port for profiles. The client and the product are two
// processes, so that no profile holds the client; and the product's own binary needs no such port.
const profiledCommand = "profiled"

// serveProfiled serves the product, with the settings of the environment, until ctx ends.
func serveProfiled(ctx context.Context) error {
	settings, _, err := wiregen.LoadSettings(config.Sources{Environ: os.Environ()})
	if err != nil {
		return err
	}
	core := settings.Platform.Core
	log := telemetry.NewLogger(telemetry.LogOptions{Level: core.LogLevel, Console: core.LogFormat == "console"}, os.Stderr)
	app, cleanup, err := wiregen.Build(ctx, settings, wiregen.Roles{API: true, Worker: true}, log)
	if err != nil {
		return err
	}
	defer cleanup()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	profiles, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/cpu", pprof.Profile)
	mux.Handle("/allocs", pprof.Handler("allocs"))
	go func() { _ = http.Serve(profiles, mux) }() // ends with the process
	fmt.Printf("http://%s http://%s\n", listener.Addr(), profiles.Addr())
	return app.Serve(ctx, listener)
}

// profile writes a CPU and an allocation profile of the product under the load of each endpoint, and prints the top of
// each.
func (b *bench) profile(ctx context.Context, opts options) error {
	if err := os.MkdirAll(opts.profile, 0o755); err != nil {
		return err
	}
	database, _, err := b.databases(ctx)
	if err != nil {
		return err
	}
	product, err := b.startProfiled(ctx, b.with(database))
	if err != nil {
		return err
	}
	defer product.stop()
	people, err := meet(ctx, product.address, b.tokens)
	if err != nil {
		return err
	}
	return profileEndpoints(ctx, opts, opts.endpoints, people, product, "")
}

func (b *bench) startProfiled(ctx context.Context, environ []string) (*server, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return start(ctx, b.folder, environ, program, profiledCommand)
}

// profileEndpoints writes the profiles to files whose names begin so.
func profileEndpoints(ctx context.Context, opts options, of []endpoint, people []person, product *server, prefix string) error {
	for _, e := range of {
		for _, kind := range []string{"cpu", "allocs"} {
			file := filepath.Join(opts.profile, prefix+e.name+"."+kind+".pprof")
			if err := profileEndpoint(ctx, opts, e, people, product, kind, file); err != nil {
				return fmt.Errorf("%s: %w", e.name, err)
			}
			if err := top(ctx, kind, file); err != nil {
				return err
			}
			progress("\nMore of it: go tool pprof -http=: %s", file)
		}
	}
	return nil
}

// profileEndpoint writes the profile of as many seconds as the rounds of a comparison take.
func profileEndpoint(ctx context.Context, opts options, e endpoint, people []person, product *server, kind, file string) error {
	length := time.Duration(opts.rounds) * opts.length
	const margin = time.Second // the load begins before the profile and ends after it
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	loaded := make(chan error, 1)
	go func() {
		seen, err := load(ctx, product.address, e.requests(people), e.status, opts.connections, length+2*margin, product.cpu)
		product.emptyLog()
		progress("\n%s, %s: %.0f/s while it was profiled", e.name, kind, seen.perSecond)
		loaded <- err
	}()
	time.Sleep(margin)
	if err := fetch(ctx, product, kind, max(1, int(length.Seconds())), file); err != nil {
		return err
	}
	return <-loaded
}

// fetch saves what the profiled product collects during the next seconds.
func fetch(ctx context.Context, product *server, kind string, seconds int, file string) error {
	at := greeting.FindAllString(product.greeted, 2)
	if len(at) != 2 {
		return errors.New("the product told no address for profiles")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/%s?seconds=%d", at[1], kind, seconds), nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("no profile: %s", content)
	}
	return os.WriteFile(file, content, 0o644)
}

// top prints the ten functions that took most by themselves.
func top(ctx context.Context, kind, file string) error {
	column := map[string]string{"cpu": "cpu", "allocs": "alloc_space"}[kind]
	command := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-nodecount=10", "-sample_index="+column, file)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	return command.Run()
}
