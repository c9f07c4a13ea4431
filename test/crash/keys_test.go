//scaffold:needs projects

package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// keyed is a project that is asked for under an Idempotency-Key, which is its name.
type keyed struct {
	token, key string
	first      answer
}

// ask asks for the project.
func (k *keyed) ask(host string) answer {
	request, err := http.NewRequest(http.MethodPost, "http://"+host+projects, strings.NewReader(fmt.Sprintf(`{"name": %q}`, k.key)))
	if err != nil {
		return answer{err: err}
	}
	request.Header.Set("Authorization", "Bearer "+k.token)
	request.Header.Set("Idempotency-Key", k.key)
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}} // a kept one repeats by itself
	return read(client.Do(request))
}

// again asks a second time, and checks that the answer is that of the first time if that was heard.
func (k *keyed) again(t *testing.T, host string) (happened bool) {
	t.Helper()
	second := k.ask(host)
	replayed := second.complete() && second.header.Get("Idempotent-Replayed") == "true"
	switch {
	case !second.good():
		t.Errorf("%s is answered: %s", k.key, second)
	case k.first.good() && (!replayed || string(second.body) != string(k.first.body) || second.header.Get("Location") != k.first.header.Get("Location")):
		t.Errorf("%s was answered: %s, and again: %s", k.key, k.first, second)
	}
	return !replayed
}

// Whatever was on its way when the program was killed can be asked for again, and is there once.
func TestAKilledProgramLeavesKeysThatWork(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *site) {
		total := 0
		p := s.start()
		for round := range 3 {
			var mu sync.Mutex
			var asked []*keyed
			var answered atomic.Int64
			var running sync.WaitGroup
			for writer := range crowd {
				token := s.token(fmt.Sprint("writer", writer))
				running.Go(func() {
					for number := 0; ; number++ {
						k := &keyed{token: token, key: fmt.Sprintf("%d-%d-%d", round, writer, number)}
						k.first = k.ask(p.host)
						mu.Lock()
						asked = append(asked, k)
						mu.Unlock()
						if !k.first.complete() {
							return // it is gone
						}
						if !k.first.good() {
							t.Errorf("%s is answered: %s", k.key, k.first)
							return
						}
						answered.Add(1)
					}
				})
			}
			enough := int64(50 + rand.IntN(100))
			apptest.Await(t, "answers", func() bool { return answered.Load() >= enough || t.Failed() })
			p.kill()
			running.Wait()

			p = s.start()
			missing := 0
			for _, k := range asked {
				if k.again(t, p.host) {
					missing++
				}
			}
			total += len(asked)
			t.Logf("kill %d: of %d calls %d were answered, and %d hadn't happened", round+1, len(asked), answered.Load(), missing)
		}
		if rows := testkit.Rows(t, s.db, "projects", ""); rows != total {
			t.Errorf("%d projects were asked for, and there are %d", total, rows)
		}
		s.wantSound()
	})
}

// The worst moment is after the key was taken. PostgreSQL can be made to stop there.
func TestAProgramIsKilledBetweenKeyAndAnswer(t *testing.T) {
	t.Parallel()
	s := newSite(t, testkit.DatabaseOptions(t, database.Postgres))
	p := s.start()
	k := &keyed{token: s.token("ann"), key: "k"}
	err := s.db.WithinTx(t.Context(), func(ctx context.Context) error {
		if err := s.db.Tx(ctx).Exec("LOCK TABLE projects IN ACCESS EXCLUSIVE MODE").Error; err != nil {
			return err
		}
		told := make(chan answer)
		go func() { told <- k.ask(p.host) }()
		apptest.Await(t, "the call to be held up", func() bool {
			return testkit.Rows(t, s.db, "pg_locks", "NOT granted AND relation = 'projects'::regclass") > 0
		})
		p.kill()
		if a := <-told; a.complete() {
			t.Errorf("it is answered: %s", a)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	p = s.start()
	if !k.again(t, p.host) {
		t.Error("a call that was never answered is answered as before")
	}
	if k.again(t, p.host) || testkit.Rows(t, s.db, "projects", "") != 1 {
		t.Error("it happens a second time")
	}
}
