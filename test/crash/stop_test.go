//scaffold:needs projects

package crash

import (
	"math/rand/v2"
	"testing"
	"time"
)

// On a developer's machine a stop gives no notice, so that it comes in the middle of everything.
func TestAStopAnswersWhatItHasBegun(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *site) {
		var loads []*load
		for range 5 {
			p := s.start()
			l := s.begin("http://"+p.host, mayGo, nil)
			l.reach(t, rand.IntN(100))
			p.stop()
			l.wait(t)
			loads = append(loads, l)
		}
		counts := s.count(loads...)
		if counts.happened > 0 {
			t.Errorf("%d writes happened and nobody was told", counts.happened)
		}
		t.Log(counts)
	}, "ENVIRONMENT=test")
}

func TestNobodyNoticesARollingRestart(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *site) {
		running := []*program{s.start(), s.start()}
		b := balance(t, running...)
		l := s.begin(b.url, mustAnswer, time.Tick(2500*time.Microsecond))
		for i, old := range running {
			old.stop()
			b.remove(old)
			running[i] = s.start()
			b.add(running[i])
			l.reach(t, 50)
		}
		l.end(t)
		counts := s.count(l)
		if counts.doubtful > 0 {
			t.Errorf("%d writes were not acknowledged", counts.doubtful)
		}
		if refused := b.refused.Load(); refused > 0 {
			t.Errorf("%d connections were refused: the programs gave no notice", refused)
		}
		t.Log(counts)
	})
}
