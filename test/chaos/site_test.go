//scaffold:needs projects

package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
)

// variable makes this binary a shop: it holds the errand.
const variable = "OMNISTACK_TEST_CHAOS"

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if text := os.Getenv(variable); text != "" {
		os.Exit(work(text))
	}
	os.Exit(m.Run())
}

// whole tells whether this is `make chaos`.
func whole() bool { return os.Getenv("CHAOS") == "whole" }

// either returns the first in `make chaos`, else the second.
func either(all, few int) int {
	if whole() {
		return all
	}
	return few
}

// patience is how long a process may take for anything, on a busy machine.
const patience = 60 * time.Second

// road is a transport.
type road string

const (
	byJobs  road = "database"
	byRedis road = "redis"
)

// roads are the transports.
func roads() []road { return []road{byJobs, byRedis} }

// site is where shops run, one after the other: a database, and a Redis on the second road.
type site struct {
	t        *testing.T
	db       *database.DB // the test's own way to look at the rows
	own      *shop        // the test's own, which delivers nothing
	database database.Options
	redisURL string
	log      string // the file of what the shops write
	began    time.Time
	times    int // how often it was done to them

	mu           sync.Mutex
	acknowledged []string
}

// newSite returns a site with an empty database of the engine.
func newSite(t *testing.T, engine database.Engine, by road) *site {
	t.Helper()
	return siteOver(t, testkit.DatabaseOptions(t, engine), by.redis(t))
}

// redis returns the URL of an empty Redis where the road needs one.
func (r road) redis(t *testing.T) string {
	if r != byRedis {
		return ""
	}
	return testkit.Redis(t)
}

// siteOver returns a site over a database that is migrated.
func siteOver(t *testing.T, options database.Options, redisURL string) *site {
	t.Helper()
	own := options
	own.PoolSize = 1 // so that it knows which sessions aren't its own
	s := &site{
		t: t, db: testkit.OpenDatabase(t, own), database: options, redisURL: redisURL,
		log: filepath.Join(t.TempDir(), "shops.log"), began: time.Now(),
	}
	s.exec("CREATE TABLE chaos_orders (id text NOT NULL)")
	s.exec("CREATE TABLE chaos_effects (who text NOT NULL, order_id text NOT NULL)")
	s.exec("CREATE TABLE chaos_letters (order_id text PRIMARY KEY)")
	s.countDeliveries()
	s.enroll()
	t.Cleanup(s.readLog)
	return s
}

// countDeliveries lets the database note each delivery that is committed, also one of an event that was handled before: the
// trigger sees the row that ON CONFLICT then leaves out.
func (s *site) countDeliveries() {
	s.exec("CREATE TABLE chaos_deliveries (event_id text NOT NULL, consumer text NOT NULL)")
	const note = "INSERT INTO chaos_deliveries (event_id, consumer) VALUES (NEW.event_id, NEW.consumer);"
	if s.db.Engine() == database.SQLite {
		s.exec("CREATE TRIGGER chaos_deliveries BEFORE INSERT ON events_inbox BEGIN " + note + " END")
		return
	}
	s.exec("CREATE FUNCTION chaos_deliver() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + note + " RETURN NEW; END $$")
	s.exec("CREATE TRIGGER chaos_deliveries BEFORE INSERT ON events_inbox FOR EACH ROW EXECUTE FUNCTION chaos_deliver()")
}

// enroll lets the consumers be there since two hours ago, when none of the events has happened.
func (s *site) enroll() {
	s.t.Helper()
	log, _ := testkit.Logger(s.t)
	s.own = &shop{errand: errand{RedisURL: s.redisURL, Ahead: -2 * time.Hour}, fate: &fatal{}, db: s.db}
	err := s.own.assemble(log)
	if err == nil {
		err = s.own.bus.Start(s.t.Context())
	}
	if err == nil {
		err = s.own.bus.Stop(s.t.Context())
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) exec(statement string) {
	s.t.Helper()
	err := s.db.WithinTx(s.t.Context(), func(ctx context.Context) error { return s.db.Tx(ctx).Exec(statement).Error })
	if err != nil {
		s.t.Fatal(err)
	}
}

// number returns what a query of one number finds.
func (s *site) number(query string) int {
	s.t.Helper()
	found, err := database.One(s.db.Read(s.t.Context()).Raw(query), database.Scalar[int64])
	if err != nil {
		s.t.Fatal(err)
	}
	return int(found)
}

// told returns how many orders were acknowledged.
func (s *site) told() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acknowledged)
}

