//scaffold:needs projects

package chaos

import (
	"fmt"
	"testing"
	"time"
)

// A process is killed while it handles something, and with it dies who looks after what the dead have begun: it holds the
// lease. `make chaos` measures how long it takes until another process has done the work; otherwise the test doesn't wait for
// the rescuer, whose settings the tests of platform/jobs hold.
func TestAKilledProcessIsSucceededByAnother(t *testing.T) {
	t.Parallel()
	eachSite(t, writeInvoice, roads(), func(s *site) { s.succeed(writeInvoice, 0, 2*time.Minute) })
	eachSite(t, sendLetter, []road{byJobs}, func(s *site) { s.succeed(sendLetter, 0, 2*time.Minute) })
	eachSite(t, sendLetter+" of five minutes", []road{byJobs}, func(s *site) {
		s.succeed(sendLetter, 5*time.Minute, 400*time.Second)
	})
}

// succeed kills a process that hangs in a handler, and wants another one to do its work within a time.
func (s *site) succeed(at string, timeout, within time.Duration) {
	s.t.Helper()
	doomed := s.start(errand{Timeout: timeout, Fate: fate{Moment: beforeEffect, At: at, Is: hang}})
	s.await(patience, "the lease", func() bool { return s.number("SELECT count(*) FROM river_leader") > 0 })
	customer := s.start(errand{Silent: true, Orders: 1})
	s.reach(1)
	customer.stop()
	doomed.await("hanging")
	doomed.kill()
	s.times++
	killed := time.Now()
	if !whole() {
		s.hurry()
	}
	successor := s.start(errand{Timeout: timeout, Ahead: impatience()})
	s.await(within, "another process to do it", func() bool {
		return s.number("SELECT count(*) FROM chaos_effects WHERE who = '"+at+"'") > 0
	})
	s.t.Logf("done by another process %s after the kill", time.Since(killed).Round(100*time.Millisecond))
	s.await(within, "all the rest to be done", s.settled)
	successor.kill()
	s.wantSound()
}

func TestWhatHangsEndsAtItsTimeout(t *testing.T) {
	t.Parallel()
	eachSite(t, writeInvoice, roads(), func(s *site) { s.timeOut(writeInvoice) })
	eachSite(t, sendLetter, []road{byJobs}, func(s *site) { s.timeOut(sendLetter) })
}

// timeOut lets a handler hang, and wants it to end in time and to be called again.
func (s *site) timeOut(at string) {
	s.t.Helper()
	const timeout = 500 * time.Millisecond
	p := s.start(errand{Orders: 1, Timeout: timeout, Fate: fate{Moment: beforeEffect, At: at, Is: slow}})
	var milliseconds int
	if _, err := fmt.Sscanf(p.await("slow"), "slow for %d ms: context deadline exceeded", &milliseconds); err != nil {
		s.t.Fatal(err)
	}
	if took := time.Duration(milliseconds) * time.Millisecond; took > timeout+10*time.Second {
		s.t.Errorf("it ended after %s", took)
	}
	s.await(patience, "a second try", s.settled)
	p.kill()
	s.wantSound()
}

// eachSite runs the test on a site of either database over the roads, side by side.
func eachSite(t *testing.T, name string, over []road, test func(s *site)) {
	t.Helper()
	for _, engine := range engines() {
		for _, by := range over {
			t.Run(string(engine)+"/"+string(by)+"/"+name, func(t *testing.T) {
				t.Parallel()
				test(newSite(t, engine, by))
			})
		}
	}
}
