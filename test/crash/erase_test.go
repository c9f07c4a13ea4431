//scaffold:needs ai billing notifications projects

package crash

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// leavers are how many people leave at once.
const leavers = 60

// wantWhole checks that no module has erased in part, or without a receipt: of projects there is one or the other.
func (s *site) wantWhole(when string) (erased int) {
	s.t.Helper()
	erased = testkit.Rows(s.t, s.db, "erasure_receipts", "module = 'projects' AND pass = 'first'")
	left, err := database.One(s.db.Read(s.t.Context()).Raw("SELECT count(DISTINCT owner_id) FROM projects"), database.Scalar[int])
	if err != nil || erased+left != leavers {
		s.t.Errorf("%s %d have a receipt of their projects, and %d have projects, %v", when, erased, left, err)
	}
	gone, there := testkit.Rows(s.t, s.db, "erasure_receipts", "module = 'users' AND pass = 'first'"), testkit.Rows(s.t, s.db, "users", "")
	told := testkit.Rows(s.t, s.db, "events_outbox", "name = 'users.user_deleted.v1'")
	if gone+there != leavers || told != gone {
		s.t.Errorf("%s %d have a receipt of their account, %d have one, and of %d was told", when, gone, there, told)
	}
	return erased
}

// The program is killed while people are erased. Whatever was going on is whole or not there, and goes on when the program is back:
// in the end everybody has all receipts, and each says what there was, once.
func TestAKilledProgramErasesWhole(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *site) {
		p := s.start()
		everyone(leavers, func(subject string) {
			for range 2 {
				if made := s.call(p.host, http.MethodPost, projects, subject, `{"name": "Apollo"}`); !made.good() {
					t.Errorf("%s: %s", subject, made)
				}
			}
		})
		for round := range 3 {
			var running sync.WaitGroup
			running.Go(func() {
				everyone(leavers, func(subject string) { _ = s.call(p.host, http.MethodDelete, "/api/v1/app/users/me", subject, "") })
			})
			before := testkit.Rows(t, s.db, "erasure_receipts", "")
			enough := min(before+1+rand.IntN(leavers*(round+1)), leavers*7)
			apptest.Await(t, "receipts", func() bool { return testkit.Rows(t, s.db, "erasure_receipts", "") >= enough || before == leavers*7 })
			p.kill()
			running.Wait()
			erased := s.wantWhole(fmt.Sprintf("after kill %d", round+1))
			p = s.start()
			t.Logf("kill %d: %d are erased; ready again after %s", round+1, erased, p.took)
		}
		everyone(leavers, func(subject string) {
			if left := s.call(p.host, http.MethodDelete, "/api/v1/app/users/me", subject, ""); left.status != http.StatusAccepted && left.status != http.StatusForbidden {
				t.Errorf("%s: %s", subject, left)
			}
		})
		s.await("all receipts", fmt.Sprintf("SELECT %d - (SELECT count(*) FROM erasure_receipts WHERE pass = 'first')", leavers*7))
		if erased := s.wantWhole("in the end"); erased != leavers {
			t.Errorf("%d are erased", erased)
		}
		for what, where := range map[string]string{
			"projects": "module = 'projects' AND counts LIKE '%\"projects\":2%'", "accounts": "module = 'users' AND counts LIKE '%\"users\":1,%'",
		} {
			if rows := testkit.Rows(t, s.db, "erasure_receipts", "pass = 'first' AND "+where); rows != leavers {
				t.Errorf("%d receipts say how many %s there were", rows, what)
			}
		}
		p.stop()
	})
}