// reach returns when so many more orders have been acknowledged.
func (s *site) reach(more int) {
	s.t.Helper()
	goal := s.told() + more
	s.await(patience, fmt.Sprintf("%d orders more", more), func() bool { return s.told() >= goal })
}

// await returns when the condition holds, and ends the test when that takes too long.
func (s *site) await(within time.Duration, what string, holds func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(within)
	for tick := time.Tick(20 * time.Millisecond); !holds(); <-tick {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited %s in vain for %s", within, what)
		}
	}
}

var broken = regexp.MustCompile(`(?m)^(panic:|fatal error:|WARNING: DATA RACE)|"msg":"a (job|consumer) panicked"|^the shop fails`)

// readLog fails the test for what no shop should write. A failed test prints the end of it.
func (s *site) readLog() {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return // no shop ran
	}
	if found := broken.Find(text); found != nil {
		s.t.Errorf("a shop wrote %q", found)
	}
	if s.t.Failed() {
		s.t.Logf("the shops wrote, in the end:\n%s", text[max(0, len(text)-8000):])
	}
}

// process is a shop that runs.
type process struct {
	site  *site
	cmd   *exec.Cmd
	said  chan string // the lines that don't tell of an order
	ended chan struct{}
	last  string // the last line, once it has ended
}

// start returns a process that has just begun. It is killed when the test ends, if it is still there.
func (s *site) start(e errand) *process {
	s.t.Helper()
	e.Database, e.RedisURL = s.database, s.redisURL
	text, err := json.Marshal(e)
	if err != nil {
		s.t.Fatal(err)
	}
	p := &process{site: s, cmd: exec.Command(os.Args[0]), said: make(chan string, 1000), ended: make(chan struct{})}
	// GORACE, or it sleeps for a second at its end, under the race detector.
	p.cmd.Env = append(os.Environ(), variable+"="+string(text), "GORACE=atexit_sleep_ms=0")
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	p.cmd.Stderr = log
	output, err := p.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			p.hear(lines.Text())
		}
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.ended)
	}()
	s.t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // unless it has ended
		<-p.ended
	})
	return p
}

// hear takes one line of what the process says.
func (p *process) hear(line string) {
	p.last = line
	orderID, isOrder := strings.CutPrefix(line, acknowledgement)
	if !isOrder {
		p.said <- line
		return
	}
	p.site.mu.Lock()
	defer p.site.mu.Unlock()
	p.site.acknowledged = append(p.site.acknowledged, orderID)
}

// await returns the next line that begins so, and ends the test when there is trouble instead.
func (p *process) await(start string) string {
	p.site.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case line := <-p.said:
			if strings.HasPrefix(line, start) {
				return line
			}
			if strings.HasPrefix(line, "trouble") {
				p.site.t.Fatal(line)
			}
		case <-p.ended:
			p.site.t.Fatalf("the process ended before it was %s: %s", start, p.cmd.ProcessState)
		case <-deadline:
			p.site.t.Fatalf("the process isn't %s", start)
		}
	}
}

// die returns when the process has met its fate, and fails the test unless that is where it did.
func (p *process) die() {
	p.site.t.Helper()
	p.wait()
	if !p.killed() || p.last != "dying" {
		p.site.t.Fatalf("the process didn't meet its fate: it ended with %s, after %q", p.cmd.ProcessState, p.last)
	}
}

