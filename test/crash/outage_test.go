//scaffold:needs projects

package crash

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// timeout is how long a request may take, as the program is told.
const timeout = 5 * time.Second

func TestPostgresMayBeKilledUnderLoad(t *testing.T) {
	t.Parallel()
	server := testkit.NewPostgresServer(t)
	options := database.Options{Engine: database.Postgres, Target: server.URL, PoolSize: 4}
	s := newSite(t, options, "ENVIRONMENT=test", "REQUEST_TIMEOUT="+timeout.String())
	p := s.start()
	l := s.begin("http://"+p.host, isAway, time.Tick(2*time.Millisecond))
	for round := range 3 {
		l.reach(t, 50)
		server.Kill()
		l.await(t, &l.borne, 4*crowd)
		if alive, ready := probe(p.host, "/health"), probe(p.host, "/health/ready"); alive != 200 || ready != 503 {
			t.Errorf("the probes are answered with %d and %d", alive, ready)
		}
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
		back := time.Now()
		l.reach(t, 4*crowd)
		took := time.Since(back)
		if took > 10*time.Second {
			t.Errorf("it took the program %s to find its database again", took)
		}
		t.Logf("outage %d: %d requests refused so far; at work again after %s", round+1, l.borne.Load(), took)
	}
	l.end(t)
	apptest.Await(t, "the test to find the database again", func() bool { return s.db.Ping(t.Context()) == nil })
	t.Log(s.count(l))
	s.wantSound()
}

// isAway bears the answers to whom the database is away: in time, in the envelope, and without a word more.
func isAway(a answer) error { return away(a, timeout+time.Second) }

// away is isAway for those who wait for so long.
func away(a answer, within time.Duration) error {
	var envelope struct {
		Error struct {
			Code      string
			RequestID string `json:"request_id"`
		}
	}
	switch {
	case !a.complete():
		return errors.New("the program answers nothing")
	case a.took > within:
		return fmt.Errorf("the answer takes %s", a.took)
	case json.Unmarshal(a.body, &envelope) != nil || envelope.Error.RequestID != a.header.Get("X-Request-ID"):
		return errors.New("the error has the wrong form")
	case !slices.Contains(permitted, fmt.Sprint(a.status, " ", envelope.Error.Code)):
		return errors.New("the error is of the wrong kind")
	}
	return nil
}

// permitted are the statuses and codes while a database is away.
var permitted = []string{"503 " + errs.Unavailable.Code(), "504 " + errs.Timeout.Code()}
