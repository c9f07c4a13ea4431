//scaffold:needs projects

package chaos

import (
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/schema"
)

// producers is how many place orders side by side under load.
const producers = 4

// scenario is what happens to the shops of a site, before they come to rest.
type scenario struct {
	name string
	run  func(s *site)
}

// scenarios are those that spare the servers.
var scenarios = []scenario{
	{"killed " + string(inTransaction), func(s *site) { s.killAt(inTransaction, either(50, 2), "") }},
	{"killed " + string(afterCommit), func(s *site) { s.killAt(afterCommit, either(50, 2), "") }},
	{"killed " + string(beforeEffect), func(s *site) { s.killAt(beforeEffect, either(50, 6), s.handlers()...) }},
	{"killed " + string(afterEffect), func(s *site) { s.killAt(afterEffect, either(50, 6), s.handlers()...) }},
	{"killed at random under load", (*site).killAtRandom},
	{"restarted under load", (*site).restart},
}

func TestNothingIsLostAndNothingHappensTwice(t *testing.T) {
	t.Parallel()
	found := &report{began: time.Now()}
	t.Cleanup(func() { t.Logf("\n%s", found) })
	for _, engine := range engines() {
		for _, by := range roads() {
			run := func(scenario string, test func(t *testing.T) *site) {
				t.Run(string(engine)+"/"+string(by)+"/"+scenario, func(t *testing.T) {
					line := found.line(engine, by, scenario)
					t.Parallel()
					s := test(t)
					s.settle()
					line.counts = s.wantSound()
				})
			}
			for _, scenario := range scenarios {
				run(scenario.name, func(t *testing.T) *site {
					s := newSite(t, engine, by)
					scenario.run(s)
					return s
				})
			}
			if by == byRedis {
				run("Redis killed under load", func(t *testing.T) *site {
					server := testkit.NewRedisServer(t)
					s := siteOver(t, testkit.DatabaseOptions(t, engine), server.URL)
					s.outages(server, either(9, 2), false)
					return s
				})
			}
			if engine == database.Postgres {
				run("PostgreSQL stopped under load", func(t *testing.T) *site {
					server := testkit.NewPostgresServer(t)
					s := siteOver(t, migrated(t, server.URL), by.redis(t))
					s.outages(server, either(4, 1), true)
					s.await(patience, "the database", func() bool { return s.db.Ping(t.Context()) == nil })
					return s
				})
			}
		}
	}
}

// migrated returns the options of a PostgreSQL database that it has migrated.
func migrated(t *testing.T, url string) database.Options {
	t.Helper()
	options := database.Options{Engine: database.Postgres, Target: url, PoolSize: 8}
	if _, err := schema.Up(t.Context(), testkit.OpenDatabase(t, options), zap.NewNop()); err != nil {
		t.Fatal(err)
	}
	return options
}

// wantSound fails the test for what must not be, and returns what is.
func (s *site) wantSound() counts {
	s.t.Helper()
	c := s.count()
	s.t.Logf("%d times, %d orders, %d repeated deliveries, %s", c.times, c.committed, c.repeats, c.took.Round(time.Second))
	if !c.sound() || c.committed == 0 {
		s.t.Errorf("%d lost, %d twice, %d phantom, %d acknowledged and missing, %d jobs unfinished, of %d orders; such as:",
			c.lost, c.twice, c.phantom, c.missing, c.unfinished, c.committed)
		for _, example := range c.examples {
			s.t.Error(example)
		}
	}
	return c
}

// handlers are the consumers and the kinds of jobs that a process may be killed in.
func (s *site) handlers() []string {
	all := []string{writeInvoice, ship, announce, track, sendLetter}
	if s.redisURL != "" {
		all = append(all, publishing)
	}
	return all
}

// killAt lets so many processes kill themselves in the moment, of one handler after the other.
func (s *site) killAt(now moment, kills int, handlers ...string) {
	s.t.Helper()
	const orders = 4
	for i := range kills {
		s.progress(kills)
		s.start(errand{
			Silent: now == afterCommit,
			Orders: orders,
			Fate:   fate{Moment: now, At: handlers[i%len(handlers)], After: 1 + rand.IntN(orders-1)},
		}).die()
		s.times++
	}
}

// killAtRandom kills processes that are under load.
func (s *site) killAtRandom() {
	s.t.Helper()
	kills := either(200, 4)
	for range kills {
		s.progress(kills)
		p := s.start(errand{Producers: producers})
		s.reach(1 + rand.IntN(20))
		upTo(100 * time.Millisecond)
		p.kill()
		s.times++
	}
}

// restart stops processes that are under load as every platform does.
func (s *site) restart() {
	s.t.Helper()
	restarts := either(30, 2)
	for range restarts {
		s.progress(restarts)
		p := s.start(errand{Producers: producers})
		s.reach(1 + rand.IntN(20))
		upTo(100 * time.Millisecond)
		p.stop()
		s.times++
	}
}

// outages kills the server under a process that is under load, and starts it again. Meanwhile orders are refused only where
// that may be.
func (s *site) outages(server *testkit.Server, times int, refusable bool) {
	s.t.Helper()
	p := s.start(errand{Producers: producers, Refusable: refusable})
	for range times {
		s.progress(times)
		s.reach(either(40, 10))
		server.Kill()
		upTo(time.Duration(either(1000, 300)) * time.Millisecond)
		if err := server.Restart(); err != nil {
			s.t.Fatal(err)
		}
		s.times++
	}
	s.reach(either(40, 10))
	p.stop()
}

// progress tells how far it is.
func (s *site) progress(of int) {
	if s.times > 0 && s.times%25 == 0 {
		s.t.Logf("%d of %d", s.times, of)
	}
}