// killed tells whether the process ended by SIGKILL.
func (p *process) killed() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signal() == syscall.SIGKILL
}

// kill ends the process as nothing can be survived.
func (p *process) kill() {
	p.site.t.Helper()
	_ = p.cmd.Process.Kill()
	p.wait()
	if !p.killed() {
		p.site.t.Fatalf("the process had ended with %s, after %q", p.cmd.ProcessState, p.last)
	}
}

// stop ends the process as every platform does, and fails the test unless it ends well.
func (p *process) stop() {
	p.site.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.site.t.Fatal(err)
	}
	p.wait()
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.site.t.Errorf("a process that was told to stop ended with %s", p.cmd.ProcessState)
	}
}

func (p *process) wait() {
	p.site.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.site.t.Fatal("the process doesn't end")
	}
	for {
		select {
		case line := <-p.said:
			if strings.HasPrefix(line, "trouble") {
				p.site.t.Error(line)
			}
		default:
			return
		}
	}
}

// upTo waits for a while, as long as chance wants.
func upTo(most time.Duration) { <-time.After(rand.N(most)) }

// settle lets one process survive until it has done all there is to do. `make chaos` waits until what the dead had begun is
// taken for lost; otherwise hurry does that.
func (s *site) settle() {
	s.t.Helper()
	if !whole() {
		s.hurry()
	}
	p := s.start(errand{Ahead: impatience()})
	deadline := time.Now().Add(time.Duration(either(10, 3)) * time.Minute)
	for tick := time.Tick(time.Duration(either(500, 20)) * time.Millisecond); !s.settled(); <-tick {
		if time.Now().After(deadline) {
			s.t.Error("there is something left to do that nobody does")
			break
		}
	}
	p.kill()
}

// hurry does with the jobs of the dead what the rescuer does after a minute, ends the leader's lease, and lets the
// reconciler look now. No process may run.
func (s *site) hurry() {
	s.t.Helper()
	if s.db.Engine() == database.Postgres {
		s.await(patience, "the sessions of the dead to end", func() bool { // until then, what they asked for may happen yet
			return s.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()") == 1
		})
	}
	s.exec("UPDATE river_job SET state = 'available', scheduled_at = created_at WHERE " + unfinished + " OR " + reconciling)
	s.exec("DELETE FROM river_leader")
	if s.redisURL != "" {
		err := s.db.WithinTx(s.t.Context(), func(ctx context.Context) error { return s.own.jobs.Enqueue(ctx, reconcile{}) })
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// impatience is by how much the clock of a survivor is ahead: so that the reconciler finds that an event has been on its way
// for long enough, unless it is given the time.
func impatience() time.Duration {
	if whole() {
		return 0
	}
	return time.Minute
}

// settled tells whether nothing is left to do. A reconciler that looked before all was done may ask for more after it.
func (s *site) settled() bool {
	s.t.Helper()
	return s.number("SELECT (SELECT count(*) FROM river_job WHERE "+unfinished+" OR "+reconciling+") + "+
		"(SELECT count(*) FROM chaos_orders) * 4 - (SELECT count(*) FROM events_inbox) + "+
		"(SELECT count(*) FROM chaos_orders) * 5 - (SELECT count(*) FROM chaos_effects)") <= 0
}

const (
	// asked is the condition of a job that somebody asked for. The others come by themselves, again and again.
	asked = "kind NOT IN ('events.reconcile', 'events.prune', 'events.trim')"
	// unfinished is the condition of one that is still to be worked.
	unfinished = asked + " AND state NOT IN ('completed', 'cancelled', 'discarded')"
	// reconciling is the condition of a reconciler that is at work, or was when it was killed.
	reconciling = "kind = 'events.reconcile' AND state = 'running'"
)

func engines() []database.Engine { return []database.Engine{database.SQLite, database.Postgres} }
