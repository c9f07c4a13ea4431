package httpserver

import (
	"context"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
)

// checkTimeout bounds every readiness check, so that a probe never waits for a dependency that hangs.
const checkTimeout = 2 * time.Second

// Health is the answer of the liveness probe.
type Health struct {
	Status  string `json:"status" enum:"ok"`
	Version string `json:"version"`
}

// Readiness is the answer of the readiness probe. It names what fails and not why: strangers read it too.
type Readiness struct {
	Status string            `json:"status" enum:"ok,failing"`
	Checks map[string]string `json:"checks" doc:"ok or failing, by dependency"`
}

// addHealth registers the probes, at the root where platforms look and below the API's prefix.
func (s *Server) addHealth() {
	r := s.Router("platform")
	live := func(context.Context, *struct{}) (*Object[Health], error) {
		return &Object[Health]{Body: Health{Status: "ok", Version: s.options.Version}}, nil
	}
	ready := func(context.Context, *struct{}) (*Object[Readiness], error) { return s.readiness(), nil }

	for _, path := range []Route{{Path: "/health", AtRoot: true}, {Path: "/public/health"}} {
		path.Method, path.Guard, path.Rate, path.Probe = http.MethodGet, Public, RateExempt, true
		path.Summary = "Whether the process lives"
		Query(r, path, live)

		path.Path += "/ready"
		path.Summary = "Whether the process can serve"
		Query(r, path, ready)
		answers := s.api.OpenAPI().Paths[s.mounted(path)].Get.Responses
		failing := *answers["200"]
		failing.Description = http.StatusText(http.StatusServiceUnavailable)
		answers["503"] = &failing // no error envelope: it tells what fails
	}
}

// readiness returns whether all is well. Who asks while others do gets their answer: strangers may ask as often as they like, and
// one look at a time is what that costs. A server that is stopping is never ready.
func (s *Server) readiness() *Object[Readiness] {
	if s.stopping.Load() {
		return &Object[Readiness]{
			Status: http.StatusServiceUnavailable,
			Body:   Readiness{Status: "failing", Checks: map[string]string{"process": "failing"}},
		}
	}
	found, _, _ := s.looking.Do("", func() (any, error) { return s.look(), nil })
	shared := found.(Object[Readiness])
	return &shared
}

// look runs every check at once. The answer is 503 if one fails that isn't optional; the reasons go to the log.
func (s *Server) look() Object[Readiness] {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout) // whoever asked first may leave, the others wait
	defer cancel()

	failures := make([]error, len(s.options.Checks))
	var running sync.WaitGroup
	for i, check := range s.options.Checks {
		running.Go(func() { failures[i] = check.Run(ctx) })
	}
	running.Wait()

	out := Object[Readiness]{Status: http.StatusOK, Body: Readiness{Status: "ok", Checks: map[string]string{}}}
	for i, check := range s.options.Checks {
		out.Body.Checks[check.Name] = "ok"
		if failures[i] != nil {
			out.Body.Checks[check.Name] = "failing"
			if !check.Optional {
				out.Status, out.Body.Status = http.StatusServiceUnavailable, "failing"
			}
			s.log.Warn("not ready", zap.String("check", check.Name), zap.Error(failures[i]))
		}
	}
	return out
}
