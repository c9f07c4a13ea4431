// Package wiregen joins the modules and the platform into one program. wire.go says what goes where, wire_gen.go is
// what google/wire makes of it; everything else here is plain Go.
package wiregen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/audit"
	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/bus"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/telemetry"
)

// App is the program, put together.
type App struct {
	Server  *httpserver.Server
	Modules *Modules

	beside []func(context.Context) // what runs beside the server
	bus    *bus.Bus
	jobs   *jobs.Client
	trail  *audit.Log
	roles  Roles
	drain  time.Duration // how long running requests may take to finish when the program is stopped
}

func newApp(settings *Settings, server *httpserver.Server, modules *Modules, verifier *auth.Verifier,
	carrier *bus.Bus, background *jobs.Client, described house, trail *audit.Log, metrics *telemetry.Metrics, roles Roles, log *zap.Logger) (*App, error) {
	deliveries, err := carrier.Register(described)
	if err != nil {
		return nil, err
	}
	for _, m := range described {
		deliveries = append(deliveries, m.Jobs...)
		if m.Meet != nil {
			m.Meet(modules.Describe)
		}
	}
	if err := background.Register(deliveries); err != nil {
		return nil, err
	}
	beside := []func(context.Context){verifier.Run}
	if address := settings.Platform.HTTP.MetricsAddr; address != "" {
		countEvents(metrics, carrier)
		for _, m := range described {
			if m.Measure != nil {
				m.Measure(metrics)
			}
		}
		beside = append(beside, func(ctx context.Context) { metrics.Serve(ctx, address, log) })
	}
	for _, m := range described {
		if m.Run != nil && roles.API {
			beside = append(beside, m.Run)
		}
	}
	drain := settings.Platform.HTTP.RequestTimeout + margin
	return &App{
		Server: server, Modules: modules, beside: beside, bus: carrier, jobs: background, trail: trail, roles: roles, drain: drain,
	}, nil
}

// countEvents adds what becomes of events to the metrics.
func countEvents(metrics *telemetry.Metrics, carrier *bus.Bus) {
	metrics.Counts("events_total", "What this process made of events: handled (repeated ones too), failed attempts, dead, and unknown ones that were passed over.",
		[]string{"consumer", "outcome"}, func(tell func(int64, ...string)) {
			for name, c := range carrier.Consumers() {
				tell(c.Handled, name, "handled")
				tell(c.Failed, name, "failed")
				tell(c.Dead, name, "dead")
				tell(c.Unknown, name, "unknown")
			}
		})
}

// The roles a process can have, as the flag of serve names them.
const (
	RoleAPI    = "api"
	RoleWorker = "worker"
)

// Roles say what a process does. The health probes are served by every one.
type Roles struct {
	API    bool // serve the modules' routes
	Worker bool // run background work
}

// ParseRoles reads a list of roles. None, or one that doesn't exist, is an error.
func ParseRoles(names []string) (Roles, error) {
	var roles Roles
	for _, name := range names {
		switch name {
		case RoleAPI:
			roles.API = true
		case RoleWorker:
			roles.Worker = true
		default:
			return Roles{}, fmt.Errorf("there is no role %q: choose %s, %s or both", name, RoleAPI, RoleWorker)
		}
	}
	if roles == (Roles{}) {
		return Roles{}, fmt.Errorf("a process needs a role: choose %s, %s or both", RoleAPI, RoleWorker)
	}
	return roles, nil
}

// notice is how long a deployed program goes on when it is told to stop. Kubernetes tells the program and its balancers at
// the same time, and takes a second or two to reach them all.
const notice = 5 * time.Second

// margin is what running requests get beyond their own timeout to finish when the program is stopped, and jobs beyond the
// requests.
const margin = time.Second

// Serve answers on the listener, and works jobs and delivers events if that is a role of the process, until ctx ends. Then
// it lets running requests finish, after them running jobs, then deliveries, and returns nil. Call the clean-up of Build after
// it: the database closes last.
func (a *App) Serve(ctx context.Context, listener net.Listener) error {
	if a.roles.Worker {
		if err := a.work(ctx); err != nil {
			return err
		}
	}
	told := make(chan time.Time, 1)
	defer context.AfterFunc(ctx, func() {
		told <- time.Now()
		a.bus.Drain()
	})()

	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var beside sync.WaitGroup
	for _, run := range a.beside {
		beside.Go(func() { run(background) })
	}
	err := a.Server.Serve(ctx, listener, a.drain)
	stop()
	beside.Wait()
	return errors.Join(err, a.stopWork(context.WithoutCancel(ctx), told))
}

// work starts what jobs deliver to before the jobs.
func (a *App) work(ctx context.Context) error {
	err := a.bus.Start(ctx)
	if err == nil {
		err = a.jobs.Start(ctx)
	}
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), margin)
		defer cancel()
		return errors.Join(err, a.bus.Stop(ctx))
	}
	return nil
}

// stopWork ends the contexts of jobs, and then of deliveries, when notice and requests, which went first, may have taken all of
// their time, or sooner. So the program is gone within ten seconds more than REQUEST_TIMEOUT. What is cut off is not lost, but
// waits for a minute or two.
func (a *App) stopWork(ctx context.Context, told <-chan time.Time) error {
	end := time.Now().Add(jobs.Patience)
	select {
	case since := <-told:
		end = since.Add(notice + a.drain + margin)
	default: // it stops by itself
	}
	working, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	err := a.jobs.Stop(working)

	delivering, cancel := context.WithDeadline(ctx, end.Add(jobs.LastMoment+margin))
	defer cancel()
	return errors.Join(err, a.bus.Stop(delivering))
}

// ReplayDead delivers again the events that were given up, and returns how many deliveries that were. It goes on in many
// transactions, so the audit log has it before it begins.
func (a *App) ReplayDead(ctx context.Context, which bus.Dead) (int, error) {
	input, err := json.Marshal(which)
	if err != nil {
		return 0, err
	}
	err = a.trail.Operate(ctx, func(context.Context) (httpserver.Act, error) {
		return httpserver.Act{Action: "events replay", Input: input}, nil
	})
	if err != nil {
		return 0, err
	}
	return a.bus.ReplayDead(ctx, which)
}

// Appoint gives a user a role, on behalf of whoever runs the product, and returns the user's id, as usersmod's Appoint does.
// The action is what the audit log calls it.
func (a *App) Appoint(ctx context.Context, action, issuer, subject string, role auth.Role) (userID string, err error) {
	err = a.trail.Operate(ctx, func(ctx context.Context) (httpserver.Act, error) {
		if userID, err = a.Modules.Users.Appoint(ctx, issuer, subject, role); err != nil {
			return httpserver.Act{}, err
		}
		input, err := json.Marshal(map[string]auth.Role{"role": role})
		return httpserver.Act{Action: action, Target: userID, Input: input}, err
	})
	return userID, err
}

// version is set when a release is built: -ldflags "-X github.com/omnistack/omnistack/wire_gen.version=v1.2.3".
var version string

// Version returns the release, or the commit the binary was built from, or "development".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
				return setting.Value[:12]
			}
		}
	}
	return "development"
}
