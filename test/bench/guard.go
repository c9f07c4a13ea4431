package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/telemetry"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

// What authentication and limits cost together is measured against the product without them. Both are this program, as
// the processes guardedCommand and bareCommand: the product's own server, and one with the same route and handler, over the
// same database, which believes whoever says who he is.
const (
	guardedCommand = "guarded"
	bareCommand    = "bare"
)

// serveForGuard serves, with the settings of the environment, until ctx ends.
func serveForGuard(ctx context.Context, command string) error {
	settings, _, err := wiregen.LoadSettings(config.Sources{Environ: os.Environ()})
	if err != nil {
		return err
	}
	core := settings.Platform.Core
	log := telemetry.NewLogger(telemetry.LogOptions{Level: core.LogLevel, Console: core.LogFormat == "console"}, os.Stderr)
	app, cleanup, err := wiregen.Build(ctx, settings, wiregen.Roles{API: true}, log)
	if err != nil {
		return err
	}
	defer cleanup()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", listener.Addr())
	if command == guardedCommand {
		return app.Serve(ctx, listener)
	}
	return bare(app, settings, log).Serve(ctx, listener, time.Second)
}

// bare returns a server of the projects alone, without authentication and limits.
func bare(app *wiregen.App, settings *wiregen.Settings, log *zap.Logger) *httpserver.Server {
	server := httpserver.New(httpserver.Options{HTTP: settings.Platform.HTTP, Auth: believing{}}, log)
	for _, described := range app.Modules.Describe() {
		if described.Name == "projects" {
			described.Routes(server.Router(described.Name))
		}
	}
	return server
}

// believing takes the first word of a bearer token for the user's id. A token follows, so that requests are as long as
// others.
type believing struct{}

func (believing) Authenticate(_ context.Context, authorization []string) (auth.Principal, error) {
	name, _, _ := strings.Cut(strings.TrimPrefix(authorization[0], "Bearer "), " ")
	return auth.Principal{UserID: name, Role: auth.RoleUser}, nil
}

// guard is what was measured with and without authentication and limits, round by round.
type guard struct {
	bare, local, redis []sample
}

// measureGuard measures GET of a project without authentication and limits, with them, and with limits in Redis, in turns.
func (b *bench) measureGuard(ctx context.Context, opts options, database string, people []person) (guard, error) {
	program, err := os.Executable()
	if err != nil {
		return guard{}, err
	}
	believed := make([]person, len(people))
	for i, who := range people {
		believed[i] = person{token: userName(i) + " " + who.token, projects: who.projects}
	}
	get := endpoints[slices.IndexFunc(endpoints, func(e endpoint) bool { return e.name == "get" })]
	var seen guard
	contenders := []struct {
		command  string
		settings []string
		people   []person
		samples  *[]sample
		server   *server
	}{
		{command: bareCommand, people: believed, samples: &seen.bare},
		{command: guardedCommand, people: people, samples: &seen.local},
		{command: guardedCommand, settings: []string{"REDIS_URL=" + b.redis}, people: people, samples: &seen.redis},
	}
	for i, c := range contenders {
		if contenders[i].server, err = start(ctx, b.folder, append(b.with(database), c.settings...), program, c.command); err != nil {
			return guard{}, err
		}
		defer contenders[i].server.stop()
	}
	for round := range opts.rounds + 1 {
		length := opts.length
		if round == 0 {
			length /= 4 // it only warms up
		}
		for _, c := range contenders {
			got, err := load(ctx, c.server.address, get.requests(c.people), get.status, opts.connections, length, c.server.cpu)
			if err != nil {
				return guard{}, fmt.Errorf("%s: %w", c.command, err)
			}
			c.server.emptyLog()
			if round > 0 {
				*c.samples = append(*c.samples, got)
			}
		}
		if round > 0 {
			progress("guard  round %d of %d: %6.0f/s without, %6.0f/s with, %6.0f/s with Redis",
				round, opts.rounds, seen.bare[round-1].perSecond, seen.local[round-1].perSecond, seen.redis[round-1].perSecond)
		}
		slices.Reverse(contenders)
	}
	return seen, nil
}

// The most that authentication and limits should cost of the throughput.
const (
	aimLocal = 0.15
	aimRedis = 0.35
)

func (g guard) print(out io.Writer) {
	perSecond := func(s sample) float64 { return s.perSecond }
	cpu := func(s sample) float64 { return s.cpu }
	cost := func(with []sample) string {
		costs := make([]float64, len(with))
		for round := range with {
			costs[round] = 100 * (1 - with[round].perSecond/g.bare[round].perSecond)
		}
		return fmt.Sprintf("%.0f %% (%.0f..%.0f)", median(costs), slices.Min(costs), slices.Max(costs))
	}
	fmt.Fprintf(out, "Authentication and limits together cost %s of GET's throughput, aim %.0f %%; with Redis %s, aim %.0f %%.\n",
		cost(g.local), 100*aimLocal, cost(g.redis), 100*aimRedis)
	fmt.Fprintf(out, "Requests a second: %.0f without them, %.0f with them, %.0f with Redis; CPU µs a request: %.0f, %.0f, %.0f.\n",
		median(each(g.bare, perSecond)), median(each(g.local, perSecond)), median(each(g.redis, perSecond)),
		median(each(g.bare, cpu)), median(each(g.local, cpu)), median(each(g.redis, cpu)))
}
