//scaffold:needs notifications projects

package crash

import (
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
)

// weathers are what happens to the network, and whether what needs it can go on.
var weathers = []struct {
	name    string
	weather testkit.Weather
	works   bool
}{
	{"slow", testkit.Weather{Delay: 10 * time.Millisecond}, true},
	{"narrow", testkit.Weather{Rate: 200_000}, true},
	{"reset", testkit.Weather{Reset: true}, false},
	{"gone silent", testkit.Weather{Stalled: true}, false},
	{"refused", testkit.Weather{Refused: true}, false},
}

// The network to PostgreSQL or to Redis has all kinds of weather while clients write. Every answer comes in time and in the
// envelope, what is acknowledged stays, no weather of Redis's is any client's concern, and when it is over all goes on by
// itself: the events that waited are delivered, too. `make chaos` repeats it for a while.
func TestTheNetworkMayBeBad(t *testing.T) {
	t.Parallel()
	const margin = 2 * time.Second
	inTime := func(a answer) error { return away(a, timeout+margin) }
	options := testkit.DatabaseOptions(t, database.Postgres)
	toDatabase, toRedis := testkit.NewNetwork(t, options.Target), testkit.NewNetwork(t, testkit.Redis(t))
	options.PoolSize = 4
	s := newSite(t, options, "DATABASE_URL="+toDatabase.URL, "REDIS_URL="+toRedis.URL, "EVENTS_TRANSPORT=redis", "REQUEST_TIMEOUT="+timeout.String())
	p := s.start()

	began, rounds := time.Now(), 1
	if os.Getenv("CHAOS") == "whole" {
		rounds = 10
	}
	turn := func(n *testkit.Network, weather testkit.Weather) {
		if err := n.Turn(weather); err != nil {
			t.Fatal(err)
		}
	}
	var loads []*load
	for range rounds {
		for _, w := range weathers {
			for name, network := range map[string]*testkit.Network{"PostgreSQL": toDatabase, "Redis": toRedis} {
				works := w.works || network == toRedis
				bear, ready := inTime, http.StatusServiceUnavailable
				if works {
					bear, ready = mustAnswer, http.StatusOK
				}
				l := s.begin("http://"+p.host, bear, time.Tick(5*time.Millisecond))
				turn(network, w.weather)
				if works {
					l.reach(t, 4*crowd)
				} else {
					l.await(t, &l.borne, 2*crowd)
				}
				if alive, can := probe(p.host, "/health"), probe(p.host, "/health/ready"); alive != http.StatusOK || can != ready {
					t.Errorf("%s %s: the probes are answered with %d and %d", name, w.name, alive, can)
				}
				turn(network, testkit.Weather{})
				over := time.Now()
				l.reach(t, 4*crowd)
				t.Logf("%s %s: %d answers that it is away; at work %s after it is over", name, w.name, l.borne.Load(), time.Since(over).Round(time.Millisecond))
				l.end(t)
				if slowest := time.Duration(l.slowest.Load()); slowest > timeout+margin {
					t.Errorf("%s %s: an answer takes %s", name, w.name, slowest)
				}
				loads = append(loads, l)
			}
		}
	}
	over := time.Now()
	s.await("every event to be in its stream", "SELECT count(*) FROM river_job WHERE kind = 'events.publish' AND state <> 'completed'")
	s.await("every user to be made welcome", "SELECT (SELECT count(*) FROM users) - "+
		"(SELECT count(*) FROM events_inbox WHERE consumer = 'notifications.welcome' AND state = 'done')")
	t.Logf("all events are delivered %s after the last weather; %d times in %s: %s",
		time.Since(over).Round(time.Millisecond), rounds*len(weathers)*2, time.Since(began).Round(time.Second), s.count(loads...))
	s.wantSound()
	p.stop()
}
