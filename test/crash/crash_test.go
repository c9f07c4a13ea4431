//scaffold:needs projects

package crash

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
)

// mayGo bears that the program is gone, and nothing else.
func mayGo(a answer) error {
	if a.complete() {
		return errors.New("a program that is there refuses a good request")
	}
	return nil
}

// mustAnswer bears nothing.
func mustAnswer(answer) error { return errors.New("somebody noticed") }

func TestAKilledProgramLosesNoAcknowledgedWrite(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *site) {
		var loads []*load
		p := s.start()
		for round := range 5 {
			l := s.begin("http://"+p.host, mayGo, nil)
			l.reach(t, rand.IntN(200))
			p.kill()
			l.wait(t)
			loads = append(loads, l)

			p = s.start()
			t.Logf("kill %d: %s; ready again after %s", round+1, s.count(loads...), p.took)
		}
		s.wantSound()
		l := s.begin("http://"+p.host, mustAnswer, nil)
		l.end(t)
		s.count(append(loads, l)...)
	})
}

// wantSound checks what the database knows of its own health, and that every user has an identity to sign in by.
func (s *site) wantSound() {
	s.t.Helper()
	users, identities := testkit.Rows(s.t, s.db, "users", ""), testkit.Rows(s.t, s.db, "users_identities", "")
	if users != identities {
		s.t.Errorf("there are %d users and %d identities", users, identities)
	}
	if s.db.Engine() == database.SQLite {
		verdict, err := database.One(s.db.Read(s.t.Context()).Raw("PRAGMA integrity_check"), database.Scalar[string])
		if err != nil || verdict != "ok" {
			s.t.Errorf("the file is not sound: %s, %v", verdict, err)
		}
	}
}
